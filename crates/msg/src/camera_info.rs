//! `sensor_msgs/msg/CameraInfo`: the intrinsics of a camera.

use super::cdr::{CdrError, Reader, Writer};
use super::definition::CAMERA_INFO;
use super::header::{Header, HeaderView};

/// The intrinsics of the image with the same stamp. Matrices are row by row, in pixels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraInfo {
    pub header: Header,
    /// Rows of the full-resolution image.
    pub height: u32,
    /// Columns of the full-resolution image.
    pub width: u32,
    /// `plumb_bob`, `rational_polynomial` or `equidistant`; empty if the camera is not calibrated.
    pub distortion_model: String,
    /// The distortion coefficients; their number depends on the model.
    pub d: Vec<f64>,
    /// Camera matrix of the raw image, 3x3; `k[0]`, the focal length, is 0 if the camera is not
    /// calibrated.
    pub k: [f64; 9],
    /// Rectification, 3x3; the identity for a monocular camera.
    pub r: [f64; 9],
    /// Projection matrix of the rectified image, 3x4.
    pub p: [f64; 12],
    /// The number of columns that the sensor merged into one; 0 means 1.
    pub binning_x: u32,
    /// The number of rows that the sensor merged into one; 0 means 1.
    pub binning_y: u32,
    pub roi: RegionOfInterest,
}

/// The part of the sensor in the image, in full-resolution pixels; all 0 means the whole sensor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegionOfInterest {
    pub x_offset: u32,
    pub y_offset: u32,
    pub height: u32,
    pub width: u32,
    /// Whether a rectified image covers the same region.
    pub do_rectify: bool,
}

impl CameraInfo {
    /// Parses the message. Errors: the message is truncated, or its text or flag is not valid.
    pub fn parse(cdr: &[u8]) -> Result<Self, CdrError> {
        let r = &mut Reader::new(CAMERA_INFO.name, cdr)?;
        Ok(CameraInfo {
            header: HeaderView::read(r)?.into(),
            height: r.u32("height")?,
            width: r.u32("width")?,
            distortion_model: r.str("distortion_model")?.to_owned(),
            d: r.f64s("d")?,
            k: r.f64_array("k")?,
            r: r.f64_array("r")?,
            p: r.f64_array("p")?,
            binning_x: r.u32("binning_x")?,
            binning_y: r.u32("binning_y")?,
            roi: RegionOfInterest {
                x_offset: r.u32("roi.x_offset")?,
                y_offset: r.u32("roi.y_offset")?,
                height: r.u32("roi.height")?,
                width: r.u32("roi.width")?,
                do_rectify: r.bool("roi.do_rectify")?,
            },
        })
    }

    /// Fills `out` with the message. Errors: a part is too long for CDR.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), CdrError> {
        let w = &mut Writer::new(CAMERA_INFO.name, out);
        self.header.view().write(w)?;
        w.u32(self.height);
        w.u32(self.width);
        w.str("distortion_model", &self.distortion_model)?;
        w.f64s("d", &self.d)?;
        w.f64_array(&self.k);
        w.f64_array(&self.r);
        w.f64_array(&self.p);
        w.u32(self.binning_x);
        w.u32(self.binning_y);
        w.u32(self.roi.x_offset);
        w.u32(self.roi.y_offset);
        w.u32(self.roi.height);
        w.u32(self.roi.width);
        w.u8(self.roi.do_rectify.into());
        Ok(())
    }
}
