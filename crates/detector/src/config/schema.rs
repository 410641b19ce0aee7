//! The definitions of the parameters in the schema, by flat name, such as
//! `detector.max_detections`.

use serde_json::Value;

/// One parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The keys of `path` joined by dots.
    pub name: String,
    /// The keys from the root of the parameter tree.
    pub path: Vec<String>,
    pub kind: Kind,
    pub description: String,
    /// Only for numbers.
    pub range: Option<Range>,
    /// The only valid values of the parameter, or of each element of its list. Empty: any.
    pub choices: Vec<String>,
    /// Whether an empty string or list is refused.
    pub not_empty: bool,
    /// Whether it is fixed while the node runs.
    pub read_only: bool,
    /// `None`: no default; if the parameter is not given, another value or none is used.
    pub default: Option<Value>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Integer,
    Double,
    String,
    DoubleArray,
    StringArray,
}

/// The inclusive bounds of a number. A missing bound is the limit of the type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    Integer { from: i64, to: i64 },
    Double { from: f64, to: f64 },
}

impl Definition {
    /// Describes the constraints besides `kind` and `range`: the choices, and that a value must not
    /// be empty. Returns an empty text if there are none.
    pub fn constraints(&self) -> String {
        let mut constraints = Vec::new();
        if self.not_empty {
            constraints.push("not empty".to_owned());
        }
        if !self.choices.is_empty() {
            let each = if self.kind == Kind::StringArray {
                "each one of"
            } else {
                "one of"
            };
            constraints.push(format!("{each}: {}", self.choices.join(", ")));
        }
        constraints.join("; ")
    }

    /// Describes which values fit: the range, or else the constraints.
    pub fn limits(&self) -> String {
        match self.range {
            None => self.constraints(),
            Some(Range::Integer { from, to: i64::MAX }) => format!("{from} or more"),
            Some(Range::Integer { from, to }) => format!("{from} to {to}"),
            Some(Range::Double { from, to }) => format!("{from} to {to}"),
        }
    }
}

/// Returns all parameters in the order of the schema. `keys` returns the keys of a mapping by its
/// name; for `camera` they are the camera names.
pub fn definitions(keys: impl Fn(&str) -> Vec<String>) -> Vec<Definition> {
    let root = super::schema();
    let mut definitions = Vec::new();
    let place = Place {
        path: Vec::new(),
        description: "",
        read_only: false,
    };
    visit(&root, &root, &place, &keys, &mut definitions);
    definitions
}

/// A position in the parameter tree, with the properties that it inherits.
struct Place<'a> {
    path: Vec<String>,
    description: &'a str,
    read_only: bool,
}

fn visit(
    root: &Value,
    schema: &Value,
    at: &Place<'_>,
    keys: &impl Fn(&str) -> Vec<String>,
    found: &mut Vec<Definition>,
) {
    let resolved = resolve(root, schema);
    let described = [schema, resolved]
        .into_iter()
        .find_map(|schema| schema["description"].as_str());
    let place = |key: Option<&String>| Place {
        path: at.path.iter().chain(key).cloned().collect(),
        description: described.unwrap_or(at.description),
        read_only: at.read_only || schema["readOnly"] == true,
    };
    if let Some(properties) = resolved["properties"].as_object() {
        for (key, property) in properties {
            visit(root, property, &place(Some(key)), keys, found);
        }
    } else if resolved["additionalProperties"].is_object() {
        for key in keys(&at.path.join(".")) {
            let value = &resolved["additionalProperties"];
            visit(root, value, &place(Some(&key)), keys, found);
        }
    } else {
        found.push(define(root, schema, place(None)));
    }
}

fn define(root: &Value, schema: &Value, place: Place<'_>) -> Definition {
    let resolved = resolve(root, schema);
    let element = resolve(root, resolved.get("items").unwrap_or(resolved));
    let kind = kind(resolved);
    let choices = element["enum"].as_array().into_iter().flatten();
    let not_empty = ["minLength", "minItems"];
    Definition {
        name: place.path.join("."),
        path: place.path,
        kind,
        description: place.description.replace('\n', " "),
        range: range(resolved, kind),
        choices: choices
            .filter_map(|choice| choice.as_str().map(str::to_owned))
            .collect(),
        not_empty: not_empty.iter().any(|key| resolved.get(key).is_some()),
        read_only: place.read_only,
        default: schema.get("default").cloned(),
    }
}

/// Returns the definition that `schema` refers to, directly or as an alternative to null; otherwise
/// `schema` itself.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"]
        .as_str()
        .or(schema["anyOf"][0]["$ref"].as_str());
    reference
        .and_then(|reference| root.pointer(reference.strip_prefix('#')?))
        .unwrap_or(schema)
}

fn kind(schema: &Value) -> Kind {
    // a type, or a list of the type and null: the parameter is optional
    let name = schema["type"].as_str().or(schema["type"][0].as_str());
    let of_numbers = schema["items"]["type"] == "number";
    match name {
        Some("boolean") => Kind::Bool,
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Double,
        Some("array") if of_numbers => Kind::DoubleArray,
        Some("array") => Kind::StringArray,
        _ => Kind::String,
    }
}

fn range(schema: &Value, kind: Kind) -> Option<Range> {
    let (least, most) = (schema.get("minimum"), schema.get("maximum"));
    // without both bounds there is no range
    least.or(most)?;
    match kind {
        Kind::Integer => Some(Range::Integer {
            from: least.and_then(Value::as_i64).unwrap_or(i64::MIN),
            to: most.and_then(Value::as_i64).unwrap_or(i64::MAX),
        }),
        Kind::Double => Some(Range::Double {
            from: least.and_then(Value::as_f64).unwrap_or(f64::MIN),
            to: most.and_then(Value::as_f64).unwrap_or(f64::MAX),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> Definition {
        let keys =
            |mapping: &str| vec![if mapping == "camera" { "front" } else { "/x" }.to_owned()];
        let all = definitions(keys);
        all.into_iter().find(|d| d.name == name).unwrap()
    }

    #[test]
    fn numbers_have_ranges() {
        let unit = Some(Range::Double { from: 0.0, to: 1.0 });
        assert_eq!(definition("detector.score_threshold").range, unit);
        assert_eq!(definition("detector.class_score_thresholds./x").range, unit);
        let workers = definition("runtime.workers");
        assert_eq!(workers.range, Some(Range::Integer { from: 0, to: 256 }));
        let deadline = definition("qos_overrides./x.publisher.deadline");
        let to = i64::MAX;
        assert_eq!(deadline.range, Some(Range::Integer { from: 0, to }));
    }

    #[test]
    fn texts_have_choices() {
        let transport = definition("camera.front.transport");
        assert_eq!(transport.kind, Kind::String);
        assert_eq!(transport.constraints(), "one of: raw, compressed, auto");
        let providers = definition("runtime.providers").constraints();
        assert!(
            providers.starts_with("not empty; each one of: "),
            "{providers}"
        );
    }

    #[test]
    fn regions_are_a_list_of_numbers_that_can_be_set() {
        for name in ["input.regions", "camera.front.regions"] {
            let regions = definition(name);
            assert_eq!(regions.kind, Kind::DoubleArray);
            assert!(regions.not_empty && !regions.read_only);
        }
        assert!(definition("runtime.mode").read_only);
    }

    #[test]
    fn what_holds_for_a_mapping_holds_for_what_is_in_it() {
        let reliability = definition("qos_overrides./x.subscription.reliability");
        assert!(reliability.read_only && !reliability.description.is_empty());
        assert!(!definition("camera.front.priority").read_only);
    }
}
