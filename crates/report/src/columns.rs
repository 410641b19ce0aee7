//! Text for a terminal of 80 columns: names with their values, and the table of stages.

use std::fmt;

use super::format::{ms_column, printable};
use shuffledet_core::Quantiles;
use shuffledet_core::Stage;

pub const COLUMNS: usize = 80;
/// Where the values of a name begin.
pub const VALUE_COLUMN: usize = 12;
/// Leaves room for any count.
const LONGEST_LABEL: usize = 50;

pub const BOLD: &str = "1";
pub const RED: &str = "31";
pub const GREEN: &str = "32";
pub const YELLOW: &str = "33";

/// How text is emphasised.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With ANSI colours, or not at all.
    pub colour: bool,
}

impl Style {
    /// A name of at most 11 columns, and its value, wrapped. Control characters of the value are escaped.
    pub fn fact(self, f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
        self.coloured_fact(f, name, BOLD, value)
    }

    /// The same with the name in a colour.
    pub fn coloured_fact(
        self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        colour: &str,
        value: &str,
    ) -> fmt::Result {
        let mut name = self.paint(colour, &format!("{name:<VALUE_COLUMN$}"));
        for line in wrapped(&printable(value), COLUMNS - VALUE_COLUMN) {
            writeln!(f, "{}", format!("{name}{line}").trim_end())?;
            name = " ".repeat(VALUE_COLUMN);
        }
        Ok(())
    }

    /// A line for each stage, under a heading; nothing where there are none.
    pub fn stages<'a>(
        self,
        f: &mut fmt::Formatter<'_>,
        stages: impl IntoIterator<Item = (Stage, &'a Quantiles)>,
    ) -> fmt::Result {
        for (i, (stage, q)) in stages.into_iter().enumerate() {
            if i == 0 {
                let head = format!(
                    "{:<12}{:>11}{:>11}{:>11}{:>11}{:>11}",
                    "stage, ms", "min", "p50", "p90", "p99", "max"
                );
                writeln!(f, "\n{}", self.paint(BOLD, &head))?;
            }
            write!(f, "{:<12}", stage.name())?;
            for value in [q.min, q.p50, q.p90, q.p99, q.max] {
                write!(f, "{:>11}", ms_column(value))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    pub fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A label as long as its column may be; the summary's JSON has it whole.
pub fn shortened(label: &str) -> String {
    if label.chars().count() <= LONGEST_LABEL {
        return label.to_owned();
    }
    let start: String = label.chars().take(LONGEST_LABEL - 1).collect();
    start + "…"
}

/// Lines of at most `width` characters, broken at spaces, within a word where it is longer. At least one.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width {
        let space = rest[..=width].iter().rposition(|&c| c == ' ');
        // a space at the very start breaks nothing
        let end = space.filter(|&at| at > 0).unwrap_or(width);
        lines.push(rest[..end].iter().collect());
        let next = end + usize::from(rest[end] == ' ');
        rest.drain(..next);
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_every_word() {
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("ab cd ef", 5), ["ab cd", "ef"]);
        assert_eq!(wrapped("abcdefg", 3), ["abc", "def", "g"]);
    }
}
