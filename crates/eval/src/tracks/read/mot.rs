//! Lines of the MOT format.

use super::super::protocol::Protocol;
use super::super::sequence::Marks;
use super::super::similarity::Corners;
use super::UNNAMED;
use super::lines::{Role, Row, frame, number, upright, whole};

/// MOTChallenge's classes, from number 1.
const CLASSES: [&str; 13] = [
    "pedestrian",
    "person_on_vehicle",
    "car",
    "bicycle",
    "motorbike",
    "non_mot_vehicle",
    "static_person",
    "distractor",
    "occluder",
    "occluder_on_ground",
    "occluder_full",
    "reflection",
    "crowd",
];

/// A line of numbers.
pub(super) struct MotRow {
    frame: usize,
    id: i64,
    corners: Corners,
    /// Of the truth 0 for a box that is ignored; of a tracker the score.
    mark: Option<f64>,
    /// -1 for none.
    class: Option<i64>,
}

/// Reads a line: at least frame, id, left, top, width and height.
pub(super) fn row(fields: &[&str]) -> Result<MotRow, String> {
    if fields.len() < 6 {
        return Err(format!(
            "expected frame,id,left,top,width,height and up to 4 more, found {} fields",
            fields.len()
        ));
    }
    let [left, top, width, height] = [(2, "left"), (3, "top"), (4, "width"), (5, "height")]
        .map(|(at, name)| number(fields, at, name));
    let (left, top) = (left?, top?);
    Ok(MotRow {
        frame: frame(fields, 1)?,
        id: whole(fields, 1, "track id")?,
        corners: upright([left, top, left + width?, top + height?])?,
        mark: (fields.len() > 6)
            .then(|| number(fields, 6, "mark or score"))
            .transpose()?,
        class: (fields.len() > 7)
            .then(|| whole(fields, 7, "class"))
            .transpose()?,
    })
}

impl MotRow {
    pub fn boxed(self, role: Role, protocol: Protocol) -> Row {
        let one_class = protocol.has_one_class()
            || (role == Role::Tracks && matches!(protocol, Protocol::Mot17 | Protocol::Mot20));
        let class = match self.class {
            _ if protocol.has_one_class() => CLASSES[0].to_owned(),
            Some(class @ 1..) => match usize::try_from(class - 1)
                .ok()
                .and_then(|at| CLASSES.get(at))
            {
                Some(&name) => name.to_owned(),
                None => class.to_string(),
            },
            // a results file need not say it
            _ if one_class => CLASSES[0].to_owned(),
            _ => UNNAMED.to_owned(),
        };
        let marks = Marks {
            ignored: self.mark.is_some_and(|mark| mark as i64 == 0),
            ..Marks::default()
        };
        Row {
            frame: self.frame,
            id: self.id,
            class,
            corners: self.corners,
            marks,
        }
    }
}
