//! Writes the scenes with truth as files, for `shuffledet track` and for other trackers:
//!
//! ```text
//! cargo run -p shuffledet-track --features scenes --example write_scenes -- FOLDER FIRST_SEED END_SEED
//! ```
//!
//! Each scene becomes a folder `NAME-VARIANT-SEED` with `detections.json`, `frames.json` and
//! `motion.json` in the formats of `shuffledet track`, and `truth.json`: an array of
//! `{"stamp_ns", "id", "label", "bbox"}`. The variants: all frames; half of the frames lost at
//! random; weak scores; both.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shuffledet_core::BBox;
use shuffledet_track::scenes::{PERSON, Scenario, Scene, Variant};

const TOPIC: &str = "/camera/image_raw";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, first, end] = arguments.as_slice() else {
        return Err("expected FOLDER FIRST_SEED END_SEED".into());
    };
    for scenario in Scenario::all() {
        for seed in first.parse()?..end.parse()? {
            for variant in Variant::ALL {
                let scene = Scene::of_variant(&scenario, seed, variant);
                let name = format!("{}-{}-{seed}", scenario.name, variant.name());
                write(&scene, &Path::new(folder).join(name))?;
            }
        }
    }
    Ok(())
}

fn write(scene: &Scene, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let (mut detections, mut frames, mut motion, mut truth) = (vec![], vec![], vec![], vec![]);
    for (index, frame) in scene.frames.iter().enumerate() {
        let stamp_ns = frame.stamp_ns;
        frames.push(json!({"topic": TOPIC, "stamp_ns": stamp_ns}));
        let m = &frame.motion;
        let affine = [m.a, m.b, m.tx, m.c, m.d, m.ty];
        motion.push(json!({"topic": TOPIC, "stamp_ns": stamp_ns, "affine": affine}));
        for detection in &frame.detections {
            let label = label(detection.class_id);
            detections.push(json!({
                "image_id": index,
                "category_id": detection.class_id + 1,
                "bbox": corner_and_sides(&detection.bbox),
                "score": detection.score,
                "label": label,
                "topic": TOPIC,
                "stamp_ns": stamp_ns,
                "frame_id": "camera",
            }));
        }
        for object in &frame.objects {
            truth.push(json!({
                "stamp_ns": stamp_ns,
                "id": object.id,
                "label": label(object.class_id),
                "bbox": corner_and_sides(&object.bbox),
            }));
        }
    }
    let files = [
        ("detections", detections),
        ("frames", frames),
        ("motion", motion),
        ("truth", truth),
    ];
    for (name, rows) in files {
        let text = serde_json::to_string(&Value::Array(rows))?;
        fs::write(folder.join(format!("{name}.json")), text)?;
    }
    Ok(())
}

fn corner_and_sides(bbox: &BBox) -> [f32; 4] {
    [bbox.x1, bbox.y1, bbox.width(), bbox.height()]
}

fn label(class_id: usize) -> &'static str {
    match class_id {
        PERSON => "person",
        shuffledet_track::scenes::TRUCK => "truck",
        _ => "car",
    }
}
