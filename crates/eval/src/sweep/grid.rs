//! A grid of parameters, as `detector.score_threshold=0.2..0.6:0.05` and `model.name=a,b` span it.

use thiserror::Error;

/// The most settings of a grid.
pub const MOST_SETTINGS: u64 = 1000;
/// Of a number in a range, so that products stay exact.
const MOST_DECIMALS: usize = 9;

/// A parameter and the values that it takes; as they are written in an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    pub key: String,
    /// At least one.
    pub values: Vec<String>,
}

/// Parameters that vary, and those that do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    axes: Vec<Axis>,
}

/// Why there is no grid.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GridError {
    #[error(
        "--set {assignment}: expected KEY=VALUE, KEY=A,B,... or KEY=FROM..TO:STEP, found {problem}"
    )]
    Form { assignment: String, problem: String },
    #[error("--set {key}: given twice; give all its values at once, as {key}=A,B")]
    Twice { key: String },
    #[error(
        "--set {key}: cannot vary; give it one value. Parameters that can vary are those under detector, model.name, \
         model.input_size, model.input_budget, input.regions, runtime.providers, runtime.strict or \
         runtime.intra_op_threads"
    )]
    NoEffect { key: String },
    #[error(
        "no parameter varies; expected a --set with several values, such as detector.score_threshold=0.2..0.6:0.05"
    )]
    NothingVaries,
    #[error(
        "the grid has {count} settings ({by}); expected at most {MOST_SETTINGS}: take fewer values or greater steps"
    )]
    TooLarge { count: String, by: String },
}

impl Grid {
    /// Reads assignments, in whose order the grid varies: the last one fastest.
    pub fn parse(assignments: &[String]) -> Result<Self, GridError> {
        let mut axes: Vec<Axis> = Vec::new();
        for assignment in assignments {
            let axis = Axis::parse(assignment)?;
            if axes.iter().any(|known| known.key == axis.key) {
                return Err(GridError::Twice { key: axis.key });
            }
            if axis.varies() && !has_effect(&axis.key) {
                return Err(GridError::NoEffect { key: axis.key });
            }
            axes.push(axis);
        }
        let grid = Grid { axes };
        let sizes = grid.varying().map(|axis| axis.values.len() as u64);
        let sizes: Vec<u64> = sizes.collect();
        let count = sizes
            .iter()
            .try_fold(1_u64, |count, &size| count.checked_mul(size));
        match count {
            Some(1) => Err(GridError::NothingVaries),
            Some(count) if count <= MOST_SETTINGS => Ok(grid),
            count => Err(GridError::TooLarge {
                count: count.map_or("more than 2^64".to_owned(), |count| count.to_string()),
                by: sizes
                    .iter()
                    .map(u64::to_string)
                    .collect::<Vec<_>>()
                    .join(" x "),
            }),
        }
    }

    /// Returns the parameters with several values.
    pub fn varying(&self) -> impl Iterator<Item = &Axis> {
        self.axes.iter().filter(|axis| axis.varies())
    }

    /// Returns the assignments of each setting.
    pub fn settings(&self) -> Vec<Vec<String>> {
        let mut settings = vec![Vec::new()];
        for axis in &self.axes {
            let with = |setting: &Vec<String>, value: &String| {
                let mut setting = setting.clone();
                setting.push(format!("{}={value}", axis.key));
                setting
            };
            settings = settings
                .iter()
                .flat_map(|setting| axis.values.iter().map(move |value| with(setting, value)))
                .collect();
        }
        settings
    }
}

fn has_effect(key: &str) -> bool {
    const OTHERS: [&str; 7] = [
        "model.name",
        "model.input_size",
        "model.input_budget",
        "input.regions",
        "runtime.providers",
        "runtime.strict",
        "runtime.intra_op_threads",
    ];
    key.starts_with("detector.") || OTHERS.contains(&key)
}

impl Axis {
    fn varies(&self) -> bool {
        self.values.len() > 1
    }

    fn parse(assignment: &str) -> Result<Self, GridError> {
        let form = |problem: &str| GridError::Form {
            assignment: assignment.to_owned(),
            problem: problem.to_owned(),
        };
        let (key, values) = assignment.split_once('=').ok_or_else(|| form("no '='"))?;
        let values = match range(values) {
            Some(range) => range.map_err(|problem| form(&problem))?,
            None => list(values),
        };
        if let Some(at) = (1..values.len()).find(|&at| values[..at].contains(&values[at])) {
            return Err(form(&format!("{} twice", values[at])));
        }
        if key.is_empty() || values.iter().any(String::is_empty) {
            return Err(form("an empty key or value"));
        }
        Ok(Axis {
            key: key.to_owned(),
            values,
        })
    }
}

/// Splits at commas outside of brackets and quotes.
fn list(text: &str) -> Vec<String> {
    let (mut depth, mut quote) = (0_i32, None);
    let mut values = vec![String::new()];
    for c in text.chars() {
        match (quote, c) {
            (None, ',') if depth <= 0 => {
                values.push(String::new());
                continue;
            }
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        if let Some(value) = values.last_mut() {
            value.push(c);
        }
    }
    values.iter().map(|value| value.trim().to_owned()).collect()
}

/// Parses `FROM..TO:STEP`, both ends included; `None` if the text does not begin as a range of
/// numbers.
fn range(text: &str) -> Option<Result<Vec<String>, String>> {
    let (from, rest) = text.split_once("..")?;
    let from = Decimal::parse(from)?;
    let (to, step) = match rest.split_once(':') {
        Some((to, step)) => (to, Some(step)),
        None => (rest, None),
    };
    Some(values_of(from, to, step))
}

fn values_of(from: Decimal, to: &str, step: Option<&str>) -> Result<Vec<String>, String> {
    let number = |text: &str| Decimal::parse(text).ok_or(format!("{text:?} in place of a number"));
    let to = number(to)?;
    let step = match step {
        Some(step) => number(step)?,
        None if from.decimals == 0 && to.decimals == 0 => Decimal {
            digits: 1,
            decimals: 0,
        },
        None => return Err("a range without a step".to_owned()),
    };
    let decimals = from.decimals.max(to.decimals).max(step.decimals);
    let [from, to, step] = [from, to, step].map(|number| number.digits_at(decimals));
    if step <= 0 {
        return Err("a step that is not above 0".to_owned());
    }
    if from > to {
        return Err("a range that ends before it begins".to_owned());
    }
    let count = (to - from) / step + 1;
    if count > i128::from(MOST_SETTINGS) {
        return Err(format!(
            "{count} values, more than the {MOST_SETTINGS} settings of a grid"
        ));
    }
    let values = (0..count).map(|i| {
        let digits = from + i * step;
        Decimal { digits, decimals }.to_string()
    });
    Ok(values.collect())
}

/// A number as it is written, so that steps add up exactly.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    digits: i128,
    decimals: usize,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let short = whole.len() <= 15 && fraction.len() <= MOST_DECIMALS;
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) || !short {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        Some(Decimal {
            digits: if negative { -digits } else { digits },
            decimals: fraction.len(),
        })
    }

    fn digits_at(self, decimals: usize) -> i128 {
        // at most nine more
        self.digits * 10_i128.pow((decimals - self.decimals) as u32)
    }
}

/// With a decimal point where any of the range's numbers has one, so that it stays a number with decimals.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let width = self.decimals + 1;
        let digits = format!("{:0>width$}", self.digits.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - self.decimals);
        match fraction.trim_end_matches('0') {
            "" if self.decimals == 0 => write!(f, "{sign}{whole}"),
            "" => write!(f, "{sign}{whole}.0"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(assignments: &[&str]) -> Result<Grid, GridError> {
        let assignments: Vec<String> = assignments.iter().map(|&text| text.to_owned()).collect();
        Grid::parse(&assignments)
    }

    fn values(assignment: &str) -> Vec<String> {
        Axis::parse(assignment).unwrap().values
    }

    #[test]
    fn ranges_have_both_ends_and_no_rounding_errors() {
        assert_eq!(
            values("a=0.2..0.4:0.05"),
            ["0.2", "0.25", "0.3", "0.35", "0.4"]
        );
        assert_eq!(values("a=0..1.0:0.5"), ["0.0", "0.5", "1.0"]);
        assert_eq!(values("a=50..100:20"), ["50", "70", "90"]);
        assert_eq!(values("a=1..3"), ["1", "2", "3"]);
        assert_eq!(values("a=-1..1:1"), ["-1", "0", "1"]);
        assert_eq!(values("a=-0.5..0.5:0.5"), ["-0.5", "0.0", "0.5"]);
        assert_eq!(values("a=0.3..0.3:0.1"), ["0.3"]);
    }

    #[test]
    fn lists_are_parted_outside_of_brackets_and_quotes() {
        assert_eq!(values("model.name=a, b"), ["a", "b"]);
        assert_eq!(
            values("m=../a.onnx,/b/c..d.onnx"),
            ["../a.onnx", "/b/c..d.onnx"]
        );
        assert_eq!(
            values("c=[car, bus],[],\"x,y\""),
            ["[car, bus]", "[]", "\"x,y\""]
        );
        let regions = "input.regions=[0,0,1,1],[[0,0,0.6,1],[0.4,0,1,1]]";
        assert_eq!(values(regions), ["[0,0,1,1]", "[[0,0,0.6,1],[0.4,0,1,1]]"]);
    }

    #[test]
    fn what_is_no_grid_is_refused_by_what_is_wrong() {
        let refused = |assignments: &[&str]| grid(assignments).unwrap_err().to_string();
        for (assignment, problem) in [
            ("a", "no '='"),
            ("=1,2", "an empty key"),
            ("a=1,,2", "an empty key or value"),
            ("a=1,2,1", "1 twice"),
            ("a=0.1..0.5", "without a step"),
            ("a=0.1..x:0.1", "\"x\" in place of a number"),
            ("a=0.1..0.5:0", "not above 0"),
            ("a=0.5..0.1:0.1", "ends before it begins"),
            ("a=0..1:0.0001", "10001 values"),
        ] {
            let error = refused(&[assignment]);
            assert!(error.contains(problem), "{error}");
        }
        let score = "detector.score_threshold=0.1..0.9:0.1";
        assert!(refused(&[score, "detector.score_threshold=0.5"]).contains("given twice"));
        assert!(refused(&["runtime.workers=1,2"]).contains("cannot vary"));
        assert!(refused(&["detector.score_threshold=0.5"]).contains("no parameter varies"));
        let large = refused(&[
            "detector.score_threshold=0..1:0.01",
            "detector.nms_iou_threshold=0..1:0.1",
        ]);
        assert!(large.contains("1111 settings (101 x 11)"), "{large}");
    }

    #[test]
    fn the_last_parameter_varies_fastest_and_single_values_are_in_all() {
        let grid = grid(&[
            "model.name=a,b",
            "runtime.workers=1",
            "detector.max_detections=1..2",
        ])
        .unwrap();
        let settings = grid.settings();
        assert_eq!(settings.len(), 4);
        assert_eq!(
            settings[1],
            [
                "model.name=a",
                "runtime.workers=1",
                "detector.max_detections=2"
            ]
        );
        assert_eq!(grid.varying().count(), 2);
    }

    proptest! {
        #[test]
        fn a_range_is_what_it_says(from in -500_i64..500, step in 1_i64..50, count in 1_i64..200, scale in 0_usize..4) {
            let number = |digits: i64| Decimal { digits: digits.into(), decimals: scale }.to_string();
            let to = from + step * (count - 1);
            let text = format!("a={}..{}:{}", number(from), number(to), number(step));
            let values = values(&text);
            prop_assert_eq!(values.len() as i64, count);
            for (i, value) in (0..).zip(&values) {
                let expected = (from + i * step) as f64 / 10_f64.powi(scale as i32);
                prop_assert_eq!(value.parse::<f64>().unwrap(), expected);
            }
        }

        #[test]
        fn anything_is_taken_or_refused(text in ".{0,40}", more in "[-0-9.:,\\[\\]]{0,20}") {
            let _ = Grid::parse(&[text.clone(), format!("detector.x={more}")]);
            let _ = Grid::parse(&[format!("{text}={more}")]);
        }

        #[test]
        fn a_grid_is_the_product_of_its_axes(sizes in prop::collection::vec(1_usize..5, 1..4)) {
            let assignments: Vec<String> = sizes.iter().enumerate()
                .map(|(at, size)| format!("detector.{at}=1..{size}")).collect();
            let count: usize = sizes.iter().product();
            match Grid::parse(&assignments) {
                Ok(grid) => {
                    let mut settings = grid.settings();
                    prop_assert_eq!(settings.len(), count);
                    settings.sort();
                    settings.dedup();
                    prop_assert_eq!(settings.len(), count);
                }
                Err(error) => prop_assert!(count == 1, "{}", error),
            }
        }
    }
}
