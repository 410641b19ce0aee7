//! The parameters of tracking and ranging, by class name.

use std::collections::BTreeMap;

use crate::detect::settings::SettingsError;
use crate::model::ModelDescription;
use shuffledet_track::{ClassHeights, Settings};

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
    /// Whether these groups are not those by default, which fit many models.
    pub groups_given: bool,
    /// Whether tracks move with the background of the picture.
    pub camera_motion: bool,
    /// Whether tracks are predicted to the time at which they are published.
    pub predict_to_publish: bool,
    /// Heights of objects by class name, in metres, and their spreads as shares.
    pub class_heights_m: BTreeMap<String, f64>,
    pub class_height_spreads: BTreeMap<String, f64>,
}

impl TrackingSettings {
    /// Checks that the model has the classes that the parameters name.
    ///
    /// # Errors
    /// The first class that the model lacks, or a spread of a class that has no height.
    pub fn check(&self, model: &ModelDescription) -> Result<(), SettingsError> {
        let groups = self.groups.iter().flatten();
        let named = [
            ("tracking.class_delete_s", self.class_delete_s.keys()),
            ("ranging.class_heights_m", self.class_heights_m.keys()),
            (
                "ranging.class_height_spreads",
                self.class_height_spreads.keys(),
            ),
        ];
        let named = named
            .into_iter()
            .flat_map(|(key, classes)| classes.map(move |class| (key, class)));
        let of_groups = groups.map(|class| ("tracking.groups", class));
        for (key, class) in named.chain(of_groups.filter(|_| self.groups_given)) {
            if model.labels.class_id(class).is_none() {
                return Err(SettingsError::unknown_class(key, class, model));
            }
        }
        let labels: Vec<&str> = model.labels.names().collect();
        self.heights(&labels)?;
        Ok(())
    }

    /// Returns the heights of objects for a model with these classes, in the order of their ids.
    ///
    /// # Errors
    /// A class that is not among them, or a spread of a class that has no height.
    pub fn heights(&self, classes: &[&str]) -> Result<ClassHeights, SettingsError> {
        let (heights_m, spreads) = (&self.class_heights_m, &self.class_height_spreads);
        Ok(ClassHeights::new(
            classes.iter().copied(),
            heights_m,
            spreads,
        )?)
    }

    /// Returns the settings of a tracker for a model with these classes, in the order of their ids,
    /// and with these score thresholds by class id. A class that is not among them is ignored.
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
