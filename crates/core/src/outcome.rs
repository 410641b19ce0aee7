//! The outcomes of frames.

use std::borrow::Cow;

/// The outcome of a frame. Every frame has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its detections are valid; there may be none.
    Published,
    Dropped(DropReason),
    Failed(Failure),
}

/// Why a frame was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// A newer frame of the same camera arrived before its turn.
    Superseded,
    /// It was older than the camera's `max_age_ms` at its turn.
    TooOld,
    /// Frames arrived faster than the camera's `max_rate_hz`.
    RateLimited,
    /// Its camera is disabled.
    Disabled,
    /// Its stamp shows that it is not a new frame.
    Stamp(StampAnomaly),
}

impl DropReason {
    /// Returns the reason's key in counters.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::Superseded => "superseded",
            DropReason::TooOld => "too_old",
            DropReason::RateLimited => "rate_limited",
            DropReason::Disabled => "camera_disabled",
            DropReason::Stamp(anomaly) => anomaly.name(),
        }
    }
}

/// Why processing a frame failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason's key in counters: `malformed_message`, `unknown_encoding`, ...
    pub reason: &'static str,
    /// What was expected and what was found.
    pub message: Cow<'static, str>,
}

/// What is wrong with a frame's stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampAnomaly {
    /// 0: the camera does not set stamps. The age counts from reception.
    Zero,
    /// Later than the clock allows. The age counts from reception.
    Future,
    /// Older than any transport delay: the stamp is from another clock, as in a recording played
    /// without its clock. The age counts from reception.
    Past,
    /// Equal to the previous frame's stamp. The frame is dropped.
    Duplicate,
    /// Slightly before the previous frame's stamp: the frame was overtaken in transit. It is
    /// dropped.
    OutOfOrder,
    /// Far before the previous frame's stamp: a recording was restarted or a clock was set.
    /// Counting starts over, and the age of this frame counts from reception.
    Jump,
}

impl StampAnomaly {
    pub const ALL: [StampAnomaly; 6] = [
        StampAnomaly::Zero,
        StampAnomaly::Future,
        StampAnomaly::Past,
        StampAnomaly::Duplicate,
        StampAnomaly::OutOfOrder,
        StampAnomaly::Jump,
    ];

    /// Returns the key in counters.
    pub const fn name(self) -> &'static str {
        match self {
            StampAnomaly::Zero => "stamp_zero",
            StampAnomaly::Future => "stamp_in_future",
            StampAnomaly::Past => "stamp_of_another_clock",
            StampAnomaly::Duplicate => "stamp_duplicate",
            StampAnomaly::OutOfOrder => "stamp_out_of_order",
            StampAnomaly::Jump => "stamp_jump",
        }
    }

    /// Whether the age of the frame follows from its stamp.
    pub fn tells_age(self) -> bool {
        !matches!(
            self,
            StampAnomaly::Zero | StampAnomaly::Future | StampAnomaly::Past | StampAnomaly::Jump
        )
    }

    /// Whether such a frame is dropped.
    pub fn drops(self) -> bool {
        matches!(self, StampAnomaly::Duplicate | StampAnomaly::OutOfOrder)
    }
}
