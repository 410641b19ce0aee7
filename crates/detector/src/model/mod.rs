//! Detection models: manifest, file, graph, labels, output decoder.

mod built_in;
pub mod class_ids;
pub mod class_sets;
pub mod decoder;
pub mod describe;
mod download;
pub mod family;
pub mod fetch;
mod file_state;
pub mod manifest;
pub mod manifest_file;
pub mod scores;
pub mod subset;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use class_ids::ClassIds;
pub use decoder::OutputDecoder;
pub use family::Family;
pub use file_state::FileChanged;
use file_state::FileState;
pub use manifest::{Manifest, ModelDescription};

use manifest::{ManifestError, ModelEntry};
use shuffledet_core::bounded_file::{self, MODEL_LIMIT, TEXT_LIMIT};
use shuffledet_core::{ModelIdentity, Resolution, locations, sha256, text};
use shuffledet_infer::{InferError, ModelFile};

/// A model's description and the bytes of its file.
#[derive(Debug)]
pub struct Model {
    pub description: ModelDescription,
    /// Where the file is; its name, and that it is built in, if it is compiled into the program.
    pub path: PathBuf,
    /// The sha256 of the file in lower-case hexadecimal.
    pub sha256: String,
    /// The unmodified ONNX file.
    pub onnx: Vec<u8>,
    /// The files that it was read from; empty if it is built in.
    files: Vec<FileState>,
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
    #[error(
        "{name} is a classifier, expected a detector; `shuffledet classify` classifies pictures with it, and the parameter classifier.model the boxes of a detector"
    )]
    NotDetector { name: String },
    #[error(
        "{name} is a detector of the family {family}, expected a model of the family classifier (docs/models.md)"
    )]
    NotClassifier { name: String, family: &'static str },
    #[error("{}: no description found beside it; expected {}; write it with: shuffledet models describe {}", model.display(), sidecar.display(), model.display())]
    NoSidecar { model: PathBuf, sidecar: PathBuf },
}

impl Model {
    /// Loads the detector `name`: a model of the manifest, the path of an ONNX file with a YAML file
    /// of the same stem beside it, or [`AUTO`]. A name that ends in `.onnx` or contains a slash is a
    /// path.
    ///
    /// # Errors
    /// The name is unknown, the file is missing or does not match the manifest's sha256, the
    /// description beside it is missing or invalid, or the model is a classifier. The content of
    /// the file is checked when a session opens.
    pub fn load(name: &str) -> Result<Self, ModelError> {
        let model = Self::load_any(name)?;
        match model.description.family {
            Family::Classifier(_) => Err(ModelError::NotDetector {
                name: name.to_owned(),
            }),
            _ => Ok(model),
        }
    }

    /// Loads the classifier `name` in the same way.
    ///
    /// # Errors
    /// The same as of [`Model::load`], or the model is a detector.
    pub fn load_classifier(name: &str) -> Result<Self, ModelError> {
        let model = Self::load_any(name)?;
        match &model.description.family {
            Family::Classifier(_) => Ok(model),
            detector => Err(ModelError::NotClassifier {
                name: name.to_owned(),
                family: detector.name(),
            }),
        }
    }

    fn load_any(name: &str) -> Result<Self, ModelError> {
        let manifest = Manifest::shipped()?;
        if is_path(name) {
            Self::load_file(&manifest, Path::new(name))
        } else {
            let resolved = resolve(&manifest, name);
            if name == AUTO {
                tracing::info!("model.name {AUTO}: {resolved} is used");
            }
            Self::load_named(&manifest, resolved)
        }
    }

    /// Returns what results name the model by.
    pub fn identity(&self) -> ModelIdentity {
        let description = &self.description;
        ModelIdentity {
            name: description.name.clone(),
            sha256: self.sha256.clone(),
            family: description.family.name().to_owned(),
            trained_at: Some(description.input.resolution()),
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
        let (path, onnx, state) = entry_file(entry)?;
        let model = Self::described(manifest.describe(entry)?, path, onnx)?;
        Ok(model.read_from(state))
    }

    fn read_from(mut self, files: impl IntoIterator<Item = FileState>) -> Self {
        self.files.extend(files);
        self
    }

    /// Checks that the files of the model still have the content that was read. This is cheap as
    /// long as nobody touches them.
    ///
    /// # Errors
    /// A file has another content, or is gone.
    pub fn check_files(&self) -> Result<(), FileChanged> {
        self.files.iter().try_for_each(FileState::check)
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
                files: Vec::new(),
            }),
        }
    }

    fn load_file(manifest: &Manifest, path: &Path) -> Result<Self, ModelError> {
        let (onnx, state) = read(path)?;
        let sidecar = path.with_extension("yaml");
        let read_sidecar = |path: &Path| bounded_file::read_or_pipe(path, TEXT_LIMIT);
        let read = FileState::read(&sidecar, read_sidecar)
            .and_then(|(bytes, state)| Ok((text::decode(&bytes)?.into_owned(), state)));
        let (yaml, sidecar_state) = match read {
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
        let description = manifest.describe_sidecar(&yaml, &sidecar)?;
        let model = Self::described(description, path.to_owned(), onnx)?;
        Ok(model.read_from(state.into_iter().chain(sidecar_state)))
    }
}

/// Returns where the file of a model of the manifest is, as in [`Model::path`], and its content.
///
/// # Errors
/// The file is neither built in nor fetched, or cannot be read.
pub fn entry_content(entry: &ModelEntry) -> Result<(PathBuf, Vec<u8>), ModelError> {
    let (path, onnx, _) = entry_file(entry)?;
    Ok((path, onnx))
}

/// Does the same, with the state of the file; a built-in file has none.
fn entry_file(entry: &ModelEntry) -> Result<(PathBuf, Vec<u8>, Option<FileState>), ModelError> {
    let (name, file) = (&entry.name, &entry.file);
    if let Some(content) = file.built_in() {
        let path = format!("{} (built in)", file.name);
        return Ok((path.into(), content.to_vec(), None));
    }
    let path = locations::model_folder().join(&file.name);
    if !path.is_file() {
        let name = name.clone();
        return Err(ModelError::NotFetched { name, path });
    }
    let (onnx, state) = read(&path)?;
    Ok((path, onnx, state))
}

/// The name that stands for the first model of the manifest, which is built in.
pub const AUTO: &str = "auto";

/// Returns the name of a model, which is `name` itself unless it is [`AUTO`].
pub fn resolve<'a>(manifest: &'a Manifest, name: &'a str) -> &'a str {
    match manifest.models.first() {
        Some(first) if name == AUTO => &first.name,
        _ => name,
    }
}

/// Whether `name` is the path of an ONNX file rather than a name in the manifest.
pub fn is_path(name: &str) -> bool {
    name.ends_with(".onnx") || name.contains('/')
}

fn read(path: &Path) -> Result<(Vec<u8>, Option<FileState>), ModelError> {
    let read = |path: &Path| bounded_file::read(path, MODEL_LIMIT);
    FileState::read(path, read).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        source,
    })
}
