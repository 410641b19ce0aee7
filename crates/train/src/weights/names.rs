//! The names that other code gives to the layers of these networks.

use std::collections::HashMap;

use tch::Tensor;

use super::pth::Tensors;
use crate::net::{Head, Split, Width};

/// Published weights, by the code that trained them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publisher {
    /// A whole FastestDet.
    FastestDet,
    /// A backbone of Megvii's form, as FastestDet starts from.
    Megvii,
    /// torchvision's classifier on ImageNet.
    Torchvision,
}

/// What a file's weights are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    pub publisher: Publisher,
    pub width: Width,
    /// The number of classes; 0 for a backbone alone.
    pub classes: usize,
}

impl Publisher {
    /// Returns the head; none for a backbone alone.
    pub fn head(self) -> Option<Head> {
        match self {
            Publisher::FastestDet => Some(Head::FastestDet),
            Publisher::Megvii => None,
            Publisher::Torchvision => Some(Head::Classifier),
        }
    }

    /// Returns how the units split channels.
    pub fn split(self) -> Split {
        match self {
            Publisher::FastestDet | Publisher::Megvii => Split::Alternate,
            Publisher::Torchvision => Split::Halves,
        }
    }

    /// Returns their layers: the name of the convolution, that of its norm, and ours.
    fn layers(self) -> Vec<[String; 3]> {
        let mut layers = Vec::new();
        let mut add = |theirs: &str, index: usize, ours: String| {
            layers.push([
                format!("{theirs}.{index}"),
                format!("{theirs}.{}", index + 1),
                ours,
            ]);
        };
        let (prefix, stem, short, branch) = match self {
            Publisher::FastestDet => ("backbone.", "first_conv", "branch_proj", "branch_main"),
            Publisher::Megvii => ("", "first_conv", "branch_proj", "branch_main"),
            Publisher::Torchvision => ("", "conv1", "branch1", "branch2"),
        };
        add(&format!("{prefix}{stem}"), 0, "backbone.stem".to_owned());
        for (stage, units) in [(2, 4), (3, 8), (4, 4)] {
            for unit in 0..units {
                let theirs = format!("{prefix}stage{stage}.{unit}");
                let ours = format!("backbone.stage{stage}.{unit}");
                if unit == 0 {
                    let theirs = format!("{theirs}.{short}");
                    add(&theirs, 0, format!("{ours}.short.depthwise"));
                    add(&theirs, 2, format!("{ours}.short.pointwise"));
                }
                for (part, index) in [0, 3, 5].into_iter().enumerate() {
                    add(
                        &format!("{theirs}.{branch}"),
                        index,
                        format!("{ours}.branch.{part}"),
                    );
                }
            }
        }
        match self {
            Publisher::Megvii => {}
            Publisher::Torchvision => add("conv5", 0, "head.conv5".to_owned()),
            Publisher::FastestDet => {
                add("SPP.Conv1x1.conv1x1", 0, "head.entry".to_owned());
                for row in 1..=3 {
                    for conv in 0..row {
                        add(
                            &format!("SPP.S{row}"),
                            3 * conv,
                            format!("head.pyramid{row}.{conv}"),
                        );
                    }
                }
                add("SPP.output", 0, "head.pyramid_end".to_owned());
                add("detect_head.conv1x1.conv1x1", 0, "head.shared".to_owned());
                for (theirs, ours) in [("obj", "objectness"), ("reg", "box"), ("cls", "classes")] {
                    let theirs = format!("detect_head.{theirs}_layers.conv5x5");
                    add(&theirs, 0, format!("head.{ours}.depthwise"));
                    add(&theirs, 3, format!("head.{ours}.last"));
                }
            }
        }
        layers
    }
}

/// Recognises weights by the names of some layers; none if they are of something else.
pub fn recognise(tensors: &Tensors) -> Option<Recognised> {
    let rows = |name: &str| {
        tensors
            .get(name)
            .and_then(|tensor| tensor.size().first().copied())
    };
    let publishers = [
        (
            Publisher::FastestDet,
            "backbone.stage2.0.branch_main.5.weight",
        ),
        (Publisher::Megvii, "stage2.0.branch_main.5.weight"),
        (Publisher::Torchvision, "stage2.0.branch2.5.weight"),
    ];
    let (publisher, half) = publishers
        .into_iter()
        .find_map(|(publisher, name)| Some((publisher, rows(name)?)))?;
    let width = (Width::ALL.into_iter()).find(|width| width.stages()[0] == 2 * half)?;
    let classes = match publisher {
        Publisher::FastestDet => rows("detect_head.cls_layers.conv5x5.3.weight")?,
        Publisher::Torchvision => rows("fc.weight")?,
        Publisher::Megvii => 0,
    };
    Some(Recognised {
        publisher,
        width,
        classes: usize::try_from(classes).ok()?,
    })
}

/// Renames tensors to ours. Returns the first missing name as error.
pub fn rename(
    publisher: Publisher,
    mut tensors: Tensors,
) -> Result<HashMap<String, Tensor>, String> {
    let mut renamed = HashMap::new();
    let mut take = |theirs: String, ours: String| match tensors.remove(&theirs) {
        Some(tensor) => {
            renamed.insert(ours, tensor);
            Ok(())
        }
        None => Err(theirs),
    };
    for [conv, norm, ours] in publisher.layers() {
        take(format!("{conv}.weight"), format!("{ours}.weight"))?;
        for part in ["weight", "bias", "running_mean", "running_var"] {
            take(format!("{norm}.{part}"), format!("{ours}.norm.{part}"))?;
        }
    }
    if publisher == Publisher::Torchvision {
        for part in ["weight", "bias"] {
            take(format!("fc.{part}"), format!("head.classes.{part}"))?;
        }
    }
    Ok(renamed)
}
