//! What can be wrong with a camera's pictures.

use std::fmt;

/// A fault of a camera's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// The same picture again and again, while the stamps go on.
    Frozen,
    /// Hardly any light.
    Black,
    /// Hardly any contrast: fog on the lens, sun into it, overexposure.
    WashedOut,
    /// Out of focus, or water on the whole lens.
    Blurred,
    /// Something dark and without texture hides a part of the picture.
    Covered,
    /// Rows are shifted sideways against each other.
    Torn,
}

impl Fault {
    pub const ALL: [Fault; 6] = [
        Fault::Frozen,
        Fault::Black,
        Fault::WashedOut,
        Fault::Blurred,
        Fault::Covered,
        Fault::Torn,
    ];

    /// Returns the name that messages and files have.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Frozen => "frozen",
            Fault::Black => "black",
            Fault::WashedOut => "washed_out",
            Fault::Blurred => "blurred",
            Fault::Covered => "covered",
            Fault::Torn => "torn",
        }
    }

    /// Returns what an operator reads: the fault and what to check.
    pub fn advice(self) -> &'static str {
        match self {
            Fault::Frozen => "the picture does not change: check the camera's driver",
            Fault::Black => "the picture is black: check lens cap, exposure and cable",
            Fault::WashedOut => "the picture has no contrast: check for fog, sun or overexposure",
            Fault::Blurred => "the picture is blurred: check focus and the lens for water",
            Fault::Covered => "a part of the picture is covered: clean the lens",
            Fault::Torn => "rows of the picture are shifted: check cable, bandwidth and step",
        }
    }

    /// Returns whether nothing can be detected in such pictures.
    pub fn is_blind(self) -> bool {
        matches!(self, Fault::Frozen | Fault::Black)
    }
}

/// A set of faults. Its text is `good` without faults, else their names, separated by commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults(u8);

impl Faults {
    pub fn contains(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Adds or removes a fault.
    pub fn set(&mut self, fault: Fault, present: bool) {
        let bit = 1 << fault as u8;
        self.0 = if present { self.0 | bit } else { self.0 & !bit };
    }

    /// Returns the faults in the order of [`Fault::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL
            .into_iter()
            .filter(move |&fault| self.contains(fault))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("good");
        }
        for (index, fault) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", fault.name())?;
        }
        Ok(())
    }
}
