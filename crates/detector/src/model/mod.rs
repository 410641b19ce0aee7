//! Detection models: manifest, file, graph, labels, output decoder.

pub mod class_ids;
pub mod class_sets;
pub mod decoder;
pub mod describe;
mod download;
pub mod family;
pub mod fetch;
pub mod manifest;
pub mod manifest_file;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use class_ids::ClassIds;
pub use decoder::OutputDecoder;
pub use family::Family;
pub use manifest::{Manifest, ModelDescription};

use manifest::ManifestError;
use shuffledet_core::bounded_file::{self, MODEL_LIMIT, TEXT_LIMIT};
use shuffledet_core::{Resolution, locations, sha256, text};
use shuffledet_infer::{InferError, ModelFile};

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
    #[error("no model is fetched: expected one of {known} in {}; fetch the first with: shuffledet models fetch {first}", folder.display())]
    NoneFetched {
        known: String,
        first: String,
        folder: PathBuf,
    },
    #[error("{}: expected sha256 {expected}, found {found}; fetch it again (shuffledet models fetch) or correct its description", path.display())]
    WrongSha256 {
        path: PathBuf,
        expected: String,
        found: String,
    },
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: no description found beside it; expected {}; write it with: shuffledet models describe {}", model.display(), sidecar.display(), model.display())]
    NoSidecar { model: PathBuf, sidecar: PathBuf },
}

impl Model {
    /// Loads the model `name`: a model of the manifest, the path of an ONNX file with a YAML file
    /// of the same stem beside it, or [`AUTO`]. A name that ends in `.onnx` or contains a slash is a
    /// path.
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
            let resolved = resolve(&manifest, name)?;
            if name == AUTO {
                tracing::info!("model.name {AUTO}: {resolved} is used");
            }
            Self::load_named(&manifest, &resolved)
        }
    }

    /// Returns the input for creating a session at the model's own resolution.
    pub fn file(&self) -> ModelFile<'_> {
        self.file_at(self.description.input.resolution())
    }

    /// Returns the input for creating a session at `resolution`.
    pub fn file_at(&self, resolution: Resolution) -> ModelFile<'_> {
        ModelFile {
            path: &self.path,
            onnx: &self.onnx,
            sha256: &self.sha256,
            input: &self.description.input,
            resolution,
        }
    }

    /// Returns why the model cannot run at `resolution`, or at any other than its own if that is its
    /// own; `None` if it can.
    pub fn not_resized(&self, resolution: Resolution) -> Option<InferError> {
        let native = self.description.input.resolution();
        let other = Resolution {
            width: native.width + Resolution::STEP,
            ..native
        };
        let probe = if resolution == native {
            other
        } else {
            resolution
        };
        self.file_at(probe).check_resolution().err()
    }

    fn load_named(manifest: &Manifest, name: &str) -> Result<Self, ModelError> {
        let entry = manifest.model(name)?;
        let path = locations::model_folder().join(&entry.file.name);
        let name = name.to_owned();
        if !path.is_file() {
            return Err(ModelError::NotFetched { name, path });
        }
        let onnx = read(&path)?;
        Self::described(manifest.describe(entry)?, path, onnx)
    }

    /// Joins a description with the bytes of its file.
    ///
    /// # Errors
    /// The description gives another sha256 than the file's.
    pub fn described(
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
        let yaml = match text::read(&sidecar, TEXT_LIMIT) {
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
        Self::described(
            manifest.describe_sidecar(&yaml, &sidecar)?,
            path.to_owned(),
            onnx,
        )
    }
}

/// The name that stands for the first model of the manifest that is fetched.
pub const AUTO: &str = "auto";

/// Returns the name of a model, which is `name` itself unless it is [`AUTO`].
///
/// # Errors
/// [`ModelError::NoneFetched`], if it is and there is no model.
pub fn resolve(manifest: &Manifest, name: &str) -> Result<String, ModelError> {
    if name != AUTO {
        return Ok(name.to_owned());
    }
    let folder = locations::model_folder();
    match manifest.first_fetched(&folder) {
        Some(model) => Ok(model.name.clone()),
        None => {
            let names: Vec<&str> = manifest.models.iter().map(|m| m.name.as_str()).collect();
            Err(ModelError::NoneFetched {
                known: names.join(", "),
                first: names.first().copied().unwrap_or_default().to_owned(),
                folder,
            })
        }
    }
}

/// Whether `name` is the path of an ONNX file rather than a name in the manifest.
pub fn is_path(name: &str) -> bool {
    name.ends_with(".onnx") || name.contains('/')
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    bounded_file::read(path, MODEL_LIMIT).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })
}
