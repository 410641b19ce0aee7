//! COCO's twelve figures, and the same for each class.

use serde::{Deserialize, Serialize};

use super::average_precision::{
    AtThreshold, average_precisions, average_recall, best_threshold, operating_curve,
};
use super::confusion::{Confusion, confusion};
use super::matching::{CategoryMatches, match_images, sorted_by_id};
use super::record::{Category, ImageRecord};

/// What is counted, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccuracySettings {
    /// Of each image and class, for AR1, AR10 and AR100, smallest first; all else takes the last.
    pub max_detections: [usize; 3],
    /// In (0, 1]: overlap at which a detection has found an object, for curves, F1, confusion, mistakes and distance bands.
    pub operating_iou: f64,
    /// Detections must score more than this to count in confusion, mistakes and distance bands.
    pub operating_score: f64,
}

impl Default for AccuracySettings {
    fn default() -> Self {
        Self {
            max_detections: [1, 10, 100],
            operating_iou: 0.5,
            operating_score: 0.25,
        }
    }
}

/// COCO's figures, as pycocotools gives them: in [0, 1], or -1 where there are no objects.
///
/// Two things are otherwise: pycocotools overwrites an annotation's `ignore` by its `iscrowd`, here both count; and it
/// takes an object with the id 0 for no object, here ids do not matter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Mean over the IoU thresholds 0.5, 0.55, ... 0.95.
    #[serde(rename = "AP")]
    pub ap: f64,
    #[serde(rename = "AP50")]
    pub ap50: f64,
    #[serde(rename = "AP75")]
    pub ap75: f64,
    /// Objects of at most 32^2 square pixels.
    #[serde(rename = "APs")]
    pub ap_small: f64,
    /// Objects of 32^2 to 96^2 square pixels.
    #[serde(rename = "APm")]
    pub ap_medium: f64,
    /// Objects of at least 96^2 square pixels.
    #[serde(rename = "APl")]
    pub ap_large: f64,
    /// Average recall with the best detection of each image and class.
    #[serde(rename = "AR1")]
    pub ar1: f64,
    #[serde(rename = "AR10")]
    pub ar10: f64,
    #[serde(rename = "AR100")]
    pub ar100: f64,
    #[serde(rename = "ARs")]
    pub ar_small: f64,
    #[serde(rename = "ARm")]
    pub ar_medium: f64,
    #[serde(rename = "ARl")]
    pub ar_large: f64,
}

impl Figures {
    /// In COCO's order; the keys of the JSON.
    pub const NAMES: [&str; 12] = [
        "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
    ];

    /// In the order of [`Figures::NAMES`].
    pub fn values(&self) -> [f64; 12] {
        [
            self.ap,
            self.ap50,
            self.ap75,
            self.ap_small,
            self.ap_medium,
            self.ap_large,
            self.ar1,
            self.ar10,
            self.ar100,
            self.ar_small,
            self.ar_medium,
            self.ar_large,
        ]
    }
}

/// One class. Every figure is -1 where the class has no objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    pub name: String,
    pub id: u64,
    #[serde(rename = "AP")]
    pub ap: f64,
    #[serde(rename = "AP50")]
    pub ap50: f64,
    #[serde(rename = "AP75")]
    pub ap75: f64,
    #[serde(rename = "APs")]
    pub ap_small: f64,
    #[serde(rename = "APm")]
    pub ap_medium: f64,
    #[serde(rename = "APl")]
    pub ap_large: f64,
    #[serde(rename = "AR100")]
    pub ar100: f64,
    /// Objects that count: neither crowd nor ignored.
    pub instances: usize,
    /// The best that a score threshold can give, at the operating IoU; 0 where nothing is found.
    pub f1: f64,
    /// Detections that score more than this give `f1`; 0 where nothing is found.
    pub best_threshold: f64,
    /// At that threshold.
    pub precision: f64,
    /// At that threshold.
    pub recall: f64,
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

/// How right the detections of `images` are. The order of the images does not matter: they are taken by their ids, as
/// pycocotools does. Objects and detections of categories that are not in `categories` do not count.
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
        .map(|class| class_figures(class, settings.max_detections))
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

/// In place of a figure where there are no objects.
pub(super) const UNDEFINED: f64 = -1.0;

/// [`UNDEFINED`] where there are none.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    if count == 0 {
        UNDEFINED
    } else {
        sum / f64::from(count)
    }
}

/// The twelve of one class.
fn class_figures(class: &CategoryMatches, max_detections: [usize; 3]) -> Figures {
    let [one, ten, hundred] = max_detections;
    let all = average_precisions(class, 0);
    let at = |threshold: usize| all.map_or(UNDEFINED, |ap| ap[threshold]);
    let ap = |area| mean(average_precisions(class, area).into_iter().flatten());
    let ar = |area, most| average_recall(class, area, most).unwrap_or(UNDEFINED);
    Figures {
        ap: mean(all.into_iter().flatten()),
        ap50: at(0),
        ap75: at(5),
        ap_small: ap(1),
        ap_medium: ap(2),
        ap_large: ap(3),
        ar1: ar(0, one),
        ar10: ar(0, ten),
        ar100: ar(0, hundred),
        ar_small: ar(1, hundred),
        ar_medium: ar(2, hundred),
        ar_large: ar(3, hundred),
    }
}

/// Each figure's mean over the classes that have it.
pub(super) fn mean_figures(classes: &[Figures]) -> Figures {
    let mean_of = |figure: fn(&Figures) -> f64| {
        mean(classes.iter().map(figure).filter(|&value| value >= 0.0))
    };
    Figures {
        ap: mean_of(|f| f.ap),
        ap50: mean_of(|f| f.ap50),
        ap75: mean_of(|f| f.ap75),
        ap_small: mean_of(|f| f.ap_small),
        ap_medium: mean_of(|f| f.ap_medium),
        ap_large: mean_of(|f| f.ap_large),
        ar1: mean_of(|f| f.ar1),
        ar10: mean_of(|f| f.ar10),
        ar100: mean_of(|f| f.ar100),
        ar_small: mean_of(|f| f.ar_small),
        ar_medium: mean_of(|f| f.ar_medium),
        ar_large: mean_of(|f| f.ar_large),
    }
}

fn class_accuracy(
    category: &Category,
    class: &CategoryMatches,
    figures: &Figures,
) -> ClassAccuracy {
    let best = best_threshold(class);
    let at_best = |value: fn(&AtThreshold) -> f64| best.as_ref().map_or(UNDEFINED, value);
    ClassAccuracy {
        name: category.name.clone(),
        id: category.id,
        ap: figures.ap,
        ap50: figures.ap50,
        ap75: figures.ap75,
        ap_small: figures.ap_small,
        ap_medium: figures.ap_medium,
        ap_large: figures.ap_large,
        ar100: figures.ar100,
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

    use super::super::record::tests::{category, found, image, object};
    use super::*;
    use crate::{Found, Object};

    const SQUARE: [f64; 4] = [10.0, 10.0, 50.0, 50.0];

    fn of(categories: &[Category], images: &[ImageRecord]) -> Accuracy {
        let images: Vec<_> = images.iter().collect();
        accuracy(categories, &images, &AccuracySettings::default())
    }

    #[test]
    fn where_there_is_nothing_nothing_is_said() {
        let ours = of(
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
            (-1.0, 0)
        );
        assert_eq!(of(&[], &[]).figures.ap, -1.0);
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
        let ours = of(&[category(1)], &images);
        // precision 1/2 at recalls 0 to 0.5, 51 of 101
        assert!((ours.figures.ap - 51.0 / 202.0).abs() < 1e-12);
        assert_eq!(ours.figures.ap_small, -1.0);
        assert_eq!(
            (ours.figures.ap_medium, ours.figures.ar100),
            (ours.figures.ap, 0.5)
        );
        assert_eq!(ours.figures.ar1, 0.0);
        let class = &ours.per_class[0];
        assert_eq!(
            (class.instances, class.f1, class.best_threshold),
            (2, 0.5, 0.4)
        );
        assert_eq!((class.precision, class.recall), (0.5, 0.5));
        assert_eq!((class.curve[50], class.curve[51]), (0.5, 0.0));
    }

    #[test]
    fn a_threshold_does_not_part_equal_scores() {
        let images = [image(
            1,
            vec![object(1, SQUARE)],
            vec![found(1, SQUARE, 0.5), found(1, [400.0; 4], 0.5)],
        )];
        let class = &of(&[category(1)], &images).per_class[0];
        assert_eq!(
            (class.best_threshold, class.precision, class.recall),
            (0.25, 0.5, 1.0)
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
        let ours = of(&[category(1)], &images);
        assert_eq!(ours.figures.ar100, 0.5);
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

    fn any_found() -> impl Strategy<Value = Found> {
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
            let ours = serde_json::to_value(of(&classes(), &images)).unwrap();
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
            let ours = of(&classes(), &images).figures;
            let is_perfect = |figure: f64| figure == -1.0 || (figure - 1.0).abs() < 1e-12;
            prop_assert!(is_perfect(ours.ap) && is_perfect(ours.ar100), "{ours:?}");
            prop_assert!(is_perfect(ours.ap_small) && is_perfect(ours.ap_medium), "{ours:?}");
        }

        #[test]
        fn one_more_at_the_end_takes_nothing_away(images in any_images(), more in any_found()) {
            let before = of(&classes(), &images).figures;
            let mut images = images;
            images[0].detections.push(Found { score: 0.01, ..more });
            let after = of(&classes(), &images).figures;
            prop_assert!(after.ap >= before.ap && after.ap50 >= before.ap50, "{before:?} {after:?}");
        }

        #[test]
        fn the_order_of_images_does_not_matter(images in any_images(), by in 0_usize..6) {
            let before = of(&classes(), &images);
            let mut images = images;
            let by = by % images.len();
            images.rotate_left(by);
            prop_assert_eq!(&before, &of(&classes(), &images));
        }

        /// The confusion matrix, which matches by itself, has the same precision and recall there, and none better at any
        /// other threshold.
        #[test]
        fn the_best_threshold_is_the_best(images in any_images(), other in 0.0..1.0) {
            let mut images = images;
            for image in &mut images {
                for object in &mut image.objects {
                    *object = super::super::record::tests::object(1, object.bbox);
                }
                image.detections.iter_mut().for_each(|found| found.category_id = 1);
            }
            let ours = of(&[category(1)], &images).per_class.remove(0);
            let images: Vec<_> = images.iter().collect();
            let at = |operating_score: f64| {
                let settings = AccuracySettings { operating_score, ..Default::default() };
                let counts = confusion(&[category(1)], &images, &settings).counts;
                [counts[0][0], counts[0][1], counts[1][0]].map(|n| n as f64)
            };
            prop_assume!(ours.f1 > 0.0);
            let [right, missed, wrong] = at(ours.best_threshold);
            prop_assert_eq!(ours.recall, right / (right + missed));
            prop_assert_eq!(ours.precision, right / (right + wrong));
            let [right, missed, wrong] = at(other);
            prop_assert!(2.0 * right / (2.0 * right + missed + wrong) <= ours.f1 + 1e-12);
        }

        /// With no two scores alike not even the ids, by which ties are ordered, matter.
        #[test]
        fn without_ties_the_ids_do_not_matter(images in any_images()) {
            let mut images = images;
            let detections = images.iter_mut().flat_map(|image| &mut image.detections);
            for (number, found) in detections.enumerate() {
                found.score = 0.9 - (number * 37 % 101) as f64 / 200.0;
            }
            let before = of(&classes(), &images);
            for image in &mut images {
                image.id = 100 - image.id;
            }
            prop_assert_eq!(&before, &of(&classes(), &images));
        }
    }
}
