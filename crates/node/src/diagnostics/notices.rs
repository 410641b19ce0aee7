//! Selects the problems to log: each once when it starts, and again when it becomes worse.

use std::collections::BTreeMap;

use shuffledet_msg::Level;

/// The problems of one camera that are already logged.
#[derive(Debug, Default)]
pub struct Told(BTreeMap<&'static str, Problem>);

#[derive(Debug, Clone, Copy)]
struct Problem {
    level: Level,
    /// Number of consecutive reports without it.
    absent: u32,
}

/// A recurring problem is logged again after this many reports without it.
const FORGOTTEN_AFTER: u32 = 10;

impl Told {
    /// Takes the problems of the next report by name and returns those to log.
    pub fn news(&mut self, problems: Vec<(&'static str, Level, String)>) -> Vec<(Level, String)> {
        for known in self.0.values_mut() {
            known.absent += 1;
        }
        let mut news = Vec::new();
        for (name, level, text) in problems {
            let known = self.0.get(name).map(|known| known.level);
            if known.is_none_or(|known| known < level) {
                news.push((level, text));
            }
            let level = known.map_or(level, |known| known.max(level));
            self.0.insert(name, Problem { level, absent: 0 });
        }
        self.0.retain(|_, known| known.absent < FORGOTTEN_AFTER);
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_when_it_begins_and_when_it_becomes_worse() {
        let mut told = Told::default();
        let mut levels = |level: Option<Level>| {
            let problems = level.map(|level| ("clock", level, "off".to_owned()));
            let news = told.news(problems.into_iter().collect());
            news.into_iter().map(|(level, _)| level).collect::<Vec<_>>()
        };
        assert_eq!(levels(Some(Level::Warn)), [Level::Warn]);
        assert_eq!(levels(Some(Level::Warn)), []);
        assert_eq!(levels(Some(Level::Error)), [Level::Error]);
        for level in [Some(Level::Warn), None, Some(Level::Error)] {
            assert_eq!(levels(level), []);
        }
        for _ in 0..FORGOTTEN_AFTER {
            assert_eq!(levels(None), []);
        }
        assert_eq!(levels(Some(Level::Warn)), [Level::Warn]);
    }
}
