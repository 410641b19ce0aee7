//! The parameters of tracking, as valid values.

/// How objects are tracked. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The time between two boxes of an object that confirms it, if their scores leave doubt.
    /// Boxes with scores that are sure confirm it at once.
    pub confirm_s: f64,
    /// For how long a track without boxes is shown.
    pub coast_s: f64,
    /// For how long a track without boxes can be found again.
    pub delete_s: f64,
    /// `delete_s` by class id, where it differs.
    pub class_delete_s: Vec<Option<f64>>,
    /// By class id: the group of classes that one object may be taken for.
    pub groups: Vec<Option<usize>>,
    /// The score thresholds of the model, by class id. For a class that has none, the lowest score
    /// so far counts, but at most half of the highest.
    pub thresholds: Vec<f32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            confirm_s: 0.1,
            coast_s: 0.5,
            delete_s: 1.0,
            class_delete_s: Vec::new(),
            groups: Vec::new(),
            thresholds: Vec::new(),
        }
    }
}

impl Settings {
    /// Returns for how long a track of this class without boxes can be found again.
    pub fn delete_s_of(&self, class_id: usize) -> f64 {
        let own = self.class_delete_s.get(class_id).copied().flatten();
        own.unwrap_or(self.delete_s)
    }

    /// Returns whether one object may be taken for both classes.
    pub fn same_group(&self, class_id: usize, other: usize) -> bool {
        let group = |class_id: usize| self.groups.get(class_id).copied().flatten();
        class_id == other || group(class_id).is_some_and(|own| group(other) == Some(own))
    }
}
