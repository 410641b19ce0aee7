//! The values that a network starts with.
//!
//! Sources: a model of the manifest or an ONNX file with its description, weights of PyTorch
//! (`.pth`), torchvision's names (`shufflenet_v2_x1_0`), or a checkpoint. [`Origin::read`] reads one,
//! [`Origin::start`] makes a network with its values where the layers are the same. The rows of the
//! class layer are kept by the names of the classes.

mod checkpoint;
mod names;
mod onnx_file;
mod pickle;
mod pth;
mod published;
mod rows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use shuffledet_core::{InputSpec, Resolution};
use shuffledet_detector::model::{Family, Manifest, Model, ModelDescription, ModelError};
use shuffledet_onnx::inspect::{self, SplitForm};
use tch::Device;
use thiserror::Error;

use crate::export::parity::{self, ParityError};
use crate::net::{Activation, Description, Head, Network, NetworkError, Split, Units, Width};
pub use checkpoint::{CheckpointError, save, save_tensors};
pub use onnx_file::OnnxFileError;
pub use pth::{PthError, Tensors};
pub use published::PublishedError;

/// The largest difference between an ONNX file in ONNX Runtime and the network with its weights.
pub const TOLERANCE: f32 = 1e-4;

/// Weights cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Published(#[from] PublishedError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("{}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: {source}", path.display())]
    Pth { path: PathBuf, source: PthError },
    #[error(
        "{}: expected the weights of FastestDet, of its backbone, or of torchvision's ShuffleNet V2, \
         found others: {found}", path.display()
    )]
    Unknown { path: PathBuf, found: String },
    #[error(
        "{name}: expected a model of the family fastestdet, nanodet_plus or classifier with a \
         ShuffleNet V2 backbone, found {found}; start from another model"
    )]
    Family { name: String, found: String },
    #[error("{name}: its layers are not those of {family}: {source}; start from another model")]
    Layers {
        name: String,
        family: &'static str,
        source: OnnxFileError,
    },
    #[error("{name}: the network made of its weights is another one: {source}")]
    Parity {
        name: String,
        source: Box<ParityError>,
    },
}

/// Weights, and the network that they are of.
#[derive(Debug)]
pub struct Origin {
    /// As the user named it.
    pub name: String,
    /// The network. For a backbone alone it is a classifier whose class layer has no values.
    pub description: Description,
    /// Whether the weights are of a backbone alone.
    pub backbone_only: bool,
    /// Whether norms were folded, so that they have to be measured before a training.
    pub folded: bool,
    tensors: Tensors,
}

/// A network with the values of an origin.
#[derive(Debug)]
pub struct Start {
    pub network: Network,
    /// The variables with values of the origin, sorted.
    pub kept: Vec<String>,
    /// The others, with fresh values, sorted.
    pub fresh: Vec<String>,
    /// The classes whose rows were kept.
    pub kept_classes: Vec<String>,
    /// Whether the norms have to be measured ([`Network::measure_norms`]) before a training.
    pub folded: bool,
}

/// Makes the network of `description` on the CPU with the values of `from` where they fit: see
/// [`Origin`].
///
/// # Errors
/// The weights cannot be read.
pub fn start(from: &str, description: &Description) -> Result<Start, WeightsError> {
    Origin::read(from)?.start(description, Device::Cpu)
}

impl Origin {
    /// Reads the weights of `from`: a model of the manifest, the path of a `.onnx` file with its
    /// description beside it, of a `.pth` or of a `.safetensors` checkpoint, or a name of
    /// torchvision's. Of an ONNX file, the outputs in ONNX Runtime are compared with the network's.
    ///
    /// # Errors
    /// The file cannot be read, or is of another network.
    pub fn read(from: &str) -> Result<Self, WeightsError> {
        let mirror = std::env::var("SHUFFLEDET_MODEL_MIRROR").ok();
        let mirror = mirror.as_deref().filter(|mirror| !mirror.is_empty());
        let contact = |address: &str| eprintln!("contacting {address}");
        if let Some(path) = published::fetch(from, mirror, &contact) {
            return Self::read_pth(from, &path?);
        }
        let path = Path::new(from);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pth" | "pt") => Self::read_pth(from, path),
            Some("safetensors") => {
                let (description, tensors) = checkpoint::read(path)?;
                Ok(Self {
                    name: from.to_owned(),
                    description,
                    backbone_only: false,
                    folded: false,
                    tensors,
                })
            }
            _ => Self::read_model(from),
        }
    }

    fn read_pth(name: &str, path: &Path) -> Result<Self, WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Read {
            path: path.to_owned(),
            source,
        })?;
        let wrong = |source| WeightsError::Pth {
            path: path.to_owned(),
            source,
        };
        let tensors = pth::read(&bytes).map_err(wrong)?;
        let unknown = |found: String| WeightsError::Unknown {
            path: path.to_owned(),
            found,
        };
        let recognised = names::recognise(&tensors).ok_or_else(|| {
            let mut names: Vec<&str> = tensors.keys().map(String::as_str).collect();
            names.sort_unstable();
            names.truncate(5);
            unknown(format!("tensors {}", names.join(", ")))
        })?;
        let publisher = recognised.publisher;
        let tensors = names::rename(publisher, tensors)
            .map_err(|missing| unknown(format!("no tensor {missing}")))?;
        let head = publisher.head().unwrap_or(Head::Classifier);
        let side = if head == Head::FastestDet { 352 } else { 224 };
        let resolution = Resolution {
            width: side,
            height: side,
        };
        let classes = class_names(head, recognised.classes.max(1))?;
        let mut description = Description::new(head, recognised.width, classes, resolution);
        description.units = Units {
            split: publisher.split(),
            activation: Activation::Relu,
        };
        if publisher == names::Publisher::Megvii {
            // trained with FastestDet's preprocessing
            let classes = vec!["none".to_owned()];
            let input = Description::new(Head::FastestDet, Width::X0_5, classes, resolution).input;
            description.input = input;
        }
        Ok(Self {
            name: name.to_owned(),
            description,
            backbone_only: publisher.head().is_none(),
            folded: false,
            tensors,
        })
    }

    fn read_model(name: &str) -> Result<Self, WeightsError> {
        let model = match Model::load(name) {
            Err(ModelError::NotDetector { .. }) => Model::load_classifier(name),
            loaded => loaded,
        }?;
        let description = describe(name, &model)?;
        let network = Network::new(&description, Device::Cpu)?;
        let tensors =
            onnx_file::read(&model.onnx, &network).map_err(|source| WeightsError::Layers {
                name: name.to_owned(),
                family: description.head.name(),
                source,
            })?;
        let origin = Self {
            name: name.to_owned(),
            description,
            backbone_only: false,
            folded: true,
            tensors,
        };
        let network = origin.start(&origin.description, Device::Cpu)?.network;
        let input: &InputSpec = &origin.description.input;
        parity::check(&network, &model.onnx, input, TOLERANCE).map_err(|source| {
            WeightsError::Parity {
                name: name.to_owned(),
                source: Box::new(source),
            }
        })?;
        Ok(origin)
    }

    /// Makes the network of `description`, whose units get the form of this origin's, with the
    /// values of this origin where layers have the same name and shape. Rows of the class layer are
    /// kept by the class's name. The others are fresh, with a bias that makes the class rare; those of
    /// FastestDet begin as the mean of the kept rows.
    ///
    /// # Errors
    /// The description is not one of a network.
    pub fn start(&self, description: &Description, device: Device) -> Result<Start, WeightsError> {
        let mut description = description.clone();
        description.units = self.description.units;
        let network = Network::new(&description, device)?;
        let matches = rows::matches(&self.description.classes, &description.classes);
        let (mut kept, mut fresh) = (Vec::new(), Vec::new());
        tch::no_grad(|| {
            for (name, variable) in network.vs.variables() {
                let has_classes = rows::has_classes(description.head, &name);
                let source = self.tensors.get(&name).filter(|_| {
                    // the head of another kind has other layers under the same names
                    description.head == self.description.head || name.starts_with("backbone.")
                });
                let source = source.map(|source| source.to_device(device));
                let value = match source {
                    Some(source) if has_classes => {
                        rows::moved(&description, &source, &variable, &matches)
                    }
                    Some(source) if source.size() == variable.size() => Some(source),
                    _ => None,
                };
                match value {
                    Some(value) => {
                        variable.shallow_clone().copy_(&value);
                        kept.push(name);
                    }
                    None => fresh.push(name),
                }
            }
        });
        kept.sort();
        fresh.sort();
        let has_rows = kept
            .iter()
            .any(|name| rows::has_classes(description.head, name));
        let kept_classes = (description.classes.iter().zip(&matches))
            .filter(|(_, index)| has_rows && index.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        Ok(Start {
            network,
            kept,
            fresh,
            kept_classes,
            folded: self.folded,
        })
    }
}

/// Returns the names of published weights' classes: COCO's for a detector of 80, numbers otherwise.
fn class_names(head: Head, count: usize) -> Result<Vec<String>, WeightsError> {
    let manifest = Manifest::shipped().map_err(ModelError::from)?;
    let coco = (manifest.models.iter())
        .filter_map(|entry| manifest.describe(entry).ok())
        .map(|model| model.labels.names().map(str::to_owned).collect::<Vec<_>>())
        .find(|names| names.len() == 80 && count == 80);
    match coco {
        Some(names) if head == Head::FastestDet => Ok(names),
        _ => Ok((0..count).map(|class| format!("class {class}")).collect()),
    }
}

/// Describes the network of a model from its description and its graph.
///
/// # Errors
/// It is none of the trainer's networks.
pub fn describe(name: &str, model: &Model) -> Result<Description, WeightsError> {
    let ModelDescription {
        family,
        input,
        labels,
        ..
    } = &model.description;
    let other = |found: String| WeightsError::Family {
        name: name.to_owned(),
        found,
    };
    let head = match family {
        Family::FastestDet => Head::FastestDet,
        Family::NanoDetPlus { .. } => Head::NanoDetPlus,
        Family::Classifier(_) => Head::Classifier,
        family => return Err(other(format!("the family {}", family.name()))),
    };
    let found = inspect::inspect(&model.onnx).map_err(|error| other(error.to_string()))?;
    let width = found
        .shufflenet
        .width
        .and_then(|width| width.parse::<Width>().ok());
    let width = width.ok_or_else(|| other(found.shufflenet.conclusion.clone()))?;
    let split = found.shufflenet.stages.iter().find_map(|stage| stage.split);
    let classes = labels.names().map(str::to_owned).collect();
    let mut description = Description::new(head, width, classes, input.resolution());
    description.input = input.clone();
    description.units = Units {
        split: match split {
            Some(SplitForm::Gather) => Split::Alternate,
            _ => Split::Halves,
        },
        activation: if found.operators.contains_key("LeakyRelu") {
            Activation::LeakyRelu
        } else {
            Activation::Relu
        },
    };
    Ok(description)
}
