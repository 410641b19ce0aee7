use proptest::prelude::*;
use serde_json::json;

use super::*;
use shuffledet_detector::config::schema::{Kind, Range};
use shuffledet_detector::model::Manifest;

fn set_of(tree: Value) -> ParameterSet {
    let manifest = Manifest::shipped().unwrap();
    let model = manifest.describe(manifest.model("nanodet_m_416").unwrap());
    let config = Config::from_tree(tree, "test").unwrap();
    ParameterSet::new(config, model.unwrap(), LogLevel::Info).unwrap()
}

/// Two cameras, one with a rate of its own.
fn two_cameras() -> ParameterSet {
    set_of(json!({
        "cameras": ["front", "left"],
        "camera": {"left": {"max_rate_hz": 15.0}},
        "detector": {"class_score_thresholds": {"car": 0.4}},
        "qos_overrides": {"/a/b": {"subscription": {"reliability": "reliable"}}},
    }))
}

fn named(name: &str, value: ParameterValue) -> (String, ParameterValue) {
    (name.to_owned(), value)
}

fn double(name: &str, value: f64) -> (String, ParameterValue) {
    named(name, ParameterValue::Double(value))
}

fn set(set: &mut ParameterSet, changes: &[(String, ParameterValue)]) -> Result<Change, String> {
    set.set(changes, |_, _| Ok(()))
}

fn refusal(name: &str, value: ParameterValue) -> String {
    set(&mut two_cameras(), &[named(name, value)]).unwrap_err()
}

#[test]
fn what_is_declared_has_the_value_in_force() {
    let set = two_cameras();
    let value = |name: &str| set.get(name);
    assert_eq!(
        value("detector.score_threshold"),
        ParameterValue::Double(0.3)
    );
    assert_eq!(value("log_level"), ParameterValue::String("info".into()));
    assert_eq!(
        value("camera.left.max_rate_hz"),
        ParameterValue::Double(15.0)
    );
    assert_eq!(
        value("camera.front.max_rate_hz"),
        ParameterValue::Double(0.0)
    );
    assert_eq!(
        value("camera.front.max_age_ms"),
        ParameterValue::Double(200.0)
    );
    assert_eq!(value("camera.front.enabled"), ParameterValue::Bool(true));
    let topic = ParameterValue::String("left/image_raw".to_owned());
    assert_eq!(value("camera.left.image_topic"), topic);
    let reliable = ParameterValue::String("reliable".to_owned());
    assert_eq!(
        value("qos_overrides./a/b.subscription.reliability"),
        reliable
    );
    assert_eq!(
        value("qos_overrides./a/b.subscription.depth"),
        ParameterValue::NotSet
    );
    assert_eq!(
        value("detector.class_score_thresholds.car"),
        ParameterValue::Double(0.4)
    );
    assert_eq!(
        value("detector.class_score_thresholds.bus"),
        ParameterValue::NotSet
    );
    assert_eq!(value("use_sim_time"), ParameterValue::Bool(false));
    assert_eq!(
        value("cameras").parameter_type(),
        ParameterType::StringArray
    );
    assert_eq!(value("detector"), ParameterValue::NotSet);
    let cameras = set.list(&["camera".to_owned()], 0);
    assert_eq!(cameras.names.len(), 30);
    assert_eq!(cameras.prefixes, ["camera.front", "camera.left"]);
}

#[test]
fn a_change_is_applied_and_told() {
    let mut parameters = two_cameras();
    let changes = [
        named("detector.score_threshold", ParameterValue::Integer(1)),
        double("detector.class_score_thresholds.traffic light", 0.7),
        named(
            "detector.class_score_thresholds.car",
            ParameterValue::NotSet,
        ),
        double("detector.nms_iou_threshold", 0.6),
    ];
    let mut applied = None;
    let change = parameters.set(&changes, |config, settings| {
        applied = Some((config.clone(), settings.clone()));
        Ok(())
    });
    let change = change.unwrap();
    assert_eq!(change.new, [changes[1].clone()]);
    assert_eq!(
        change.deleted,
        [double("detector.class_score_thresholds.car", 0.4)]
    );
    let score = double("detector.score_threshold", 1.0);
    assert_eq!(change.changed, [score, changes[3].clone()]);
    let (config, settings) = applied.unwrap();
    assert_eq!((settings.threshold(9), settings.threshold(2)), (0.7, 1.0));
    assert_eq!(
        (parameters.config(), parameters.settings()),
        (&config, &settings)
    );
}

#[test]
fn a_class_set_brings_groups_and_thresholds() {
    let mut parameters = set_of(json!({}));
    let texts = |texts: &[&str]| {
        ParameterValue::StringArray(texts.iter().map(|&text| text.to_owned()).collect())
    };
    assert_eq!(parameters.get("detector.nms_across"), texts(&[]));
    let road = named("detector.classes", ParameterValue::String("road".into()));
    let change = set(&mut parameters, &[road]).unwrap();
    let groups = ["car, bus, truck", "bicycle, motorcycle"];
    assert_eq!(parameters.get("detector.classes"), texts(&["road"]));
    assert_eq!(parameters.get("detector.nms_across"), texts(&groups));
    let groups = named("detector.nms_across", texts(&groups));
    assert!(change.changed.contains(&groups));
    let car = "detector.class_score_thresholds.car";
    let tuned = parameters.get(car);
    assert!(change.new.contains(&named(car, tuned.clone())));
    let threshold = f64::from(parameters.settings().threshold(2));
    assert!(matches!(tuned, ParameterValue::Double(score) if (score - threshold).abs() < 1e-6));
    // a threshold for all classes replaces the tuned ones
    let change = set(&mut parameters, &[double("detector.score_threshold", 0.5)]).unwrap();
    assert!(change.deleted.contains(&named(car, tuned)));
    assert_eq!(parameters.settings().threshold(2), 0.5);
    // so do groups of one's own, and no groups
    for own in [&["bus, train"][..], &[]] {
        set(&mut parameters, &[named("detector.nms_across", texts(own))]).unwrap();
        assert_eq!(parameters.get("detector.nms_across"), texts(own));
        assert!(!parameters.settings().groups.same_object(2, 7));
    }
    set(
        &mut parameters,
        &[named("detector.nms_across", ParameterValue::NotSet)],
    )
    .unwrap();
    assert!(parameters.settings().groups.same_object(2, 7));
    let twice = refusal("detector.nms_across", texts(&["car, bus", "bus, truck"]));
    assert!(twice.contains("class \"bus\" is named twice"), "{twice}");
}

#[test]
fn what_a_camera_has_from_input_follows_it() {
    let mut parameters = two_cameras();
    let change = set(&mut parameters, &[double("input.max_rate_hz", 5.0)]).unwrap();
    let front = double("camera.front.max_rate_hz", 5.0);
    assert_eq!(
        change.changed,
        [double("input.max_rate_hz", 5.0), front.clone()]
    );
    set(&mut parameters, &[double("camera.front.max_rate_hz", 7.0)]).unwrap();
    let tuning = parameters.config().cameras[0].tuning;
    assert_eq!(tuning.max_rate_hz, Some(7.0));
    let back = [named("camera.front.max_rate_hz", ParameterValue::NotSet)];
    for _again in 0..2 {
        assert_eq!(
            set(&mut parameters, &back).unwrap().changed,
            vec![front.clone()]
        );
    }
}

#[test]
fn only_another_session_needs_one() {
    let set = two_cameras();
    let texts = |list: &[&str]| {
        ParameterValue::StringArray(list.iter().map(|&text| text.to_owned()).collect())
    };
    let text = |value: &str| ParameterValue::String(value.to_owned());
    for (name, value, needs) in [
        ("model.name", text("road"), true),
        ("model.name", text("auto"), false),
        ("model.input_size", text("320x320"), true),
        ("model.input_size", text("33x33"), false),
        ("model.input_budget", ParameterValue::Double(2.0), true),
        ("runtime.providers", texts(&["cuda", "cpu"]), true),
        ("runtime.providers", texts(&["cpu"]), false),
        ("runtime.strict", ParameterValue::Bool(true), true),
        ("runtime.mode", text("latency"), false),
        ("detector.max_detections", ParameterValue::Integer(7), false),
    ] {
        let changes = [named(name, value)];
        assert_eq!(set.needs_sessions(&changes), needs, "{changes:?}");
    }
}

#[test]
fn another_model_has_other_parameters_of_classes() {
    let manifest = Manifest::shipped().unwrap();
    let road = manifest.describe(manifest.model("road").unwrap()).unwrap();
    let mut set = set_of(json!({"detector": {"class_score_thresholds": {"car": 0.4}}}));
    let to_road = named("model.name", ParameterValue::String("road".to_owned()));
    let before = set.get("detector.score_threshold");
    let change = set
        .set_for_model(std::slice::from_ref(&to_road), road.clone())
        .unwrap();
    assert!(change.changed.contains(&to_road));
    assert_ne!(set.get("detector.score_threshold"), before);
    let of = |class: &str| format!("detector.class_score_thresholds.{class}");
    assert_eq!(set.get(&of("car")), ParameterValue::Double(0.4));
    let refused = set.set(&[double(&of("dog"), 0.5)], |_, _| Ok(()));
    assert!(refused.unwrap_err().contains("no class \"dog\""));
    set.set(&[double(&of("stop sign"), 0.5)], |_, _| Ok(()))
        .unwrap();

    // and back, although a class of the other model has a threshold
    let mut set = set_of(json!({"detector": {"class_score_thresholds": {"dog": 0.4}}}));
    let refused = set.set_for_model(std::slice::from_ref(&to_road), road.clone());
    assert!(
        refused
            .unwrap_err()
            .ends_with("change that parameter together with the model")
    );
    assert_eq!(set.config().model, "auto");
    let without = named(&of("dog"), ParameterValue::NotSet);
    let change = set.set_for_model(&[to_road, without], road).unwrap();
    assert_eq!(change.deleted, [double(&of("dog"), 0.4)]);
}

#[test]
fn refusals_say_why() {
    let text = || ParameterValue::String("x".to_owned());
    let number = ParameterValue::Double;
    let reason = refusal("detector.score_treshold", number(0.5));
    assert_eq!(
        reason,
        "parameter 'detector.score_treshold' cannot be set because it was not declared"
    );
    let reason = refusal("classifier.model", text());
    assert_eq!(
        reason,
        "parameter 'classifier.model' cannot be set because it is read-only"
    );
    let reason = refusal("detector.score_threshold", text());
    assert!(
        reason.contains("is of type {double}, setting it to {string} is not allowed"),
        "{reason}"
    );
    let reason = refusal("detector.classes", ParameterValue::ByteArray(vec![1]));
    assert!(
        reason.contains("is of type {string_array}, setting it to {byte_array}"),
        "{reason}"
    );
    let reason = refusal("detector.score_threshold", number(1.5));
    assert!(
        reason.starts_with("detector.score_threshold: 1.5 is greater"),
        "{reason}"
    );
    assert!(refusal("detector.score_threshold", number(f64::NAN)).contains("found NaN"));
    assert!(refusal("detector.max_detections", number(3.0)).contains("{integer}"));
    assert!(refusal("detector.max_detections", ParameterValue::Integer(-1)).contains("less than"));
    assert!(refusal("detector.max_detections", ParameterValue::NotSet).contains("undeclare"));
    let trams = ParameterValue::StringArray(vec!["tram".to_owned()]);
    assert!(refusal("detector.classes", trams).contains("no class \"tram\""));
    for section in [
        "detector.class_score_thresholds",
        "tracking.class_delete_s",
        "ranging.class_heights_m",
        "ranging.class_height_spreads",
    ] {
        let reason = refusal(&format!("{section}.tram"), number(0.5));
        let start = format!("{section}: nanodet_m_416 has no class \"tram\"; it has: person, ");
        assert!(reason.starts_with(&start), "{reason}");
    }
    let groups = ParameterValue::StringArray(vec!["car, tram".to_owned()]);
    assert!(refusal("tracking.groups", groups).contains("no class \"tram\""));
    assert!(
        refusal(
            "detector.class_score_thresholds.bus",
            ParameterValue::NotSet
        )
        .contains("not declared")
    );
    assert!(
        refusal(
            "qos_overrides./a/b.subscription.depth",
            ParameterValue::Integer(2)
        )
        .contains("not declared")
    );
}

#[test]
fn what_apply_refuses_is_not_set() {
    let mut parameters = two_cameras();
    let change = [double("detector.score_threshold", 0.5)];
    let refused = parameters.set(&change, |_, _| Err("busy".to_owned()));
    assert_eq!(refused.unwrap_err(), "busy");
    assert_eq!(
        parameters.get("detector.score_threshold"),
        ParameterValue::Double(0.3)
    );
}

/// Any name of the schema or none, and any value, often one that fits.
fn changes() -> impl Strategy<Value = Vec<(String, ParameterValue)>> {
    let names: Vec<_> = two_cameras()
        .definitions
        .iter()
        .map(|d| d.name.clone())
        .collect();
    let value = prop_oneof![
        Just(ParameterValue::NotSet),
        any::<bool>().prop_map(ParameterValue::Bool),
        (-1..300_i64).prop_map(ParameterValue::Integer),
        any::<f64>().prop_map(ParameterValue::Double),
        (-0.1..1.1).prop_map(ParameterValue::Double),
        "[a-z]{0,4}".prop_map(ParameterValue::String),
        Just(ParameterValue::StringArray(vec!["car".to_owned()])),
        proptest::collection::vec(any::<u8>(), 0..2).prop_map(ParameterValue::ByteArray),
    ];
    let name = prop_oneof![9 => proptest::sample::select(names), 1 => "[a-z.]{0,9}"];
    proptest::collection::vec((name, value), 1..4)
}

/// A parameter that can be set, and a value for it that fits.
fn fitting() -> impl Strategy<Value = (String, ParameterValue)> {
    let settable: Vec<_> = two_cameras()
        .definitions
        .into_iter()
        .filter(|d| !d.read_only)
        // texts of which a single one would be a model, a size or a provider
        .filter(|d| {
            let names = ["model.name", "model.input_size", "runtime.providers"];
            !names.contains(&d.name.as_str())
        })
        // a spread needs a height
        .filter(
            |d| match d.name.strip_prefix("ranging.class_height_spreads.") {
                Some(class) => ["person", "car", "bus"].contains(&class),
                None => true,
            },
        )
        .collect();
    let fitting = (proptest::sample::select(settable), 0.0..=1.0, any::<bool>());
    fitting.prop_map(|(definition, share, yes)| {
        let value = match (definition.range, definition.kind) {
            (Some(Range::Double { from, to }), _) => {
                ParameterValue::Double(from + share * (to - from))
            }
            (Some(Range::Integer { from, to }), _) => {
                ParameterValue::Integer(from + (share * (to - from) as f64) as i64)
            }
            (None, Kind::Bool) => ParameterValue::Bool(yes),
            (None, Kind::String) => ParameterValue::String(definition.choices[0].clone()),
            // a region from the corner
            (None, Kind::DoubleArray) => {
                ParameterValue::DoubleArray(vec![0.0, 0.0, 0.5 + share / 2.0, 1.0])
            }
            _ if definition.name == "detector.nms_across" => {
                ParameterValue::StringArray(vec!["bus, car".to_owned()])
            }
            _ => ParameterValue::StringArray(vec!["bus".to_owned()]),
        };
        (definition.name, value)
    })
}

fn all(set: &ParameterSet) -> NamedValues {
    set.declared()
        .map(|(definition, value)| (definition.name.clone(), value.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_refused_change_changes_nothing(changes in changes()) {
        let mut parameters = two_cameras();
        let (before, config) = (all(&parameters), parameters.config().clone());
        if set(&mut parameters, &changes).is_err() {
            prop_assert_eq!(all(&parameters), before);
            prop_assert_eq!(parameters.config(), &config);
        }
    }

    #[test]
    fn what_is_set_is_got(change in fitting()) {
        let mut parameters = two_cameras();
        set(&mut parameters, std::slice::from_ref(&change)).unwrap();
        prop_assert_eq!(parameters.get(&change.0), change.1);
    }

    #[test]
    fn a_change_tells_what_differs(changes in changes()) {
        let mut parameters = two_cameras();
        let mut followed = all(&parameters);
        if let Ok(change) = set(&mut parameters, &changes) {
            followed.retain(|(name, _)| !change.deleted.iter().any(|(deleted, _)| deleted == name));
            for (name, value) in &mut followed {
                if let Some((_, changed)) = change.changed.iter().find(|(changed, _)| changed == name) {
                    *value = changed.clone();
                }
            }
            followed.extend(change.new);
            followed.sort_by(|(a, _), (b, _)| a.cmp(b));
            let mut now = all(&parameters);
            now.sort_by(|(a, _), (b, _)| a.cmp(b));
            prop_assert_eq!(followed, now);
        }
    }
}

#[test]
fn regions_are_set_as_one_list_of_numbers() {
    let mut parameters = two_cameras();
    let change = |name: &str, value| [(name.to_owned(), value)];
    let whole = vec![0, 0, 1, 1];
    let change_all = change("input.regions", ParameterValue::IntegerArray(whole));
    set(&mut parameters, &change_all).unwrap();
    let whole = ParameterValue::DoubleArray(vec![0.0, 0.0, 1.0, 1.0]);
    assert_eq!(parameters.get("input.regions"), whole);
    for (wrong, problem) in [
        (vec![0.0, 0.0, 1.0], "input.regions"),
        (vec![0.0, 0.0, 1.0, 1.0, 0.5, 0.0, 0.5, 1.0], "region 1 "),
        (vec![f64::NAN, 0.0, 1.0, 1.0], "finite"),
        (Vec::new(), "input.regions"),
    ] {
        let wrong = change("input.regions", ParameterValue::DoubleArray(wrong));
        let error = set(&mut parameters, &wrong).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(parameters.get("input.regions"), whole);
}

#[test]
fn every_listed_name_can_be_got_and_described() {
    let set = two_cameras();
    for name in set.list(&[], 0).names {
        let definition = set.describe(&name).unwrap();
        assert_eq!(
            ParameterType::from(definition.kind),
            set.get(&name).parameter_type(),
            "{name}"
        );
        assert!(!definition.description.is_empty(), "{name}");
    }
}

#[test]
fn the_mounting_of_a_camera_can_be_set() {
    let mut parameters = two_cameras();
    let (height, pitch) = (
        "camera.front.camera_height_m",
        "camera.front.camera_pitch_deg",
    );
    assert_eq!(parameters.get(height), ParameterValue::Double(0.0));
    assert_eq!(parameters.get(pitch), ParameterValue::NotSet);
    set(&mut parameters, &[double("ranging.camera_height_m", 1.2)]).unwrap();
    assert_eq!(parameters.get(height), ParameterValue::Double(1.2));
    set(&mut parameters, &[double(height, 1.5), double(pitch, 2.0)]).unwrap();
    let mounting = |camera: usize| parameters.config().cameras[camera].tuning.mounting;
    assert_eq!(mounting(0).height_m, Some(1.5));
    assert_eq!(mounting(0).pitch_rad, Some(2_f64.to_radians()));
    assert_eq!(
        (mounting(1).height_m, mounting(1).pitch_rad),
        (Some(1.2), None)
    );
    set(&mut parameters, &[named(pitch, ParameterValue::NotSet)]).unwrap();
    assert_eq!(
        parameters.config().cameras[0].tuning.mounting.pitch_rad,
        None
    );
    set(
        &mut parameters,
        &[double("ranging.class_heights_m.truck", 3.5)],
    )
    .unwrap();
    let heights = &parameters.config().tracking.class_heights_m;
    assert_eq!(heights["truck"], 3.5);
}
