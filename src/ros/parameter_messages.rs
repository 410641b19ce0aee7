//! Converts parameters from and to messages of `rcl_interfaces`.

use r2r::rcl_interfaces::msg;

use shuffledet_detector::config::schema::{Definition, Range};
use shuffledet_node::parameters::{NamedValues, ParameterType, ParameterValue};

pub(super) fn parameters(named: NamedValues) -> Vec<msg::Parameter> {
    named
        .into_iter()
        .map(|(name, value)| msg::Parameter {
            name,
            value: message(value),
        })
        .collect()
}

pub(super) fn message(value: ParameterValue) -> msg::ParameterValue {
    let mut message = msg::ParameterValue {
        type_: value.parameter_type() as u8,
        ..msg::ParameterValue::default()
    };
    match value {
        ParameterValue::NotSet => (),
        ParameterValue::Bool(value) => message.bool_value = value,
        ParameterValue::Integer(value) => message.integer_value = value,
        ParameterValue::Double(value) => message.double_value = value,
        ParameterValue::String(value) => message.string_value = value,
        ParameterValue::ByteArray(list) => message.byte_array_value = list,
        ParameterValue::BoolArray(list) => message.bool_array_value = list,
        ParameterValue::IntegerArray(list) => message.integer_array_value = list,
        ParameterValue::DoubleArray(list) => message.double_array_value = list,
        ParameterValue::StringArray(list) => message.string_array_value = list,
    }
    message
}

/// Reads the parameter of a message.
pub(super) fn from_message(parameter: msg::Parameter) -> Result<(String, ParameterValue), String> {
    let msg::Parameter { name, value } = parameter;
    let value = match value.type_ {
        0 => ParameterValue::NotSet,
        1 => ParameterValue::Bool(value.bool_value),
        2 => ParameterValue::Integer(value.integer_value),
        3 => ParameterValue::Double(value.double_value),
        4 => ParameterValue::String(value.string_value),
        5 => ParameterValue::ByteArray(value.byte_array_value),
        6 => ParameterValue::BoolArray(value.bool_array_value),
        7 => ParameterValue::IntegerArray(value.integer_array_value),
        8 => ParameterValue::DoubleArray(value.double_array_value),
        9 => ParameterValue::StringArray(value.string_array_value),
        other => {
            return Err(format!(
                "parameter '{name}': expected a type of 0 to 9, found {other}"
            ));
        }
    };
    Ok((name, value))
}

/// Returns the descriptor for ROS tools; only the name if the parameter is not declared.
pub(super) fn descriptor(name: &str, definition: Option<&Definition>) -> msg::ParameterDescriptor {
    let mut descriptor = msg::ParameterDescriptor {
        name: name.to_owned(),
        ..msg::ParameterDescriptor::default()
    };
    let Some(definition) = definition else {
        return descriptor;
    };
    descriptor.type_ = ParameterType::from(definition.kind) as u8;
    descriptor.description = definition.description.clone();
    descriptor.additional_constraints = definition.constraints();
    descriptor.read_only = definition.read_only;
    match definition.range {
        Some(Range::Double { from, to }) => {
            let (from_value, to_value, step) = (from, to, 0.0);
            descriptor.floating_point_range = vec![msg::FloatingPointRange {
                from_value,
                to_value,
                step,
            }];
        }
        Some(Range::Integer { from, to }) => {
            let (from_value, to_value, step) = (from, to, 0);
            descriptor.integer_range = vec![msg::IntegerRange {
                from_value,
                to_value,
                step,
            }];
        }
        None => (),
    }
    descriptor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_from_its_message() {
        let values = [
            ParameterValue::NotSet,
            ParameterValue::Bool(true),
            ParameterValue::Integer(-3),
            ParameterValue::Double(0.4),
            ParameterValue::String("a".into()),
            ParameterValue::ByteArray(vec![1]),
            ParameterValue::BoolArray(vec![true]),
            ParameterValue::IntegerArray(vec![1, 2]),
            ParameterValue::DoubleArray(vec![0.5]),
            ParameterValue::StringArray(vec!["b".into()]),
        ];
        for value in values {
            let named = vec![("x".to_owned(), value)];
            let [parameter] = parameters(named.clone()).try_into().unwrap();
            assert_eq!(from_message(parameter).unwrap(), named[0]);
        }
    }

    #[test]
    fn a_type_that_there_is_not_is_refused() {
        let mut parameter = msg::Parameter {
            name: "x".into(),
            ..msg::Parameter::default()
        };
        parameter.value.type_ = 77;
        assert!(from_message(parameter).unwrap_err().contains("found 77"));
    }
}
