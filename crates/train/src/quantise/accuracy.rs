//! AP of a model file on annotated pictures, through the product's own path.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use shuffledet_core::Labels;
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::Config;
use shuffledet_eval::ground_truth::{
    AnnotationSource, GroundTruth, GroundTruthOptions, ImageFolder, ImageLocation,
};
use shuffledet_eval::record::as_written;
use shuffledet_eval::subject::EvaluationSettings;
use shuffledet_eval::{
    AccuracySettings, DetectionResult, Figure, ImageRecord, ImageSource, accuracy, image_path,
};
use shuffledet_image::{ImageDecoder, folder, size};

/// As `shuffledet eval` has them.
const SCORE_THRESHOLD: f32 = 0.001;
const MOST_DETECTIONS: usize = 100;

/// Reads annotations for a model with the classes `labels`, of pictures in a folder.
///
/// # Errors
/// They cannot be read, or have no class of the model.
pub fn read_truth(
    annotations: &Path,
    images: &Path,
    labels: &Labels,
    nms_iou_threshold: f32,
) -> anyhow::Result<GroundTruth> {
    let options = GroundTruthOptions {
        annotations: AnnotationSource::Path {
            path: annotations,
            format: None,
        },
        images: ImageLocation::Folder(ImageFolder {
            path: images,
            list: &|path| Ok(folder::images_in(path)?),
            size: &|path| size::image_size(path).ok(),
        }),
        images_in: images,
        class_map: None,
        ignore: None,
        limit: None,
        strict: false,
    };
    let settings = EvaluationSettings {
        score_threshold: as_written(SCORE_THRESHOLD),
        nms_iou_threshold: as_written(nms_iou_threshold),
        max_detections: MOST_DETECTIONS,
        clip: true,
        input_budget: None,
        class_map: BTreeMap::new(),
        class_map_sha256: None,
        ignore_sha256: None,
        limit: None,
        camera: None,
    };
    Ok(options.read(labels, settings)?)
}

/// Returns the AP of the model at `onnx`, with its description beside it, at its own input size.
///
/// # Errors
/// The product refuses the model, or a picture cannot be read.
pub fn ap(onnx: &str, truth: &GroundTruth, images: &Path) -> anyhow::Result<f64> {
    let settings = [
        "model.input_size=native".to_owned(),
        format!("detector.score_threshold={SCORE_THRESHOLD}"),
        format!("detector.max_detections={MOST_DETECTIONS}"),
    ];
    let mut detector = LoadedModel::new(Config::load(None, Some(onnx), &settings)?)?.detector()?;
    let mut decoder = ImageDecoder::new();
    let mut records: Vec<ImageRecord> = Vec::new();
    for (index, image) in (0..).zip(&truth.truth.images) {
        let ImageSource::File { file_name } = &image.source else {
            continue;
        };
        let path = image_path(images, file_name)?;
        let name = || path.display().to_string();
        let bytes = std::fs::read(&path).with_context(name)?;
        let picture = decoder.decode_file(&bytes).with_context(name)?;
        let found = detector.detect(&picture).with_context(name)?.iter();
        let mut record = image.record(index);
        record.detections = found
            .filter_map(|detection| {
                let bbox = detection.bbox;
                Some(DetectionResult {
                    category_id: truth
                        .categories
                        .get(detection.class_id)
                        .copied()
                        .flatten()?,
                    bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(as_written),
                    score: as_written(detection.score),
                })
            })
            .collect();
        records.push(record);
    }
    let records: Vec<&ImageRecord> = records.iter().collect();
    let accuracy = accuracy(
        &truth.truth.categories,
        &records,
        &AccuracySettings::default(),
    );
    accuracy.figures[Figure::Ap].context("the annotations have no object of a class of the model")
}
