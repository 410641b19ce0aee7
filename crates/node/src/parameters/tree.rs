//! Converts between flat parameter names and the tree of the configuration.

use serde_json::{Map, Value, json};

use super::ParameterValue;
use shuffledet_detector::config::Config;
use shuffledet_detector::config::raw::LogLevel;
use shuffledet_detector::detect::classes::ClassSelection;
use shuffledet_detector::model::ModelDescription;

/// The section with the thresholds of classes.
pub(super) const CLASS_THRESHOLDS: &str = "detector.class_score_thresholds";
/// The sections whose keys are class names, which may contain dots.
pub(super) const OF_CLASSES: [&str; 4] = [
    CLASS_THRESHOLDS,
    "tracking.class_delete_s",
    "ranging.class_heights_m",
    "ranging.class_height_spreads",
];

/// Converts parameters with flat names, as a node gets them from its command line, to the tree for
/// [`Config::from_tree`](shuffledet_detector::config::Config::from_tree). Skips a parameter without
/// a value: rcl reads an empty list as no value, and lists that may be empty are empty by default.
///
/// # Errors
/// Fails if a name is given both as a value and as a section.
pub fn overrides_to_tree(overrides: &[(String, ParameterValue)]) -> Result<Value, String> {
    let mut tree = Value::Object(Map::new());
    let given = overrides
        .iter()
        .filter(|(_, value)| *value != ParameterValue::NotSet);
    for (name, value) in given {
        let class = OF_CLASSES.iter().find_map(|section| {
            let class = name.strip_prefix(section)?.strip_prefix('.')?;
            Some(section.split('.').chain([class]).collect())
        });
        let keys: Vec<&str> = class.unwrap_or_else(|| name.split('.').collect());
        let place = place(&mut tree, &keys)
            .filter(|place| place.is_null())
            .ok_or_else(|| {
                format!(
                    "parameter {name}: given both as a value and as a section; remove one of them"
                )
            })?;
        *place = Value::from(value);
    }
    Ok(tree)
}

/// Returns the place of a parameter's value in `tree`, null if it has none yet; `None` if a value
/// occupies one of its sections.
pub(super) fn place<'a, K: AsRef<str>>(tree: &'a mut Value, keys: &[K]) -> Option<&'a mut Value> {
    keys.iter().try_fold(tree, |tree, key| {
        if tree.is_null() {
            *tree = Value::Object(Map::new());
        }
        Some(
            tree.as_object_mut()?
                .entry(key.as_ref())
                .or_insert(Value::Null),
        )
    })
}

/// Removes the value at `keys`, if there is one.
pub(super) fn remove(tree: &mut Value, keys: &[String]) {
    if let Some((key, section)) = keys.split_last()
        && let Some(Value::Object(section)) =
            section.iter().try_fold(tree, |tree, key| tree.get_mut(key))
    {
        section.remove(key);
    }
}

/// Returns the value at the keys.
pub(super) fn at<'a, K: AsRef<str>>(tree: &'a Value, keys: &[K]) -> Option<&'a Value> {
    keys.iter()
        .try_fold(tree, |tree, key| tree.get(key.as_ref()))
}

/// Returns the parameters of `config` with defaults for those that are not given: for a camera the
/// values of `input` or `ranging`, for thresholds and groups those of the class sets, else the model's, for the
/// log level `log_level`.
pub(super) fn in_force(config: &Config, model: &ModelDescription, log_level: LogLevel) -> Value {
    let mut tree = config.to_tree();
    let stand_ins = [
        (
            &["detector", "score_threshold"][..],
            Value::from(decimal(model.score_threshold)),
        ),
        (
            &["detector", "nms_iou_threshold"],
            Value::from(decimal(model.nms_iou_threshold)),
        ),
        (&["model", "input_budget"], Value::from(model.input_budget)),
        (&["log_level"], json!(log_level)),
    ];
    for (path, value) in stand_ins {
        if let Some(place) = place(&mut tree, path)
            && place.is_null()
        {
            *place = value;
        }
    }
    set_values(&mut tree, config, model);
    let mut cameras = Map::new();
    for camera in &config.cameras {
        let Some(name) = &camera.name else { continue };
        let own_or = |key, shared: &[&str]| {
            let own = at(&tree, &["camera", name, key]);
            own.or(at(&tree, shared)).cloned()
        };
        let own_or_input = |key| own_or(key, &["input", key]);
        let own_or_ranging = |key| own_or(key, &["ranging", key]);
        let parameters = json!({
            "image_topic": camera.image_topic,
            "transport": camera.transport,
            "reliability": camera.reliability,
            "max_age_ms": own_or_input("max_age_ms"),
            "max_rate_hz": own_or_input("max_rate_hz"),
            "expected_rate_hz": own_or_input("expected_rate_hz"),
            "jpeg_scale": own_or_input("jpeg_scale"),
            "regions": own_or_input("regions"),
            "sight_enabled": own_or("sight_enabled", &["sight", "enabled"]),
            "covered_above": own_or("covered_above", &["sight", "covered_above"]),
            "priority": camera.tuning.priority,
            "enabled": camera.tuning.enabled,
            "camera_info_topic": camera.camera_info.topic.clone().unwrap_or_default(),
            "camera_info_url": own_or_ranging("camera_info_url"),
            "camera_height_m": own_or_ranging("camera_height_m"),
            "camera_pitch_deg": own_or_ranging("camera_pitch_deg"),
        });
        cameras.insert(name.clone(), parameters);
    }
    tree["camera"] = Value::Object(cameras);
    tree
}

/// Adds what the named class sets bring, unless it is given.
fn set_values(tree: &mut Value, config: &Config, model: &ModelDescription) {
    // names that do not fit the model are refused before
    let selection = ClassSelection::new(&config.thresholds.classes, model).unwrap_or_default();
    let name = |&class: &usize| model.labels.name(class);
    if let Some(place) = place(tree, &["detector", "nms_across"])
        && place.is_null()
    {
        let groups = selection.nms_across.iter();
        let groups = groups.map(|group| group.iter().map(name).collect::<Vec<_>>().join(", "));
        *place = groups.collect();
    }
    if config.thresholds.score.is_some() {
        return;
    }
    for (class, &score) in &selection.score_thresholds {
        let keys = CLASS_THRESHOLDS.split('.').chain([name(class)]);
        if let Some(place) = place(tree, &keys.collect::<Vec<_>>())
            && place.is_null()
        {
            *place = Value::from(decimal(score));
        }
    }
}

/// Returns the number as written: 0.3, although the nearest float as a double is
/// 0.30000001192092896.
fn decimal(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(overrides: &[(&str, ParameterValue)]) -> Result<Value, String> {
        let owned = |(name, value): &(&str, ParameterValue)| (name.to_string(), value.clone());
        overrides_to_tree(&overrides.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn flat_names_become_a_tree() {
        let made = tree(&[
            ("detector.max_detections", ParameterValue::Integer(7)),
            (
                "detector.class_score_thresholds.st. bernard",
                ParameterValue::Double(0.5),
            ),
            (
                "qos_overrides./a/b.subscription.depth",
                ParameterValue::Integer(3),
            ),
            ("cameras", ParameterValue::StringArray(vec!["left".into()])),
        ]);
        let expected = json!({
            "detector": {"max_detections": 7, "class_score_thresholds": {"st. bernard": 0.5}},
            "qos_overrides": {"/a/b": {"subscription": {"depth": 3}}},
            "cameras": ["left"],
        });
        assert_eq!(made.unwrap(), expected);
    }

    #[test]
    fn a_value_and_a_section_of_one_name_are_refused() {
        let (value, within) = (
            ("model", ParameterValue::Bool(true)),
            ("model.name", ParameterValue::Bool(true)),
        );
        assert!(
            tree(&[value.clone(), within.clone()])
                .unwrap_err()
                .starts_with("parameter model.name: ")
        );
        assert!(
            tree(&[within, value])
                .unwrap_err()
                .starts_with("parameter model: ")
        );
    }
}
