//! Detection models: manifest, file, graph, labels, output decoder.

pub mod class_ids;
pub mod class_sets;
pub mod decoder;
mod download;
pub mod fetch;
pub mod manifest;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use class_ids::ClassIds;
pub use decoder::{Family, OutputDecoder};
pub use manifest::{Manifest, ModelDescription};

use manifest::ManifestError;
use shuffledet_core::{locations, sha256, text};
use shuffledet_infer::ModelFile;

/// A model's description and the bytes of its file.
#[derive(Debug)]
pub struct Model {
    pub description: ModelDescription,
    pub path: PathBuf,
    /// The sha256 of the file in lower-case hexadecimal.
    pub sha256: String,
    /// The unmodified ONNX file.
    pub onnx: Vec<u8>,
}

/// Why a model is not available.
#[derive(Debug, Error)]
pub enum ModelError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("model {name} is not at {}; fetch it with: shuffledet models fetch {name}", path.display())]
    NotFetched { name: String, path: PathBuf },
    #[error("{}: expected sha256 {expected}, found {found}; fetch it again (shuffledet models fetch) or correct its description", path.display())]
    WrongSha256 {
        path: PathBuf,
        expected: String,
        found: String,
    },
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: no description found beside it; expected {} with the keys of models/manifest.yaml (family, input, labels, score_threshold, nms_iou_threshold)", model.display(), sidecar.display())]
    NoSidecar { model: PathBuf, sidecar: PathBuf },
}

impl Model {
    /// Loads the model `name`: a model of the manifest, or the path of an ONNX file with a YAML
    /// file of the same stem beside it. A name that ends in `.onnx` or contains a slash is a path.
    ///
    /// # Errors
    /// The name is unknown, the file is missing or does not match the manifest's sha256, or the
    /// description beside it is missing or invalid. The content of the file is checked when a
    /// session opens.
    pub fn load(name: &str) -> Result<Self, ModelError> {
        let manifest = Manifest::shipped()?;
        if is_path(name) {
            Self::load_file(&manifest, Path::new(name))
        } else {
            Self::load_named(&manifest, name)
        }
    }

    /// Returns the input for creating a session.
    pub fn file(&self) -> ModelFile<'_> {
        ModelFile {
            path: &self.path,
            onnx: &self.onnx,
            sha256: &self.sha256,
            input: &self.description.input,
        }
    }

    fn load_named(manifest: &Manifest, name: &str) -> Result<Self, ModelError> {
        let entry = manifest.model(name)?;
        let path = locations::model_folder().join(&entry.file.name);
        let name = name.to_owned();
        if !path.is_file() {
            return Err(ModelError::NotFetched { name, path });
        }
        let onnx = read(&path)?;
        Self::check(manifest.describe(entry)?, path, onnx)
    }

    /// Fails if the description gives another sha256 than the file's.
    fn check(
        description: ModelDescription,
        path: PathBuf,
        onnx: Vec<u8>,
    ) -> Result<Self, ModelError> {
        let found = sha256(&onnx);
        match &description.sha256 {
            Some(expected) if *expected != found => {
                let expected = expected.clone();
                Err(ModelError::WrongSha256 {
                    path,
                    expected,
                    found,
                })
            }
            _ => Ok(Self {
                description,
                path,
                sha256: found,
                onnx,
            }),
        }
    }

    fn load_file(manifest: &Manifest, path: &Path) -> Result<Self, ModelError> {
        let onnx = read(path)?;
        let sidecar = path.with_extension("yaml");
        let yaml = match text::read(&sidecar) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ModelError::NoSidecar {
                    model: path.to_owned(),
                    sidecar,
                });
            }
            read => read.map_err(|source| ModelError::Read {
                path: sidecar.clone(),
                source,
            })?,
        };
        Self::check(
            manifest.describe_sidecar(&yaml, &sidecar)?,
            path.to_owned(),
            onnx,
        )
    }
}

/// Whether `name` is the path of an ONNX file rather than a name in the manifest.
pub fn is_path(name: &str) -> bool {
    name.ends_with(".onnx") || name.contains('/')
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })
}
