//! Recognises a ShuffleNet V2 backbone: its stages of units, and its width.
//!
//! The units are those of Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN
//! Architecture Design", ECCV 2018, figure 3 (c) and (d). With stride 1, half of the channels
//! bypass the unit, and the other half passes a pointwise, a depthwise and a pointwise convolution.
//! With stride 2, both branches process all channels and halve the sides. Both end with a
//! concatenation and a shuffle of the channels.

use std::collections::HashMap;

use serde::Serialize;

use super::units::{SplitForm, Stride1Unit, UnitIndex};
use crate::OnnxModel;
use crate::shapes::InferredShapes;

/// The ShuffleNet V2 structure of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShuffleNet {
    /// In one sentence.
    pub conclusion: String,
    /// Input channels of the first stage; `None` without a stage.
    pub stem_channels: Option<u64>,
    /// The width in the paper's table 5, for example `1.0x`; `None` if the channels are not in it.
    pub width: Option<&'static str>,
    pub stages: Vec<Stage>,
    /// Stride-1 units that belong to no stage.
    pub loose_units: usize,
    /// Splits of the channels into two halves in the units found.
    pub channel_splits: usize,
    /// Channel shuffles in the whole graph.
    pub channel_shuffles: usize,
}

/// A stride-2 unit and the stride-1 units after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    pub stride1_units: usize,
    pub stride2_units: usize,
    /// Output channels of each unit.
    pub channels: u64,
    /// Height and width after the stride-2 unit; `None` if unknown.
    pub size: Option<[u64; 2]>,
    /// Side length of the depthwise kernel of the stride-2 unit.
    pub kernel: u64,
    /// How the stride-1 units split the channels; `None` without such units.
    pub split: Option<SplitForm>,
}

/// Widths of the paper's table 5: name, channels after the stem, channels of the stages.
const WIDTHS: [(&str, u64, [u64; 3]); 4] = [
    ("0.5x", 24, [48, 96, 192]),
    ("1.0x", 24, [116, 232, 464]),
    ("1.5x", 24, [176, 352, 704]),
    ("2.0x", 24, [244, 488, 976]),
];

pub(super) fn recognise(model: &OnnxModel, known: &InferredShapes) -> ShuffleNet {
    let graph = UnitIndex::new(&model.graph, known);
    let mut stride_2 = Vec::new();
    // by the input of the split, before any shuffle
    let mut stride_1: HashMap<&str, Stride1Unit> = HashMap::new();
    let mut channel_splits = 0;
    for node in &model.graph.node {
        if let Some(unit) = graph.stride_2_unit(node) {
            stride_2.push(unit);
        } else if let Some(unit) = graph.stride_1_unit(node) {
            channel_splits += 1;
            stride_1.insert(unit.source, unit);
        }
    }

    let mut stem_channels = None;
    let mut stages = Vec::new();
    for unit in stride_2 {
        stem_channels.get_or_insert(unit.channels_in);
        let mut stage = Stage {
            stride1_units: 0,
            stride2_units: 1,
            channels: unit.channels,
            size: graph.size(unit.output),
            kernel: unit.kernel,
            split: None,
        };
        // each step removes a unit from the map, so the loop ends
        let mut end = unit.output;
        while let Some(unit) = stride_1.remove(end) {
            stage.stride1_units += 1;
            stage.split = Some(unit.form);
            end = unit.output;
        }
        stages.push(stage);
    }

    let loose_units = stride_1.len();
    let width = width(stem_channels, &stages);
    ShuffleNet {
        conclusion: conclusion(stem_channels, &stages, loose_units, width),
        stem_channels,
        width,
        stages,
        loose_units,
        channel_splits,
        channel_shuffles: graph.shuffle_count(),
    }
}

fn width(stem: Option<u64>, stages: &[Stage]) -> Option<&'static str> {
    let channels: Vec<u64> = stages.iter().map(|s| s.channels).collect();
    (WIDTHS.iter())
        .find(|(_, of_stem, of_stages)| stem == Some(*of_stem) && channels == of_stages)
        .map(|(name, ..)| *name)
}

fn conclusion(
    stem: Option<u64>,
    stages: &[Stage],
    loose_units: usize,
    width: Option<&str>,
) -> String {
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let Some(stem) = stem else {
        return match loose_units {
            0 => "no ShuffleNet V2 units found".to_owned(),
            n => format!(
                "{n} ShuffleNet V2 unit{} of stride 1, but no stage that begins with one of stride 2",
                plural(n)
            ),
        };
    };
    let units: Vec<String> = (stages.iter())
        .map(|s| format!("{}+{}", s.stride2_units, s.stride1_units))
        .collect();
    let mut channels = stem.to_string();
    for stage in stages {
        channels += &format!("-{}", stage.channels);
    }
    let mut text = format!(
        "ShuffleNet V2 backbone: {} stage{} of {} units, {channels} channels ({})",
        stages.len(),
        plural(stages.len()),
        units.join(", "),
        width.unwrap_or("no width of the paper"),
    );
    if loose_units > 0 {
        text += &format!(
            ", and {loose_units} unit{} of stride 1 outside these stages",
            plural(loose_units)
        );
    }
    text
}
