//! The tracker.

use shuffledet_core::{BBox, Detection};
use shuffledet_track::{CameraMotion, Settings, Step, TrackIds, Tracker};

use crate::draw::Draw;

/// Frames one after the other: a stamp, a motion of the camera, and boxes. The first check: a frame with a box follows
/// another frame.
pub fn tracker(input: &[u8]) -> bool {
    let (mut tracker, ids) = (Tracker::new(Settings::default()), TrackIds::new());
    let (mut draw, mut stamp_ns, mut has_followed) = (Draw(input), 0_i64, false);
    while !draw.is_empty() {
        let flags = draw.byte();
        stamp_ns = match flags & 1 {
            0 => stamp_ns.saturating_add(i64::from(draw.i16()) * 1_000_000),
            _ => draw.i64(),
        };
        let motion =
            (flags & 2 != 0).then(|| CameraMotion::new(std::array::from_fn(|_| draw.f32().into())));
        if flags & 4 != 0 {
            tracker.set_image_size(Some((draw.byte().into(), draw.byte().into())));
        }
        let boxes: Vec<_> = (0..draw.byte() % 16)
            .map(|_| detection(&mut draw))
            .collect();
        let step = tracker.update(stamp_ns, &boxes, motion.flatten().as_ref(), &ids);
        has_followed |= matches!(step, Step::Forward(_)) && !boxes.is_empty();
        for (_, track) in tracker.tracks() {
            let bbox = track.bbox();
            let sides = [bbox.x1, bbox.y1, bbox.x2, bbox.y2];
            assert!(sides.iter().all(|side| side.is_finite()), "{bbox:?}");
            assert!(track.age_s() >= 0.0 && track.unseen_s() >= 0.0);
            let collision = track.time_to_collision();
            assert!(
                collision.is_none_or(|time| time.seconds.is_finite()),
                "{collision:?}"
            );
        }
    }
    has_followed
}

fn detection(draw: &mut Draw<'_>) -> Detection {
    let class = draw.byte();
    // any floats, NaN too, for one class in 16
    let (sides, score) = match class >> 4 {
        15 => (std::array::from_fn(|_| draw.f32()), draw.f32()),
        _ => (
            std::array::from_fn(|_| f32::from(draw.i16()) / 16.0),
            f32::from(draw.byte()) / 255.0,
        ),
    };
    let [x1, y1, x2, y2] = sides;
    Detection::new((class & 15).into(), score, BBox { x1, y1, x2, y2 })
}

pub mod seeds {
    /// Two objects that move for ten frames, as they are, with a moving camera, and with a frame without boxes.
    pub fn tracker() -> Vec<Vec<u8>> {
        [0_u8, 2, 4].map(frames).into()
    }

    fn frames(flags: u8) -> Vec<u8> {
        let mut input = Vec::new();
        for frame in 0..10_i16 {
            input.push(flags);
            input.extend(100_i16.to_le_bytes());
            if flags & 2 != 0 {
                let motion = [1.0_f32, 0.0, 2.0, 0.0, 1.0, -1.0];
                input.extend(motion.iter().flat_map(|value| value.to_le_bytes()));
            }
            if flags & 4 != 0 {
                input.extend([200, 100]);
            }
            let is_hidden = flags == 4 && frame == 5;
            input.push(if is_hidden { 0 } else { 2 });
            for (class, left) in [(0, 160 * frame), (1, 1600 - 160 * frame)] {
                if !is_hidden {
                    input.push(class);
                    input.extend(
                        [left, 80, left + 320, 400]
                            .iter()
                            .flat_map(|side| side.to_le_bytes()),
                    );
                    input.push(220);
                }
            }
        }
        input
    }
}
