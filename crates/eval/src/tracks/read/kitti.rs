//! Lines of KITTI's tracking format.

use super::super::sequence::Marks;
use super::lines::{Row, frame, number, upright, whole};

const DONT_CARE: &str = "dontcare";

/// Reads a line: frame, id, type, and 14 numbers, or 15 with a score.
pub(super) fn row(fields: &[&str]) -> Result<Row, String> {
    if !(17..=18).contains(&fields.len()) {
        return Err(format!(
            "expected frame, id, type and 14 or 15 numbers, found {} fields",
            fields.len()
        ));
    }
    let kind = fields[2].to_lowercase();
    if kind.parse::<f64>().is_ok() {
        return Err(format!(
            "expected a type such as Car, found {:?}",
            fields[2]
        ));
    }
    let sides = [(6, "left"), (7, "top"), (8, "right"), (9, "bottom")];
    let [left, top, right, bottom] = sides.map(|(at, name)| number(fields, at, name));
    let marks = Marks {
        region: kind == DONT_CARE,
        truncation: whole(fields, 3, "truncation")?,
        occlusion: whole(fields, 4, "occlusion")?,
        ignored: false,
    };
    Ok(Row {
        frame: frame(fields, 0)?,
        id: whole(fields, 1, "track id")?,
        class: kind,
        corners: upright([left?, top?, right?, bottom?])?,
        marks,
    })
}
