//! Figures of tracks against TrackEval, on random sequences with many ties.

use shuffledet_testing::{self as support, python};
use std::fs;
use std::path::Path;

use fastrand::Rng;
use serde_json::Value;
use shuffledet_eval::ClassMap;
use shuffledet_eval::tracks::read::{
    Reading, TrackFormat, read_tracks, read_truth, tracks_file, truth_files,
};
use shuffledet_eval::tracks::{
    ALPHAS, ClassNames, Counts, Curves, Protocol, SequencePair, TrackDataset, TrackEvaluation,
    TrackFigure, TrackFigures,
};

const TOLERANCE: f64 = 1e-6;
const CASES: u64 = 240;

/// Where an object is in a frame: left, top, width, height.
type Place = [f64; 4];

/// How a random sequence is made.
struct Shape {
    frames: usize,
    /// Boxes lie on a grid of that many pixels: on a coarse one many overlaps are equal.
    grid: f64,
    objects: u64,
}

fn on_grid(value: f64, grid: f64) -> f64 {
    if grid > 0.0 {
        (value / grid).round() * grid
    } else {
        value
    }
}

/// Objects that walk through each other, some of them identical.
fn objects(shape: &Shape, rng: &mut Rng) -> Vec<Vec<Option<Place>>> {
    let mut objects: Vec<Vec<Option<Place>>> = Vec::new();
    for _ in 0..rng.u64(0..=shape.objects) {
        if let Some(twin) = objects.last().filter(|_| rng.u8(0..8) == 0) {
            objects.push(twin.clone());
            continue;
        }
        let [mut x, mut y] = [rng.f64() * 60.0, rng.f64() * 40.0];
        let size = [20.0 + 30.0 * rng.f64(), 20.0 + 40.0 * rng.f64()];
        let [dx, dy] = [rng.f64() * 8.0 - 4.0, rng.f64() * 4.0 - 2.0];
        let (first, last) = (rng.usize(0..shape.frames), rng.usize(0..=shape.frames));
        let places = (0..shape.frames).map(|frame| {
            (x, y) = (x + dx, y + dy);
            let there = (first..=last).contains(&frame) && rng.u8(0..12) > 0;
            there.then(|| [x, y, size[0], size[1]].map(|side| on_grid(side, shape.grid)))
        });
        objects.push(places.collect());
    }
    objects
}

/// A tracker that misses, shifts, swaps, doubles and invents. Rows of frame, id and place.
fn tracked(
    objects: &[Vec<Option<Place>>],
    shape: &Shape,
    rng: &mut Rng,
) -> Vec<(usize, u64, Place)> {
    let mut rows = Vec::new();
    let mut ids: Vec<u64> = (0..objects.len() as u64).collect();
    let mut next = ids.len() as u64;
    for frame in 0..shape.frames {
        if rng.u8(0..6) == 0 && ids.len() > 1 {
            let (a, b) = (rng.usize(0..ids.len()), rng.usize(0..ids.len()));
            ids.swap(a, b);
        }
        let mut row = |id: u64, place: Place, rng: &mut Rng| {
            let shift = [0.0, 0.0, 4.0, 12.0][rng.usize(0..4)];
            let moved = place.map(|side| on_grid(side + shift * (rng.f64() - 0.5), shape.grid));
            rows.push((
                frame,
                id,
                [moved[0], moved[1], moved[2].max(1.0), moved[3].max(1.0)],
            ));
        };
        for (at, places) in objects.iter().enumerate() {
            if rng.u8(0..30) == 0 {
                ids[at] = next;
                next += 1;
            }
            let Some(place) = places[frame] else {
                continue;
            };
            if rng.u8(0..8) > 0 {
                row(ids[at], place, rng);
            }
            // a second box on the same object
            if rng.u8(0..10) == 0 {
                row(1000 + at as u64, place, rng);
            }
        }
        if rng.u8(0..4) == 0 {
            row(
                2000 + rng.u64(0..2),
                [rng.f64() * 90.0, rng.f64() * 60.0, 30.0, 30.0],
                rng,
            );
        }
    }
    rng.shuffle(&mut rows);
    rows
}

/// Writes a data set with its tracks to a folder.
fn write_case(folder: &Path, seed: u64) -> Protocol {
    let rng = &mut Rng::with_seed(seed);
    let protocol = [
        Protocol::Mot15,
        Protocol::Mot17,
        Protocol::Mot20,
        Protocol::Kitti,
    ][(seed % 4) as usize];
    fs::create_dir_all(folder.join("tracks")).unwrap();
    fs::write(folder.join("protocol"), protocol.name()).unwrap();
    let mut seqmap = String::new();
    for name in ["0000", "0001", "0002"].iter().take(rng.usize(1..=3)) {
        let shape = Shape {
            frames: rng.usize(1..130),
            grid: [0.0, 1.0, 10.0, 20.0][rng.usize(0..4)],
            // now and then more than NumPy adds one by one
            objects: if rng.u8(0..4) == 0 { 14 } else { 5 },
        };
        let objects = objects(&shape, rng);
        let tracks = tracked(&objects, &shape, rng);
        let mut truth: Vec<(usize, usize, Place)> = Vec::new();
        for (id, places) in objects.iter().enumerate() {
            let there = places.iter().enumerate();
            truth.extend(there.filter_map(|(frame, place)| Some((frame, id, (*place)?))));
        }
        rng.shuffle(&mut truth);
        seqmap += &format!("{name} empty 000000 {:06}\n", shape.frames);
        let (truth, tracks) = if protocol == Protocol::Kitti {
            kitti_files(&truth, &tracks, rng)
        } else {
            mot_files(&truth, &tracks, rng)
        };
        fs::write(folder.join(format!("tracks/{name}.txt")), tracks).unwrap();
        if protocol == Protocol::Kitti {
            fs::create_dir_all(folder.join("truth/label_02")).unwrap();
            fs::write(folder.join(format!("truth/label_02/{name}.txt")), truth).unwrap();
        } else {
            let sequence = folder.join("truth").join(name);
            fs::create_dir_all(sequence.join("gt")).unwrap();
            fs::write(sequence.join("gt/gt.txt"), truth).unwrap();
            let info = format!("[Sequence]\nname={name}\nseqLength={}\n", shape.frames);
            fs::write(sequence.join("seqinfo.ini"), info).unwrap();
        }
    }
    if protocol == Protocol::Kitti {
        fs::write(folder.join("truth/evaluate_tracking.seqmap.all"), seqmap).unwrap();
    }
    protocol
}

fn mot_files(
    truth: &[(usize, usize, Place)],
    tracks: &[(usize, u64, Place)],
    rng: &mut Rng,
) -> (String, String) {
    // by object: most are people, some distractors or others
    let classes: Vec<u8> = (0..40)
        .map(|_| [1, 1, 1, 3, 6, 7, 8, 12][rng.usize(0..8)])
        .collect();
    let row = |(frame, id, place): &(usize, usize, Place)| {
        let [x, y, w, h] = place;
        let mark = u8::from(id % 6 != 5);
        format!(
            "{},{},{x},{y},{w},{h},{mark},{},1\n",
            frame + 1,
            id + 1,
            classes[id % 40]
        )
    };
    let found = |(frame, id, place): &(usize, u64, Place)| {
        let [x, y, w, h] = place;
        format!("{},{},{x},{y},{w},{h},0.9,-1,-1,-1\n", frame + 1, id + 1)
    };
    (
        truth.iter().map(row).collect(),
        tracks.iter().map(found).collect(),
    )
}

fn kitti_files(
    truth: &[(usize, usize, Place)],
    tracks: &[(usize, u64, Place)],
    rng: &mut Rng,
) -> (String, String) {
    const TYPES: [&str; 7] = [
        "Car",
        "Car",
        "Pedestrian",
        "Pedestrian",
        "Van",
        "Person",
        "Cyclist",
    ];
    let corners = |[x, y, w, h]: Place| format!("{x} {y} {} {}", x + w, y + h);
    let mut text = String::new();
    for (frame, id, place) in truth {
        // what is far off is not in a DontCare region often
        if rng.u8(0..20) == 0 {
            text += &format!(
                "{frame} -1 DontCare -1 -1 -10 {} -1000 -1000 -1000 -10 -1 -1 -1\n",
                corners(*place)
            );
        }
        let (truncated, occluded) = (u8::from(rng.u8(0..8) == 0), rng.u8(0..4));
        let kind = TYPES[id % TYPES.len()];
        text += &format!(
            "{frame} {id} {kind} {truncated} {occluded} -1.5 {} 1.5 1.6 3.7 0 1 9 0.1\n",
            corners(*place)
        );
    }
    let mut found = String::new();
    for (frame, id, place) in tracks {
        // a track may change its class
        let kind = if rng.u8(0..9) == 0 {
            "Car"
        } else {
            TYPES[*id as usize % 4]
        };
        found += &format!(
            "{frame} {id} {kind} -1 -1 -10 {} -1000 -1000 -1000 -10 -1 -1 -1 0.8\n",
            corners(*place)
        );
    }
    (text, found)
}

/// Our figures of a case, `None` where it has no object to evaluate.
fn evaluate(folder: &Path, protocol: Protocol) -> Option<TrackEvaluation> {
    let class_map = ClassMap::default();
    let reading = Reading {
        protocol,
        class_map: &class_map,
        frames: None,
        topic: None,
    };
    let format = if protocol == Protocol::Kitti {
        TrackFormat::Kitti
    } else {
        TrackFormat::Mot
    };
    let mut names = ClassNames::default();
    let sequences = truth_files(&folder.join("truth")).unwrap();
    let pairs = sequences.iter().map(|files| {
        let tracks = tracks_file(&folder.join("tracks"), &files.name, sequences.len()).unwrap();
        SequencePair {
            truth: read_truth(files, format, &reading, &mut names).unwrap(),
            tracks: read_tracks(&tracks, files, &reading, &mut names).unwrap(),
        }
    });
    let pairs = pairs.collect();
    let dataset = TrackDataset {
        truth: folder.display().to_string(),
        format: format.name().to_owned(),
        sha256: String::new(),
        tracks: String::new(),
        protocol,
    };
    TrackEvaluation::new(dataset, names, pairs).ok()
}

/// Fails where a figure of ours is not TrackEval's.
fn close(place: &str, ours: &TrackFigures, theirs: &Value) {
    for figure in TrackFigure::ALL {
        let (ours, theirs) = (ours[figure], theirs[figure.name()].as_f64().unwrap());
        assert!(
            (ours - theirs).abs() < TOLERANCE,
            "{place}: {figure}: ours {ours}, TrackEval {theirs}"
        );
    }
}

fn close_curves(place: &str, ours: &Curves, theirs: &Value) {
    let ours = serde_json::to_value(ours).unwrap();
    for (name, curve) in theirs.as_object().unwrap() {
        for at in 0..ALPHAS {
            let (ours, theirs) = (
                ours[name][at].as_f64().unwrap(),
                curve[at].as_f64().unwrap(),
            );
            assert!(
                (ours - theirs).abs() < TOLERANCE,
                "{place}: {name}[{at}]: ours {ours}, TrackEval {theirs}"
            );
        }
    }
}

#[test]
fn random_tracks_have_the_figures_of_trackeval() {
    let test = "random_tracks_have_the_figures_of_trackeval";
    let Some(mut python) = python::python(test) else {
        return;
    };
    if !python::has(test, "trackeval") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    python.arg(support::repository("tests/reference/track_figures.py"));
    let mut cases = Vec::new();
    for seed in 0..CASES {
        let case = folder.path().join(seed.to_string());
        let protocol = write_case(&case, seed);
        // TrackEval has nothing to say about files without any line
        if let Some(ours) = evaluate(&case, protocol) {
            python.arg(&case);
            cases.push((seed, ours));
        }
    }
    let output = python.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), cases.len());
    assert!(cases.len() as u64 > CASES / 2, "{} cases", cases.len());
    for ((seed, ours), theirs) in cases.iter().zip(&lines) {
        for class in &ours.per_class {
            let place = format!("case {seed}, {}", class.name);
            close(&place, &class.figures, &theirs["per_class"][&class.name]);
            for sequence in &ours.sequences {
                let counts = Counts::total(&sequence.parts[&class.name]);
                if counts.truth_boxes == 0 {
                    // TrackEval states a MOTA of 0 for it alone, and adds its false boxes up with the others
                    continue;
                }
                let theirs = &theirs["sequences"][&class.name][&sequence.name];
                let place = format!("{place}, {}", sequence.name);
                close(&place, &TrackFigures::new(&counts), theirs);
                close_curves(&place, &Curves::new(&counts), &theirs["curves"]);
            }
        }
        // ours leave out a class that the truth does not have
        if ours.per_class.len() == theirs["per_class"].as_object().unwrap().len() {
            let place = format!("case {seed}");
            close(&place, &ours.combined, &theirs["combined"]);
            close_curves(&place, &ours.curves, &theirs["combined"]["curves"]);
            close(
                &format!("{place}, average"),
                &ours.class_average,
                &theirs["class_average"],
            );
        }
    }
}
