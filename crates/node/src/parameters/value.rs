//! Parameter values of `rcl_interfaces`, and their conversion from and to the configuration's JSON.

use std::fmt;

use serde_json::Value;

use shuffledet_detector::config::schema::Kind;

/// A parameter's value or `NotSet`, as in `rcl_interfaces/msg/ParameterValue`.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ParameterValue {
    #[default]
    NotSet,
    Bool(bool),
    Integer(i64),
    Double(f64),
    String(String),
    ByteArray(Vec<u8>),
    BoolArray(Vec<bool>),
    IntegerArray(Vec<i64>),
    DoubleArray(Vec<f64>),
    StringArray(Vec<String>),
}

/// The type of a value, numbered as in `rcl_interfaces/msg/ParameterType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ParameterType {
    NotSet = 0,
    Bool = 1,
    Integer = 2,
    Double = 3,
    String = 4,
    ByteArray = 5,
    BoolArray = 6,
    IntegerArray = 7,
    DoubleArray = 8,
    StringArray = 9,
}

impl From<Kind> for ParameterType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool,
            Kind::Integer => Self::Integer,
            Kind::Double => Self::Double,
            Kind::String => Self::String,
            Kind::DoubleArray => Self::DoubleArray,
            Kind::StringArray => Self::StringArray,
        }
    }
}

impl fmt::Display for ParameterType {
    /// Returns the type's name as rclcpp writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSet => "not set",
            Self::Bool => "bool",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::String => "string",
            Self::ByteArray => "byte_array",
            Self::BoolArray => "bool_array",
            Self::IntegerArray => "integer_array",
            Self::DoubleArray => "double_array",
            Self::StringArray => "string_array",
        })
    }
}

impl ParameterValue {
    pub fn parameter_type(&self) -> ParameterType {
        match self {
            Self::NotSet => ParameterType::NotSet,
            Self::Bool(_) => ParameterType::Bool,
            Self::Integer(_) => ParameterType::Integer,
            Self::Double(_) => ParameterType::Double,
            Self::String(_) => ParameterType::String,
            Self::ByteArray(_) => ParameterType::ByteArray,
            Self::BoolArray(_) => ParameterType::BoolArray,
            Self::IntegerArray(_) => ParameterType::IntegerArray,
            Self::DoubleArray(_) => ParameterType::DoubleArray,
            Self::StringArray(_) => ParameterType::StringArray,
        }
    }

    /// Returns the value that a JSON text without a type stands for; null: [`NotSet`](Self::NotSet).
    ///
    /// # Errors
    /// Fails for an object, and for a list of several types.
    pub fn from_untyped(json: &Value) -> Result<Self, String> {
        let refused =
            || format!("expected a boolean, a number, a string or a list of them, found {json}");
        Ok(match json {
            Value::Null => Self::NotSet,
            Value::Bool(value) => Self::Bool(*value),
            Value::String(text) => Self::String(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(number)) => Self::Double(number),
                (None, None) => return Err(refused()),
            },
            Value::Array(list) => {
                let all = |list: &[Value]| -> Option<Self> {
                    let integers: Option<_> = list.iter().map(Value::as_i64).collect();
                    let numbers = || list.iter().map(Value::as_f64).collect::<Option<_>>();
                    let booleans = || list.iter().map(Value::as_bool).collect::<Option<_>>();
                    let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
                    let texts: Option<_> = texts.collect();
                    let texts = texts.map(Self::StringArray);
                    let integers = || integers.map(Self::IntegerArray);
                    let numbers = || numbers().map(Self::DoubleArray);
                    let booleans = || booleans().map(Self::BoolArray);
                    texts.or_else(integers).or_else(numbers).or_else(booleans)
                };
                all(list).ok_or_else(refused)?
            }
            Value::Object(_) => return Err(refused()),
        })
    }

    /// Converts `json` from the configuration to a value of this kind. Returns
    /// [`NotSet`](Self::NotSet) if there is none.
    pub(super) fn from_json(json: Option<&Value>, kind: Kind) -> Self {
        let value = json.and_then(|json| {
            Some(match kind {
                Kind::Bool => Self::Bool(json.as_bool()?),
                Kind::Integer => Self::Integer(json.as_i64()?),
                Kind::Double => Self::Double(json.as_f64()?),
                Kind::String => Self::String(json.as_str()?.to_owned()),
                Kind::DoubleArray => {
                    let numbers = json.as_array()?.iter().filter_map(Value::as_f64);
                    Self::DoubleArray(numbers.collect())
                }
                Kind::StringArray => {
                    let texts = json.as_array()?.iter().filter_map(Value::as_str);
                    Self::StringArray(texts.map(str::to_owned).collect())
                }
            })
        });
        value.unwrap_or_default()
    }

    /// Converts this value to that kind; returns `None` if the type differs. Accepts integers as
    /// doubles, and an empty list as a list of any type, because the sender cannot state its type.
    /// Accepts a string for a list of strings; the configuration splits it.
    pub(super) fn taken_for(&self, kind: Kind) -> Option<Self> {
        match (self, kind) {
            (Self::Integer(value), Kind::Double) => Some(Self::Double(*value as f64)),
            (Self::IntegerArray(list), Kind::DoubleArray) => {
                let numbers = list.iter().map(|&number| number as f64);
                Some(Self::DoubleArray(numbers.collect()))
            }
            (value, Kind::DoubleArray) if value.is_empty_list() => {
                Some(Self::DoubleArray(Vec::new()))
            }
            (Self::String(_), Kind::StringArray) => Some(self.clone()),
            (value, Kind::StringArray) if value.is_empty_list() => {
                Some(Self::StringArray(Vec::new()))
            }
            (value, kind) => {
                (value.parameter_type() == ParameterType::from(kind)).then(|| value.clone())
            }
        }
    }

    fn is_empty_list(&self) -> bool {
        match self {
            Self::ByteArray(list) => list.is_empty(),
            Self::BoolArray(list) => list.is_empty(),
            Self::IntegerArray(list) => list.is_empty(),
            Self::DoubleArray(list) => list.is_empty(),
            Self::StringArray(list) => list.is_empty(),
            _ => false,
        }
    }
}

impl From<&ParameterValue> for Value {
    /// Converts to JSON; null stands for no value and for numbers that are not finite.
    fn from(value: &ParameterValue) -> Self {
        match value {
            ParameterValue::NotSet => Self::Null,
            ParameterValue::Bool(value) => Self::from(*value),
            ParameterValue::Integer(value) => Self::from(*value),
            ParameterValue::Double(value) => Self::from(*value),
            ParameterValue::String(value) => Self::from(value.as_str()),
            ParameterValue::ByteArray(list) => Self::from(list.as_slice()),
            ParameterValue::BoolArray(list) => Self::from(list.as_slice()),
            ParameterValue::IntegerArray(list) => Self::from(list.as_slice()),
            ParameterValue::DoubleArray(list) => Self::from(list.as_slice()),
            ParameterValue::StringArray(list) => Self::from(list.as_slice()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_one_of_any_type() {
        let empty = Some(ParameterValue::StringArray(Vec::new()));
        assert_eq!(
            ParameterValue::BoolArray(Vec::new()).taken_for(Kind::StringArray),
            empty
        );
        assert_eq!(
            ParameterValue::BoolArray(vec![true]).taken_for(Kind::StringArray),
            None
        );
    }
}
