//! COCO's twelve figures of all images, and the same for each class.

use serde::{Deserialize, Serialize};

use super::average_precision::{
    AtThreshold, average_precisions, average_recall, best_threshold, operating_curve,
};
use super::confusion::{Confusion, confusion};
use super::figures::{Figure, Figures, Measure, class_figures, coco_number};
use super::matching::{AREAS, CategoryMatches, IOU_THRESHOLDS, match_images, sorted_by_id};
use super::record::{Category, ImageRecord};
use super::settings::AccuracySettings;

/// One class. A figure is `None` where the class has no objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    pub name: String,
    pub id: u64,
    /// Those of [`Figure::OF_CLASS`].
    #[serde(flatten, with = "class_figures")]
    pub figures: Figures,
    /// Objects that count: neither crowd nor ignored.
    pub instances: usize,
    /// The best that a score threshold can give, at the operating IoU; 0 where nothing is found.
    #[serde(with = "coco_number")]
    pub f1: Option<f64>,
    /// Detections that score more than this give `f1`; 0 where nothing is found.
    #[serde(with = "coco_number")]
    pub best_threshold: Option<f64>,
    /// At that threshold.
    #[serde(with = "coco_number")]
    pub precision: Option<f64>,
    /// At that threshold.
    #[serde(with = "coco_number")]
    pub recall: Option<f64>,
    /// Precision at recalls 0, 0.01, ... 1 at the operating IoU; empty where the class has no objects.
    pub curve: Vec<f64>,
}

/// Everything about the accuracy of a set of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    #[serde(flatten)]
    pub figures: Figures,
    /// In the order of the categories.
    pub per_class: Vec<ClassAccuracy>,
    pub confusion: Confusion,
}

/// Returns the accuracy of the detections of `images`. The order of the images does not matter,
/// because they are sorted by id, as in pycocotools. Objects and detections of categories that are
/// not in `categories` do not count.
pub fn accuracy(
    categories: &[Category],
    images: &[&ImageRecord],
    settings: &AccuracySettings,
) -> Accuracy {
    let matches = match_images(
        categories,
        &sorted_by_id(images),
        settings.max_detections[2],
        settings.operating_iou,
    );
    let of_classes: Vec<_> = matches
        .iter()
        .map(|class| figures_of_class(class, settings.max_detections))
        .collect();
    let per_class = categories.iter().zip(&matches).zip(&of_classes);
    Accuracy {
        figures: mean_figures(&of_classes),
        per_class: per_class
            .map(|((category, class), figures)| class_accuracy(category, class, figures))
            .collect(),
        confusion: confusion(categories, images, settings),
    }
}

/// Returns the mean; `None` if there are no values.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Returns the twelve figures of one class.
fn figures_of_class(class: &CategoryMatches, max_detections: [usize; 3]) -> Figures {
    let areas: [_; AREAS.len()] = std::array::from_fn(|area| average_precisions(class, area));
    Figures::new(|figure| match figure.measure() {
        Measure::Precision { area, threshold } => {
            areas[area].and_then(|precisions| at_threshold(precisions, threshold))
        }
        Measure::Recall { area, limit } => average_recall(class, area, max_detections[limit]),
    })
}

/// Returns the mean precision at one IoU threshold, or over all of them.
pub(super) fn at_threshold(
    precisions: [f64; IOU_THRESHOLDS],
    threshold: Option<usize>,
) -> Option<f64> {
    match threshold {
        Some(at) => precisions.get(at).copied(),
        None => mean(precisions.into_iter()),
    }
}

/// Returns the mean of each figure over the classes that have it.
pub(super) fn mean_figures(classes: &[Figures]) -> Figures {
    Figures::new(|figure| mean(classes.iter().filter_map(|class| class[figure])))
}

fn class_accuracy(
    category: &Category,
    class: &CategoryMatches,
    figures: &Figures,
) -> ClassAccuracy {
    let best = best_threshold(class);
    let at_best = |value: fn(&AtThreshold) -> f64| best.as_ref().map(value);
    ClassAccuracy {
        name: category.name.clone(),
        id: category.id,
        figures: figures.only(&Figure::OF_CLASS),
        instances: class.counting(0) as usize,
        f1: at_best(|b| b.f1),
        best_threshold: at_best(|b| b.threshold),
        precision: at_best(|b| b.precision),
        recall: at_best(|b| b.recall),
        curve: operating_curve(class),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{category, found, image, object};
    use crate::{DetectionResult, Object};

    const SQUARE: [f64; 4] = [10.0, 10.0, 50.0, 50.0];

    fn accuracy_of(categories: &[Category], images: &[ImageRecord]) -> Accuracy {
        let images: Vec<_> = images.iter().collect();
        accuracy(categories, &images, &AccuracySettings::default())
    }

    #[test]
    fn where_there_is_nothing_nothing_is_said() {
        let ours = accuracy_of(
            &[category(1)],
            &[image(1, vec![], vec![found(1, SQUARE, 0.9)])],
        );
        let json = serde_json::to_value(&ours).unwrap();
        let keys = json.as_object().unwrap();
        let twelve: Vec<_> = keys.iter().take(12).collect();
        assert!(
            twelve.iter().all(|(_, value)| **value == -1.0),
            "{twelve:?}"
        );
        let names: Vec<_> = twelve.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            names.join(" "),
            "AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl"
        );
        assert_eq!(
            (ours.per_class[0].f1, ours.per_class[0].curve.len()),
            (None, 0)
        );
        assert_eq!(accuracy_of(&[], &[]).figures[Figure::Ap], None);
        let again: Accuracy = serde_json::from_value(json).unwrap();
        assert_eq!(again, ours);
    }

    /// Of two objects one is found, by the second of three detections.
    #[test]
    fn a_small_case_by_hand() {
        let away = |x: f64| [x, 500.0, 50.0, 50.0];
        let images = [image(
            1,
            vec![object(1, SQUARE), object(1, away(0.0))],
            vec![
                found(1, away(300.0), 0.8),
                found(1, SQUARE, 0.6),
                found(1, away(600.0), 0.2),
            ],
        )];
        let ours = accuracy_of(&[category(1)], &images);
        // precision 1/2 at recalls 0 to 0.5, 51 of 101
        let figures = ours.figures;
        assert!((figures[Figure::Ap].unwrap() - 51.0 / 202.0).abs() < 1e-12);
        assert_eq!(figures[Figure::ApSmall], None);
        assert_eq!(figures[Figure::ApMedium], figures[Figure::Ap]);
        assert_eq!(figures[Figure::Ar100], Some(0.5));
        assert_eq!(figures[Figure::Ar1], Some(0.0));
        let class = &ours.per_class[0];
        assert_eq!(
            (class.instances, class.f1, class.best_threshold),
            (2, Some(0.5), Some(0.4))
        );
        assert_eq!((class.precision, class.recall), (Some(0.5), Some(0.5)));
        assert_eq!((class.curve[50], class.curve[51]), (0.5, 0.0));
    }

    #[test]
    fn a_threshold_does_not_part_equal_scores() {
        let images = [image(
            1,
            vec![object(1, SQUARE)],
            vec![found(1, SQUARE, 0.5), found(1, [400.0; 4], 0.5)],
        )];
        let class = &accuracy_of(&[category(1)], &images).per_class[0];
        assert_eq!(
            (class.best_threshold, class.precision, class.recall),
            (Some(0.25), Some(0.5), Some(1.0))
        );
    }

    #[test]
    fn numbers_that_are_none_are_never_found() {
        let images = [image(
            1,
            vec![object(1, SQUARE), object(1, [f64::NAN; 4])],
            vec![
                found(1, [f64::NAN; 4], f64::NAN),
                found(1, [f64::INFINITY; 4], 0.5),
                found(1, SQUARE, 0.9),
            ],
        )];
        let ours = accuracy_of(&[category(1)], &images);
        assert_eq!(ours.figures[Figure::Ar100], Some(0.5));
    }

    fn any_bbox() -> impl Strategy<Value = [f64; 4]> {
        let side = |low: i32| (low..120).prop_map(f64::from);
        [side(0), side(0), side(1), side(1)]
    }

    fn any_object() -> impl Strategy<Value = Object> {
        let flags = (0_u8..6, 0_u8..6);
        (1_u64..4, any_bbox(), flags).prop_map(|(class, bbox, (crowd, ignore))| Object {
            iscrowd: crowd == 0,
            ignore: ignore == 0,
            outline: None,
            ..object(class, bbox)
        })
    }

    fn any_found() -> impl Strategy<Value = DetectionResult> {
        let score = (1_u8..20).prop_map(|n| f64::from(n) / 20.0);
        (1_u64..4, any_bbox(), score).prop_map(|(class, bbox, score)| found(class, bbox, score))
    }

    fn any_images() -> impl Strategy<Value = Vec<ImageRecord>> {
        let objects = prop::collection::vec(any_object(), 0..6);
        let detections = prop::collection::vec(any_found(), 0..12);
        prop::collection::vec((objects, detections), 1..6).prop_map(|images| {
            let numbered = (1..).zip(images);
            numbered
                .map(|(id, (objects, detections))| image(id, objects, detections))
                .collect()
        })
    }

    fn classes() -> Vec<Category> {
        (1..4).map(category).collect()
    }

    proptest! {
        #[test]
        fn figures_are_shares_or_undefined(images in any_images()) {
            let ours = serde_json::to_value(accuracy_of(&classes(), &images)).unwrap();
            for (key, value) in ours.as_object().unwrap().iter().take(12) {
                let value = value.as_f64().unwrap();
                prop_assert!(value == -1.0 || (0.0..=1.0).contains(&value), "{key} {value}");
            }
        }

        #[test]
        fn the_truth_is_perfect(images in any_images()) {
            let mut images = images;
            for image in &mut images {
                let objects = image.objects.iter().filter(|o| !o.iscrowd && !o.ignore);
                image.detections = objects.map(|o| found(o.category_id, o.bbox, 1.0)).collect();
            }
            let ours = accuracy_of(&classes(), &images).figures;
            for figure in [Figure::Ap, Figure::Ar100, Figure::ApSmall, Figure::ApMedium] {
                let is_perfect = ours[figure].is_none_or(|value| (value - 1.0).abs() < 1e-12);
                prop_assert!(is_perfect, "{figure:?} {ours:?}");
            }
        }

        #[test]
        fn one_more_at_the_end_takes_nothing_away(images in any_images(), more in any_found()) {
            let before = accuracy_of(&classes(), &images).figures;
            let mut images = images;
            images[0].detections.push(DetectionResult { score: 0.01, ..more });
            let after = accuracy_of(&classes(), &images).figures;
            for figure in [Figure::Ap, Figure::Ap50] {
                prop_assert!(after[figure] >= before[figure], "{before:?} {after:?}");
            }
        }

        #[test]
        fn the_order_of_images_does_not_matter(images in any_images(), by in 0_usize..6) {
            let before = accuracy_of(&classes(), &images);
            let mut images = images;
            let by = by % images.len();
            images.rotate_left(by);
            prop_assert_eq!(&before, &accuracy_of(&classes(), &images));
        }

        /// The confusion matrix, which matches by itself, has the same precision and recall there, and none better at any
        /// other threshold.
        #[test]
        fn the_best_threshold_is_the_best(images in any_images(), other in 0.0..1.0) {
            let mut images = images;
            for image in &mut images {
                for object in &mut image.objects {
                    *object = crate::fixtures::object(1, object.bbox);
                }
                image.detections.iter_mut().for_each(|found| found.category_id = 1);
            }
            let ours = accuracy_of(&[category(1)], &images).per_class.remove(0);
            let images: Vec<_> = images.iter().collect();
            let at = |operating_score: f64| {
                let settings = AccuracySettings { operating_score, ..Default::default() };
                let counts = confusion(&[category(1)], &images, &settings).counts;
                [counts[0][0], counts[0][1], counts[1][0]].map(|n| n as f64)
            };
            prop_assume!(ours.f1 > Some(0.0));
            let [right, missed, wrong] = at(ours.best_threshold.unwrap());
            prop_assert_eq!(ours.recall, Some(right / (right + missed)));
            prop_assert_eq!(ours.precision, Some(right / (right + wrong)));
            let [right, missed, wrong] = at(other);
            prop_assert!(2.0 * right / (2.0 * right + missed + wrong) <= ours.f1.unwrap() + 1e-12);
        }

        /// With no two scores alike not even the ids, by which ties are ordered, matter.
        #[test]
        fn without_ties_the_ids_do_not_matter(images in any_images()) {
            let mut images = images;
            let detections = images.iter_mut().flat_map(|image| &mut image.detections);
            for (number, found) in detections.enumerate() {
                found.score = 0.9 - (number * 37 % 101) as f64 / 200.0;
            }
            let before = accuracy_of(&classes(), &images);
            for image in &mut images {
                image.id = 100 - image.id;
            }
            prop_assert_eq!(&before, &accuracy_of(&classes(), &images));
        }
    }
}
