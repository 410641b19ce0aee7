//! The report of `doctor` and its checks.

use std::io::{self, Write};

use serde::Serialize;

use shuffledet_core::ProviderStatus;

/// The severity of a check's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Ok,
    Warn,
    Fail,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub name: String,
    pub level: Level,
    pub found: String,
    /// How to fix the problem; `None` if there is none.
    pub fix: Option<String>,
}

impl Check {
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            level: Level::Ok,
            found: found.into(),
            fix: None,
        }
    }

    pub fn warn(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            fix: Some(fix.into()),
            ..Self::ok(name, found)
        }
    }

    pub fn fail(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(name, found, fix)
        }
    }
}

/// The object that `--json` prints.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub checks: Vec<Check>,
    /// Every provider, whether or not it is configured.
    pub providers: Vec<ProviderStatus>,
}

impl Report {
    pub fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    pub fn worst(&self) -> Level {
        let levels = self.checks.iter().map(|check| check.level);
        levels.max().unwrap_or(Level::Ok)
    }

    pub fn print(&self, out: &mut impl Write, colour: bool) -> io::Result<()> {
        let names = self.checks.iter().map(|check| check.name.len());
        let width = names.max().unwrap_or_default();
        for check in &self.checks {
            let (level, escape) = match check.level {
                Level::Ok => ("OK", "32"),
                Level::Warn => ("WARN", "33"),
                Level::Fail => ("FAIL", "31"),
            };
            let level = format!("{level:<4}");
            if colour {
                write!(out, "\x1b[{escape}m{level}\x1b[0m")?;
            } else {
                write!(out, "{level}")?;
            }
            writeln!(out, "  {:<width$}  {}", check.name, check.found)?;
            if let Some(fix) = &check.fix {
                writeln!(out, "      {:<width$}  -> {fix}", "")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_level_and_its_fix() {
        let mut report = Report::default();
        report.add(Check::ok("clock source", "tsc"));
        assert_eq!(report.worst(), Level::Ok);
        report.add(Check::fail("model", "wrong", "fetch it"));
        report.add(Check::warn("CPU governor", "powersave", "set it"));
        assert_eq!(report.worst(), Level::Fail);
        let mut out = Vec::new();
        report.print(&mut out, false).unwrap();
        let expected = "\
OK    clock source  tsc
FAIL  model         wrong
                    -> fetch it
WARN  CPU governor  powersave
                    -> set it
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
