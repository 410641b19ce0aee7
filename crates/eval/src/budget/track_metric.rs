//! The numbers of an evaluation of tracks that a budget can name.

use std::fmt;
use std::str::FromStr;

use super::metric::{BudgetMetric, MetricError, Names, name_of, named, names};
use crate::tracks::{TrackEvaluation, TrackFigure};
use shuffledet_core::text;

/// A number of an evaluation of tracks.
#[derive(Debug, Clone, PartialEq)]
pub enum TrackMetric {
    /// `hota`: of all classes together.
    Combined(TrackFigure),
    /// `average.hota`: the mean over the classes; of a count the sum.
    Average(TrackFigure),
    /// `class.car.hota`: of one class.
    Class { class: String, figure: TrackFigure },
}

/// The first name of a figure is the one that it is printed with.
const FIGURES: Names<TrackFigure, 22> = [
    ("hota", TrackFigure::Hota),
    ("deta", TrackFigure::DetA),
    ("assa", TrackFigure::AssA),
    ("loca", TrackFigure::LocA),
    ("detre", TrackFigure::DetRe),
    ("detpr", TrackFigure::DetPr),
    ("assre", TrackFigure::AssRe),
    ("asspr", TrackFigure::AssPr),
    ("mota", TrackFigure::Mota),
    ("motp", TrackFigure::Motp),
    ("idf1", TrackFigure::Idf1),
    ("idp", TrackFigure::Idp),
    ("idr", TrackFigure::Idr),
    ("fn", TrackFigure::Missed),
    ("fp", TrackFigure::False),
    ("switches", TrackFigure::Switches),
    ("fragments", TrackFigure::Fragments),
    ("mt", TrackFigure::MostlyTracked),
    ("pt", TrackFigure::PartlyTracked),
    ("ml", TrackFigure::MostlyLost),
    ("idsw", TrackFigure::Switches),
    ("frag", TrackFigure::Fragments),
];

/// The names of all figures, for errors.
pub(super) fn figure_names() -> String {
    names(&FIGURES)
}

impl FromStr for TrackMetric {
    type Err = MetricError;

    /// Reads a name in upper or lower case. The name of a class keeps its case and may hold dots and spaces.
    fn from_str(name: &str) -> Result<Self, MetricError> {
        let figure = |name: &str| named(&FIGURES, &name.to_lowercase());
        if let Some(found) = figure(name) {
            return Ok(TrackMetric::Combined(found));
        }
        let (place, last) = name.rsplit_once('.').unwrap_or((name, ""));
        let found = || figure(last).ok_or_else(|| MetricError::TrackFigure(last.to_owned()));
        if place.eq_ignore_ascii_case("average") {
            return Ok(TrackMetric::Average(found()?));
        }
        let class = place
            .strip_prefix("class.")
            .ok_or_else(|| MetricError::TrackFigure(name.to_owned()))?;
        Ok(TrackMetric::Class {
            class: text::name(class).into_owned(),
            figure: found()?,
        })
    }
}

impl fmt::Display for TrackMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrackMetric::Combined(figure) => f.write_str(name_of(&FIGURES, *figure)),
            TrackMetric::Average(figure) => write!(f, "average.{}", name_of(&FIGURES, *figure)),
            TrackMetric::Class { class, figure } => {
                write!(f, "class.{class}.{}", name_of(&FIGURES, *figure))
            }
        }
    }
}

impl BudgetMetric for TrackMetric {
    type Evaluation = TrackEvaluation;

    fn value(&self, evaluation: &TrackEvaluation) -> Option<f64> {
        match self {
            TrackMetric::Combined(figure) => Some(evaluation.combined[*figure]),
            TrackMetric::Average(figure) => Some(evaluation.class_average[*figure]),
            TrackMetric::Class { class, figure } => {
                let class = evaluation
                    .per_class
                    .iter()
                    .find(|found| found.name == *class)?;
                Some(class.figures[*figure])
            }
        }
    }

    fn class(&self) -> Option<&str> {
        match self {
            TrackMetric::Class { class, .. } => Some(class),
            TrackMetric::Combined(_) | TrackMetric::Average(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_read_as_it_is_printed() {
        for figure in TrackFigure::ALL {
            let name = figure.name();
            for text in [
                name.to_owned(),
                format!("average.{name}"),
                format!("class.a. b.{name}"),
            ] {
                let metric: TrackMetric = text.parse().unwrap();
                assert_eq!(metric.to_string().parse::<TrackMetric>().unwrap(), metric);
                assert!(!metric.to_string().contains('?'), "{text}");
            }
        }
        assert_eq!(
            "class.Car.IDSW".parse::<TrackMetric>().unwrap().to_string(),
            "class.Car.switches"
        );
        for text in [
            "map50",
            "class.car.map50",
            "average.",
            "hota.car",
            "car.hota",
        ] {
            let error = text.parse::<TrackMetric>().unwrap_err().to_string();
            assert!(error.contains("expected one of hota, deta"), "{error}");
        }
    }
}
