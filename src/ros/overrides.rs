//! Parameters of the command line and its files, as resolved by rcl for this node.

use std::sync::PoisonError;

use serde_json::Value;

use shuffledet_node::parameters::{ParameterValue, overrides_to_tree};

/// Converts the overrides of `node` to the tree for
/// [`Config::from_tree`](shuffledet_detector::config::Config::from_tree). Fails with the name of a
/// parameter that has no place in the tree.
pub fn tree(node: &r2r::Node) -> anyhow::Result<Value> {
    let overrides = node.params.lock().unwrap_or_else(PoisonError::into_inner);
    let mut values = Vec::new();
    for (name, parameter) in overrides.iter() {
        values.push((name.clone(), value(name, &parameter.value)?));
    }
    overrides_to_tree(&values).map_err(anyhow::Error::msg)
}

fn value(name: &str, value: &r2r::ParameterValue) -> anyhow::Result<ParameterValue> {
    use r2r::ParameterValue as Ros;
    Ok(match value.clone() {
        Ros::NotSet => ParameterValue::NotSet,
        Ros::Bool(value) => ParameterValue::Bool(value),
        Ros::Integer(value) => ParameterValue::Integer(value),
        Ros::Double(value) => ParameterValue::Double(value),
        Ros::String(value) => ParameterValue::String(value),
        Ros::BoolArray(values) => ParameterValue::BoolArray(values),
        Ros::IntegerArray(values) => ParameterValue::IntegerArray(values),
        Ros::DoubleArray(values) => ParameterValue::DoubleArray(values),
        Ros::StringArray(values) => ParameterValue::StringArray(values),
        Ros::ByteArray(_) => anyhow::bail!(
            "parameter {name}: found a byte array, which no parameter of this node uses; remove it"
        ),
    })
}
