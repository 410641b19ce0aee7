//! Detections that tell their classes by numbers.

use std::fs;

use serde_json::Value;
use shuffledet_bag::Recording;
use shuffledet_eval::class_map::ClassMap;
use shuffledet_eval::truth;
use shuffledet_msg::{Detection2DArray, LabelInfo};
use tempfile::tempdir;

use crate::replay::program::{replay, summary};
use crate::replay::recordings::{self, COMPRESSED, dashcam, on};

#[test]
fn numbers_are_those_of_the_recorded_class_table_and_read_back_as_names() {
    let test = "numbers_are_those_of_the_recorded_class_table_and_read_back_as_names";
    let Some(bag) = dashcam(test) else { return };
    let folder = tempdir().unwrap();
    let mut names_of_truth = Vec::new();
    let mut coco_results = Vec::new();
    for (form, car) in [("name", "car"), ("index", "2"), ("coco", "3")] {
        let output = folder.path().join(form);
        let results = folder.path().join(format!("{form}.json"));
        let mut command = replay(&bag);
        command
            .args(["--limit", "8", "--set"])
            .arg(format!("detector.class_id={form}"))
            .arg("--output")
            .arg(&output)
            .arg("--detections")
            .arg(&results);
        summary(&mut command, 0);
        let written = recordings::read(&output);
        let detections = on(&written, "/detections");
        assert_eq!(detections.len(), 8);
        let arrays = detections
            .iter()
            .map(|message| Detection2DArray::parse(&message.data));
        let told: Vec<String> = arrays
            .flat_map(|array| array.unwrap().detections)
            .map(|detection| detection.results[0].class_id.clone())
            .collect();
        assert!(told.iter().any(|class| class == car), "{form}: {told:?}");
        let tables = on(&written, "/label_info");
        assert_eq!(tables.len(), usize::from(form != "name"), "{form}");
        if let Some(table) = tables.first() {
            let table = LabelInfo::parse(&table.data).unwrap();
            assert_eq!(table.class_map.len(), 9);
            let known = |class: &String| {
                table
                    .class_map
                    .iter()
                    .any(|entry| entry.class_id.to_string() == *class)
            };
            assert!(told.iter().all(known), "{form}: {told:?}");
        }
        let recording = Recording::open(&output).unwrap();
        let topic = format!("{COMPRESSED}/detections");
        let read = truth::read_bag(&recording, &topic, COMPRESSED, &ClassMap::default());
        let (truth, _) = read.unwrap();
        let names: Vec<_> = truth
            .categories
            .into_iter()
            .map(|category| category.name)
            .collect();
        assert!(names.iter().any(|name| name == "car"), "{form}: {names:?}");
        names_of_truth.push(names);
        // the COCO file has ids of its own, whatever the messages say
        let results: Value = serde_json::from_str(&fs::read_to_string(results).unwrap()).unwrap();
        coco_results.push(results);
    }
    assert!(
        names_of_truth
            .iter()
            .all(|names| *names == names_of_truth[0]),
        "{names_of_truth:?}"
    );
    assert!(
        coco_results
            .iter()
            .all(|results| *results == coco_results[0])
    );
}
