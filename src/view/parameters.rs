//! The parameters of a run as the page shows them.

use serde_json::Value;

use shuffledet_detector::config::schema::Kind;
use shuffledet_node::parameters::ParameterSet;
use shuffledet_view::ParameterView;

/// Returns the parameters that may change while the run goes on.
pub fn parameter_views(set: &ParameterSet) -> Vec<ParameterView> {
    let settable = set
        .declared()
        .filter(|(definition, _)| !definition.read_only);
    let views = settable.map(|(definition, value)| ParameterView {
        name: definition.name.clone(),
        kind: kind(definition.kind).to_owned(),
        description: definition.description.clone(),
        range: definition.limits(),
        value: Value::from(value),
        default: definition.default.clone(),
    });
    views.collect()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Integer => "integer",
        Kind::Double => "number",
        Kind::String => "string",
        Kind::DoubleArray => "list of numbers",
        Kind::StringArray => "list of strings",
    }
}
