//! Parameters as a tree of JSON values, merged from ROS 2 parameter YAML and `key=value`.

use std::path::Path;

use serde_json::{Map, Value};

use shuffledet_core::yaml;

use super::ConfigError;
use super::schema::{self, Kind};

/// The node name in parameter files.
const NODE: &str = "shuffledet";
const PARAMETERS: &str = "ros__parameters";
/// The place of the only list that may be empty where that is not its default.
const NMS_ACROSS: &str = "/detector/nms_across";

/// Returns the parameters that a ROS 2 parameter file gives to the node `node`: those of `/**`,
/// then those of the node itself in any namespace. Returns `None` if the file has none for it.
pub fn from_ros_yaml(yaml: &str, path: &Path, node: &str) -> Result<Option<Value>, ConfigError> {
    let origin = path.display().to_string();
    let document: Value = yaml::parse(yaml).map_err(|source| ConfigError::Yaml {
        origin: origin.clone(),
        source,
    })?;
    let shape = |found: String| ConfigError::Shape {
        origin: origin.clone(),
        found,
    };
    let Value::Object(nodes) = document else {
        return Err(shape(kind(&document).to_owned()));
    };
    let is_wildcard = |key: &str| matches!(key, "/**" | "**");
    let is_own = |key: &str| key.rsplit('/').next() == Some(node);
    let wildcards = nodes.iter().filter(|(key, _)| is_wildcard(key));
    let own = nodes.iter().filter(|(key, _)| is_own(key));
    let mut merged = None;
    for (_, section) in wildcards.chain(own) {
        let Some(parameters) = section.get(PARAMETERS) else {
            return Err(shape(format!("a node without {PARAMETERS}")));
        };
        let merged = merged.get_or_insert_with(|| Value::Object(Map::new()));
        merge(merged, nest(parameters, &origin)?);
    }
    Ok(merged)
}

/// Returns the parameters of the file of `--config`, which must not be empty.
pub fn from_config_file(yaml: &str, path: &Path) -> Result<Value, ConfigError> {
    from_ros_yaml(yaml, path, NODE)?.ok_or_else(|| ConfigError::Shape {
        origin: path.display().to_string(),
        found: "no such key at its top".to_owned(),
    })
}

/// Parses `key=value`: a key with dots, and a value in YAML.
pub fn from_assignment(assignment: &str) -> Result<Value, ConfigError> {
    let wrong = |problem: String| ConfigError::Assignment {
        assignment: assignment.to_owned(),
        problem,
    };
    let (key, value) = assignment
        .split_once('=')
        .ok_or_else(|| wrong("expected key=value, found no '='".to_owned()))?;
    let value: Value = yaml::parse(value).map_err(|error| wrong(error.to_string()))?;
    Ok(nested(key, value))
}

/// Brings lists into the one form that the schema describes: splits strings at commas where
/// `parameters` expects a list (`cuda, cpu`), and makes one list of a list of regions. In lists with
/// fixed choices, removes the spaces around each element. A group of `detector.nms_across` may also
/// be a list; it becomes a string.
pub fn normalise_lists(parameters: &mut Value) {
    flatten_regions(parameters);
    if let Some(groups) = parameters.pointer_mut(NMS_ACROSS) {
        join_groups(groups);
    }
    let lists = schema::definitions(|_| Vec::new());
    for list in lists.iter().filter(|d| d.kind == Kind::StringArray) {
        let Some(value) = parameters.pointer_mut(&format!("/{}", list.path.join("/"))) else {
            continue;
        };
        match value {
            Value::String(text) => {
                let parts = text.split(',').map(str::trim);
                *value = parts.filter(|part| !part.is_empty()).collect();
            }
            Value::Array(texts) if !list.choices.is_empty() => {
                for text in texts {
                    if let Value::String(text) = text {
                        *text = text.trim().to_owned();
                    }
                }
            }
            _ => (),
        }
    }
}

/// Replaces each list of lists of `input.regions` and `camera.NAME.regions` by one list.
fn flatten_regions(parameters: &mut Value) {
    let flatten = |section: &mut Value| {
        if let Some(Value::Array(regions)) = section.get_mut("regions") {
            let parts = regions.drain(..).flat_map(|region| match region {
                Value::Array(sides) => sides,
                other => vec![other],
            });
            *regions = parts.collect();
        }
    };
    if let Some(input) = parameters.get_mut("input") {
        flatten(input);
    }
    let cameras = parameters.get_mut("camera").and_then(Value::as_object_mut);
    for (_, camera) in cameras.into_iter().flatten() {
        flatten(camera);
    }
}

/// Makes a list of strings, each a group, of one group or of lists of class names.
fn join_groups(groups: &mut Value) {
    if groups.is_string() {
        *groups = Value::Array(vec![groups.take()]);
    }
    for group in groups.as_array_mut().into_iter().flatten() {
        let names = group.as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Option<Vec<_>> = names.iter().map(Value::as_str).collect();
        // another type than a string is left for the check
        if let Some(names) = names.filter(|_| group.is_array()) {
            *group = Value::from(names.join(", "));
        }
    }
}

/// Returns a ROS 2 parameter file with `parameters`. ROS reads an empty list as no value, so no
/// groups are written as an empty string.
pub fn to_ros_yaml(mut parameters: Value) -> Result<String, serde_yaml::Error> {
    if let Some(Value::Array(groups)) = parameters.pointer_mut(NMS_ACROSS)
        && groups.is_empty()
    {
        groups.push(Value::from(""));
    }
    serde_yaml::to_string(&serde_json::json!({ "/**": { PARAMETERS: parameters } }))
}

/// Merges `over` into `under` key by key. Lists are replaced as a whole.
pub fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// Nests dotted keys: for ROS 2, `a.b: 1` and `a: {b: 1}` are the same.
fn nest(parameters: &Value, origin: &str) -> Result<Value, ConfigError> {
    let mut nest_all = Value::Object(Map::new());
    match parameters {
        Value::Object(entries) => {
            for (key, value) in entries {
                let value = if value.is_object() {
                    nest(value, origin)?
                } else {
                    value.clone()
                };
                merge(&mut nest_all, nested(key, value));
            }
            Ok(nest_all)
        }
        // `ros__parameters:` with all its lines commented out
        Value::Null => Ok(nest_all),
        other => Err(ConfigError::Shape {
            origin: origin.to_owned(),
            found: format!("{PARAMETERS}: {}", kind(other)),
        }),
    }
}

fn nested(key: &str, value: Value) -> Value {
    key.rsplit('.').fold(value, |value, key| {
        Value::Object(Map::from_iter([(key.to_owned(), value)]))
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_with_a_space_after_its_comma_was_refused() {
        let mut tree = json!({
            "runtime": {"providers": "cuda, cpu", "workers": 2},
            "detector": {"classes": "traffic light ,car,"},
            "cameras": ["front", " left"],
            "model": {"name": "a, b"},
        });
        normalise_lists(&mut tree);
        let expected = json!({
            "runtime": {"providers": ["cuda", "cpu"], "workers": 2},
            "detector": {"classes": ["traffic light", "car"]},
            "cameras": ["front", " left"],
            "model": {"name": "a, b"},
        });
        assert_eq!(tree, expected);
        let mut tree = json!({"runtime": {"providers": ["cuda", " cpu "]}, "detector": 3});
        normalise_lists(&mut tree);
        let expected = json!({"runtime": {"providers": ["cuda", "cpu"]}, "detector": 3});
        assert_eq!(tree, expected);
    }

    #[test]
    fn groups_may_be_one_text_texts_or_lists() {
        let joined = |groups: Value| {
            let mut tree = json!({"detector": {"nms_across": groups}});
            normalise_lists(&mut tree);
            tree["detector"]["nms_across"].take()
        };
        assert_eq!(joined(json!("car, bus")), json!(["car, bus"]));
        let lists = json!([["car", "bus"], "bicycle, motorcycle", []]);
        let expected = json!(["car, bus", "bicycle, motorcycle", ""]);
        assert_eq!(joined(lists), expected);
        assert_eq!(joined(json!([])), json!([]));
        for wrong in [json!([[1, "car"]]), json!([3]), json!(true)] {
            assert_eq!(joined(wrong.clone()), wrong);
        }
    }

    #[test]
    fn no_groups_are_a_value_in_a_ros_file() {
        let yaml = to_ros_yaml(json!({"detector": {"nms_across": []}})).unwrap();
        let read: Value = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!(
            read["/**"]["ros__parameters"]["detector"]["nms_across"],
            json!([""])
        );
    }
}
