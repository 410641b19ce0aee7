//! A sweep as a table for a terminal.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::columns::{BOLD, GREEN, RED, Style};
use super::format::{count, counted, figure, fraction, printable};
use shuffledet_eval::sweep::{SettingOutcome, SweepOutcome};

/// Settings that are told; the JSON has all.
const SHOWN: usize = 20;

/// Displays a sweep for people: the settings that no other beats, then the others, the best first.
pub struct SweepTable<'a> {
    pub outcome: &'a SweepOutcome,
    /// Whether to emphasise with ANSI colours.
    pub colour: bool,
}

impl fmt::Display for SweepTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (outcome, style) = (
            self.outcome,
            Style {
                colour: self.colour,
            },
        );
        style.fact(f, "truth", &outcome.annotations)?;
        let images = counted(outcome.images as u64, "image");
        style.fact(f, "images", &format!("{images} in {}", outcome.images_in))?;
        if outcome.failed > 0 {
            style.coloured_fact(f, "  failed", RED, &count(outcome.failed as u64))?;
        }
        let measured = counted(outcome.measured as u64, "image");
        style.fact(f, "latency", &format!("median over {measured}, one thread"))?;
        let head = format!(
            "{:<2}{:>8}{:>8}{:>8}{:>8}{:>8}{:>9}{:>8}  setting",
            "", "F1", "prec.", "recall", "AP", "AP50", "found", "ms"
        );
        writeln!(f, "\n{}", style.paint(BOLD, &head))?;
        let order = order(outcome);
        for &at in order.iter().take(SHOWN) {
            let line = row(&outcome.settings[at], Some(at) == outcome.best);
            let line = if Some(at) == outcome.best {
                style.paint(GREEN, &line)
            } else {
                line
            };
            writeln!(f, "{line}")?;
        }
        if order.len() > SHOWN {
            let more = counted((order.len() - SHOWN) as u64, "setting");
            writeln!(f, "… and {more} more, which others beat")?;
        }
        writeln!(
            f,
            "* best  | no other beats it in {} and latency",
            outcome.objective.name()
        )?;
        self.best(f, style)
    }
}

impl SweepTable<'_> {
    fn best(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result {
        let outcome = self.outcome;
        writeln!(f)?;
        match (
            outcome.best.map(|best| &outcome.settings[best]),
            outcome.max_latency_ms,
        ) {
            (Some(best), _) => style.coloured_fact(f, "best", GREEN, &parameters(best)),
            (None, limit) => {
                let limit = limit.map_or(String::new(), |ms| format!(" within {ms} ms"));
                let times = outcome
                    .settings
                    .iter()
                    .filter_map(|s| Some(s.latency_ms?.p50));
                let fastest = times.min_by(f64::total_cmp);
                let fastest = fastest.map_or("nothing was measured".to_owned(), |ms| {
                    format!("the fastest takes {} ms", figure(ms))
                });
                style.coloured_fact(f, "best", RED, &format!("no setting is{limit}; {fastest}"))
            }
        }
    }
}

/// Those on the front first, each part with the best first.
pub(super) fn order(outcome: &SweepOutcome) -> Vec<usize> {
    let mut order: Vec<usize> = (0..outcome.settings.len()).collect();
    order.sort_by(|&p, &q| {
        let (p, q) = (&outcome.settings[p], &outcome.settings[q]);
        let value = |setting: &SettingOutcome| setting.value(outcome.objective);
        let by_value = value(q).partial_cmp(&value(p));
        // values are never NaN
        q.pareto
            .cmp(&p.pareto)
            .then(by_value.unwrap_or(Ordering::Equal))
    });
    order
}

fn row(setting: &SettingOutcome, best: bool) -> String {
    let mark = match (best, setting.pareto) {
        (true, _) => "*",
        (false, true) => "|",
        (false, false) => "",
    };
    let SettingOutcome {
        f1,
        precision,
        recall,
        ap,
        ap50,
        ..
    } = setting;
    let cells = [f1, precision, recall, ap, ap50].map(|&value| format!("{:>8}", fraction(value)));
    let found = count(setting.detections as u64);
    let ms = setting
        .latency_ms
        .map_or("–".to_owned(), |ms| figure(ms.p50));
    format!(
        "{mark:<2}{}{found:>9}{ms:>8}  {}",
        cells.concat(),
        parameters(setting)
    )
}

/// `score_threshold=0.4 name=a`; the sections' names are left out.
pub(super) fn parameters(setting: &SettingOutcome) -> String {
    let told = setting.parameters.iter().map(|(key, value)| {
        let key = key.rsplit('.').next().unwrap_or(key);
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        printable(&format!("{key}={value}"))
    });
    told.collect::<Vec<_>>().join(" ")
}
