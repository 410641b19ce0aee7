//! Which images two evaluations have in common.

use std::collections::HashMap;

use serde::Serialize;
use thiserror::Error;

use super::super::{Category, Evaluation, ImageRecord, ImageSource, Object, PairingError};

/// Why two evaluations cannot be compared.
#[derive(Debug, Error)]
pub enum CompareError {
    #[error(
        "{a} and {b}: they have no image in common ({a_images} images in the first, {b_images} in the second); evaluate both on the same data set"
    )]
    NothingInCommon {
        a: String,
        b: String,
        a_images: usize,
        b_images: usize,
    },
    #[error(
        "{a} and {b}: expected the same categories, found {problem}; evaluate both with the same annotations and class map"
    )]
    Categories {
        a: String,
        b: String,
        problem: String,
    },
    #[error(
        "{a} and {b}: the annotations of {count} of {shared} images differ, {first} first (sha256 {sha256}); \
         evaluate both with the same annotations, or judge both by those of the second with --allow-different-truth"
    )]
    Truth {
        a: String,
        b: String,
        count: usize,
        shared: usize,
        first: String,
        /// Of both.
        sha256: String,
    },
    #[error(transparent)]
    Pairing(#[from] PairingError),
}

/// What became of the images; by their titles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Images {
    /// How many are compared.
    pub both: usize,
    pub only_a: Vec<String>,
    pub only_b: Vec<String>,
    /// Those whose annotations differ.
    pub other_truth: Vec<String>,
}

/// Images of both, in the order of B, under ids of their own: those of the evaluations need not agree.
pub(super) struct Pairs {
    pub images: Images,
    a: Vec<ImageRecord>,
    b: Vec<ImageRecord>,
}

impl Pairs {
    pub fn new(
        (a_file, a): (&str, &Evaluation),
        (b_file, b): (&str, &Evaluation),
        allow_different_truth: bool,
    ) -> Result<Self, CompareError> {
        let (a_name, b_name) = (a_file.to_owned(), b_file.to_owned());
        let mut of_a: HashMap<&ImageSource, &ImageRecord> = a
            .images
            .iter()
            .map(|image| (&image.source, image))
            .collect();
        let mut pairs = Pairs {
            images: Images::default(),
            a: Vec::new(),
            b: Vec::new(),
        };
        for image in &b.images {
            let Some(partner) = of_a.remove(&image.source) else {
                pairs.images.only_b.push(image.source.title());
                continue;
            };
            if !same_truth(&partner.objects, &image.objects) {
                pairs.images.other_truth.push(image.source.title());
            }
            let id = pairs.b.len() as u64;
            pairs.a.push(ImageRecord {
                id,
                objects: image.objects.clone(),
                ..partner.clone()
            });
            pairs.b.push(ImageRecord {
                id,
                ..image.clone()
            });
        }
        let left = a
            .images
            .iter()
            .filter(|image| of_a.contains_key(&image.source));
        pairs.images.only_a = left.map(|image| image.source.title()).collect();
        pairs.images.both = pairs.b.len();
        if pairs.b.is_empty() {
            return Err(CompareError::NothingInCommon {
                a: a_name,
                b: b_name,
                a_images: a.images.len(),
                b_images: b.images.len(),
            });
        }
        let (ours, theirs) = (&a.subject.dataset, &b.subject.dataset);
        if let Some(problem) = other_categories(&ours.categories, &theirs.categories) {
            return Err(CompareError::Categories {
                a: a_name,
                b: b_name,
                problem,
            });
        }
        match pairs.images.other_truth.first() {
            Some(first) if !allow_different_truth => Err(CompareError::Truth {
                a: a_name,
                b: b_name,
                count: pairs.images.other_truth.len(),
                shared: pairs.b.len(),
                first: first.clone(),
                sha256: format!("{} and {}", ours.sha256, theirs.sha256),
            }),
            _ => Ok(pairs),
        }
    }

    pub fn records(&self) -> (Vec<&ImageRecord>, Vec<&ImageRecord>) {
        (self.a.iter().collect(), self.b.iter().collect())
    }
}

/// Whether the objects are the same, apart from their ids.
fn same_truth(a: &[Object], b: &[Object]) -> bool {
    let same = |(a, b): (&Object, &Object)| {
        *a == Object {
            id: a.id,
            ..b.clone()
        }
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// Returns the first category that only one of the two has.
fn other_categories(a: &[Category], b: &[Category]) -> Option<String> {
    let missing = |of: &[Category], among: &[Category], which: &str| {
        let lacking = of.iter().find(|category| !among.contains(category))?;
        Some(format!(
            "{} (id {}) in the {which} alone",
            lacking.name, lacking.id
        ))
    };
    missing(a, b, "first").or_else(|| missing(b, a, "second"))
}
