//! The width and height of a network's input.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The width and height of a network's input in pixels. Reads and prints as `704x224`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resolution {
    pub width: u32,
    pub height: u32,
}

/// A text is not the resolution of a network.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ResolutionError {
    #[error("expected WIDTHxHEIGHT, such as 704x224, found {0:?}")]
    Form(String),
    #[error(
        "expected a {side} that is a multiple of {} from {} to {}, found {found}",
        Resolution::STEP,
        Resolution::STEP,
        Resolution::MOST
    )]
    Side { side: &'static str, found: u32 },
}

impl Resolution {
    /// The coarsest stride of the shipped networks: both sides are multiples of it.
    pub const STEP: u32 = 32;
    /// The longest side.
    pub const MOST: u32 = 4096;

    /// Returns the number of pixels.
    pub fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Returns the width and height.
    pub fn sides(self) -> (u32, u32) {
        (self.width, self.height)
    }
}

impl From<(u32, u32)> for Resolution {
    fn from((width, height): (u32, u32)) -> Self {
        Self { width, height }
    }
}

impl FromStr for Resolution {
    type Err = ResolutionError;

    /// Reads `WIDTHxHEIGHT`: multiples of [`Resolution::STEP`] up to [`Resolution::MOST`].
    fn from_str(text: &str) -> Result<Self, ResolutionError> {
        let is_number = |side: &str| side.bytes().all(|byte| byte.is_ascii_digit());
        let sides = text
            .split_once('x')
            .filter(|(width, height)| is_number(width) && is_number(height));
        let parsed = sides.and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        let (width, height) = parsed.ok_or_else(|| ResolutionError::Form(text.to_owned()))?;
        for (side, found) in [("width", width), ("height", height)] {
            if found == 0 || found % Self::STEP != 0 || found > Self::MOST {
                return Err(ResolutionError::Side { side, found });
            }
        }
        Ok(Self { width, height })
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x{}", self.width, self.height))
    }
}

impl Serialize for Resolution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resolution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_multiples_of_32() {
        let parse = |text: &str| text.parse::<Resolution>();
        assert_eq!(parse("704x224"), Ok((704, 224).into()));
        assert_eq!(parse("704x224").unwrap().to_string(), "704x224");
        for wrong in [
            "",
            "x",
            "704",
            "704x",
            "x224",
            "704X224",
            "+704x224",
            "704x224x3",
            "1e3x32",
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error, ResolutionError::Form(wrong.to_owned()));
        }
        for (wrong, side) in [
            ("700x224", "width"),
            ("704x0", "height"),
            ("704x4128", "height"),
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(
                error.contains(side) && error.contains("32 to 4096"),
                "{error}"
            );
        }
        assert!(parse("99999999999x32").is_err());
    }
}
