use std::fs;

use super::*;
use shuffledet_infer::Provider;
use std::path::PathBuf;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn load(yaml: &str) -> Result<Config, ConfigError> {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    fs::write(file.path(), yaml).unwrap();
    Config::load(Some(file.path()), None, &[])
}

#[test]
fn the_shipped_file_holds_the_defaults_and_names_every_parameter() {
    let path = repository("config/shuffledet.yaml");
    assert_eq!(
        Config::load(Some(&path), None, &[]).unwrap(),
        Config::load(None, None, &[]).unwrap()
    );
    let text = fs::read_to_string(path).unwrap();
    for section in schema()["$defs"].as_object().unwrap().values() {
        for name in section["properties"]
            .as_object()
            .into_iter()
            .flat_map(|p| p.keys())
        {
            assert!(
                text.contains(&format!("{name}:")),
                "config/shuffledet.yaml lacks {name}"
            );
        }
    }
}

#[test]
fn the_shipped_schema_is_that_of_the_code() {
    let path = repository("config/shuffledet.schema.json");
    if std::env::var_os("SHUFFLEDET_UPDATE").is_some() {
        fs::write(&path, schema_text()).unwrap();
    }
    let shipped = fs::read_to_string(path).unwrap();
    assert!(
        shipped == schema_text(),
        "config/shuffledet.schema.json is stale: SHUFFLEDET_UPDATE=1 cargo test the_shipped_schema"
    );
}

#[test]
fn the_parameters_in_force_read_back_the_same() {
    let assignments = [
        "detector.score_threshold=0.5",
        "runtime.providers=[cuda, cpu]",
    ];
    let config = Config::load(None, None, &assignments.map(str::to_owned)).unwrap();
    assert_eq!(config.session.providers, [Provider::Cuda, Provider::Cpu]);
    assert_eq!(load(&config.to_ros_yaml().unwrap()).unwrap(), config);
}

#[test]
fn files_may_be_nested_or_dotted_and_name_the_node_or_all() {
    let yaml = "/**:\n  ros__parameters:\n    detector.max_detections: 7\n    model: {name: nanodet_m_416}\n\
        other_node:\n  ros__parameters: {x: 1}\n\
        shuffledet:\n  ros__parameters:\n    detector: {max_detections: 8}\n";
    let config = load(yaml).unwrap();
    assert_eq!(
        (config.thresholds.max_detections, config.model.as_str()),
        (8, "nanodet_m_416")
    );
    assert!(load("/**:\n  ros__parameters:\n").is_ok());
}

#[test]
fn mistakes_name_file_key_expected_and_found() {
    let message = |parameters: &str| {
        load(&format!("/**:\n  ros__parameters:\n    {parameters}\n"))
            .unwrap_err()
            .to_string()
    };
    let high = message("detector: {score_threshold: 1.5}");
    assert!(
        high.contains(".yaml: detector.score_threshold: 1.5 is greater"),
        "{high}"
    );
    let unknown = message("detector: {score_treshold: 0.5}");
    assert!(
        unknown.contains("unknown parameter detector.score_treshold"),
        "{unknown}"
    );
    assert!(
        unknown.contains("max_detections, classes") && unknown.contains("score_threshold,"),
        "{unknown}"
    );
    let kind = message("detector: {max_detections: many}");
    assert!(
        kind.contains("detector.max_detections") && kind.contains("many"),
        "{kind}"
    );
    let provider = message("runtime: {providers: [gpu]}");
    assert!(
        provider.contains("runtime.providers.0") && provider.contains("gpu"),
        "{provider}"
    );
    let other = load("my_node:\n  ros__parameters: {}\n")
        .unwrap_err()
        .to_string();
    assert!(other.contains("for the node shuffledet"), "{other}");
    assert!(load("- a\n").unwrap_err().to_string().contains("a list"));
    assert!(load("/**: {\n").is_err());
}

#[test]
fn sizes_and_regions_are_checked_by_what_they_mean() {
    let set = |assignments: &[&str]| {
        let assignments: Vec<_> = assignments.iter().map(|&text| text.to_owned()).collect();
        Config::load(None, None, &assignments)
    };
    let message = |assignment| set(&[assignment]).unwrap_err().to_string();
    assert_eq!(set(&[]).unwrap().input_size, InputSize::Auto);
    let fixed = set(&["model.input_size=704x224"]).unwrap().input_size;
    assert_eq!(fixed, InputSize::Fixed((704, 224).into()));
    assert!(message("model.input_size=700x224").contains("multiple of 32"));
    assert!(message("model.input_size=wide").contains("--set model.input_size=wide"));
    assert!(message("model.input_budget=0").contains("model.input_budget"));
    let flat = set(&["input.regions=[0, 0, 1, 1, 0, 0.4, 1, 0.7]"]).unwrap();
    let nested = set(&["input.regions=[[0, 0, 1, 1], [0, 0.4, 1, 0.7]]"]).unwrap();
    assert_eq!(flat, nested);
    assert_eq!(flat.input.regions.as_slice().len(), 2);
    let of_camera = set(&["cameras=[a]", "camera.a.regions=[[0, 0, 1, 0.5]]"]).unwrap();
    assert_eq!(of_camera.cameras[0].tuning.regions.as_slice().len(), 1);
    assert!(message("input.regions=[0, 0, 1, 1, 0, 0.4, 1, 0.3]").contains("region 1 "));
    assert!(message("input.regions=[0, 0, 1]").contains("input.regions"));
    assert!(message("input.regions=[]").contains("input.regions"));
}

#[test]
fn fast_tries_half_precision_before_the_cpu() {
    let session = |settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
        Config::load(None, None, &settings).unwrap().session
    };
    let exact = session(&[]);
    assert_eq!(exact.providers, [Provider::Cpu]);
    assert_eq!(exact.options.openvino.precision, OpenVinoPrecision::F32);
    let fast = session(&["model.precision=fast"]);
    assert_eq!(fast.providers, [Provider::OpenVino, Provider::Cpu]);
    assert_eq!(fast.options.openvino.precision, OpenVinoPrecision::Bf16);
    assert!(fast.options.tensorrt.fp16);
    let chosen = session(&[
        "model.precision=fast",
        "runtime.providers=[openvino, cuda]",
        "runtime.openvino.precision=f16",
    ]);
    assert_eq!(chosen.providers, [Provider::OpenVino, Provider::Cuda]);
    assert_eq!(chosen.options.openvino.precision, OpenVinoPrecision::F16);
}

#[test]
fn split_groups_classes_are_read_in_each_form() {
    let groups = |given: &str| {
        let assignment = format!("detector.nms_across={given}");
        let config = Config::load(None, None, &[assignment]).unwrap();
        let back = load(&config.to_ros_yaml().unwrap()).unwrap();
        assert_eq!(back.thresholds, config.thresholds);
        config.thresholds.nms_across
    };
    let vehicles = Some(vec![vec!["car".to_owned(), "bus".to_owned()]]);
    for form in [
        "[[car, bus]]",
        "['car, bus']",
        "'car,bus'",
        "[' car , bus,']",
    ] {
        assert_eq!(groups(form), vehicles, "{form}");
    }
    for form in ["[]", "['']", "''"] {
        assert_eq!(groups(form), Some(Vec::new()), "{form}");
    }
    let unset = Config::load(None, None, &[]).unwrap();
    assert_eq!(unset.thresholds.nms_across, None);
    let wrong = ["detector.nms_across=[[3]]".to_owned()];
    let wrong = Config::load(None, None, &wrong).unwrap_err().to_string();
    assert!(wrong.contains("detector.nms_across.0"), "{wrong}");
}

#[test]
fn assignments_are_checked_alike() {
    let set = |assignment: &str| Config::load(None, None, &[assignment.to_owned()]);
    assert!(
        set("runtime.workers")
            .unwrap_err()
            .to_string()
            .contains("no '='")
    );
    let unknown = set("runtime.wokers=2").unwrap_err().to_string();
    assert!(
        unknown.contains("--set runtime.wokers=2: unknown parameter runtime.wokers"),
        "{unknown}"
    );
    assert_eq!(set("runtime.workers=3").unwrap().threads.workers.get(), 3);
    let per_class = set("detector.class_score_thresholds.traffic light=0.4").unwrap();
    assert_eq!(
        per_class.thresholds.class_score_thresholds["traffic light"],
        0.4
    );
    assert!(set("detector.class_score_thresholds.car=4").is_err());
}
