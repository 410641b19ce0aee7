//! Pictures for a report: annotated frames, and objects over time.

/// An annotated frame.
pub struct Preview {
    pub topic: String,
    pub stamp_ns: i64,
    /// The bytes of a JPEG file.
    pub jpeg: Vec<u8>,
    /// In pixels of the JPEG.
    pub width: u32,
    pub height: u32,
    pub detections: usize,
    /// The content, for example `2 car, 1 truck`; may be empty.
    pub caption: String,
}

/// A track with pictures of its object over time.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackStrip {
    pub topic: String,
    /// The track's identity.
    pub id: u64,
    /// The class at its end.
    pub label: String,
    /// The stamp of the first detection.
    pub start_ns: i64,
    /// Seconds from the first detection to the last.
    pub length_s: f64,
    /// Frames with a detection.
    pub frames: u64,
    /// In their order.
    pub pictures: Vec<StripPicture>,
}

/// The object of a track at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct StripPicture {
    /// Seconds since the first detection.
    pub at_s: f64,
    /// The bytes of a JPEG file.
    pub jpeg: Vec<u8>,
    /// In pixels of the JPEG.
    pub width: u32,
    pub height: u32,
}
