//! What the page draws over a frame's picture.

use shuffledet_core::{BBox, Labels, Regions};
use shuffledet_detector::pipeline::{Frame, TrackedObject};
use shuffledet_view::{Scene, SceneBox, SceneTrack};

/// Returns the scene of a published frame whose camera is searched in `regions`.
pub(super) fn scene(frame: &Frame, regions: &Regions, labels: &Labels) -> Scene {
    let size = frame.size.unwrap_or_default();
    let boxes = frame.detections.iter().take(Scene::MOST);
    let boxes = boxes.map(|found| SceneBox {
        sides: sides(&found.bbox),
        label: labels.name(found.class_id).to_owned(),
        score: found.score,
    });
    let tracks = frame.tracks.iter().take(Scene::MOST);
    let regions = match regions == &Regions::WHOLE {
        true => Vec::new(),
        false => regions
            .as_slice()
            .iter()
            .map(|region| region.pixels(size))
            .map(|rect| {
                let (right, bottom) = (rect.left + rect.width, rect.top + rect.height);
                [rect.left, rect.top, right, bottom]
            })
            .collect(),
    };
    let faults = frame.faults.iter().flat_map(|faults| faults.iter());
    Scene {
        size: size.into(),
        stamp: [frame.stamp.sec.into(), frame.stamp.nanosec.into()],
        boxes: boxes.collect(),
        tracks: tracks.map(|track| scene_track(track, labels)).collect(),
        regions,
        horizon: frame.horizon_px,
        faults: faults.map(|fault| fault.name().into()).collect(),
    }
}

fn scene_track(track: &TrackedObject, labels: &Labels) -> SceneTrack {
    SceneTrack {
        sides: sides(&track.bbox),
        id: track.id.to_string(),
        label: labels.name(track.class_id).to_owned(),
        state: track.state.name().into(),
        age_s: track.age_s,
        unseen_s: track.unseen_s,
        distance_m: track.range.map(|range| range.distance_m()),
        collision_s: track.time_to_collision.map(|found| found.seconds),
    }
}

fn sides(bbox: &BBox) -> [f32; 4] {
    [bbox.x1, bbox.y1, bbox.x2, bbox.y2]
}
