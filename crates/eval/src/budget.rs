//! What an evaluation must reach: lines such as `map50 >= 0.31`. `docs/evaluation.md` documents the language.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Category, ClassAccuracy, Evaluation, Figure, Figures};
use shuffledet_core::Quantiles;
use shuffledet_core::Stage;

/// Conditions, in the order in which they are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget(Vec<Condition>);

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    figure: Metric,
    comparison: Comparison,
    limit: f64,
    /// `map50 >= 0.31`
    text: String,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq)]
enum Metric {
    Coco(&'static str),
    Class {
        class: String,
        figure: &'static str,
    },
    Latency {
        quantile: &'static str,
        stage: Stage,
    },
    Run(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
    Equal,
    NotEqual,
}

/// What became of a condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// `map50 >= 0.31`
    pub condition: String,
    /// `None` where the evaluation has no such figure: a class without objects, a stage that no image completed.
    pub value: Option<f64>,
    /// How far the value is on the right side of the limit; negative where it is on the wrong one.
    pub margin: Option<f64>,
    /// An absent value never passes.
    pub passed: bool,
}

/// Why a budget is refused.
#[derive(Debug, Error)]
pub enum BudgetError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected a list of lines such as `- map50 >= 0.31`: {source}", path.display())]
    Yaml {
        path: PathBuf,
        source: serde_yaml::Error,
    },
    #[error("{}: expected a list of lines such as `- map50 >= 0.31`, found none", path.display())]
    Empty { path: PathBuf },
    #[error("{}: {place}: {text:?}: {problem}", path.display())]
    Condition {
        path: PathBuf,
        /// `line 3`
        place: String,
        text: String,
        problem: String,
    },
    #[error("{}: {condition:?}: the data set has no category {class:?}; it has: {known}", path.display())]
    UnknownClass {
        path: PathBuf,
        condition: String,
        class: String,
        known: String,
    },
}

/// Names of figures, and what they are.
type Named<T> = (&'static str, fn(&T) -> Option<f64>);

const COCO: [Named<Figures>; 15] = [
    ("map", |f| f[Figure::Ap]),
    ("map50", |f| f[Figure::Ap50]),
    ("map75", |f| f[Figure::Ap75]),
    ("ap", |f| f[Figure::Ap]),
    ("ap50", |f| f[Figure::Ap50]),
    ("ap75", |f| f[Figure::Ap75]),
    ("aps", |f| f[Figure::ApSmall]),
    ("apm", |f| f[Figure::ApMedium]),
    ("apl", |f| f[Figure::ApLarge]),
    ("ar1", |f| f[Figure::Ar1]),
    ("ar10", |f| f[Figure::Ar10]),
    ("ar100", |f| f[Figure::Ar100]),
    ("ars", |f| f[Figure::ArSmall]),
    ("arm", |f| f[Figure::ArMedium]),
    ("arl", |f| f[Figure::ArLarge]),
];

const CLASS: [Named<ClassAccuracy>; 12] = [
    ("ap", |c| c.figures[Figure::Ap]),
    ("ap50", |c| c.figures[Figure::Ap50]),
    ("ap75", |c| c.figures[Figure::Ap75]),
    ("aps", |c| c.figures[Figure::ApSmall]),
    ("apm", |c| c.figures[Figure::ApMedium]),
    ("apl", |c| c.figures[Figure::ApLarge]),
    ("ar100", |c| c.figures[Figure::Ar100]),
    ("f1", |c| c.f1),
    ("best_threshold", |c| c.best_threshold),
    ("precision", |c| c.precision),
    ("recall", |c| c.recall),
    ("instances", |c| Some(c.instances as f64)),
];

const QUANTILES: [Named<Quantiles>; 5] = [
    ("min", |q| Some(q.min)),
    ("p50", |q| Some(q.p50)),
    ("p90", |q| Some(q.p90)),
    ("p99", |q| Some(q.p99)),
    ("max", |q| Some(q.max)),
];

const RUN: [Named<Evaluation>; 7] = [
    ("received", |e| Some(e.frames.received as f64)),
    ("published", |e| Some(e.frames.published as f64)),
    ("dropped", |e| {
        Some(e.frames.dropped.values().sum::<u64>() as f64)
    }),
    ("failed", |e| {
        Some(e.frames.failed.values().sum::<u64>() as f64)
    }),
    ("problems", |e| Some(e.problems.total() as f64)),
    ("fps", |e| Some(e.throughput.fps)),
    ("wall_s", |e| Some(e.throughput.wall_s)),
];

const COMPARISONS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::Above),
    ("<", Comparison::Below),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
];

impl Budget {
    /// Reads a file: YAML, a list of conditions.
    pub fn read(path: &Path) -> Result<Self, BudgetError> {
        let yaml = fs::read_to_string(path).map_err(|source| BudgetError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&yaml, path)
    }

    fn parse(yaml: &str, path: &Path) -> Result<Self, BudgetError> {
        let lines: Vec<String> =
            serde_yaml::from_str(yaml).map_err(|source| BudgetError::Yaml {
                path: path.to_owned(),
                source,
            })?;
        if lines.is_empty() {
            return Err(BudgetError::Empty {
                path: path.to_owned(),
            });
        }
        let conditions = lines.iter().enumerate().map(|(index, text)| {
            Condition::parse(text).map_err(|problem| BudgetError::Condition {
                path: path.to_owned(),
                place: place(yaml, index),
                text: text.clone(),
                problem,
            })
        });
        Ok(Self(conditions.collect::<Result<_, _>>()?))
    }

    /// Fails where a condition is about a class that the data set does not have.
    pub fn check_classes(&self, path: &Path, categories: &[Category]) -> Result<(), BudgetError> {
        for condition in &self.0 {
            if let Metric::Class { class, .. } = &condition.figure
                && !categories.iter().any(|category| category.name == *class)
            {
                let known: Vec<&str> = categories.iter().map(|c| c.name.as_str()).collect();
                return Err(BudgetError::UnknownClass {
                    path: path.to_owned(),
                    condition: condition.text.clone(),
                    class: class.clone(),
                    known: known.join(", "),
                });
            }
        }
        Ok(())
    }

    /// What becomes of each condition.
    pub fn judge(&self, evaluation: &Evaluation) -> Vec<Verdict> {
        let judge = |condition: &Condition| condition.judge(evaluation);
        self.0.iter().map(judge).collect()
    }
}

/// `line 3` where each condition begins a line of its own with a dash; which one it is, otherwise.
fn place(yaml: &str, index: usize) -> String {
    let dashes = yaml.lines().zip(1..);
    let mut dashes = dashes.filter(|(line, _)| line.trim_start().starts_with("- "));
    match dashes.nth(index) {
        Some((_, line)) => format!("line {line}"),
        None => format!("condition {}", index + 1),
    }
}

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        let is_sign = |c: char| "<>=!".contains(c);
        let begin = text.find(is_sign);
        let begin = begin.ok_or_else(|| format!("expected FIGURE {} NUMBER", signs()))?;
        let (name, rest) = text.split_at(begin);
        let sign_end = rest.find(|c| !is_sign(c)).unwrap_or(rest.len());
        let (sign, number) = rest.split_at(sign_end);
        let (name, number) = (name.trim(), number.trim());
        let known = COMPARISONS.iter().find(|(known, _)| *known == sign);
        let (_, comparison) =
            known.ok_or_else(|| format!("expected one of {}, found {sign:?}", signs()))?;
        let limit = number.parse().ok().filter(|limit: &f64| limit.is_finite());
        let limit =
            limit.ok_or_else(|| format!("expected a number after {sign}, found {number:?}"))?;
        Ok(Self {
            figure: Metric::parse(name)?,
            comparison: *comparison,
            limit,
            text: format!("{name} {sign} {number}"),
        })
    }

    fn judge(&self, evaluation: &Evaluation) -> Verdict {
        let value = self.figure.of(evaluation);
        let (limit, comparison) = (self.limit, self.comparison);
        Verdict {
            condition: self.text.clone(),
            value,
            margin: value.map(|value| comparison.margin(value, limit)),
            passed: value.is_some_and(|value| comparison.holds(value, limit)),
        }
    }
}

impl Metric {
    /// The figure of that name, whatever its case. The name of a class may hold dots and spaces.
    fn parse(name: &str) -> Result<Self, String> {
        let lower = name.to_lowercase();
        if let Some((figure, _)) = named(&COCO, &lower) {
            return Ok(Metric::Coco(figure));
        }
        if let Some((figure, _)) = named(&RUN, &lower) {
            return Ok(Metric::Run(figure));
        }
        if let Some((class, figure)) = name
            .strip_prefix("class.")
            .and_then(|rest| rest.rsplit_once('.'))
        {
            let known = named(&CLASS, &figure.to_lowercase());
            let (figure, _) =
                known.ok_or_else(|| unknown("figure of a class", figure, names(&CLASS)))?;
            let class = class.to_owned();
            return Ok(Metric::Class { class, figure });
        }
        if let Some((quantile, stage)) = lower.split_once('.')
            && let Some((quantile, _)) = named(&QUANTILES, quantile)
        {
            let stages = || Stage::ALL.map(|stage| format!("{}_ms", stage.name()));
            let known = Stage::ALL
                .into_iter()
                .find(|known| stage.strip_suffix("_ms") == Some(known.name()));
            let stage = known.ok_or_else(|| unknown("stage", stage, stages().join(", ")))?;
            return Ok(Metric::Latency { quantile, stage });
        }
        let figures = [names(&COCO), names(&RUN)].join(", ");
        let others = "class.NAME.FIGURE, p99.STAGE_ms (min, p50, p90, p99 or max)";
        Err(unknown("figure", name, format!("{figures}, {others}")))
    }

    fn of(&self, evaluation: &Evaluation) -> Option<f64> {
        let accuracy = &evaluation.accuracy;
        match self {
            Metric::Coco(name) => named(&COCO, name)?.1(&accuracy.figures),
            Metric::Run(name) => named(&RUN, name)?.1(evaluation),
            Metric::Latency { quantile, stage } => {
                named(&QUANTILES, quantile)?.1(evaluation.latency_ms.get(stage)?)
            }
            Metric::Class { class, figure } => {
                let class = accuracy.per_class.iter().find(|c| c.name == *class)?;
                named(&CLASS, figure)?.1(class)
            }
        }
    }
}

impl Comparison {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Comparison::AtLeast => value >= limit,
            Comparison::AtMost => value <= limit,
            Comparison::Above => value > limit,
            Comparison::Below => value < limit,
            Comparison::Equal => value == limit,
            Comparison::NotEqual => value != limit,
        }
    }

    fn margin(self, value: f64, limit: f64) -> f64 {
        match self {
            Comparison::AtLeast | Comparison::Above => value - limit,
            Comparison::AtMost | Comparison::Below => limit - value,
            // without a sign: 0 minus a distance of 0 would be -0
            Comparison::Equal if value == limit => 0.0,
            Comparison::Equal => -(value - limit).abs(),
            Comparison::NotEqual => (value - limit).abs(),
        }
    }
}

fn named<T>(figures: &[Named<T>], name: &str) -> Option<Named<T>> {
    figures.iter().find(|(known, _)| *known == name).copied()
}

fn names<T>(figures: &[Named<T>]) -> String {
    let names: Vec<&str> = figures.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn signs() -> String {
    COMPARISONS.map(|(sign, _)| sign).join(" ")
}

fn unknown(kind: &str, found: &str, known: impl fmt::Display) -> String {
    format!("no {kind} {found:?}; expected one of {known}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::evaluation;

    fn budget(yaml: &str) -> Result<Budget, BudgetError> {
        Budget::parse(yaml, Path::new("b.yaml"))
    }

    fn refusal(yaml: &str) -> String {
        budget(yaml).unwrap_err().to_string()
    }

    #[test]
    fn conditions_are_judged_with_their_margin() {
        let yaml = "\
- map50 >= 0.5
- AP<0.5
- class.class 1.recall == 1
- class.class 2.ap50 >= 0.0
- p99.infer_ms <= 40
- p50.decode_ms <= 1e9
- failed == 0
- dropped != 1
- fps > 4
";
        let verdicts = budget(yaml).unwrap().judge(&evaluation());
        let told: Vec<_> = verdicts
            .iter()
            .map(|v| (v.condition.as_str(), v.value, v.margin, v.passed))
            .collect();
        let p99 = verdicts[4].value.unwrap();
        assert!((p99 - 10.0).abs() < 0.02, "{p99}");
        assert_eq!(
            told,
            [
                ("map50 >= 0.5", Some(1.0), Some(0.5), true),
                ("AP < 0.5", Some(1.0), Some(-0.5), false),
                ("class.class 1.recall == 1", Some(1.0), Some(0.0), true),
                ("class.class 2.ap50 >= 0.0", None, None, false),
                ("p99.infer_ms <= 40", Some(p99), Some(40.0 - p99), true),
                ("p50.decode_ms <= 1e9", None, None, false),
                ("failed == 0", Some(1.0), Some(-1.0), false),
                ("dropped != 1", Some(0.0), Some(1.0), true),
                ("fps > 4", Some(1.0), Some(-3.0), false),
            ]
        );
    }

    #[test]
    fn mistakes_name_the_line_what_was_expected_and_what_was_found() {
        let error = refusal("# gates\n- map50 >= 0.3\n\n- map50 => 0.3\n");
        assert!(
            error.starts_with("b.yaml: line 4: \"map50 => 0.3\": expected one of >= "),
            "{error}"
        );
        assert!(error.ends_with("found \"=>\""), "{error}");
        for (line, told) in [
            ("map50", "expected FIGURE >= <= > < == != NUMBER"),
            (
                "map50 >= high",
                "expected a number after >=, found \"high\"",
            ),
            ("map50 >= nan", "found \"nan\""),
            (
                "map51 >= 0.3",
                "no figure \"map51\"; expected one of map, map50",
            ),
            ("class.car.map >= 0", "no figure of a class \"map\""),
            (
                "p99.total <= 3",
                "no stage \"total\"; expected one of read_ms",
            ),
            ("p98.total_ms <= 3", "no figure \"p98.total_ms\""),
        ] {
            let error = refusal(&format!("[\"{line}\"]"));
            assert!(error.starts_with("b.yaml: condition 1"), "{error}");
            assert!(error.contains(told), "{error}");
        }
        assert!(refusal("map50: 0.3").contains("expected a list of lines"));
        assert!(refusal("[]").contains("found none"));
        let cars = budget("- class.car.ap >= 0.1").unwrap();
        let error = cars.check_classes(
            Path::new("b.yaml"),
            &evaluation().subject.dataset.categories,
        );
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("no category \"car\"; it has: class 1, class 2"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_judged_or_refused(text in "[a-z.0-9 <>=!-]{0,24}") {
            if let Ok(condition) = Condition::parse(&text) {
                condition.judge(&evaluation());
            }
        }

        #[test]
        fn a_margin_is_positive_where_the_condition_holds(value in 0.0..2.0f64, limit in 0.0..2.0f64) {
            for (_, comparison) in COMPARISONS {
                let (holds, margin) = (comparison.holds(value, limit), comparison.margin(value, limit));
                let right = if holds { margin >= 0.0 } else { margin <= 0.0 };
                prop_assert!(right, "{comparison:?} {value} {limit} {margin}");
            }
        }
    }
}
