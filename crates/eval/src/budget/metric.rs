//! The numbers of an evaluation that a budget can name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{ClassAccuracy, Evaluation, Figure};
use shuffledet_core::text;
use shuffledet_core::{Quantiles, Stage};

/// A number of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// `map50`: one of COCO's figures.
    Coco(Figure),
    /// `failed`: a number of the run.
    Run(RunMetric),
    /// `class.person.ap50`: a figure of one class.
    Class { class: String, metric: ClassMetric },
    /// `p99.infer_ms`: a quantile of a stage's latency.
    Latency { quantile: Quantile, stage: Stage },
}

/// A number that a condition can be about.
pub trait BudgetMetric: FromStr<Err = MetricError> + fmt::Display {
    /// What has the number.
    type Evaluation;

    /// Returns the number; `None` where the evaluation has none.
    fn value(&self, evaluation: &Self::Evaluation) -> Option<f64>;

    /// Returns the class that it is about.
    fn class(&self) -> Option<&str>;
}

/// A figure of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassMetric {
    /// One of [`Figure::OF_CLASS`].
    Coco(Figure),
    F1,
    BestThreshold,
    Precision,
    Recall,
    Instances,
}

/// A quantile of latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantile {
    Min,
    P50,
    P90,
    P99,
    Max,
}

/// A number of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMetric {
    Received,
    Published,
    Dropped,
    Failed,
    Problems,
    Fps,
    WallSeconds,
}

/// The part of a metric's name that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetricError {
    #[error("unknown figure {0:?}; expected one of {coco}, {run}, class.NAME.FIGURE, p99.STAGE_ms (min, p50, p90, p99 or max)",
        coco = names(&COCO), run = names(&RUN))]
    Figure(String),
    #[error("unknown class figure {0:?}; expected one of {known}", known = names(&CLASS))]
    ClassFigure(String),
    #[error("unknown stage {0:?}; expected one of {known}", known = stages())]
    Stage(String),
    #[error("unknown figure of tracks {0:?}; expected one of {known}, average.FIGURE, class.NAME.FIGURE",
        known = super::track_metric::figure_names())]
    TrackFigure(String),
}

/// Names and what they stand for. The first name of a thing is the one that it is printed with.
pub(super) type Names<T, const N: usize> = [(&'static str, T); N];

const COCO: Names<Figure, 15> = [
    ("map", Figure::Ap),
    ("map50", Figure::Ap50),
    ("map75", Figure::Ap75),
    ("ap", Figure::Ap),
    ("ap50", Figure::Ap50),
    ("ap75", Figure::Ap75),
    ("aps", Figure::ApSmall),
    ("apm", Figure::ApMedium),
    ("apl", Figure::ApLarge),
    ("ar1", Figure::Ar1),
    ("ar10", Figure::Ar10),
    ("ar100", Figure::Ar100),
    ("ars", Figure::ArSmall),
    ("arm", Figure::ArMedium),
    ("arl", Figure::ArLarge),
];

const CLASS: Names<ClassMetric, 12> = [
    ("ap", ClassMetric::Coco(Figure::Ap)),
    ("ap50", ClassMetric::Coco(Figure::Ap50)),
    ("ap75", ClassMetric::Coco(Figure::Ap75)),
    ("aps", ClassMetric::Coco(Figure::ApSmall)),
    ("apm", ClassMetric::Coco(Figure::ApMedium)),
    ("apl", ClassMetric::Coco(Figure::ApLarge)),
    ("ar100", ClassMetric::Coco(Figure::Ar100)),
    ("f1", ClassMetric::F1),
    ("best_threshold", ClassMetric::BestThreshold),
    ("precision", ClassMetric::Precision),
    ("recall", ClassMetric::Recall),
    ("instances", ClassMetric::Instances),
];

const QUANTILES: Names<Quantile, 5> = [
    ("min", Quantile::Min),
    ("p50", Quantile::P50),
    ("p90", Quantile::P90),
    ("p99", Quantile::P99),
    ("max", Quantile::Max),
];

const RUN: Names<RunMetric, 7> = [
    ("received", RunMetric::Received),
    ("published", RunMetric::Published),
    ("dropped", RunMetric::Dropped),
    ("failed", RunMetric::Failed),
    ("problems", RunMetric::Problems),
    ("fps", RunMetric::Fps),
    ("wall_s", RunMetric::WallSeconds),
];

impl FromStr for Metric {
    type Err = MetricError;

    /// Reads a name in upper or lower case. The name of a class keeps its case and may hold dots and spaces.
    fn from_str(name: &str) -> Result<Self, MetricError> {
        let lower = name.to_lowercase();
        if let Some(figure) = named(&COCO, &lower) {
            return Ok(Metric::Coco(figure));
        }
        if let Some(metric) = named(&RUN, &lower) {
            return Ok(Metric::Run(metric));
        }
        if let Some(rest) = name.strip_prefix("class.")
            && let Some((class, figure)) = rest.rsplit_once('.')
        {
            let metric = named(&CLASS, &figure.to_lowercase())
                .ok_or_else(|| MetricError::ClassFigure(figure.to_owned()))?;
            let class = text::name(class).into_owned();
            return Ok(Metric::Class { class, metric });
        }
        if let Some((quantile, stage)) = lower.split_once('.')
            && let Some(quantile) = named(&QUANTILES, quantile)
        {
            let stage = Stage::ALL
                .into_iter()
                .find(|known| stage.strip_suffix("_ms") == Some(known.name()))
                .ok_or_else(|| MetricError::Stage(stage.to_owned()))?;
            return Ok(Metric::Latency { quantile, stage });
        }
        Err(MetricError::Figure(name.to_owned()))
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Coco(figure) => f.write_str(name_of(&COCO, *figure)),
            Metric::Run(metric) => f.write_str(name_of(&RUN, *metric)),
            Metric::Class { class, metric } => {
                write!(f, "class.{class}.{}", name_of(&CLASS, *metric))
            }
            Metric::Latency { quantile, stage } => {
                write!(f, "{}.{}_ms", name_of(&QUANTILES, *quantile), stage.name())
            }
        }
    }
}

impl BudgetMetric for Metric {
    type Evaluation = Evaluation;

    fn value(&self, evaluation: &Evaluation) -> Option<f64> {
        let accuracy = &evaluation.accuracy;
        match self {
            Metric::Coco(figure) => accuracy.figures[*figure],
            Metric::Run(metric) => Some(metric.value(evaluation)),
            Metric::Latency { quantile, stage } => {
                Some(quantile.value(evaluation.latency_ms.get(stage)?))
            }
            Metric::Class { class, metric } => {
                let class = accuracy.per_class.iter().find(|c| c.name == *class)?;
                metric.value(class)
            }
        }
    }

    fn class(&self) -> Option<&str> {
        match self {
            Metric::Class { class, .. } => Some(class),
            Metric::Coco(_) | Metric::Run(_) | Metric::Latency { .. } => None,
        }
    }
}

impl ClassMetric {
    fn value(self, class: &ClassAccuracy) -> Option<f64> {
        match self {
            ClassMetric::Coco(figure) => class.figures[figure],
            ClassMetric::F1 => class.f1,
            ClassMetric::BestThreshold => class.best_threshold,
            ClassMetric::Precision => class.precision,
            ClassMetric::Recall => class.recall,
            ClassMetric::Instances => Some(class.instances as f64),
        }
    }
}

impl Quantile {
    fn value(self, quantiles: &Quantiles) -> f64 {
        match self {
            Quantile::Min => quantiles.min,
            Quantile::P50 => quantiles.p50,
            Quantile::P90 => quantiles.p90,
            Quantile::P99 => quantiles.p99,
            Quantile::Max => quantiles.max,
        }
    }
}

impl RunMetric {
    fn value(self, evaluation: &Evaluation) -> f64 {
        let frames = &evaluation.frames;
        match self {
            RunMetric::Received => frames.received as f64,
            RunMetric::Published => frames.published as f64,
            RunMetric::Dropped => frames.dropped.values().sum::<u64>() as f64,
            RunMetric::Failed => frames.failed.values().sum::<u64>() as f64,
            RunMetric::Problems => evaluation.problems.total() as f64,
            RunMetric::Fps => evaluation.throughput.fps,
            RunMetric::WallSeconds => evaluation.throughput.wall_s,
        }
    }
}

pub(super) fn named<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    let entry = table.iter().find(|(known, _)| *known == name);
    entry.map(|&(_, value)| value)
}

pub(super) fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    let entry = table.iter().find(|(_, known)| *known == value);
    // the tables name every value that can be parsed, and nothing else makes one
    entry.map_or("?", |(name, _)| name)
}

pub(super) fn names<T>(table: &[(&'static str, T)]) -> String {
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn stages() -> String {
    let names = Stage::ALL.map(|stage| format!("{}_ms", stage.name()));
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_read_as_it_is_printed() {
        let coco = COCO.map(|(name, _)| name.to_owned());
        let run = RUN.map(|(name, _)| name.to_owned());
        let class = CLASS.map(|(name, _)| format!("class.Traffic light. 2.{name}"));
        let latency = QUANTILES.map(|(name, _)| format!("{name}.infer_ms"));
        for name in coco.into_iter().chain(run).chain(class).chain(latency) {
            let metric: Metric = name.parse().unwrap();
            assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
            assert!(!metric.to_string().contains('?'), "{name}");
        }
        let class: Metric = "class.Car.AP50".parse().unwrap();
        assert_eq!(class.to_string(), "class.Car.ap50");
        assert_eq!("AP75".parse::<Metric>().unwrap().to_string(), "map75");
    }

    #[test]
    fn an_error_says_which_part_is_not_known() {
        let error = |name: &str| name.parse::<Metric>().unwrap_err();
        assert_eq!(error("map51"), MetricError::Figure("map51".into()));
        assert_eq!(
            error("class.a.b.MAP"),
            MetricError::ClassFigure("MAP".into())
        );
        assert_eq!(error("p50.infer"), MetricError::Stage("infer".into()));
        assert_eq!(
            error("p51.infer_ms"),
            MetricError::Figure("p51.infer_ms".into())
        );
        // a class has no recall at one detection
        assert_eq!(error("class.a.ar1"), MetricError::ClassFigure("ar1".into()));
    }

    #[test]
    fn every_figure_of_a_class_can_be_named() {
        for figure in Figure::OF_CLASS {
            assert_eq!(
                named(&CLASS, &figure.name().to_lowercase()),
                Some(ClassMetric::Coco(figure))
            );
        }
        for figure in Figure::ALL {
            assert_eq!(named(&COCO, &figure.name().to_lowercase()), Some(figure));
        }
    }
}
