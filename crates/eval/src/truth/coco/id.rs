//! Ids of images and categories as they may stand in JSON, compared as Python compares them: 1 is 1.0 and `true`, and is
//! not "1".

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::json::Loose;

/// An id. Numbers come before texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Id {
    Number {
        floor: i128,
        /// What is above the floor, in [0, 1): the bits of such numbers are in their order.
        fraction: u64,
    },
    Text(String),
}

impl Id {
    /// Returns `None` for a value that is no id: null, a list, an object, a number that is not
    /// finite.
    pub fn from_value(value: &Loose) -> Option<Self> {
        let (floor, fraction) = match value {
            Loose::Text(text) => return Some(Id::Text(text.clone())),
            Loose::Bool(set) => (i128::from(*set), 0.0),
            Loose::Whole(number) => (*number, 0.0),
            // beyond that floats have no neighbours that an i128 could hold apart
            Loose::Float(number) if number.abs() < 1e38 => {
                (number.floor() as i128, number - number.floor())
            }
            _ => return None,
        };
        Some(Id::Number {
            floor,
            fraction: f64::to_bits(fraction),
        })
    }

    /// Returns the id if it is a whole number that the results can hold.
    pub fn whole(&self) -> Option<u64> {
        match self {
            Id::Number { floor, fraction: 0 } => u64::try_from(*floor).ok(),
            _ => None,
        }
    }

    /// Returns the id as JSON.
    fn json(&self) -> Value {
        match self {
            Id::Text(text) => text.as_str().into(),
            Id::Number { floor, fraction: 0 } => match i64::try_from(*floor) {
                Ok(whole) => whole.into(),
                Err(_) => (*floor as f64).into(),
            },
            Id::Number { floor, fraction } => (*floor as f64 + f64::from_bits(*fraction)).into(),
        }
    }
}

impl fmt::Display for Id {
    /// Writes the id as in JSON: texts in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number { floor, fraction: 0 } => floor.fmt(f),
            other => other.json().fmt(f),
        }
    }
}

/// Numbers for ids: their own where all of them are whole numbers from 0 up, else from 1 in the order of the ids.
pub(super) fn numbered(ids: impl IntoIterator<Item = Id>) -> BTreeMap<Id, u64> {
    let mut numbers: BTreeMap<Id, u64> = (ids.into_iter())
        .map(|id| {
            let own = id.whole();
            (id, own.unwrap_or_default())
        })
        .collect();
    if numbers.keys().any(|id| id.whole().is_none()) {
        (1..)
            .zip(numbers.values_mut())
            .for_each(|(number, value)| *value = number);
    }
    numbers
}

/// Returns the ids that have another number, by that number.
pub(super) fn renamed(numbers: &BTreeMap<Id, u64>) -> BTreeMap<u64, Value> {
    let other = numbers
        .iter()
        .filter(|(id, number)| id.whole() != Some(**number));
    other.map(|(id, &number)| (number, id.json())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Id {
        Id::Text(text.to_owned())
    }

    fn float(number: f64) -> Option<Id> {
        Id::from_value(&Loose::Float(number))
    }

    fn whole(number: i128) -> Option<Id> {
        Id::from_value(&Loose::Whole(number))
    }

    #[test]
    fn ids_are_the_same_as_in_python() {
        assert_eq!(whole(1), float(1.0));
        assert_eq!(whole(1), Id::from_value(&Loose::Bool(true)));
        assert_eq!(whole(0), float(-0.0));
        assert_ne!(whole(1), Some(text("1")));
        assert_ne!(float(1.5), whole(1));
        assert_ne!(float(-0.5), float(0.5));
        for nothing in [Loose::Null, Loose::Float(f64::NAN), Loose::List(vec![])] {
            assert_eq!(Id::from_value(&nothing), None);
        }
        let mut ids = [
            text("9"),
            text("10"),
            float(2.5).unwrap(),
            whole(3).unwrap(),
            float(-1.5).unwrap(),
        ];
        ids.sort();
        let shown: Vec<_> = ids.iter().map(Id::to_string).collect();
        assert_eq!(shown, ["-1.5", "2.5", "3", "\"10\"", "\"9\""]);
    }

    #[test]
    fn ids_that_are_numbers_stay_and_others_get_numbers() {
        let own = numbered([whole(9).unwrap(), whole(2).unwrap()]);
        assert_eq!(own.values().copied().collect::<Vec<_>>(), [2, 9]);
        assert!(renamed(&own).is_empty());
        let given = numbered([text("b"), text("a"), whole(-7).unwrap()]);
        let json = renamed(&given);
        assert_eq!(
            Value::from_iter(json.iter().map(|(k, v)| (k.to_string(), v.clone()))),
            serde_json::json!({"1": -7, "2": "a", "3": "b"})
        );
    }
}
