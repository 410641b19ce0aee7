//! COCO's figures against those of hotcoco, which follows pycocotools as we do and needs no Python.

use fastrand::Rng;
use hotcoco::{Annotation, COCO, COCOeval, Dataset, Image, IouType};

use crate::fixtures::{category, found, image, object};
use crate::{AccuracySettings, Category, Figure, ImageRecord, accuracy};

/// Returns hotcoco's twelve figures in COCO's order; -1 if there are no objects.
fn figures_of_hotcoco(categories: &[Category], images: &[ImageRecord]) -> Vec<f64> {
    let objects = images.iter().flat_map(|image| {
        let objects = image.objects.iter();
        objects.map(|object| (image.id, object))
    });
    let truth = COCO::from_dataset(Dataset {
        images: images
            .iter()
            .map(|image| Image {
                id: image.id,
                ..Image::default()
            })
            .collect(),
        annotations: (1..)
            .zip(objects)
            .map(|(id, (image_id, object))| Annotation {
                id,
                image_id,
                category_id: object.category_id,
                bbox: Some(object.bbox),
                area: Some(object.area),
                iscrowd: object.iscrowd,
                ..Annotation::default()
            })
            .collect(),
        categories: categories
            .iter()
            .map(|category| hotcoco::Category {
                id: category.id,
                name: category.name.clone(),
                ..hotcoco::Category::default()
            })
            .collect(),
        ..Dataset::default()
    });
    let detections = images.iter().flat_map(|image| {
        image.detections.iter().map(|found| Annotation {
            image_id: image.id,
            category_id: found.category_id,
            bbox: Some(found.bbox),
            score: Some(found.score),
            ..Annotation::default()
        })
    });
    let detections = truth.load_res_anns(detections.collect()).unwrap();
    let mut evaluation = COCOeval::new(truth, detections, IouType::Bbox);
    evaluation.run().unwrap();
    evaluation.stats().unwrap().to_vec()
}

/// Returns images with few different scores, crowds, objects of all sizes, ids in no order, a class
/// without objects, and a class that is never found.
fn random_images(rng: &mut Rng) -> Vec<ImageRecord> {
    let mut ids: Vec<u64> = (1..=rng.u64(2..15)).collect();
    rng.shuffle(&mut ids);
    let bbox = |rng: &mut Rng| {
        let size = [8, 32, 96, 200][rng.usize(0..4)];
        [rng.i32(0..400), rng.i32(0..300), rng.i32(1..=size), size].map(f64::from)
    };
    let mut images = Vec::new();
    for id in ids {
        let mut objects: Vec<_> = (0..rng.usize(0..8))
            .map(|_| object([1, 2, 4][rng.usize(0..3)], bbox(rng)))
            .collect();
        let mut detections = Vec::new();
        for object in &mut objects {
            object.iscrowd = rng.u8(0..6) == 0;
            let near = object
                .bbox
                .map(|side| (side + f64::from(rng.i32(-6..7))).max(0.0));
            let score = f64::from(rng.u8(1..10)) / 10.0;
            detections.push(found(object.category_id.min(3), near, score));
            detections.push(found(rng.u64(1..4), bbox(rng), score / 2.0));
        }
        images.push(image(id, objects, detections));
    }
    images
}

#[test]
fn figures_are_those_of_hotcoco() {
    let categories: Vec<Category> = (1..=4).map(category).collect();
    let mut defined = 0;
    for seed in 0..60 {
        let images = random_images(&mut Rng::with_seed(seed));
        let records: Vec<&ImageRecord> = images.iter().collect();
        let ours = accuracy(&categories, &records, &AccuracySettings::default()).figures;
        let theirs = figures_of_hotcoco(&categories, &images);
        assert_eq!(theirs.len(), Figure::ALL.len());
        for (figure, theirs) in Figure::ALL.into_iter().zip(theirs) {
            let value = ours[figure].unwrap_or(-1.0);
            let name = figure.name();
            assert!(
                (value - theirs).abs() < 1e-9,
                "seed {seed}: {name}: ours {value}, hotcoco {theirs}"
            );
            defined += usize::from(ours[figure].is_some_and(|value| value > 0.0));
        }
    }
    assert!(defined > 600, "{defined} figures above 0");
}
