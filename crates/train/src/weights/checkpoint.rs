//! Keeps a network's variables and its description in one file of safetensors
//! (github.com/huggingface/safetensors).

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, View};
use shuffledet_core::whole_file;
use tch::Tensor;
use thiserror::Error;

use super::pth::Tensors;
use crate::export::to_vec;
use crate::net::{Description, Network};

/// The key of the description, in JSON, among the file's metadata.
const DESCRIPTION: &str = "description";

/// A checkpoint cannot be read or written.
#[derive(Debug, Error)]
pub enum CheckpointError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected a checkpoint of shuffledet-train: {problem}", path.display())]
    Format { path: PathBuf, problem: String },
}

/// Writes a network's variables and description.
///
/// # Errors
/// The file cannot be written; one that was there before stays then.
pub fn save(network: &Network, path: &Path) -> Result<(), CheckpointError> {
    let variables = network.vs.variables();
    save_tensors(&variables, &network.description, path)
}

/// Writes values of a network's variables, such as their means over a training, and its description.
///
/// # Errors
/// The file cannot be written; one that was there before stays then.
pub fn save_tensors(
    variables: &HashMap<String, Tensor>,
    description: &Description,
    path: &Path,
) -> Result<(), CheckpointError> {
    let format = |problem: String| CheckpointError::Format {
        path: path.to_owned(),
        problem,
    };
    let description = serde_json::to_string(description).map_err(|e| format(e.to_string()))?;
    let mut views: Vec<(&String, Floats)> = (variables.iter())
        .map(|(name, tensor)| (name, Floats::new(tensor)))
        .collect();
    views.sort_by_key(|(name, _)| *name);
    let metadata = HashMap::from([(DESCRIPTION.to_owned(), description)]);
    let bytes =
        safetensors::serialize(views, &Some(metadata)).map_err(|e| format(e.to_string()))?;
    whole_file::write(path, bytes).map_err(|source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Reads a checkpoint's description and variables.
///
/// # Errors
/// The file cannot be read, or is not a checkpoint.
pub fn read(path: &Path) -> Result<(Description, Tensors), CheckpointError> {
    let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    })?;
    let format = |problem: String| CheckpointError::Format {
        path: path.to_owned(),
        problem,
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| format(e.to_string()))?;
    let description = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(DESCRIPTION));
    let description =
        description.ok_or_else(|| format("it has no description of a network".to_owned()))?;
    let description: Description =
        serde_json::from_str(description).map_err(|e| format(e.to_string()))?;
    description.check().map_err(|e| format(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| format(e.to_string()))?;
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(format(format!("{name} is not of 32-bit floats")));
        }
        let size: Vec<i64> = view.shape().iter().map(|&dim| dim as i64).collect();
        let (chunks, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = chunks
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect();
        tensors.insert(name, Tensor::from_slice(&values).view(&*size));
    }
    Ok((description, tensors))
}

/// The content of a tensor as bytes.
struct Floats {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Floats {
    fn new(tensor: &Tensor) -> Self {
        Self {
            shape: tensor.size().iter().map(|&dim| dim as usize).collect(),
            bytes: to_vec(tensor)
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }
}

impl View for Floats {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
