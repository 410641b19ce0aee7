//! The state of a run in a file of safetensors, which is there whole or not at all. What are no tensors is JSON in a
//! tensor of bytes. The weights alone are in files of [`crate::weights`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use shuffledet_core::whole_file::{beside, keep};
use tch::{Device, Kind, Tensor, no_grad};
use thiserror::Error;

use crate::net::Network;
use crate::weights::{Origin, WeightsError};

/// A file of weights cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: expected weights that shuffledet-train wrote, in the format safetensors: {source}", path.display())]
    Format {
        path: PathBuf,
        source: tch::TchError,
    },
    #[error("{}: {name}: expected {expected}, found {found}; the file is of another network or of another version", path.display())]
    Content {
        path: PathBuf,
        name: String,
        expected: String,
        found: String,
    },
}

/// Named tensors of a file.
pub struct Tensors {
    path: PathBuf,
    by_name: HashMap<String, Tensor>,
}

/// Writes tensors under a temporary name, then renames the file.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), CheckpointError> {
    let io = |source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    };
    let file = beside(path).map_err(io)?;
    let contiguous: Vec<(&str, Tensor)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let tensor = tensor.detach().to_device(Device::Cpu).contiguous();
            (name.as_str(), tensor)
        })
        .collect();
    Tensor::write_safetensors(&contiguous, file.path()).map_err(|source| {
        CheckpointError::Format {
            path: path.to_owned(),
            source,
        }
    })?;
    file.as_file().sync_all().map_err(io)?;
    keep(file, path).map_err(io)
}

/// Returns the tensors of a network under `prefix`.
pub fn tensors(network: &Network, prefix: &str) -> Vec<(String, Tensor)> {
    let variables = network.vs.variables().into_iter();
    let mut named: Vec<_> = variables
        .map(|(name, tensor)| (format!("{prefix}{name}"), tensor))
        .collect();
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    named
}

/// Returns a value as a tensor of bytes.
pub fn json(name: &str, value: &impl Serialize) -> (String, Tensor) {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    (format!("json/{name}"), Tensor::from_slice(&bytes))
}

impl Tensors {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is not of the format.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        if let Err(source) = std::fs::File::open(path) {
            return Err(CheckpointError::Io {
                path: path.to_owned(),
                source,
            });
        }
        let named = Tensor::read_safetensors(path).map_err(|source| CheckpointError::Format {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            by_name: named.into_iter().collect(),
        })
    }

    pub fn get(&self, name: &str) -> Option<Tensor> {
        self.by_name.get(name).map(Tensor::shallow_clone)
    }

    /// Returns a value that was written with [`json`].
    ///
    /// # Errors
    /// It is missing, or of another form.
    pub fn value<T: DeserializeOwned>(&self, name: &str) -> Result<T, CheckpointError> {
        let name = format!("json/{name}");
        let wrong = |found: String| self.wrong(&name, "JSON of this version".to_owned(), found);
        let tensor = self
            .by_name
            .get(&name)
            .ok_or_else(|| wrong("nothing".to_owned()))?;
        if tensor.kind() != Kind::Uint8 {
            return Err(wrong(format!("{:?}", tensor.kind())));
        }
        let mut bytes = vec![0u8; tensor.numel()];
        let count = bytes.len();
        tensor.contiguous().copy_data(&mut bytes, count);
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
    }

    /// Copies the weights under `prefix` into a network.
    ///
    /// # Errors
    /// One is missing or has another shape. The network is then not to be used.
    pub fn copy_into(&self, network: &Network, prefix: &str) -> Result<(), CheckpointError> {
        for (name, mut tensor) in network.vs.variables() {
            let name = format!("{prefix}{name}");
            let expected = format!("a tensor of {:?}", tensor.size());
            let found = self.by_name.get(&name);
            match found {
                Some(found) if found.size() == tensor.size() => no_grad(|| tensor.copy_(found)),
                Some(found) => {
                    return Err(self.wrong(&name, expected, format!("{:?}", found.size())));
                }
                None => return Err(self.wrong(&name, expected, "nothing".to_owned())),
            }
        }
        Ok(())
    }

    pub fn wrong(&self, name: &str, expected: String, found: String) -> CheckpointError {
        CheckpointError::Content {
            path: self.path.clone(),
            name: name.to_owned(),
            expected,
            found,
        }
    }
}

/// Reads the weights of a network that a run wrote.
///
/// # Errors
/// The file cannot be read, or is of another version.
pub fn read_network(path: &Path, device: Device) -> Result<Network, WeightsError> {
    let origin = Origin::read(&path.display().to_string())?;
    Ok(origin.start(&origin.description, device)?.network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_tensors_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/state.safetensors");
        let tensor = Tensor::from_slice(&[1.5f32, -2.0]);
        let value = vec![("a".to_owned(), 0.1f64)];
        let written = [
            ("mean/x".to_owned(), tensor.shallow_clone()),
            json("state", &value),
        ];
        write(&path, &written).unwrap();
        let read = Tensors::read(&path).unwrap();
        assert_eq!(read.get("mean/x"), Some(tensor));
        assert_eq!(read.value::<Vec<(String, f64)>>("state").unwrap(), value);
        let error = read.value::<u8>("state").unwrap_err().to_string();
        assert!(error.contains("json/state: expected JSON"), "{error}");
        let error = read.value::<u8>("other").unwrap_err().to_string();
        assert!(error.contains("found nothing"), "{error}");
        std::fs::write(&path, "nonsense").unwrap();
        assert!(matches!(
            Tensors::read(&path),
            Err(CheckpointError::Format { .. })
        ));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(
            Tensors::read(&path),
            Err(CheckpointError::Io { .. })
        ));
    }
}
