//! What became of a frame.

use std::borrow::Cow;

/// What became of a frame. Every frame has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its detections, none or more, are valid.
    Published,
    Dropped(DropReason),
    Failed(Failure),
}

/// Why a frame was not worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// A newer one of the same camera came before its turn.
    Superseded,
    /// It was older than the camera's `max_age_ms` when its turn came.
    TooOld,
    /// Frames came faster than the camera's `max_rate_hz` allows.
    RateLimited,
    /// Its camera is not enabled.
    Disabled,
    /// Its stamp says that it is no new frame.
    Stamp(Oddity),
}

impl DropReason {
    /// The name to count by.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::Superseded => "superseded",
            DropReason::TooOld => "too_old",
            DropReason::RateLimited => "rate_limited",
            DropReason::Disabled => "camera_disabled",
            DropReason::Stamp(oddity) => oddity.name(),
        }
    }
}

/// Why a frame could not be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The name to count by: `malformed_message`, `unknown_encoding`, ...
    pub reason: &'static str,
    /// What was expected and found.
    pub message: Cow<'static, str>,
}

/// What is odd about a frame's stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// 0: the camera does not stamp. Age is counted from reception.
    Zero,
    /// Later than the clock allows. Age is counted from reception.
    Future,
    /// So long ago that no transport held the frame up: it is of another clock, as in a recording that is played
    /// without its clock. Age is counted from reception.
    Past,
    /// That of the frame before. The frame is dropped.
    Duplicate,
    /// A little before that of the frame before: it was overtaken on its way. The frame is dropped.
    OutOfOrder,
    /// Far before that of the frame before: a recording began anew, or a clock was set. Counting begins anew,
    /// and the age of this frame is counted from reception.
    Jump,
}

impl Oddity {
    pub const ALL: [Oddity; 6] = [
        Oddity::Zero,
        Oddity::Future,
        Oddity::Past,
        Oddity::Duplicate,
        Oddity::OutOfOrder,
        Oddity::Jump,
    ];

    /// The name to count by.
    pub const fn name(self) -> &'static str {
        match self {
            Oddity::Zero => "stamp_zero",
            Oddity::Future => "stamp_in_future",
            Oddity::Past => "stamp_of_another_clock",
            Oddity::Duplicate => "stamp_duplicate",
            Oddity::OutOfOrder => "stamp_out_of_order",
            Oddity::Jump => "stamp_jump",
        }
    }

    /// Whether the stamp says how old the frame is.
    pub fn tells_age(self) -> bool {
        !matches!(
            self,
            Oddity::Zero | Oddity::Future | Oddity::Past | Oddity::Jump
        )
    }

    /// Whether such a frame is not worked on.
    pub fn drops(self) -> bool {
        matches!(self, Oddity::Duplicate | Oddity::OutOfOrder)
    }
}
