//! What is wrong with a box, whichever form it was read from.

use crate::Object;
use crate::problems::{Problem, Problems};

/// How far a box may reach beyond its image for rounding.
const SLACK_PX: f64 = 1.0;

/// Returns the object if it counts. `place` names its place; a size of 0 means unknown.
pub(super) fn checked(
    object: Object,
    (width, height): (u32, u32),
    place: impl FnOnce() -> String,
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
    if reaches_beyond(object.bbox, (width, height)) {
        let place = format!("{}: [{x}, {y}, {w}, {h}] in {width}x{height}", place());
        problems.add(Problem::BoxOutside, place);
    }
    Some(object)
}

/// Whether a box passes the borders of its image by more than rounding; those of a side of 0 are not known.
pub fn reaches_beyond([x, y, w, h]: [f64; 4], (width, height): (u32, u32)) -> bool {
    let beyond = |end: f64, size: u32| size > 0 && end > f64::from(size) + SLACK_PX;
    x < -SLACK_PX || y < -SLACK_PX || beyond(x + w, width) || beyond(y + h, height)
}
