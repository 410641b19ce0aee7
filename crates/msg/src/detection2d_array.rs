//! `vision_msgs/msg/Detection2DArray`: the detections of one image.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::DETECTION2D_ARRAY;
use super::header::{Header, HeaderView};

/// A detected object, for writing. Lengths are in pixels of the original image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionRef<'a, H> {
    /// The possible classes of the object, the best first.
    pub hypotheses: H,
    pub center_x: f64,
    pub center_y: f64,
    pub size_x: f64,
    pub size_y: f64,
    /// The track of the object, or empty.
    pub id: &'a str,
}

/// A possible class of an object, for writing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HypothesisRef<'a> {
    /// The label's name.
    pub class_id: &'a str,
    /// In [0, 1].
    pub score: f64,
    pub pose: PoseWithCovariance,
}

/// Fills `out` with the array. Each detection has the header `of_each`, hypotheses and a box without
/// rotation. Only allocates in `out`.
///
/// Errors: a part is too long for CDR.
pub fn write_detections<'a, H: IntoIterator<Item = HypothesisRef<'a>>>(
    out: &mut Vec<u8>,
    header: HeaderView<'_>,
    of_each: HeaderView<'_>,
    detections: impl IntoIterator<Item = DetectionRef<'a, H>>,
) -> Result<(), CdrError> {
    let w = &mut Writer::new(DETECTION2D_ARRAY.name, out);
    header.write(w)?;
    w.sequence("detections", detections, |w, detection| {
        of_each.write(w)?;
        w.sequence("results", detection.hypotheses, |w, hypothesis| {
            hypothesis.write(w)
        })?;
        w.f64(detection.center_x);
        w.f64(detection.center_y);
        w.f64(0.0);
        w.f64(detection.size_x);
        w.f64(detection.size_y);
        w.str("id", detection.id)
    })
}

impl HypothesisRef<'_> {
    pub(super) fn write(&self, w: &mut Writer<'_>) -> Result<(), CdrError> {
        w.str("hypothesis.class_id", self.class_id)?;
        w.f64(self.score);
        self.pose.write(w);
        Ok(())
    }
}

/// A complete array from any writer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection2DArray {
    pub header: Header,
    pub detections: Vec<Detection2D>,
}

/// One detected object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection2D {
    pub header: Header,
    /// The possible classes of the object.
    pub results: Vec<ObjectHypothesisWithPose>,
    pub bbox: BoundingBox2D,
    /// The track of the object, or empty.
    pub id: String,
}

/// A possible class of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObjectHypothesisWithPose {
    /// The label's name, or another identifier of the class.
    pub class_id: String,
    /// Usually in [0, 1].
    pub score: f64,
    pub pose: PoseWithCovariance,
}

/// A pose in space, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoseWithCovariance {
    /// x, y, z.
    pub position: [f64; 3],
    /// Quaternion x, y, z, w.
    pub orientation: [f64; 4],
    /// 6x6, row by row: x, y, z, and rotations about X, Y, Z.
    pub covariance: [f64; 36],
}

/// A rotated box in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BoundingBox2D {
    pub center_x: f64,
    pub center_y: f64,
    /// Rotation about the centre, in radians.
    pub theta: f64,
    pub size_x: f64,
    pub size_y: f64,
}

/// The minimum size of a detection: stamp, three lengths, five floats.
const MIN_DETECTION: usize = 8 + 3 * 4 + 5 * 8;
/// The minimum size of a hypothesis: a length, a score, 7 + 36 floats.
pub(super) const MIN_HYPOTHESIS: usize = 4 + 8 + (7 + 36) * 8;

impl Detection2DArray {
    /// Parses the message. Errors: the message is truncated, or one of its strings is not valid.
    pub fn parse(cdr: &[u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(DETECTION2D_ARRAY.name, cdr)?;
        Ok(Detection2DArray {
            header: HeaderView::read(r)?.into(),
            detections: r.sequence("detections", MIN_DETECTION, Detection2D::read)?,
        })
    }
}

impl Detection2D {
    fn read(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        Ok(Detection2D {
            header: HeaderView::read(r)?.into(),
            results: r.sequence("results", MIN_HYPOTHESIS, ObjectHypothesisWithPose::read)?,
            bbox: BoundingBox2D {
                center_x: r.f64("bbox.center.position.x")?,
                center_y: r.f64("bbox.center.position.y")?,
                theta: r.f64("bbox.center.theta")?,
                size_x: r.f64("bbox.size_x")?,
                size_y: r.f64("bbox.size_y")?,
            },
            id: r.str("id")?.to_owned(),
        })
    }
}

impl ObjectHypothesisWithPose {
    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        Ok(ObjectHypothesisWithPose {
            class_id: r.str("hypothesis.class_id")?.to_owned(),
            score: r.f64("hypothesis.score")?,
            pose: PoseWithCovariance {
                position: r.f64_array("pose.pose.position")?,
                orientation: r.f64_array("pose.pose.orientation")?,
                covariance: r.f64_array("pose.covariance")?,
            },
        })
    }
}

impl PoseWithCovariance {
    /// The identity with zero covariance, which stands for an unknown pose.
    pub const UNKNOWN: Self = PoseWithCovariance {
        position: [0.0; 3],
        orientation: [0.0, 0.0, 0.0, 1.0],
        covariance: [0.0; 36],
    };

    fn write(&self, w: &mut Writer<'_>) {
        w.f64_array(&self.position);
        w.f64_array(&self.orientation);
        w.f64_array(&self.covariance);
    }
}

impl Default for PoseWithCovariance {
    fn default() -> Self {
        Self::UNKNOWN
    }
}
