//! What is not right in a data set: counted by kind, the first few of each told with their place.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use shuffledet_core::count;

/// How many of a kind are told.
const TOLD: usize = 5;

/// A kind of problem. What is done about it stands with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// An annotated image is not there; it counts as an image in which nothing was found.
    ImageMissing,
    /// An image has another size than annotated; its objects are taken as they are.
    ImageSize,
    /// An image could not be processed; it counts as an image in which nothing was found.
    ImageFailed,
    /// An image is damaged and was decoded nevertheless; its detections count.
    ImageDamaged,
    /// Two images have one id, file or stamp; the first counts.
    DuplicateImage,
    /// Two annotations have one id; both count.
    DuplicateAnnotation,
    /// Two categories have one id; the first counts.
    DuplicateCategory,
    /// An annotation is of an image that is not listed; it is left out.
    UnknownImage,
    /// An annotation is of a category that is not listed; it is left out.
    UnknownCategory,
    /// An image has no file of labels, where one without objects would have an empty one; it is left out.
    Unlabelled,
    /// A category that no class of the model stands for; its objects count as not found.
    UnmappedCategory,
    /// A class of the model that is no category of the data set; its detections are left out.
    UnmappedClass,
    /// The class map sends a class to a category that the data set does not have; its detections are left out.
    UnknownTarget,
    /// A class and a category have different names and one id, as in COCO; they are taken for the same.
    MappedById,
    /// A box reaches beyond its image by more than a pixel; it is taken as it is.
    BoxOutside,
    /// A box has no area; it is left out.
    BoxEmpty,
    /// A box or area is not a finite number; its annotation is left out.
    NotANumber,
    /// A line or entry cannot be understood; it is left out.
    Malformed,
    /// COCO's `iscrowd` is a text; it excuses the object whatever it says, as with pycocotools.
    CrowdText,
    /// No image of the data set has an object, and none was left out: precision and recall cannot be measured.
    NoObjects,
}

impl Problem {
    /// Returns a count in words, such as `2 images not found`.
    pub fn counted(self, n: u64) -> String {
        let (noun, which) = match self {
            Problem::ImageMissing => ("image", "not found"),
            Problem::ImageSize => ("image", "of another size than annotated"),
            Problem::ImageFailed => ("image", "that could not be processed"),
            Problem::ImageDamaged => ("image", "decoded from damaged data"),
            Problem::DuplicateImage => ("image", "listed twice"),
            Problem::DuplicateAnnotation => ("annotation", "with an id that another has"),
            Problem::DuplicateCategory => ("category", "with an id that another has"),
            Problem::UnknownImage => ("annotation", "of images that are not listed"),
            Problem::UnknownCategory => ("annotation", "of categories that are not listed"),
            Problem::Unlabelled => ("image", "without a file of labels"),
            Problem::UnmappedCategory => ("category", "without a class of the model"),
            Problem::UnmappedClass => ("class", "of the model without a category"),
            Problem::UnknownTarget => ("class", "mapped to no category of the data set"),
            Problem::MappedById => ("class", "matched by id to a category of another name"),
            Problem::BoxOutside => ("box", "beyond the borders of the image"),
            Problem::BoxEmpty => ("box", "without area"),
            Problem::NotANumber => ("box", "with values that are not numbers"),
            Problem::Malformed => ("entry", "that cannot be understood"),
            Problem::CrowdText => ("object", "excused by an iscrowd that is a text"),
            Problem::NoObjects => ("data set", "without objects, so that AP cannot be measured"),
        };
        format!("{} {which}", count::counted(n, noun))
    }

    /// Whether it is a problem of the images, not of the annotations.
    fn is_of_images(self) -> bool {
        matches!(
            self,
            Problem::ImageMissing
                | Problem::ImageSize
                | Problem::ImageFailed
                | Problem::ImageDamaged
        )
    }

    /// Whether an annotation, or an image with its annotations, is left out because of it.
    fn leaves_out(self) -> bool {
        matches!(
            self,
            Problem::UnknownImage
                | Problem::UnknownCategory
                | Problem::BoxEmpty
                | Problem::NotANumber
                | Problem::Malformed
        )
    }

    /// Whether it is usual if the classes of data set and model differ. `--strict` ignores it.
    pub fn is_ordinary(self) -> bool {
        matches!(self, Problem::UnmappedClass)
    }
}

/// All of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrences {
    pub count: u64,
    /// The places of the first few.
    pub first: Vec<String>,
}

/// What was found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problems(BTreeMap<Problem, Occurrences>);

impl Problems {
    /// Counts a problem at `place`.
    pub fn add(&mut self, problem: Problem, place: impl Into<String>) {
        let occurrences = self.0.entry(problem).or_default();
        occurrences.count += 1;
        if occurrences.first.len() < TOLD {
            occurrences.first.push(place.into());
        }
    }

    /// Adds the problems of `others`.
    pub fn extend(&mut self, others: &Problems) {
        for (&problem, more) in &others.0 {
            let occurrences = self.0.entry(problem).or_default();
            occurrences.count += more.count;
            let room = TOLD.saturating_sub(occurrences.first.len());
            occurrences
                .first
                .extend(more.first.iter().take(room).cloned());
        }
    }

    /// Removes the problems of one kind.
    pub fn forget(&mut self, problem: Problem) {
        self.0.remove(&problem);
    }

    /// Returns the problems by kind.
    pub fn iter(&self) -> impl Iterator<Item = (Problem, &Occurrences)> {
        self.0
            .iter()
            .map(|(&problem, occurrences)| (problem, occurrences))
    }

    pub fn count(&self, problem: Problem) -> u64 {
        self.0
            .get(&problem)
            .map_or(0, |occurrences| occurrences.count)
    }

    /// Returns the problems of the annotations, without those of the images.
    pub fn of_annotations(&self) -> Problems {
        let mut problems = self.clone();
        problems.0.retain(|problem, _| !problem.is_of_images());
        problems
    }

    /// Returns the problems for which an annotation was left out.
    pub fn left_out(&self) -> Problems {
        let mut problems = self.clone();
        problems.0.retain(|problem, _| problem.leaves_out());
        problems
    }

    /// Returns the number of problems that `--strict` refuses.
    pub fn total(&self) -> u64 {
        let counted = self.iter().filter(|(problem, _)| !problem.is_ordinary());
        counted.map(|(_, occurrences)| occurrences.count).sum()
    }

    /// Fails with a description of the first kind that `--strict` refuses.
    pub fn strictly(&self) -> Result<(), String> {
        let worst = self.iter().find(|(problem, _)| !problem.is_ordinary());
        worst.map_or(Ok(()), |(problem, occurrences)| {
            Err(told(problem, occurrences))
        })
    }
}

impl fmt::Display for Problems {
    /// Writes each kind with its first places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self
            .iter()
            .map(|(problem, occurrences)| told(problem, occurrences));
        f.write_str(&kinds.collect::<Vec<_>>().join("; "))
    }
}

fn told(problem: Problem, Occurrences { count, first }: &Occurrences) -> String {
    format!("{}: {}", problem.counted(*count), first.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_are_told_and_all_are_counted() {
        let mut problems = Problems::default();
        for index in 0..8 {
            problems.add(Problem::BoxEmpty, format!("annotation {index}"));
        }
        let mut twice = problems.clone();
        twice.extend(&problems);
        assert_eq!(twice.count(Problem::BoxEmpty), 16);
        let (_, told) = twice.iter().next().unwrap();
        assert_eq!(told.first.len(), TOLD);
        assert!(
            problems
                .strictly()
                .unwrap_err()
                .starts_with("8 boxes without area: annotation 0")
        );
    }

    #[test]
    fn a_class_that_the_data_set_lacks_is_no_mistake() {
        let mut problems = Problems::default();
        problems.add(Problem::UnmappedClass, "kite");
        assert_eq!(problems.strictly(), Ok(()));
    }
}
