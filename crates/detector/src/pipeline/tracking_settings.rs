//! The parameters of tracking, by class name.

use std::collections::BTreeMap;

use shuffledet_track::Settings;

/// How objects are tracked. Times are in seconds. Class names are looked up when the model is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrackingSettings {
    pub enabled: bool,
    pub confirm_s: f64,
    pub coast_s: f64,
    pub delete_s: f64,
    /// `delete_s` by class name, where it differs.
    pub class_delete_s: BTreeMap<String, f64>,
    /// Groups of class names that one object may be taken for.
    pub groups: Vec<Vec<String>>,
    /// Whether tracks move with the background of the picture.
    pub camera_motion: bool,
}

impl TrackingSettings {
    /// Returns the settings of a tracker for a model with these classes, in the order of their ids,
    /// and with these score thresholds by class id. A class that the model lacks is ignored.
    pub fn settings(&self, classes: &[&str], thresholds: Vec<f32>) -> Settings {
        let class_id = |name: &String| classes.iter().position(|class| class == name);
        let mut settings = Settings {
            confirm_s: self.confirm_s,
            coast_s: self.coast_s,
            delete_s: self.delete_s,
            class_delete_s: vec![None; classes.len()],
            groups: vec![None; classes.len()],
            thresholds,
        };
        for (name, &delete_s) in &self.class_delete_s {
            if let Some(class_id) = class_id(name) {
                settings.class_delete_s[class_id] = Some(delete_s);
            }
        }
        for (group, names) in self.groups.iter().enumerate() {
            for class_id in names.iter().filter_map(class_id) {
                settings.groups[class_id] = Some(group);
            }
        }
        settings
    }
}
