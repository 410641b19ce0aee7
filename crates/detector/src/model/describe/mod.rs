//! Writes a description as far as an ONNX file tells it, and says what was guessed.

mod entries;
mod literal;
mod outputs;

use std::fmt::Write;
use std::path::Path;

use thiserror::Error;

use super::manifest::{Manifest, ManifestError, ModelDescription};
use outputs::Known;
use shuffledet_onnx::OnnxError;
use shuffledet_onnx::interface::{Interface, Value};

/// A description that was made from a file.
#[derive(Debug)]
pub struct Draft {
    pub description: ModelDescription,
    pub entries: Vec<Entry>,
}

/// One key of a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// With dots between nested keys.
    pub key: &'static str,
    /// In YAML.
    pub value: String,
    pub basis: Basis,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Basis {
    /// The file, as said.
    File(String),
    /// Nothing in the file: what the user must check.
    Guess(String),
}

/// Why a file cannot be described.
#[derive(Debug, Error)]
pub enum DescribeError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(
        "its inputs are {found}; expected one f32 tensor of 1 x 3 x height x width, with sides that are multiples of \
         32; export the model again in that form"
    )]
    Input { found: String },
    #[error(
        "its outputs are {found} with an input of {width}x{height}, which fit no family of docs/models.md; if a first \
         output of boxes with their features is inside the graph, export that (Python: \
         onnx.utils.extract_model(FILE, NEW_FILE, [INPUT], [OUTPUT])); suppression inside the graph is not supported"
    )]
    Outputs {
        found: String,
        width: u32,
        height: u32,
    },
    #[error("the description that was made is not valid: {0}")]
    Draft(#[from] ManifestError),
}

/// Makes a description of the bytes of an ONNX file. `path` is where it will be written: it names
/// the model.
///
/// # Errors
/// The file is no ONNX model, does not take one image, or has outputs of no known family.
pub fn describe(manifest: &Manifest, onnx: &[u8], path: &Path) -> Result<Draft, DescribeError> {
    from_interface(manifest, &Interface::read(onnx)?, path)
}

fn from_interface(
    manifest: &Manifest,
    interface: &Interface,
    path: &Path,
) -> Result<Draft, DescribeError> {
    let (size, size_basis) = input_size(interface)?;
    let names = interface.metadata("names").and_then(literal::names);
    let all_f32 = interface.outputs.iter().all(|output| output.is_f32);
    let shapes = interface.outputs.iter().map(|output| output.shape.clone());
    let shapes: Option<Vec<_>> = shapes.collect();
    let probabilities = interface.outputs.iter().map(|o| o.has_probabilities);
    let known = Known {
        size,
        shapes: &shapes.unwrap_or_default(),
        probabilities: &probabilities.collect::<Vec<_>>(),
        names: names.as_ref().map(Vec::len),
    };
    let guess = known.guess().filter(|_| all_f32);
    let guess = guess.ok_or_else(|| DescribeError::Outputs {
        found: shown(&interface.outputs),
        width: size.0,
        height: size.1,
    })?;
    let mut entries = entries::family_entries(&guess, &shown(&interface.outputs));
    entries.extend(entries::input_entries(&guess.family, size, size_basis));
    entries.extend(entries::threshold_entries(&guess.family));
    entries.push(entries::labels_entry(names, guess.classes));
    let description = manifest.describe_sidecar(&yaml(&entries), path)?;
    Ok(Draft {
        description,
        entries,
    })
}

impl Draft {
    /// Returns the text of the description. Comments mark what was guessed.
    pub fn yaml(&self) -> String {
        yaml(&self.entries)
    }
}

fn yaml(entries: &[Entry]) -> String {
    let mut text =
        String::from("# Made by `shuffledet models describe`. Check what is marked as a guess.\n");
    let mut group = "";
    for Entry { key, value, basis } in entries {
        let key = match key.split_once('.') {
            Some((outer, inner)) => {
                if outer != group {
                    // writing to a String does not fail
                    let _ = writeln!(text, "{outer}:");
                }
                group = outer;
                format!("  {inner}")
            }
            None => (*key).to_owned(),
        };
        let comment = match basis {
            Basis::File(_) => String::new(),
            Basis::Guess(check) => format!("  # guess: {check}"),
        };
        let _ = match value.strip_prefix('\n') {
            Some(lines) => writeln!(text, "{key}:{comment}\n{lines}"),
            None => writeln!(text, "{key}: {value}{comment}"),
        };
    }
    text
}

/// Returns the width and height of the input, and where they come from.
fn input_size(interface: &Interface) -> Result<((u32, u32), Basis), DescribeError> {
    let refused = || DescribeError::Input {
        found: shown(&interface.inputs),
    };
    let [input] = interface.inputs.as_slice() else {
        return Err(refused());
    };
    let Some(&[1 | -1, 3 | -1, height, width]) = input.shape.as_deref().filter(|_| input.is_f32)
    else {
        return Err(refused());
    };
    let side = |side: i64| {
        let side = u32::try_from(side).ok();
        side.filter(|side| (32..=4096).contains(side) && side % 32 == 0)
    };
    if width != -1 && height != -1 {
        let size = side(width).zip(side(height)).ok_or_else(refused)?;
        return Ok((size, Basis::File("the input's shape".to_owned())));
    }
    let imgsz = interface.metadata("imgsz").and_then(literal::numbers);
    let imgsz = match imgsz.as_deref() {
        Some(&[both]) => Some((both, both)),
        Some(&[height, width]) => Some((width, height)),
        _ => None,
    };
    let size = imgsz.and_then(|(width, height)| {
        side(i64::try_from(width).ok()?).zip(side(i64::try_from(height).ok()?))
    });
    Ok(match size {
        Some(size) => (size, Basis::File("imgsz in the file's metadata".to_owned())),
        None => {
            let check = "the file leaves the size open; write the size of the training";
            ((640, 640), Basis::Guess(check.to_owned()))
        }
    })
}

fn shown(values: &[Value]) -> String {
    let values: Vec<_> = values
        .iter()
        .map(|value| {
            let shape = match &value.shape {
                Some(shape) => format!("{shape:?}"),
                None => "of unknown rank".to_owned(),
            };
            let other = if value.is_f32 { "" } else { " (not f32)" };
            format!("{} {shape}{other}", value.name)
        })
        .collect();
    if values.is_empty() {
        "none".to_owned()
    } else {
        values.join(", ")
    }
}

#[cfg(test)]
mod tests;
