//! The worst mistakes as pictures: what was found where nothing is, and what was not found.

use std::collections::BTreeMap;

use shuffledet_eval::{
    Evaluation, FalsePositive, FalsePositiveReason, ImageRecord, Miss, MissReason, mistakes,
};

/// The most pictures of each kind, and those of them from one image.
pub(super) const MOST: usize = 12;
const MOST_OF_AN_IMAGE: usize = 2;

/// The pictures, the worst mistake first.
#[derive(Debug, Default)]
pub struct MistakePictures {
    pub false_positives: Vec<MistakePicture>,
    pub misses: Vec<MistakePicture>,
    /// How many of each there are in all.
    pub false_positive_count: usize,
    pub miss_count: usize,
}

/// A part of an image with the boxes that it is about.
#[derive(Debug)]
pub struct MistakePicture {
    /// What is wrong, such as `car 0.91: nothing is there`.
    pub caption: String,
    /// Which image it is from.
    pub image: String,
    /// A whole JPEG file; `None` where the image cannot be had.
    pub jpeg: Option<Vec<u8>>,
}

/// A picture to be made.
pub struct PictureRequest<'a> {
    pub record: &'a ImageRecord,
    /// Drawn in orange.
    pub detection: Option<[f64; 4]>,
    /// Drawn in blue.
    pub object: Option<[f64; 4]>,
    pub caption: String,
}

/// JPEG files by their position in what was asked for; those that cannot be had are left out.
pub type PictureFiles = BTreeMap<usize, Vec<u8>>;

/// Pictures of the worst mistakes of `evaluation`, which `draw` makes.
///
/// # Errors
/// Those of `draw`.
pub fn pictures<E>(
    evaluation: &Evaluation,
    draw: impl FnOnce(&[&PictureRequest<'_>]) -> Result<PictureFiles, E>,
) -> Result<MistakePictures, E> {
    let categories = &evaluation.subject.dataset.categories;
    let records: BTreeMap<u64, &ImageRecord> = evaluation
        .images
        .iter()
        .map(|record| (record.index, record))
        .collect();
    let all: Vec<&ImageRecord> = evaluation.images.iter().collect();
    let found = mistakes(categories, &all, &evaluation.subject.settings.accuracy());
    let name = |id: u64| {
        let category = categories.iter().find(|category| category.id == id);
        category.map_or("?", |category| category.name.as_str())
    };
    let false_positives = worst(&found.false_positives, |mistake| mistake.image);
    let false_positives: Vec<PictureRequest<'_>> = false_positives
        .filter_map(|mistake| false_positive_request(mistake, records.get(&mistake.image)?, name))
        .collect();
    let misses = worst(&found.misses, |mistake| mistake.image);
    let misses: Vec<PictureRequest<'_>> = misses
        .filter_map(|mistake| miss_request(mistake, records.get(&mistake.image)?, name))
        .collect();

    let wanted: Vec<&PictureRequest<'_>> = false_positives.iter().chain(&misses).collect();
    let mut drawn = draw(&wanted)?;
    let mut picture = |(at, wanted): (usize, &PictureRequest<'_>)| MistakePicture {
        caption: wanted.caption.clone(),
        image: wanted.record.source.title(),
        jpeg: drawn.remove(&at),
    };
    Ok(MistakePictures {
        false_positives: false_positives
            .iter()
            .enumerate()
            .map(&mut picture)
            .collect(),
        misses: (false_positives.len()..)
            .zip(&misses)
            .map(&mut picture)
            .collect(),
        false_positive_count: found.false_positives.len(),
        miss_count: found.misses.len(),
    })
}

/// The first few, and few of one image.
fn worst<T>(mistakes: &[T], image: impl Fn(&T) -> u64) -> impl Iterator<Item = &T> {
    let mut of_image: BTreeMap<u64, usize> = BTreeMap::new();
    let few = mistakes.iter().filter(move |mistake| {
        let taken = of_image.entry(image(mistake)).or_default();
        *taken += 1;
        *taken <= MOST_OF_AN_IMAGE
    });
    few.take(MOST)
}

fn false_positive_request<'a>(
    mistake: &FalsePositive,
    record: &'a ImageRecord,
    name: impl Fn(u64) -> &'a str,
) -> Option<PictureRequest<'a>> {
    let detection = record.detections.get(mistake.detection)?;
    let object = mistake.object.and_then(|at| record.objects.get(at));
    let other = object.map_or("another", |object| name(object.category_id));
    let reason = match mistake.reason {
        FalsePositiveReason::Duplicate => "detected twice".to_owned(),
        FalsePositiveReason::Localisation => "the box fits poorly".to_owned(),
        FalsePositiveReason::Confusion => format!("is annotated as {other}"),
        FalsePositiveReason::Background => "nothing is annotated there".to_owned(),
    };
    Some(PictureRequest {
        record,
        detection: Some(detection.bbox),
        object: object.map(|object| object.bbox),
        caption: format!(
            "{} {:.2}: {reason}",
            name(detection.category_id),
            detection.score
        ),
    })
}

fn miss_request<'a>(
    mistake: &Miss,
    record: &'a ImageRecord,
    name: impl Fn(u64) -> &'a str,
) -> Option<PictureRequest<'a>> {
    let object = record.objects.get(mistake.object)?;
    let detection = mistake.detection.and_then(|at| record.detections.get(at));
    let found = detection.map_or(String::new(), |detection| {
        format!("{} {:.2}", name(detection.category_id), detection.score)
    });
    let reason = match mistake.reason {
        MissReason::LowScore => format!("score too low: {found}"),
        MissReason::Localisation => format!("the box fits poorly: {found}"),
        MissReason::Confusion => format!("detected as {found}"),
        MissReason::NotFound => "nothing was detected there".to_owned(),
    };
    Some(PictureRequest {
        record,
        detection: detection.map(|detection| detection.bbox),
        object: Some(object.bbox),
        caption: format!("{}: {reason}", name(object.category_id)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_of_one_image() {
        let mistakes: Vec<u64> = [7; 20].into_iter().chain(0..30).collect();
        let chosen: Vec<u64> = worst(&mistakes, |&image| image).copied().collect();
        assert_eq!(chosen, [7, 7, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
    }
}
