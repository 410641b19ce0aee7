//! A parameter file with the parameters that matter.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Config, ConfigError, tree};

impl Config {
    /// Returns a ROS 2 parameter file with the parameters in `keys`, such as
    /// `detector.score_threshold`, and those that differ from the default. A path of a model becomes
    /// absolute, because the node has another working folder.
    ///
    /// # Errors
    /// The path of the model cannot be resolved.
    pub fn differing_yaml(&self, keys: &[&str]) -> Result<String, ConfigError> {
        let mut tree = self.to_tree();
        let model = Path::new(&self.model);
        if model.is_file() {
            let absolute = model.canonicalize().map_err(|source| ConfigError::Read {
                path: model.to_owned(),
                source,
            })?;
            tree["model"]["name"] = json!(absolute);
        }
        let defaults = Config::load(None, None, &[])?.to_tree();
        let parameters = differing("", &tree, &defaults, keys).unwrap_or(json!({}));
        tree::to_ros_yaml(parameters).map_err(|source| ConfigError::Yaml {
            origin: "the parameters".to_owned(),
            source,
        })
    }
}

/// Returns the part of `tree`, at `path`, that differs from `defaults` or is named in `keys`.
fn differing(path: &str, tree: &Value, defaults: &Value, keys: &[&str]) -> Option<Value> {
    let Value::Object(entries) = tree else {
        return (tree != defaults || keys.contains(&path)).then(|| tree.clone());
    };
    let entries = entries.iter().filter_map(|(key, value)| {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let value = differing(&path, value, &defaults[key], keys)?;
        Some((key.clone(), value))
    });
    let entries: Map<String, Value> = entries.collect();
    (!entries.is_empty()).then_some(Value::Object(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(assignments: &[&str], keys: &[&str]) -> Value {
        let assignments: Vec<String> = assignments.iter().map(|&a| a.to_owned()).collect();
        let config = Config::load(None, None, &assignments).unwrap();
        let yaml = config.differing_yaml(keys).unwrap();
        serde_yaml::from_str::<Value>(&yaml).unwrap()["/**"]["ros__parameters"].clone()
    }

    #[test]
    fn only_what_differs_or_is_named_is_written() {
        assert_eq!(yaml(&[], &[]), json!({}));
        let found = yaml(
            &["detector.max_detections=7", "model.name=nanodet_m_416"],
            &["input.jpeg_scale"],
        );
        let expected = json!({
            "detector": {"max_detections": 7},
            "input": {"jpeg_scale": "full"},
            "model": {"name": "nanodet_m_416"},
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_path_of_a_model_becomes_absolute() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("street.onnx");
        std::fs::write(&model, "").unwrap();
        let roundabout = folder.path().join(".").join("street.onnx");
        let assignment = format!("model.name={}", roundabout.display());
        let found = yaml(&[&assignment], &[]);
        let absolute = model.canonicalize().unwrap();
        assert_eq!(found, json!({"model": {"name": absolute}}));
    }
}
