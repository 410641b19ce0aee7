//! Parameters of the command line and its files, as rcl has resolved them for this node.

use std::sync::PoisonError;

use serde_json::Value;

use shuffledet_node::parameters::{ParameterValue, overrides_to_tree};

/// The overrides of `node` as the tree that [`Config::from_tree`](shuffledet_detector::config::Config::from_tree) takes; or which of
/// them cannot be one.
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
        Ros::ByteArray(_) => anyhow::bail!("parameter {name}: expected no bytes, found some"),
    })
}
