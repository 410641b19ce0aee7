//! The parameters of tracking.

use super::raw::RawTracking;
use crate::pipeline::TrackingSettings;

/// Returns the valid parameters.
pub(super) fn tracking(raw: &RawTracking) -> TrackingSettings {
    TrackingSettings {
        enabled: raw.enabled,
        confirm_s: raw.confirm_s,
        coast_s: raw.coast_s,
        delete_s: raw.delete_s,
        class_delete_s: raw.class_delete_s.clone(),
        groups: super::split_groups(&raw.groups),
        camera_motion: raw.camera_motion,
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn classes_are_found_by_name_and_absent_ones_ignored() {
        let assignments = [
            "tracking.class_delete_s.person=2.5",
            "tracking.class_delete_s.unicorn=9",
            "tracking.groups=[\"car, truck\", \"bicycle, unicorn\"]",
        ];
        let config = Config::load(None, None, &assignments.map(str::to_owned)).unwrap();
        let settings = config
            .tracking
            .settings(&["person", "car", "truck", "bicycle"], vec![0.3; 4]);
        assert_eq!(settings.class_delete_s, [Some(2.5), None, None, None]);
        assert_eq!(settings.groups, [None, Some(0), Some(0), Some(1)]);
        assert_eq!(settings.delete_s_of(0), 2.5);
        assert_eq!(settings.delete_s_of(3), 1.0);
    }

    #[test]
    fn a_time_out_of_range_is_refused() {
        let refused = Config::load(None, None, &["tracking.coast_s=-1".to_owned()]);
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("tracking.coast_s")
        );
    }
}
