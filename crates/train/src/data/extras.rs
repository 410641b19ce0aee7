//! What a file of COCO annotations says beyond COCO: `annotated_classes` and `scene` of an image, `score` of a box.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// The keys by image and by annotation.
#[derive(Debug, Default)]
pub struct Extras {
    pub images: BTreeMap<u64, ImageExtras>,
    /// Scores of boxes that a model found, by the id of the annotation.
    pub scores: BTreeMap<u64, f64>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
pub struct ImageExtras {
    /// Classes whose absence of a box means absence. All, if the key is missing.
    #[serde(default)]
    pub annotated_classes: Option<BTreeSet<String>>,
    #[serde(default)]
    pub scene: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: Option<u64>,
    #[serde(flatten)]
    extras: ImageExtras,
}

#[derive(Deserialize)]
struct Annotation {
    id: Option<u64>,
    score: Option<f64>,
}

impl Extras {
    /// Reads them from the text of a file that has been read as annotations.
    ///
    /// # Errors
    /// A key has another type.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let file: File = serde_json::from_slice(json)?;
        let images = file.images.into_iter();
        let annotations = file.annotations.into_iter();
        Ok(Self {
            images: images
                .filter_map(|image| Some((image.id?, image.extras)))
                .collect(),
            scores: annotations
                .filter_map(|annotation| Some((annotation.id?, annotation.score?)))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_where_they_are() {
        let json =
            br#"{"images": [{"id": 1, "annotated_classes": ["car"], "scene": "s"}, {"id": 2}],
            "annotations": [{"id": 5, "score": 0.5}, {"id": 6}]}"#;
        let extras = Extras::parse(json).unwrap();
        assert_eq!(extras.images[&1].scene.as_deref(), Some("s"));
        assert_eq!(
            extras.images[&1].annotated_classes,
            Some(["car".to_owned()].into())
        );
        assert_eq!(extras.images[&2], ImageExtras::default());
        assert_eq!(extras.scores, [(5, 0.5)].into());
        assert!(Extras::parse(br#"{"images": [{"id": 1, "scene": 7}]}"#).is_err());
    }
}
