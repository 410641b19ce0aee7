use super::*;
use crate::State;
use crate::scenes::{CAR, PERSON, Scenario, Scene, TRUCK, Variant};
use proptest::prelude::*;
use shuffledet_core::BBox;
use std::collections::{BTreeMap, BTreeSet};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_700_000_000 * SECOND;

fn settings() -> Settings {
    let mut groups = vec![None; 80];
    (groups[CAR], groups[TRUCK]) = (Some(0), Some(0));
    Settings {
        groups,
        ..Settings::default()
    }
}

fn a_box(x: f32, y: f32) -> BBox {
    BBox {
        x1: x,
        y1: y,
        x2: x + 60.0,
        y2: y + 40.0,
    }
}

fn car(x: f32, score: f32) -> Detection {
    Detection::new(CAR, score, a_box(x, 100.0))
}

/// Updates with the boxes at these seconds and returns the identities and states of all tracks.
fn update(
    tracker: &mut Tracker,
    ids: &TrackIds,
    at_s: f64,
    boxes: &[Detection],
) -> Vec<(u64, State)> {
    tracker.update(START + (at_s * 1e9) as i64, boxes, None, ids);
    tracker
        .tracks()
        .map(|(id, track)| (id.get(), track.state()))
        .collect()
}

/// The identity of each box of each frame.
fn follow(
    tracker: &mut Tracker,
    ids: &TrackIds,
    scene: &Scene,
    from_ns: i64,
) -> Vec<Vec<Option<u64>>> {
    let first = scene.frames[0].stamp_ns;
    let frames = scene.frames.iter().map(|frame| {
        tracker.update(
            frame.stamp_ns - first + from_ns,
            &frame.detections,
            None,
            ids,
        );
        let mut of_box = vec![None; frame.detections.len()];
        for (id, track) in tracker.tracks() {
            if let Some(index) = track.detection() {
                assert_eq!(of_box[index], None, "a box has two tracks");
                of_box[index] = Some(id.get());
            }
        }
        of_box
    });
    frames.collect()
}

fn town(seed: u64) -> Scene {
    let mut scenario = Scenario::all().swap_remove(0);
    scenario.duration_s = 6.0;
    Scene::new(&scenario, seed)
}

fn numbers(frames: &[Vec<Option<u64>>]) -> BTreeSet<u64> {
    frames.iter().flatten().flatten().copied().collect()
}

#[test]
fn a_car_that_drives_by_keeps_its_identity_and_coasts_where_it_is_hidden() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    for frame in 0..40 {
        let at_s = f64::from(frame) / 10.0;
        let x = 20.0 * frame as f32;
        let hidden = (20..24).contains(&frame);
        let boxes = [car(x, 0.8)];
        let found = update(&mut tracker, &ids, at_s, if hidden { &[] } else { &boxes });
        let state = if hidden {
            State::Coasting
        } else {
            State::Confirmed
        };
        assert_eq!(found, [(1, state)], "frame {frame}");
        let overlap = tracker
            .tracks()
            .next()
            .unwrap()
            .1
            .bbox()
            .iou(&boxes[0].bbox);
        assert!(frame < 5 || overlap > 0.6, "frame {frame}: {overlap}");
    }
}

#[test]
fn a_sure_box_is_shown_at_once_and_a_doubtful_one_after_the_time_to_confirm() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    tracker.set(Settings {
        thresholds: vec![0.35; 80],
        ..settings()
    });
    let boxes = [car(0.0, 0.9), car(400.0, 0.42)];
    assert_eq!(update(&mut tracker, &ids, 0.0, &boxes).len(), 1);
    let shown = (1..=12).find(|frame| {
        let at_s = f64::from(*frame) * 0.03;
        update(&mut tracker, &ids, at_s, &boxes).len() == 2
    });
    assert!(matches!(shown, Some(2..=8)), "{shown:?}");
}

#[test]
fn limits_are_in_seconds_at_any_rate() {
    for rate in [5.0, 10.0, 30.0] {
        let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
        for frame in 0..(2.0 * rate) as i32 {
            update(
                &mut tracker,
                &ids,
                f64::from(frame) / rate,
                &[car(0.0, 0.8)],
            );
        }
        let last_s = ((2.0 * rate) as i32 - 1) as f64 / rate;
        let coasting = update(&mut tracker, &ids, last_s + 0.45, &[]);
        assert_eq!(coasting, [(1, State::Coasting)], "{rate} Hz");
        assert!(update(&mut tracker, &ids, last_s + 0.7, &[]).is_empty());
        // not shown for a while, and yet the same
        assert_eq!(
            update(&mut tracker, &ids, last_s + 0.9, &[car(0.0, 0.8)]),
            [(1, State::Confirmed)]
        );
        update(&mut tracker, &ids, last_s + 2.0, &[]);
        assert_eq!(
            update(&mut tracker, &ids, last_s + 2.1, &[car(0.0, 0.8)]),
            [(2, State::Confirmed)]
        );
    }
}

#[test]
fn a_lorry_that_flickers_between_classes_is_one_track_of_one_class() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    for frame in 0..50 {
        let class_id = if frame % 3 == 0 { CAR } else { TRUCK };
        let lorry = Detection::new(class_id, 0.7, a_box(5.0 * frame as f32, 50.0));
        let found = update(&mut tracker, &ids, f64::from(frame) / 10.0, &[lorry]);
        assert_eq!(found, [(1, State::Confirmed)], "frame {frame}");
        let class_id = tracker.tracks().next().unwrap().1.class_id();
        assert!(frame < 4 || class_id == TRUCK, "frame {frame}");
    }
}

#[test]
fn boxes_with_scores_at_the_threshold_become_tracks_too() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    tracker.set(Settings {
        thresholds: vec![0.6; 80],
        ..settings()
    });
    let frames = 0..10;
    let shown = frames.filter(|&frame| {
        !update(
            &mut tracker,
            &ids,
            f64::from(frame) / 10.0,
            &[car(0.0, 0.6)],
        )
        .is_empty()
    });
    assert!(shown.count() >= 5);
}

#[test]
fn a_person_is_no_car() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    update(&mut tracker, &ids, 0.0, &[car(0.0, 0.9)]);
    let person = Detection::new(PERSON, 0.9, car(0.0, 0.9).bbox);
    let found = update(&mut tracker, &ids, 0.1, &[person]);
    assert_eq!(found, [(1, State::Coasting), (2, State::Confirmed)]);
}

#[test]
fn a_camera_that_turns_by_known_motion_loses_nobody() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    for frame in 0..20 {
        // turns to and fro, by more than the size of the boxes
        let x = if frame % 2 == 0 { 0.0 } else { 150.0 };
        let shift = if frame % 2 == 0 { -150.0 } else { 150.0 };
        let motion = CameraMotion::new([1.0, 0.0, shift, 0.0, 1.0, 0.0]);
        tracker.update(
            START + i64::from(frame) * SECOND / 10,
            &[car(300.0 + x, 0.9)],
            motion.as_ref(),
            &ids,
        );
        let found: Vec<_> = tracker.tracks().map(|(id, _)| id.get()).collect();
        assert_eq!(found, [1], "frame {frame}");
    }
}

#[test]
fn a_recording_that_loops_begins_again_with_new_identities_and_nothing_else_changes() {
    let scene = town(1);
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    let first = follow(&mut tracker, &ids, &scene, START);
    let step = tracker.update(START, &scene.frames[0].detections, None, &TrackIds::new());
    assert_eq!(step, Step::Restart);
    let step = tracker.update(
        START + 1,
        &scene.frames[0].detections,
        None,
        &TrackIds::new(),
    );
    assert!(matches!(step, Step::Forward(_)), "a restart is told once");
    let mut tracker = Tracker::new(settings());
    let ids = TrackIds::new();
    assert_eq!(follow(&mut tracker, &ids, &scene, START), first);
    let second = follow(&mut tracker, &ids, &scene, START);
    assert!(numbers(&first).is_disjoint(&numbers(&second)));
    let renamed: BTreeMap<_, _> = numbers(&first).into_iter().zip(numbers(&second)).collect();
    let rename = |id: &Option<u64>| id.map(|id| renamed[&id]);
    let expected: Vec<Vec<_>> = first
        .iter()
        .map(|ids| ids.iter().map(rename).collect())
        .collect();
    assert_eq!(second, expected);
}

#[test]
fn doubled_and_late_frames_lose_no_track() {
    let scene = town(2);
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    let expected = follow(&mut tracker, &ids, &scene, START);
    let (mut disturbed, ids) = (Tracker::new(settings()), TrackIds::new());
    for (index, frame) in scene.frames.iter().enumerate() {
        let seen = |tracker: &Tracker| {
            let mut of_box = vec![None; frame.detections.len()];
            for (id, track) in tracker.tracks() {
                if let Some(at) = track.detection() {
                    of_box[at] = Some(id.get());
                }
            }
            of_box
        };
        disturbed.update(frame.stamp_ns, &frame.detections, None, &ids);
        assert_eq!(seen(&disturbed), expected[index], "frame {index}");
        // once more, with the same stamp
        let step = disturbed.update(frame.stamp_ns, &frame.detections, None, &ids);
        assert_eq!(step, Step::Late(0.0));
        let again = seen(&disturbed);
        let differ = again
            .iter()
            .zip(&expected[index])
            .filter(|(a, b)| a.is_some() && a != b);
        assert!(
            differ.count() <= 1,
            "frame {index}: {again:?} {:?}",
            expected[index]
        );
        // and the frame before it, 0.1 s late
        if let Some(before) = index.checked_sub(1) {
            let before = &scene.frames[before];
            let step = disturbed.update(before.stamp_ns, &before.detections, None, &ids);
            assert!(matches!(step, Step::Late(_)), "{step:?}");
        }
    }
}

#[test]
fn cameras_that_share_identities_never_have_the_same() {
    let ids = TrackIds::new();
    let (mut left, mut right) = (Tracker::new(settings()), Tracker::new(settings()));
    let left = numbers(&follow(&mut left, &ids, &town(3), START));
    let right = numbers(&follow(&mut right, &ids, &town(4), START));
    assert!(!left.is_empty() && left.is_disjoint(&right));
}

#[test]
fn boxes_that_make_no_sense_are_left_out() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    for frame in 0..20 {
        let good = car(4.0 * frame as f32, 0.8);
        let odd = |bbox: BBox| Detection::new(CAR, 0.9, bbox);
        let boxes = [
            odd(BBox {
                x1: f32::NAN,
                ..good.bbox
            }),
            odd(BBox {
                x2: good.bbox.x1,
                ..good.bbox
            }),
            odd(BBox {
                x1: -1e30,
                x2: 1e30,
                ..good.bbox
            }),
            odd(BBox {
                x2: f32::INFINITY,
                ..good.bbox
            }),
            Detection::new(CAR, f32::NAN, good.bbox),
            good,
        ];
        let found = update(&mut tracker, &ids, f64::from(frame) / 10.0, &boxes);
        assert_eq!(found, [(1, State::Confirmed)], "frame {frame}");
    }
}

#[test]
fn a_frame_of_far_too_many_boxes_is_bounded() {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    let boxes: Vec<_> = (0..3000)
        .map(|index| car(2.0 * index as f32, 0.9))
        .collect();
    (0..3).for_each(|frame| {
        update(&mut tracker, &ids, f64::from(frame) / 10.0, &boxes);
    });
    assert!(tracker.tracks.len() <= MOST_OBJECTS);
}

/// The share of boxes that stay with the track that most of their object's boxes have.
fn purity(scene: &Scene, frames: &[Vec<Option<u64>>]) -> f64 {
    let mut counts: BTreeMap<u64, BTreeMap<u64, usize>> = BTreeMap::new();
    for (frame, ids) in scene.frames.iter().zip(frames) {
        for object in &frame.objects {
            let best = (0..ids.len()).max_by(|&a, &b| {
                let overlap = |index: usize| frame.detections[index].bbox.iou(&object.bbox);
                overlap(a).total_cmp(&overlap(b))
            });
            if let Some(index) = best
                && frame.detections[index].bbox.iou(&object.bbox) > 0.5
                && let Some(id) = ids[index]
            {
                *counts.entry(object.id).or_default().entry(id).or_default() += 1;
            }
        }
    }
    let most: usize = counts.values().filter_map(|ids| ids.values().max()).sum();
    let all: usize = counts.values().flat_map(|ids| ids.values()).sum();
    most as f64 / all as f64
}

#[test]
fn objects_keep_their_identities_on_scenes_of_all_kinds() {
    for scenario in Scenario::all() {
        for variant in Variant::ALL {
            let scenario = Scenario {
                duration_s: 8.0,
                ..scenario.clone()
            };
            let scene = Scene::of_variant(&scenario, 11, variant);
            let mut tracker = Tracker::new(settings());
            let frames = follow(&mut tracker, &TrackIds::new(), &scene, START);
            let share = purity(&scene, &frames);
            let least = if variant == Variant::All { 0.75 } else { 0.6 };
            assert!(
                share > least,
                "{} {}: {share}",
                scenario.name,
                variant.name()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn two_runs_are_equal(seed in 0u64..1000) {
        let scene = town(seed);
        let run = || follow(&mut Tracker::new(settings()), &TrackIds::new(), &scene, START);
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn the_place_in_the_picture_and_the_time_of_day_do_not_matter(
        seed in 0u64..1000, right in -8i32..8, down in -8i32..8, later_s in 0i64..1000,
    ) {
        let scene = town(seed);
        let mut moved = scene.clone();
        for detection in moved.frames.iter_mut().flat_map(|frame| &mut frame.detections) {
            let (right, down) = (right as f32 * 64.0, down as f32 * 64.0);
            let BBox { x1, y1, x2, y2 } = detection.bbox;
            detection.bbox = BBox { x1: x1 + right, y1: y1 + down, x2: x2 + right, y2: y2 + down };
        }
        let expected = follow(&mut Tracker::new(settings()), &TrackIds::new(), &scene, START);
        let found = follow(&mut Tracker::new(settings()), &TrackIds::new(), &moved, START + later_s * SECOND);
        // rounded differently, a box at a border may count another way
        let differ = expected.iter().flatten().zip(found.iter().flatten()).filter(|(a, b)| a.is_some() != b.is_some());
        prop_assert!(differ.count() <= 2);
    }

    #[test]
    fn no_input_makes_a_panic_or_a_senseless_track(
        frames in proptest::collection::vec(
            (any::<i64>(), proptest::collection::vec((any::<[f32; 4]>(), any::<f32>(), 0usize..100), 0..12)),
            1..20,
        ),
    ) {
        let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
        let mut known = BTreeSet::new();
        for (stamp_ns, boxes) in frames {
            let boxes: Vec<_> = boxes.into_iter().map(|([x1, y1, x2, y2], score, class_id)| {
                Detection::new(class_id, score, BBox { x1, y1, x2, y2 })
            }).collect();
            if tracker.update(stamp_ns, &boxes, None, &ids) == Step::Restart {
                let again = tracker.tracks().any(|(id, _)| known.contains(&id));
                prop_assert!(!again, "an identity was used before the restart");
            }
            for (id, track) in tracker.tracks() {
                known.insert(id);
                let bbox = track.bbox();
                prop_assert!([bbox.x1, bbox.y1, bbox.x2, bbox.y2].iter().all(|side| side.is_finite()), "{:?}", bbox);
                prop_assert!(track.age_s() >= 0.0 && track.unseen_s() >= 0.0);
            }
        }
    }
}

/// Returns the seconds to collision, as the track tells them, of a car that is reached at 4 s, by
/// frame until 3 s; `shift_px` moves the box down, where the border of the image may cut it off.
fn told_of_an_approach(shift_px: f64, unseen: std::ops::Range<usize>) -> Vec<Option<f64>> {
    let (mut tracker, ids) = (Tracker::new(settings()), TrackIds::new());
    tracker.set_image_size(Some((640, 480)));
    let frames = (0..75).map(|frame| {
        let at_s = frame as f64 / 25.0;
        let side = (120.0 / (4.0 - at_s)) as f32;
        let bbox = BBox {
            x1: 320.0 - side,
            y1: (240.0 + shift_px) as f32 - side,
            x2: 320.0 + side,
            y2: ((240.0 + shift_px) as f32 + side).min(480.0),
        };
        let boxes = (!unseen.contains(&frame)).then(|| Detection::new(CAR, 0.9, bbox));
        update(&mut tracker, &ids, at_s, boxes.as_slice());
        let (_, track) = tracker.tracks().next()?;
        Some(track.time_to_collision()?.seconds)
    });
    frames.collect()
}

#[test]
fn a_track_tells_the_time_to_collision_also_while_it_coasts() {
    let told = told_of_an_approach(0.0, 60..63);
    assert!(told[..7].iter().all(Option::is_none), "{told:?}");
    for (frame, told) in told.iter().enumerate().skip(40) {
        let left = 4.0 - frame as f64 / 25.0;
        let told = told.unwrap_or(f64::NAN);
        assert!((told - left).abs() < 0.05 * left, "{frame}: {told} {left}");
    }
}

#[test]
fn a_box_that_the_border_cuts_off_tells_no_time_to_collision() {
    // the lower edge is beyond the image from the beginning
    let told = told_of_an_approach(220.0, 0..0);
    assert!(told.iter().all(Option::is_none), "{told:?}");
}
