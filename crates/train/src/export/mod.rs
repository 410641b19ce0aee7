//! Writes a network as an ONNX file with the description that `shuffledet` reads beside it.
//!
//! Nothing is kept unless the product's own reader reads the description as the one that training
//! used, and ONNX Runtime computes what the network computes.

mod graph;
pub mod parity;
pub(crate) mod session;
mod sidecar;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use shuffledet_core::{sha256, whole_file};
use shuffledet_onnx::half_weights::{self};
use shuffledet_onnx::layout::NotRewritable;
use thiserror::Error;

use crate::net::Network;
pub(crate) use graph::to_vec;
pub use graph::write as onnx;
pub use parity::{ParityError, probabilities};
pub use sidecar::{Settings, SidecarError, Thresholds, write as sidecar};

/// The largest difference between the network and its file in ONNX Runtime. Scores are from 0 to 1.
pub const TOLERANCE: f32 = 1e-3;

/// The same for a file with weights of 16 bits, whose rounding adds up over the layers.
pub const HALF_TOLERANCE: f32 = 0.1;

/// An exported model.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    pub onnx: PathBuf,
    pub sidecar: PathBuf,
    pub sha256: String,
    pub size_bytes: u64,
    /// The largest difference to the network in ONNX Runtime.
    pub difference: f32,
}

/// A model was not exported. No file was written or replaced.
#[derive(Debug, Error)]
pub enum ExportError {
    #[error("{}: expected a name that ends in .onnx; choose such a name", .0.display())]
    Name(PathBuf),
    #[error("{}: not written: {source}", path.display())]
    Parity {
        path: PathBuf,
        source: Box<ParityError>,
    },
    #[error("{}: not written: {source}", path.display())]
    Sidecar { path: PathBuf, source: SidecarError },
    #[error("{}: not written: {source}", path.display())]
    Half {
        path: PathBuf,
        source: NotRewritable,
    },
    #[error("{}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Exports a network to `path` and its description to the same name with `.yaml`. `half` keeps
/// weights in 16 bits, each with a Cast to 32.
///
/// # Errors
/// A file cannot be written, the description would not be read as it is, or ONNX Runtime computes
/// something else than the network: more than [`TOLERANCE`].
pub fn export(
    network: &Network,
    path: &Path,
    settings: &Settings,
    half: bool,
) -> Result<Exported, ExportError> {
    export_if(network, path, settings, half, |_| Ok(()))
}

/// Exports as [`export`] does, if `accept` accepts the finished model, which lies with its
/// description under a temporary name.
///
/// # Errors
/// As [`export`]'s, and those of `accept`.
pub fn export_if<E: From<ExportError>>(
    network: &Network,
    path: &Path,
    settings: &Settings,
    half: bool,
    accept: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<Exported, E> {
    if path.extension().is_none_or(|extension| extension != "onnx") {
        return Err(ExportError::Name(path.to_owned()).into());
    }
    let input = &network.description.input;
    let parity = |source| ExportError::Parity {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let mut onnx = graph::write(network);
    let mut difference = parity::check(network, &onnx, input, TOLERANCE).map_err(parity)?;
    if half {
        onnx = half_weights::halve(&onnx).map_err(|source| ExportError::Half {
            path: path.to_owned(),
            source,
        })?;
        difference = parity::check(network, &onnx, input, HALF_TOLERANCE).map_err(parity)?;
    }
    let text = sidecar::write(&network.description, settings, path).map_err(|source| {
        ExportError::Sidecar {
            path: path.to_owned(),
            source,
        }
    })?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::Write { path, source }
    };
    // both files under their own names in a folder of their own, so that the model can be tried
    let sidecar = path.with_extension("yaml");
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let trial = tempfile::tempdir_in(folder).map_err(failed(folder))?;
    let inside = |path: &Path| trial.path().join(path.file_name().unwrap_or_default());
    whole_file::write(&inside(path), &onnx).map_err(failed(path))?;
    whole_file::write(&inside(&sidecar), text).map_err(failed(&sidecar))?;
    accept(&inside(path))?;
    for path in [&sidecar, path] {
        std::fs::rename(inside(path), path).map_err(failed(path))?;
    }
    Ok(Exported {
        onnx: path.to_owned(),
        sidecar,
        sha256: sha256(&onnx),
        size_bytes: onnx.len() as u64,
        difference,
    })
}
