//! `vision_msgs/msg/Detection3DArray`: the objects of one image in space.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::DETECTION3D_ARRAY;
use super::detection2d_array::{HypothesisRef, MIN_HYPOTHESIS, ObjectHypothesisWithPose};
use super::header::{Header, HeaderView};

/// An object in space, for writing. Lengths are in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection3DRef<'a> {
    /// The class of the object, with its pose.
    pub hypothesis: HypothesisRef<'a>,
    /// The centre of its box, whose sides lie along the axes of the frame.
    pub center: [f64; 3],
    pub size: [f64; 3],
    /// The track of the object, or empty.
    pub id: &'a str,
}

/// Fills `out` with the array. Each detection has the header `of_each`, one hypothesis and a box
/// without rotation. Only allocates in `out`.
///
/// Errors: a part is too long for CDR.
pub fn write_detections_3d<'a>(
    out: &mut Vec<u8>,
    header: HeaderView<'_>,
    of_each: HeaderView<'_>,
    detections: impl IntoIterator<Item = Detection3DRef<'a>>,
) -> Result<(), CdrError> {
    let w = &mut Writer::new(DETECTION3D_ARRAY.name, out);
    header.write(w)?;
    w.sequence("detections", detections, |w, detection| {
        of_each.write(w)?;
        w.sequence("results", [detection.hypothesis], |w, hypothesis| {
            hypothesis.write(w)
        })?;
        w.f64_array(&detection.center);
        w.f64_array(&[0.0, 0.0, 0.0, 1.0]);
        w.f64_array(&detection.size);
        w.str("id", detection.id)
    })
}

/// A complete array from any writer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection3DArray {
    pub header: Header,
    pub detections: Vec<Detection3D>,
}

/// One object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection3D {
    pub header: Header,
    /// The possible classes of the object.
    pub results: Vec<ObjectHypothesisWithPose>,
    pub bbox: BoundingBox3D,
    /// The track of the object, or empty.
    pub id: String,
}

/// A rotated box in metres.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BoundingBox3D {
    pub center: [f64; 3],
    /// Quaternion x, y, z, w.
    pub orientation: [f64; 4],
    pub size: [f64; 3],
}

/// The minimum size of a detection: stamp, three lengths, ten floats.
const MIN_DETECTION: usize = 8 + 3 * 4 + 10 * 8;

impl Detection3DArray {
    /// Parses the message. Errors: the message is truncated, or one of its strings is not valid.
    pub fn parse(cdr: &[u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(DETECTION3D_ARRAY.name, cdr)?;
        Ok(Detection3DArray {
            header: HeaderView::read(r)?.into(),
            detections: r.sequence("detections", MIN_DETECTION, Detection3D::read)?,
        })
    }
}

impl Detection3D {
    fn read(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        Ok(Detection3D {
            header: HeaderView::read(r)?.into(),
            results: r.sequence("results", MIN_HYPOTHESIS, ObjectHypothesisWithPose::read)?,
            bbox: BoundingBox3D {
                center: r.f64_array("bbox.center.position")?,
                orientation: r.f64_array("bbox.center.orientation")?,
                size: r.f64_array("bbox.size")?,
            },
            id: r.str("id")?.to_owned(),
        })
    }
}
