//! The parameters of tracking.

use super::raw::{RawRanging, RawTracking};
use crate::pipeline::TrackingSettings;

/// Returns the valid parameters.
pub(super) fn tracking(raw: &RawTracking, ranging: &RawRanging) -> TrackingSettings {
    TrackingSettings {
        enabled: raw.enabled,
        confirm_s: raw.confirm_s,
        coast_s: raw.coast_s,
        delete_s: raw.delete_s,
        class_delete_s: raw.class_delete_s.clone(),
        groups: super::split_groups(&raw.groups),
        groups_given: raw.groups != RawTracking::default().groups,
        camera_motion: raw.camera_motion,
        predict_to_publish: raw.predict_to_publish,
        class_heights_m: ranging.class_heights_m.clone(),
        class_height_spreads: ranging.class_height_spreads.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::model::Manifest;
    use shuffledet_core::Labels;
    use shuffledet_core::labels::Label;

    fn load(assignments: &[&str]) -> Config {
        let assignments: Vec<_> = assignments.iter().map(|&text| text.to_owned()).collect();
        Config::load(None, None, &assignments).unwrap()
    }

    #[test]
    fn classes_are_found_by_name() {
        let config = load(&[
            "tracking.class_delete_s.person=2.5",
            "tracking.groups=[\"car, truck\", \"bicycle\"]",
        ]);
        let settings = config
            .tracking
            .settings(&["person", "car", "truck", "bicycle"], vec![0.3; 4]);
        assert_eq!(settings.class_delete_s, [Some(2.5), None, None, None]);
        assert_eq!(settings.groups, [None, Some(0), Some(0), Some(1)]);
        assert_eq!(settings.delete_s_of(0), 2.5);
        assert_eq!(settings.delete_s_of(3), 1.0);
    }

    #[test]
    fn a_class_that_the_model_lacks_is_refused_by_name() {
        let manifest = Manifest::shipped().unwrap();
        let model = manifest.model("fastestdet_352").unwrap();
        let model = manifest.describe(model).unwrap();
        for (assignment, key) in [
            (
                "tracking.class_delete_s.unicorn=9",
                "tracking.class_delete_s",
            ),
            ("tracking.groups=[\"car, unicorn\"]", "tracking.groups"),
            (
                "ranging.class_heights_m.unicorn=2",
                "ranging.class_heights_m",
            ),
            (
                "ranging.class_height_spreads.unicorn=0.2",
                "ranging.class_height_spreads",
            ),
        ] {
            let error = load(&[assignment])
                .tracking
                .check(&model)
                .unwrap_err()
                .to_string();
            let start = format!("{key}: fastestdet_352 has no class \"unicorn\"; it has: person, ");
            assert!(error.starts_with(&start), "{error}");
        }
        let known = [
            "tracking.class_delete_s.car=2",
            "ranging.class_heights_m.kite=0.8",
        ];
        assert!(load(&known).tracking.check(&model).is_ok());
        let spread = load(&["ranging.class_height_spreads.kite=0.2"]).tracking;
        let error = spread.check(&model).unwrap_err().to_string();
        assert!(
            error.starts_with("ranging: class kite: expected a height"),
            "{error}"
        );
    }

    #[test]
    fn a_class_of_the_default_groups_may_be_absent() {
        let manifest = Manifest::shipped().unwrap();
        let model = manifest.model("fastestdet_352").unwrap();
        let mut model = manifest.describe(model).unwrap();
        let kite = Label {
            name: "kite".to_owned(),
            category_id: 38,
        };
        model.labels = Labels::new(vec![kite]).unwrap();
        assert!(load(&[]).tracking.check(&model).is_ok());
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
