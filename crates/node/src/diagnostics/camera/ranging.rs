//! The distance of objects: what it is measured by, and the nearest object.

use super::super::Values;
use super::CameraFacts;
use shuffledet_msg::Level;

/// What the distance of objects is measured by.
#[derive(Debug, Clone, Copy)]
pub struct RangingFacts<'a> {
    /// The file or the topic of the calibration.
    pub origin: &'a str,
    /// Whether the calibration is known.
    pub is_calibrated: bool,
    /// Why the last CameraInfo cannot be used.
    pub problem: Option<&'a str>,
    /// Whether the height of the camera is given.
    pub has_height: bool,
}

/// Returns the problem of a camera whose height is given and whose calibration is not known. Without
/// a height nobody may want distances.
pub(super) fn problem(facts: &CameraFacts<'_>) -> Option<(Level, String)> {
    let ranging = facts.ranging?;
    let is_wanted = ranging.has_height && facts.window.since_start.frames.published > 0;
    if ranging.is_calibrated || !is_wanted {
        return None;
    }
    let origin = ranging.origin;
    let why = match ranging.problem {
        Some(problem) => format!("{origin}: {problem}"),
        None => format!(
            "no CameraInfo has arrived on {origin}: publish it there, or set camera_info_topic or camera_info_url"
        ),
    };
    Some((Level::Warn, format!("no distances: {why}")))
}

pub(super) fn add_values(facts: &CameraFacts<'_>, values: &mut Values) {
    if let Some(ranging) = facts.ranging {
        let origin = ranging.origin;
        match (ranging.is_calibrated, ranging.problem) {
            (true, _) => values.add("calibration", origin),
            (false, Some(problem)) => {
                values.add("calibration", format_args!("none on {origin}: {problem}"));
            }
            (false, None) => values.add("calibration", format_args!("none on {origin} so far")),
        }
        let cues = match (ranging.is_calibrated, ranging.has_height) {
            (false, _) => "nothing",
            (true, false) => "size",
            (true, true) => "size and ground",
        };
        values.add("distance by", cues);
    }
    let nearest = facts.window.nearest;
    if let Some(range) = nearest.range {
        values.add("nearest track", range.track);
        values.number("nearest distance (m)", range.distance_m);
        values.number("nearest distance sigma (m)", range.deviation_m);
    }
    if let Some((seconds, track)) = nearest.collision_s {
        values.add("first collision track", track);
        values.number("time to collision (s)", seconds);
    }
}
