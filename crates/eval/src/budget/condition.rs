//! One line of a budget: a metric, a comparison and a limit.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Verdict;
use super::metric::{Metric, MetricError};
use crate::Evaluation;

/// `map50 >= 0.31`
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub metric: Metric,
    pub comparison: Comparison,
    pub limit: f64,
    /// As it was written, but for spaces: a reader finds it in the file.
    text: String,
}

/// How a value is compared with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
    Equal,
    NotEqual,
}

/// The part of a condition that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConditionError {
    #[error("expected FIGURE {} NUMBER", signs())]
    NoComparison,
    #[error(transparent)]
    Comparison(#[from] ComparisonError),
    #[error("expected a number after {comparison}, found {found:?}")]
    Limit {
        comparison: Comparison,
        found: String,
    },
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// A text that is no comparison.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected one of {}, found {found:?}", signs())]
pub struct ComparisonError {
    pub found: String,
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let is_sign = |c: char| "<>=!".contains(c);
        let begin = text.find(is_sign).ok_or(ConditionError::NoComparison)?;
        let (name, rest) = text.split_at(begin);
        let (sign, number) = rest.split_at(rest.find(|c| !is_sign(c)).unwrap_or(rest.len()));
        let (name, number) = (name.trim(), number.trim());
        let comparison: Comparison = sign.parse()?;
        let limit: Option<f64> = number.parse().ok();
        let limit = limit.filter(|limit| limit.is_finite());
        let limit = limit.ok_or_else(|| ConditionError::Limit {
            comparison,
            found: number.to_owned(),
        })?;
        Ok(Self {
            metric: name.parse()?,
            comparison,
            limit,
            text: format!("{name} {comparison} {number}"),
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Condition {
    /// Returns whether `evaluation` keeps to it.
    pub fn judge(&self, evaluation: &Evaluation) -> Verdict {
        let value = self.metric.value(evaluation);
        let (limit, comparison) = (self.limit, self.comparison);
        Verdict {
            condition: self.to_string(),
            value,
            margin: value.map(|value| comparison.margin(value, limit)),
            passed: value.is_some_and(|value| comparison.holds(value, limit)),
        }
    }
}

impl Comparison {
    pub const ALL: [Comparison; 6] = [
        Comparison::AtLeast,
        Comparison::AtMost,
        Comparison::Above,
        Comparison::Below,
        Comparison::Equal,
        Comparison::NotEqual,
    ];

    /// Returns the operator as a text.
    pub const fn sign(self) -> &'static str {
        match self {
            Comparison::AtLeast => ">=",
            Comparison::AtMost => "<=",
            Comparison::Above => ">",
            Comparison::Below => "<",
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
        }
    }

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

impl FromStr for Comparison {
    type Err = ComparisonError;

    fn from_str(sign: &str) -> Result<Self, ComparisonError> {
        let known = Comparison::ALL.into_iter().find(|c| c.sign() == sign);
        known.ok_or_else(|| ComparisonError {
            found: sign.to_owned(),
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign())
    }
}

fn signs() -> String {
    Comparison::ALL.map(Comparison::sign).join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::evaluation;

    #[test]
    fn an_error_says_which_part_is_wrong() {
        let error = |text: &str| text.parse::<Condition>().unwrap_err();
        assert_eq!(error("map50"), ConditionError::NoComparison);
        let found = "=>".to_owned();
        assert_eq!(
            error("map50 => 1"),
            ConditionError::Comparison(ComparisonError { found })
        );
        for number in ["high", "nan", "inf", ""] {
            let expected = ConditionError::Limit {
                comparison: Comparison::AtLeast,
                found: number.to_owned(),
            };
            assert_eq!(error(&format!("map50 >= {number}")), expected);
        }
        assert!(matches!(error("map51 >= 1"), ConditionError::Metric(_)));
    }

    #[test]
    fn it_is_printed_as_it_was_written() {
        let condition: Condition = " AP50>=1e-1 ".parse().unwrap();
        assert_eq!(condition.to_string(), "AP50 >= 1e-1");
        assert_eq!(
            (condition.comparison, condition.limit),
            (Comparison::AtLeast, 0.1)
        );
    }

    proptest! {
        #[test]
        fn any_text_is_judged_or_refused(text in "[a-z.0-9 <>=!-]{0,24}") {
            if let Ok(condition) = text.parse::<Condition>() {
                condition.judge(&evaluation());
                let again: Condition = condition.to_string().parse().unwrap();
                prop_assert_eq!(again, condition);
            }
        }

        #[test]
        fn a_margin_is_positive_where_the_condition_holds(value in 0.0..2.0f64, limit in 0.0..2.0f64) {
            for comparison in Comparison::ALL {
                let (holds, margin) = (comparison.holds(value, limit), comparison.margin(value, limit));
                let right = if holds { margin >= 0.0 } else { margin <= 0.0 };
                prop_assert!(right, "{comparison:?} {value} {limit} {margin}");
            }
        }
    }
}
