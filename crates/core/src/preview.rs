//! An annotated frame for a report.

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
