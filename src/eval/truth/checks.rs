//! What is wrong with a box, whichever form it was read from.

use crate::eval::Object;
use crate::eval::problems::{Problem, Problems};

/// How far a box may reach beyond its image for rounding.
const SLACK_PX: f64 = 1.0;

/// The object as it counts, if it does. `place` says where it stands; a size of 0 is not known.
pub(super) fn checked(
    object: Object,
    (width, height): (u32, u32),
    place: impl Fn() -> String,
    problems: &mut Problems,
) -> Option<Object> {
    let [x, y, w, h] = object.bbox;
    if ![x, y, w, h, object.area]
        .iter()
        .all(|value| value.is_finite())
    {
        problems.add(Problem::NotANumber, place());
        return None;
    }
    if w <= 0.0 || h <= 0.0 {
        problems.add(Problem::BoxEmpty, format!("{}: {w} x {h}", place()));
        return None;
    }
    let beyond = |end: f64, size: u32| size > 0 && end > f64::from(size) + SLACK_PX;
    if x < -SLACK_PX || y < -SLACK_PX || beyond(x + w, width) || beyond(y + h, height) {
        let bbox = format!("[{x}, {y}, {w}, {h}]");
        problems.add(
            Problem::BoxOutside,
            format!("{}: {bbox} in {width}x{height}", place()),
        );
    }
    Some(object)
}
