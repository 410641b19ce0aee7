//! An annotated frame for a report.

/// An annotated frame.
pub struct Preview {
    pub topic: String,
    pub stamp_ns: i64,
    /// A whole JPEG file.
    pub jpeg: Vec<u8>,
    /// Of the JPEG, pixels.
    pub width: u32,
    pub height: u32,
    pub detections: usize,
    /// What is to be seen, such as `2 car, 1 truck`; may be empty.
    pub caption: String,
}
