//! The description of a network: what it looks like, and what it takes and finds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shuffledet_core::{ColourOrder, InputSpec, ResizeMode, Resolution};
use thiserror::Error;

/// What a network is made of, what images it takes, and the classes that it knows. Stored in
/// checkpoints; the sidecar of an exported model is written from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    pub head: Head,
    pub width: Width,
    pub units: Units,
    /// Whether NanoDet-Plus has its auxiliary head while training.
    #[serde(default)]
    pub auxiliary: bool,
    /// Names in the order of the class layer's rows.
    pub classes: Vec<String>,
    pub input: InputSpec,
}

/// What follows the backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    #[serde(rename = "fastestdet")]
    FastestDet,
    #[serde(rename = "nanodet_plus")]
    NanoDetPlus,
    Classifier,
}

/// The width of the backbone, by which the paper names its networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Width {
    #[serde(rename = "0.5x")]
    X0_5,
    #[serde(rename = "1.0x")]
    X1_0,
    #[serde(rename = "1.5x")]
    X1_5,
    #[serde(rename = "2.0x")]
    X2_0,
}

/// The form of the backbone's units, which differs between published weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    pub split: Split,
    pub activation: Activation,
}

/// How a unit of stride 1 splits its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Into the first and the second half; each unit ends with a shuffle. The paper's form, and
    /// torchvision's.
    Halves,
    /// Into the even and the odd channels, which is shuffle and split in one; no shuffle ends a
    /// unit. Megvii's form, and FastestDet's.
    Alternate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    None,
    Relu,
    /// With a slope of 0.1 below 0.
    LeakyRelu,
}

/// A network is described wrongly.
#[derive(Debug, Error, PartialEq)]
pub enum DescriptionError {
    #[error("expected 1 to {MOST_CLASSES} classes, found {0}")]
    Classes(usize),
    #[error("expected each class once, found {0:?} twice; remove one of them")]
    Twice(String),
    #[error(
        "expected an input whose sides are multiples of {step} from {step} to {most}, found {0}; choose the nearest",
        step = Resolution::STEP,
        most = Resolution::MOST
    )]
    Input(Resolution),
    #[error(
        "expected input.std above 0 and finite input.mean, found mean {mean:?} and std {std:?}"
    )]
    Normalisation { mean: [f32; 3], std: [f32; 3] },
    #[error("expected a width of 0.5, 1.0, 1.5 or 2.0, found {0:?}")]
    Width(String),
}

const MOST_CLASSES: usize = 10_000;

impl Description {
    /// Describes a network in the form of the published one with this head, for an input of
    /// `resolution`.
    pub fn new(head: Head, width: Width, classes: Vec<String>, resolution: Resolution) -> Self {
        let (split, activation) = match head {
            Head::FastestDet => (Split::Alternate, Activation::Relu),
            Head::NanoDetPlus => (Split::Halves, Activation::LeakyRelu),
            Head::Classifier => (Split::Halves, Activation::Relu),
        };
        // as the published weights of each were trained
        let (colour, mean, std) = match head {
            Head::FastestDet => (ColourOrder::Bgr, [0.0; 3], [255.0; 3]),
            Head::NanoDetPlus => (
                ColourOrder::Bgr,
                [103.53, 116.28, 123.675],
                [57.375, 57.12, 58.395],
            ),
            Head::Classifier => (
                ColourOrder::Rgb,
                [123.675, 116.28, 103.53],
                [58.395, 57.12, 57.375],
            ),
        };
        Self {
            head,
            width,
            units: Units { split, activation },
            auxiliary: false,
            classes,
            input: InputSpec {
                width: resolution.width,
                height: resolution.height,
                colour,
                resize: ResizeMode::Stretch,
                padding: 0,
                mean,
                std,
            },
        }
    }

    /// Checks what a file may give wrongly.
    ///
    /// # Errors
    /// No classes or too many, a class twice, or an input that the network cannot take.
    pub fn check(&self) -> Result<(), DescriptionError> {
        if !(1..=MOST_CLASSES).contains(&self.classes.len()) {
            return Err(DescriptionError::Classes(self.classes.len()));
        }
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = self.classes.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(DescriptionError::Twice(twice.clone()));
        }
        let resolution = self.input.resolution();
        let fits = |side: u32| {
            side.is_multiple_of(Resolution::STEP) && (1..=Resolution::MOST).contains(&side)
        };
        if !(fits(resolution.width) && fits(resolution.height)) {
            return Err(DescriptionError::Input(resolution));
        }
        let InputSpec { mean, std, .. } = self.input;
        let is_usable = mean.iter().all(|mean| mean.is_finite())
            && std.iter().all(|std| std.is_finite() && *std > 0.0);
        if !is_usable {
            return Err(DescriptionError::Normalisation { mean, std });
        }
        Ok(())
    }
}

impl Head {
    /// Returns the family's name in descriptions.
    pub fn name(self) -> &'static str {
        match self {
            Head::FastestDet => "fastestdet",
            Head::NanoDetPlus => "nanodet_plus",
            Head::Classifier => "classifier",
        }
    }
}

impl Width {
    pub const ALL: [Width; 4] = [Width::X0_5, Width::X1_0, Width::X1_5, Width::X2_0];

    /// Returns the channels of stages 2, 3 and 4: table 5 of the paper.
    pub fn stages(self) -> [i64; 3] {
        match self {
            Width::X0_5 => [48, 96, 192],
            Width::X1_0 => [116, 232, 464],
            Width::X1_5 => [176, 352, 704],
            Width::X2_0 => [244, 488, 976],
        }
    }

    /// Returns the channels of conv5, with which a classifier continues.
    pub fn last(self) -> i64 {
        match self {
            Width::X2_0 => 2048,
            _ => 1024,
        }
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Width::X0_5 => "0.5x",
            Width::X1_0 => "1.0x",
            Width::X1_5 => "1.5x",
            Width::X2_0 => "2.0x",
        })
    }
}

impl FromStr for Width {
    type Err = DescriptionError;

    /// Reads `1.0` or `1.0x`.
    fn from_str(text: &str) -> Result<Self, DescriptionError> {
        let with_x = format!("{}x", text.trim_end_matches('x'));
        (Self::ALL
            .into_iter()
            .find(|width| width.to_string() == with_x))
        .ok_or_else(|| DescriptionError::Width(text.to_owned()))
    }
}
