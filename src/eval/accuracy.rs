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
    /// Overlap at which a detection has found an object, for curves, F1, confusion, mistakes and distance bands.
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
/// One thing is otherwise: pycocotools overwrites an annotation's `ignore` by its `iscrowd`; here both count.
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
const UNDEFINED: f64 = -1.0;

fn mean(values: impl Iterator<Item = f64>) -> f64 {
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
fn mean_figures(classes: &[Figures]) -> Figures {
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
