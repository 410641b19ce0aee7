//! Two evaluations side by side, as a table of at most 80 columns for a terminal.

use std::fmt;

use super::columns::{BOLD, GREEN, RED, Style, YELLOW};
use super::format::{count, counted, fraction, printable};
use shuffledet_eval::compare::{Change, ChangeKind, ChangedImage, LatencyRow, Run, Verdict};
use shuffledet_eval::{Comparison, DifferenceInterval, Interval};

/// Images whose changes are told.
const IMAGES_SHOWN: usize = 8;
/// Of such an image.
const CHANGES_SHOWN: usize = 4;
const LONGEST_NAME: usize = 16;

/// Displays a comparison for people. Text from outside is shown with its control characters escaped.
pub struct ComparisonTable<'a> {
    pub comparison: &'a Comparison,
    /// Whether to emphasise with ANSI colours.
    pub colour: bool,
}

impl fmt::Display for ComparisonTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts(f)?;
        self.accuracy(f)?;
        self.latency(f)?;
        self.changes(f)?;
        self.outcome(f)
    }
}

impl ComparisonTable<'_> {
    fn style(&self) -> Style {
        Style {
            colour: self.colour,
        }
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (style, comparison) = (self.style(), self.comparison);
        style.fact(f, "A", &run(&comparison.a))?;
        style.fact(f, "B", &run(&comparison.b))?;
        let both = counted(comparison.images.both as u64, "image");
        style.fact(f, "compared", &format!("{both} in common"))?;
        for (i, difference) in comparison.differences.iter().enumerate() {
            let [a, b] = difference.values();
            let name = if i == 0 { "differs" } else { "" };
            style.fact(f, name, &format!("{}: A {a}, B {b}", difference.key))?;
        }
        for note in &comparison.notes {
            style.coloured_fact(f, "note", YELLOW, note)?;
        }
        Ok(())
    }

    fn accuracy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, self.style(), "accuracy")?;
        for row in &self.comparison.figures {
            self.interval(f, &row.name, &row.interval, row.verdict)?;
        }
        let classes = &self.comparison.per_class;
        let having =
            |verdict: Verdict| classes.iter().filter(move |class| class.verdict == verdict);
        for class in having(Verdict::Worse).chain(having(Verdict::Better)) {
            self.interval(f, &class.name, &class.ap, class.verdict)?;
        }
        for verdict in [Verdict::NoDifference, Verdict::TooFewImages] {
            let count = having(verdict).count();
            if count > 0 {
                let text = verdict.text();
                writeln!(f, "AP of {}: {text}", plural(count, "class"))?;
            }
        }
        let failures = self.comparison.failures;
        if failures.a + failures.b > 0 {
            let line = format!(
                "{:<LONGEST_NAME$}{:>8}{:>8}",
                "failed images", failures.a, failures.b
            );
            writeln!(f, "{line}{:31}{}", "", self.verdict(failures.verdict))?;
        }
        Ok(())
    }

    fn interval(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        interval: &Interval,
        verdict: Verdict,
    ) -> fmt::Result {
        interval_row(f, self.style(), name, interval, verdict)
    }

    fn verdict(&self, verdict: Verdict) -> String {
        verdict_text(self.style(), verdict)
    }

    fn latency(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!(
            "{:<11}{:>9}{:>9}{:>9}{:>9}{:>7}{:>9}",
            "latency, ms", "A p50", "B p50", "A p99", "B p99", "B/A", "p"
        );
        writeln!(f, "\n{}", self.style().paint(BOLD, &head))?;
        for row in &self.comparison.latency {
            let LatencyRow {
                test, p99_a, p99_b, ..
            } = row;
            let ratio = test
                .ratio
                .map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
            let (name, verdict) = (row.stage.name(), self.verdict(row.verdict));
            let (a, b, p) = (test.median_a, test.median_b, test.p_value);
            let line = format!(
                "{name:<11}{a:>9.3}{b:>9.3}{p99_a:>9.3}{p99_b:>9.3}{ratio:>7}{p:>9.1e}  {verdict}"
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = &self.comparison.changes;
        let n = |count: usize| self::count(count as u64);
        let head = format!("detections above {}", changes.score_threshold);
        writeln!(f, "\n{}", self.style().paint(BOLD, &head))?;
        let rows = [
            ("unchanged", changes.unchanged, None),
            ("moved", changes.moved, None),
            ("appeared", changes.appeared, Some(changes.appeared_right)),
            ("vanished", changes.vanished, Some(changes.vanished_right)),
        ];
        for (name, all, right) in rows {
            let right = right.map_or(String::new(), |right| {
                format!("  {} of them correct", n(right))
            });
            writeln!(f, "{name:<LONGEST_NAME$}{:>8}{right}", n(all))?;
        }
        for image in changes.images.iter().take(IMAGES_SHOWN) {
            self.style().fact(f, "", &image_line(image))?;
        }
        let more = changes.images.len().saturating_sub(IMAGES_SHOWN);
        if more > 0 {
            let line = format!("… and {} more", counted(more as u64, "image"));
            self.style().fact(f, "", &line)?;
        }
        Ok(())
    }

    fn outcome(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let worse = self.comparison.regressions();
        if worse.is_empty() {
            let line = self.style().paint(GREEN, "no regression shown");
            return writeln!(f, "{line}");
        }
        for line in worse {
            self.style().coloured_fact(f, "worse", RED, &line)?;
        }
        Ok(())
    }
}

/// The line above [`interval_row`]s.
pub(super) fn heading(f: &mut fmt::Formatter<'_>, style: Style, what: &str) -> fmt::Result {
    let head = format!(
        "{what:<LONGEST_NAME$}{:>8}{:>8}{:>9}   interval",
        "A", "B", "B - A"
    );
    writeln!(f, "\n{}", style.paint(BOLD, &head))
}

/// A figure of both runs, the interval of its difference, and what that shows.
pub(super) fn interval_row(
    f: &mut fmt::Formatter<'_>,
    style: Style,
    name: &str,
    interval: &Interval,
    verdict: Verdict,
) -> fmt::Result {
    let name: String = printable(name).chars().take(LONGEST_NAME - 1).collect();
    let (a, b) = (fraction(interval.a), fraction(interval.b));
    write!(f, "{name:<LONGEST_NAME$}{a:>8}{b:>8}")?;
    let Some(DifferenceInterval { value, low, high }) = interval.difference else {
        return writeln!(f, "{:>9}", "–");
    };
    let verdict = verdict_text(style, verdict);
    writeln!(f, "{value:>+9.4}   {low:+.4} to {high:+.4}  {verdict}")
}

fn verdict_text(style: Style, verdict: Verdict) -> String {
    match verdict {
        Verdict::Better => style.paint(GREEN, verdict.text()),
        Verdict::Worse => style.paint(RED, verdict.text()),
        Verdict::NoDifference | Verdict::TooFewImages => verdict.text().to_owned(),
        Verdict::NotJudged => String::new(),
    }
}

fn run(run: &Run) -> String {
    let sha256: String = run.model.short_sha256();
    let images = counted(run.images as u64, "image");
    format!(
        "{}: {} (sha256 {sha256}…), {images}",
        run.file, run.model.name
    )
}

fn plural(n: usize, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "es" };
    format!("{} {noun}{ending}", count(n as u64))
}

fn image_line(image: &ChangedImage) -> String {
    let told: Vec<String> = image
        .changes
        .iter()
        .take(CHANGES_SHOWN)
        .map(change_text)
        .collect();
    let more = image.changes.len().saturating_sub(CHANGES_SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}: {}{more}", image.source.title(), told.join(", "))
}

/// `person 0.61 appeared`
pub(super) fn change_text(change: &Change) -> String {
    let class = &change.class;
    match (change.kind, change.a, change.b) {
        (ChangeKind::Moved, Some(a), Some(b)) => {
            format!("{class} {:.2} moved, now {:.2}", a.score, b.score)
        }
        (kind, a, b) => {
            let score = a.or(b).map_or(0.0, |side| side.score);
            let verb = if kind == ChangeKind::Vanished {
                "vanished"
            } else {
                "appeared"
            };
            format!("{class} {score:.2} {verb}")
        }
    }
}
