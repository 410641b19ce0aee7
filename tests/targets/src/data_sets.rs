//! What comes with a data set: annotations, tracks, class maps.

use std::path::Path;

use shuffledet_eval::ClassMap;
use shuffledet_eval::tracks::read::{
    FrameList, Reading, SequenceFiles, TrackFormat, read_tracks, read_truth,
};
use shuffledet_eval::tracks::{ClassNames, Protocol};
use shuffledet_eval::truth::parse_coco;

use crate::scratch;

/// The first byte selects the format: COCO, MOT or KITTI tracks as truth, tracks as text, tracks as JSON.
pub fn annotations(input: &[u8]) -> bool {
    let Some((&format, file)) = input.split_first() else {
        return false;
    };
    match format % 5 {
        0 => parse_coco(file, Path::new("coco.json")).is_ok(),
        1 => truth(file, TrackFormat::Mot),
        2 => truth(file, TrackFormat::Kitti),
        3 => tracks(&scratch::file("tracks.txt", file)),
        _ => tracks(&scratch::file("tracks.json", file)),
    }
}

fn truth(file: &[u8], format: TrackFormat) -> bool {
    let path = scratch::file("truth.txt", file);
    let reading = Reading {
        protocol: Protocol::Plain,
        class_map: &ClassMap::default(),
        frames: None,
        topic: None,
    };
    read_truth(
        &sequence(&path),
        format,
        &reading,
        &mut ClassNames::default(),
    )
    .is_ok()
}

fn tracks(path: &Path) -> bool {
    let frames = FrameList::read(path).ok();
    let reading = Reading {
        protocol: Protocol::Mot17,
        class_map: &ClassMap::default(),
        frames: frames.as_ref(),
        topic: None,
    };
    let found = read_tracks(path, &sequence(path), &reading, &mut ClassNames::default());
    found.is_ok()
}

fn sequence(path: &Path) -> SequenceFiles {
    SequenceFiles {
        name: "a".to_owned(),
        truth: path.to_owned(),
        length: Some(100),
    }
}

pub fn class_map(input: &[u8]) -> bool {
    let path = scratch::file("classes.yaml", input);
    let Ok(map) = ClassMap::read_for_any_model(&path) else {
        return false;
    };
    let _ = (
        map.category_of_label("car"),
        map.category_of_truth("car"),
        map.numbers().count(),
    );
    true
}

pub mod seeds {
    pub fn annotations() -> Vec<Vec<u8>> {
        let files: [&str; 5] = [
            r#"{"images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}, {"id": "b", "file_name": "b.jpg"}],
                "categories": [{"id": 1, "name": "car"}],
                "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3.5, 4], "area": 14, "iscrowd": 0},
                {"id": 2, "image_id": "b", "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5]], "iscrowd": 1}]}"#,
            "1,1,10,20,30,40,1,1,0.9\n1,2,50,20,30,40,1,3,1\n2,1,11,20,30,40,1,1,0.9\n",
            "0 1 Car 0 0 -1.5 10 20 40 60 1.5 1.6 3.9 1 2 20 0.1\n0 -1 DontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1 -1 -1 -1\n",
            "1,1,10,20,30,40,0.9,-1,-1,-1\n2,1,11,20,30,40,0.8,-1,-1,-1\n",
            r#"[{"image_id": 0, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5, "label": "car", "topic": "/a",
                "stamp_ns": 5, "frame_id": "a", "track_id": 7, "state": "confirmed", "age_s": 0.0},
                {"image_id": 1, "category_id": 1, "bbox": [2, 2, 3, 4], "score": 0.5, "label": "car", "topic": "/a",
                "stamp_ns": 6, "frame_id": "a", "track_id": 7, "state": "confirmed", "age_s": 0.1}]"#,
        ];
        let kinds = 0_u8..;
        let files = kinds.zip(files);
        files
            .map(|(kind, file)| [&[kind], file.as_bytes()].concat())
            .collect()
    }

    pub fn class_map() -> Vec<Vec<u8>> {
        let files = [
            "bus: vehicle\ncar: vehicle\nperson: ~\n",
            "model:\n  car: vehicle\ntruth:\n  0: vehicle\n  '1': null\n  Van: \"vehicle\"\n",
        ];
        files.map(|file| file.as_bytes().to_vec()).into()
    }
}
