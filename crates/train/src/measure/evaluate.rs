//! Measures a network on labelled pictures: the product's input, decoder and suppression, and the figures of
//! `shuffledet eval`.

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shuffledet_core::{BBox, Detection};
use shuffledet_detector::detect::{ObjectGroups, nms::Suppressor};
use shuffledet_detector::model::{Manifest, ModelDescription, OutputDecoder};
use shuffledet_eval::{
    Accuracy, AccuracySettings, Category, DetectionResult, Figure, ImageRecord, ImageSource,
    Object, TruthImage, accuracy,
};
use shuffledet_image::{BgrView, ImageDecoder, Letterbox, TensorBuilder};
use tch::Tensor;

use crate::data::{Origin, Picture, Sample};
use crate::export::probabilities;
use crate::net::{Description, Head, Network};

/// Pictures that go through the network together.
const TOGETHER: usize = 8;
/// As `shuffledet eval` has them.
pub(super) const LEAST_SCORE: f32 = 0.001;
pub(super) const MOST_DETECTIONS: usize = 100;

/// What a network reached on a set of pictures.
#[derive(Debug, Clone)]
pub struct Measured {
    pub accuracy: Accuracy,
    pub records: Vec<ImageRecord>,
}

/// The figures of a measurement, for logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub ap: f64,
    pub ap50: f64,
    /// AP and number of objects by class; `None` for a class without objects.
    pub classes: Vec<(String, Option<f64>, usize)>,
}

/// Labelled pictures of which people's boxes count.
pub struct Evaluator {
    samples: Vec<Sample>,
    description: Description,
    model: ModelDescription,
    categories: Vec<Category>,
}

impl Evaluator {
    /// Measures networks of `description` on `samples`.
    ///
    /// # Errors
    /// The product would not take a model of this description.
    pub fn new(samples: Vec<Sample>, description: &Description) -> anyhow::Result<Self> {
        let categories = (1..).zip(&description.classes);
        Ok(Self {
            samples,
            description: description.clone(),
            model: product_description(description)?,
            categories: categories
                .map(|(id, name)| Category {
                    id,
                    name: name.clone(),
                })
                .collect(),
        })
    }

    /// Returns how many pictures there are.
    pub fn pictures(&self) -> usize {
        self.samples.len()
    }

    /// Returns the samples in the order of the records.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Returns the IoU threshold of suppression.
    pub fn nms_iou_threshold(&self) -> f32 {
        self.model.nms_iou_threshold
    }

    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// Runs the network on all pictures. Pictures that cannot be read have no detections. Detections of a class that a
    /// picture is not annotated for do not count.
    ///
    /// # Errors
    /// The network's output is not finite or not of its family.
    pub fn measure(&self, network: &Network) -> anyhow::Result<Measured> {
        let spec = &self.description.input;
        let mut builder = TensorBuilder::new(spec.clone());
        let mut decoder = ImageDecoder::new();
        let mut records = Vec::with_capacity(self.samples.len());
        for (chunk, samples) in self.samples.chunks(TOGETHER).enumerate() {
            let mut values = Vec::new();
            let mut placed: Vec<Option<Letterbox>> = Vec::new();
            for sample in samples {
                let read = Picture::read(&sample.path, &mut decoder).ok();
                let letterbox = read.and_then(|picture| builder.fill(&picture.view()).ok());
                values.extend_from_slice(builder.tensor());
                placed.push(letterbox);
            }
            let shape = [
                samples.len() as i64,
                3,
                i64::from(spec.height),
                i64::from(spec.width),
            ];
            let images = Tensor::from_slice(&values)
                .view(shape)
                .to_device(network.vs.device());
            let outputs = probabilities(network, &images);
            let outputs = flat(&outputs);
            let length = outputs.len() / samples.len();
            let shapes = output_shapes(&self.description, length);
            let (output_decoder, _) =
                OutputDecoder::for_model(&self.model, spec.resolution().sides(), &[shapes])
                    .map_err(|error| anyhow!("{error}"))?;
            for (at, ((sample, output), letterbox)) in samples
                .iter()
                .zip(outputs.chunks_exact(length))
                .zip(&placed)
                .enumerate()
            {
                let index = (chunk * TOGETHER + at) as u64;
                let found = match letterbox {
                    Some(letterbox) => self
                        .detections(&output_decoder, output, letterbox)
                        .with_context(|| sample.file_name.clone())?,
                    None => Vec::new(),
                };
                records.push(record(
                    index,
                    sample,
                    letterbox.map(|l| l.image_size()),
                    found,
                ));
            }
        }
        Ok(self.judged(records))
    }

    /// Measures what `detect` finds in the pictures, one after another.
    ///
    /// # Errors
    /// Those of `detect`.
    pub fn measure_with(
        &self,
        mut detect: impl FnMut(&BgrView<'_>) -> anyhow::Result<Vec<Detection>>,
    ) -> anyhow::Result<Measured> {
        let mut decoder = ImageDecoder::new();
        let mut records = Vec::with_capacity(self.samples.len());
        for (index, sample) in (0..).zip(&self.samples) {
            let picture = Picture::read(&sample.path, &mut decoder).ok();
            let found = match &picture {
                Some(picture) => {
                    detect(&picture.view()).with_context(|| sample.file_name.clone())?
                }
                None => Vec::new(),
            };
            records.push(record(
                index,
                sample,
                picture.map(|picture| picture.size()),
                found,
            ));
        }
        Ok(self.judged(records))
    }

    fn judged(&self, records: Vec<ImageRecord>) -> Measured {
        let all: Vec<&ImageRecord> = records.iter().collect();
        let accuracy = accuracy(&self.categories, &all, &AccuracySettings::default());
        Measured { accuracy, records }
    }

    fn detections(
        &self,
        decoder: &OutputDecoder,
        output: &[f32],
        letterbox: &Letterbox,
    ) -> anyhow::Result<Vec<Detection>> {
        let mut found = Vec::new();
        decoder.decode(&[output], LEAST_SCORE, |_| LEAST_SCORE, &mut found)?;
        let (width, height) = letterbox.image_size();
        let clip = |bbox: BBox| bbox.clip(width as f32, height as f32);
        for detection in &mut found {
            let BBox { x1, y1, x2, y2 } = detection.bbox;
            let ((x1, y1), (x2, y2)) = (letterbox.to_image(x1, y1), letterbox.to_image(x2, y2));
            detection.bbox = BBox { x1, y1, x2, y2 };
            if decoder.clips_before_suppression() {
                detection.bbox = clip(detection.bbox);
            }
        }
        Suppressor::default().suppress(
            &mut found,
            self.model.nms_iou_threshold,
            &ObjectGroups::default(),
        );
        found.retain_mut(|detection| {
            detection.bbox = clip(detection.bbox);
            detection.bbox.area() > 0.0
        });
        found.truncate(MOST_DETECTIONS);
        Ok(found)
    }
}

impl Measured {
    pub fn ap(&self) -> f64 {
        self.accuracy.figures[Figure::Ap].unwrap_or(0.0)
    }

    pub fn summary(&self) -> Summary {
        let classes = self.accuracy.per_class.iter();
        Summary {
            ap: self.ap(),
            ap50: self.accuracy.figures[Figure::Ap50].unwrap_or(0.0),
            classes: classes
                .map(|class| {
                    (
                        class.name.clone(),
                        class.figures[Figure::Ap],
                        class.instances,
                    )
                })
                .collect(),
        }
    }
}

fn record(
    index: u64,
    sample: &Sample,
    size: Option<(u32, u32)>,
    found: Vec<Detection>,
) -> ImageRecord {
    let (width, height) = size.unwrap_or(sample.size);
    let by_people = sample
        .objects
        .iter()
        .filter(|object| object.origin == Origin::Person);
    let objects = (1..).zip(by_people).map(|(id, object)| {
        let b = object.bbox;
        let bbox = [b.x1, b.y1, b.width(), b.height()].map(f64::from);
        Object {
            iscrowd: object.ignored,
            ignore: object.ignored,
            ..Object::in_box(index * 10_000 + id, object.class as u64 + 1, bbox)
        }
    });
    let image = TruthImage {
        id: index + 1,
        source: ImageSource::File {
            file_name: sample.file_name.clone(),
        },
        width,
        height,
        objects: objects.collect(),
    };
    let counted = found
        .iter()
        .filter(|d| sample.annotated.get(d.class_id) == Some(&true));
    let detections = counted.map(|d| DetectionResult {
        category_id: d.class_id as u64 + 1,
        bbox: [d.bbox.x1, d.bbox.y1, d.bbox.width(), d.bbox.height()].map(f64::from),
        score: f64::from(d.score),
    });
    ImageRecord {
        detections: detections.collect(),
        ..image.record(index)
    }
}

/// Returns the description that the product reads beside an exported model.
pub fn product_description(description: &Description) -> anyhow::Result<ModelDescription> {
    let iou = match description.head {
        Head::FastestDet => 0.45,
        _ => 0.6,
    };
    let sidecar = json!({
        "family": description.head.name(),
        "input": description.input,
        "labels": description.classes,
        "score_threshold": 0.3,
        "nms_iou_threshold": iou,
    });
    let manifest = Manifest::shipped()?;
    Ok(manifest.describe_sidecar(&sidecar.to_string(), "model.yaml".as_ref())?)
}

fn output_shapes(description: &Description, length: usize) -> Vec<i64> {
    let classes = description.classes.len();
    match description.head {
        Head::NanoDetPlus => vec![1, (length / (classes + 32)) as i64, (classes + 32) as i64],
        _ => {
            let (rows, columns) = (description.input.height / 16, description.input.width / 16);
            vec![1, (classes + 5) as i64, i64::from(rows), i64::from(columns)]
        }
    }
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    let tensor = tensor.to_device(tch::Device::Cpu).contiguous();
    let mut values = vec![0.0; tensor.numel()];
    let count = values.len();
    tensor.copy_data(&mut values, count);
    values
}
