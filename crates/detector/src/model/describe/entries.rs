//! The keys of a description, with what is usual for the family.

use super::outputs::{self, Guess};
use super::{Basis, Entry};
use crate::model::family::{Activation, BoxForm, BoxLayout, ClassActivation, Family, Unit};

/// Returns the family and the keys that belong to it. `outputs` shows the model's outputs.
pub fn family_entries(guess: &Guess, outputs: &str) -> Vec<Entry> {
    let mut entries = vec![Entry {
        key: "family",
        value: guess.family.name().to_owned(),
        basis: Basis::File(format!("the outputs: {outputs}")),
    }];
    match &guess.family {
        Family::FastestDet => {}
        Family::NanoDet { class_activation } | Family::NanoDetPlus { class_activation } => {
            let (value, basis) = match class_activation {
                Activation::None => ("none", "the graph: a Sigmoid gives the scores"),
                Activation::Sigmoid => ("sigmoid", "the graph: no Sigmoid gives the scores"),
            };
            entries.push(Entry {
                key: "class_activation",
                value: value.to_owned(),
                basis: Basis::File(basis.to_owned()),
            });
        }
        Family::YoloFastestV2 { anchors } => entries.push(Entry {
            key: "anchors",
            value: format!("{:?}", anchors.as_flattened()),
            basis: Basis::Guess(
                "the authors' anchors for COCO; yours are in the .data file of the training"
                    .to_owned(),
            ),
        }),
        Family::Boxes(layout) => entries.push(Entry {
            key: "boxes",
            value: boxes(layout),
            basis: Basis::Guess(format!(
                "centre and size in pixels of the input{}",
                guess.doubt
            )),
        }),
    }
    entries
}

/// Returns a layout in YAML.
fn boxes(layout: &BoxLayout) -> String {
    if let Some(preset) = outputs::preset(layout) {
        return preset.to_owned();
    }
    let [first, second] = layout.axes.map(outputs::axis);
    let form = match layout.form {
        BoxForm::CxCyWh => "cxcywh",
        BoxForm::XyXy => "xyxy",
        BoxForm::XyWh => "xywh",
    };
    let unit = match layout.unit {
        Unit::Pixels => "pixels",
        Unit::Shares => "shares",
    };
    let class_activation = match layout.class_activation {
        ClassActivation::None => "none",
        ClassActivation::Sigmoid => "sigmoid",
        ClassActivation::Softmax => "softmax",
    };
    let objectness = match layout.objectness_at {
        Some(at) => format!("objectness_at: {at}, "),
        None => String::new(),
    };
    let per_cell = match layout.boxes_per_cell {
        Some(count) => format!(", boxes_per_cell: {count}"),
        None => String::new(),
    };
    format!(
        "{{axes: [{first}, {second}], form: {form}, unit: {unit}, {objectness}classes_at: {}, \
         class_activation: {class_activation}{per_cell}}}",
        layout.classes_at
    )
}

/// Returns the keys of the input.
pub fn input_entries(family: &Family, (width, height): (u32, u32), size: Basis) -> Vec<Entry> {
    const NANODET: (&str, &str) = ("[103.53, 116.28, 123.675]", "[57.375, 57.12, 58.395]");
    const SHARES: (&str, &str) = ("[0, 0, 0]", "[255, 255, 255]");
    let (colour, resize, padding, (mean, std)) = match family {
        Family::FastestDet | Family::YoloFastestV2 { .. } => ("bgr", "stretch", 0, SHARES),
        Family::NanoDet { .. } => ("bgr", "letterbox", 0, NANODET),
        Family::NanoDetPlus { .. } => ("bgr", "stretch", 0, NANODET),
        Family::Boxes(_) => ("rgb", "letterbox", 114, SHARES),
    };
    let usual = |check: &str| Basis::Guess(format!("usual for this family; {check}"));
    let mut entries = vec![
        ("input.width", width.to_string(), size.clone()),
        ("input.height", height.to_string(), size),
        (
            "input.colour",
            colour.to_owned(),
            usual("bgr if the training read images with OpenCV and did not convert them"),
        ),
        (
            "input.resize",
            resize.to_owned(),
            usual("stretch, or letterbox if the training kept the aspect ratio"),
        ),
    ];
    if padding != 0 {
        let check = usual("the pixel value around a letterboxed image");
        entries.push(("input.padding", padding.to_string(), check));
    }
    let scale =
        "in the order of colour; 255 times those of a training that scales pixels to 0..1 first";
    entries.push(("input.mean", mean.to_owned(), usual(scale)));
    entries.push(("input.std", std.to_owned(), usual(scale)));
    entries
        .into_iter()
        .map(|(key, value, basis)| Entry { key, value, basis })
        .collect()
}

/// Returns the thresholds.
pub fn threshold_entries(family: &Family) -> [Entry; 2] {
    let (score, iou) = match family {
        Family::FastestDet | Family::Boxes(_) => ("0.25", "0.45"),
        Family::NanoDet { .. } => ("0.3", "0.6"),
        Family::NanoDetPlus { .. } => ("0.35", "0.6"),
        Family::YoloFastestV2 { .. } => ("0.3", "0.4"),
    };
    let entry = |key, value: &str| Entry {
        key,
        value: value.to_owned(),
        basis: Basis::Guess("usual for this family; `shuffledet sweep` finds yours".to_owned()),
    };
    [
        entry("score_threshold", score),
        entry("nms_iou_threshold", iou),
    ]
}

/// Returns the labels: `names` if they can be used.
pub fn labels_entry(names: Option<Vec<String>>, classes: usize) -> Entry {
    let usable = |names: &Vec<String>| {
        let mut sorted: Vec<_> = names.iter().map(|name| name.trim()).collect();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] != pair[1]) && !sorted.contains(&"")
    };
    let complaint = match &names {
        None => "the file does not name the classes",
        Some(names) if names.len() != classes => {
            "the file names another number of classes than its outputs have"
        }
        Some(names) if !usable(names) => "the file has a class without a name, or two of one name",
        Some(_) => "",
    };
    let (names, basis) = match names {
        Some(names) if complaint.is_empty() => {
            let basis = "names in the file's metadata".to_owned();
            (names, Basis::File(basis))
        }
        _ => {
            let coco = if classes == 80 {
                "; if they are those of COCO, write `labels: coco`"
            } else {
                ""
            };
            let names = (0..classes).map(|index| format!("class_{index}")).collect();
            let check = format!("{complaint}; write their names in the model's order{coco}");
            (names, Basis::Guess(check))
        }
    };
    // JSON's texts are YAML's too
    let line = |name: &String| format!("\n  - {}", serde_json::Value::from(name.as_str()));
    Entry {
        key: "labels",
        value: names.iter().map(line).collect(),
        basis,
    }
}
