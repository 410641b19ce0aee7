//! What an evaluation must reach: lines such as `map50 >= 0.31`. `docs/evaluation.md` documents the language.

mod condition;
mod metric;

use std::io;
use std::path::{Path, PathBuf};

use shuffledet_core::text;
use thiserror::Error;

pub use condition::{Comparison, ComparisonError, Condition, ConditionError};
pub use metric::{ClassMetric, Metric, MetricError, Quantile, RunMetric};

use super::{Category, Evaluation};

/// Conditions, in the order in which they are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget(Vec<Condition>);

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
        problem: ConditionError,
    },
    #[error("{}: {condition:?}: the data set has no category {class:?}; its categories are: {known}", path.display())]
    UnknownClass {
        path: PathBuf,
        condition: String,
        class: String,
        known: String,
    },
}

impl Budget {
    /// Reads a file: YAML, a list of conditions.
    pub fn read(path: &Path) -> Result<Self, BudgetError> {
        let yaml = text::read(path).map_err(|source| BudgetError::Io {
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
            text.parse().map_err(|problem| BudgetError::Condition {
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
            if let Metric::Class { class, .. } = &condition.metric
                && !categories.iter().any(|category| category.name == *class)
            {
                let known: Vec<&str> = categories.iter().map(|c| c.name.as_str()).collect();
                return Err(BudgetError::UnknownClass {
                    path: path.to_owned(),
                    condition: condition.to_string(),
                    class: class.clone(),
                    known: known.join(", "),
                });
            }
        }
        Ok(())
    }

    /// Returns the verdict on each condition.
    pub fn judge(&self, evaluation: &Evaluation) -> Vec<Verdict> {
        self.0
            .iter()
            .map(|condition| condition.judge(evaluation))
            .collect()
    }
}

/// Returns the place of a condition: `line 3` if each condition begins a line with a dash, its
/// number otherwise.
fn place(yaml: &str, index: usize) -> String {
    let dashes = yaml.lines().zip(1..);
    let mut dashes = dashes.filter(|(line, _)| line.trim_start().starts_with("- "));
    match dashes.nth(index) {
        Some((_, line)) => format!("line {line}"),
        None => format!("condition {}", index + 1),
    }
}

#[cfg(test)]
mod tests {
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
                "unknown figure \"map51\"; expected one of map, map50",
            ),
            ("class.car.map >= 0", "unknown class figure \"map\""),
            (
                "p99.total <= 3",
                "unknown stage \"total\"; expected one of read_ms",
            ),
            ("p98.total_ms <= 3", "unknown figure \"p98.total_ms\""),
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
            error.contains("no category \"car\"; its categories are: class 1, class 2"),
            "{error}"
        );
    }
}
