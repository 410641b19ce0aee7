//! An evaluation as a table of at most 80 columns for a terminal.

use std::fmt;

use super::columns::{BOLD, GREEN, RED, Style, YELLOW};
use super::format::{count, counted, figure, fraction, printable};
use super::{input_sizes, sum};
use shuffledet_eval::budget::Verdict;
use shuffledet_eval::{ClassAccuracy, DistanceBand, Evaluation, Figure};

const LONGEST_NAME: usize = 26;

/// Displays an evaluation for people. Text from outside is shown with its control characters escaped.
pub struct EvaluationTable<'a> {
    pub evaluation: &'a Evaluation,
    /// Whether to emphasise with ANSI colours.
    pub colour: bool,
}

impl fmt::Display for EvaluationTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts(f)?;
        self.figures(f)?;
        self.classes(f)?;
        self.distances(f)?;
        self.style().stages(
            f,
            self.evaluation
                .latency_ms
                .iter()
                .map(|(&stage, q)| (stage, q)),
        )?;
        self.problems(f)
    }
}

impl EvaluationTable<'_> {
    fn style(&self) -> Style {
        Style {
            colour: self.colour,
        }
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (style, evaluation) = (self.style(), self.evaluation);
        let subject = &evaluation.subject;
        let (dataset, settings) = (&subject.dataset, &subject.settings);
        let truth = format!("{} ({})", dataset.annotations, dataset.format);
        style.fact(f, "truth", &truth)?;
        let images = format!(
            "{} in {}",
            counted(dataset.image_count, "image"),
            dataset.images_in
        );
        style.fact(f, "images", &images)?;
        if let Some(shard) = subject.shard {
            style.fact(f, "shard", &shard.to_string())?;
        }
        let frames = &evaluation.frames;
        let balance = format!(
            "{} received = {} published + {} dropped + {} failed",
            count(frames.received),
            count(frames.published),
            count(sum(&frames.dropped)),
            count(sum(&frames.failed))
        );
        style.fact(f, "frames", &balance)?;
        for (reason, &n) in &frames.failed {
            style.coloured_fact(f, "  failed", RED, &format!("{} {reason}", count(n)))?;
        }
        let throughput = &evaluation.throughput;
        let rate = format!(
            "{} frames/s, {}, {} s",
            figure(throughput.fps),
            counted(throughput.workers as u64, "worker"),
            figure(throughput.wall_s)
        );
        style.fact(f, "rate", &rate)?;
        let sha256 = subject.model.short_sha256();
        style.fact(
            f,
            "model",
            &format!("{} (sha256 {sha256}…)", subject.model.name),
        )?;
        let kind = subject.model.kind();
        if !kind.is_empty() {
            style.fact(f, "  family", &kind)?;
        }
        if !evaluation.input_sizes.is_empty() {
            style.fact(f, "  input", &input_sizes(&evaluation.input_sizes))?;
        }
        style.fact(f, "provider", &subject.provider)?;
        style.fact(f, "counted", &settings.counted())
    }

    fn figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = &self.evaluation.accuracy.figures;
        let rows = ["precision", "recall"].into_iter();
        for (name, row) in rows.zip(Figure::ALL.chunks(Figure::ALL.len() / 2)) {
            let names: String = row.iter().map(|f| format!("{:>10}", f.name())).collect();
            let head = format!("{:<12}{names}", "average");
            writeln!(f, "\n{}", self.style().paint(BOLD, &head))?;
            let values = row.iter().map(|&figure| fraction(all[figure]));
            let values: String = values.map(|value| format!("{value:>10}")).collect();
            writeln!(f, "{name:<12}{values}")?;
        }
        Ok(())
    }

    fn classes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes = occurring(self.evaluation);
        let widths = classes.iter().map(|class| shown(class).chars().count());
        let width = widths.max().unwrap_or(0).max(12);
        let head = format!(
            "{:<width$}{:>10}{:>9}{:>9}{:>9}{:>11}",
            "class", "objects", "AP", "AP50", "best F1", "at score"
        );
        writeln!(f, "\n{}", self.style().paint(BOLD, &head))?;
        for class in classes {
            writeln!(
                f,
                "{:<width$}{:>10}{:>9}{:>9}{:>9}{:>11}",
                shown(class),
                count(class.instances as u64),
                fraction(class.figures[Figure::Ap]),
                fraction(class.figures[Figure::Ap50]),
                fraction(class.f1),
                fraction(class.best_threshold)
            )?;
        }
        Ok(())
    }

    fn distances(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(bands) = &self.evaluation.distance else {
            return Ok(());
        };
        let head = format!(
            "{:<16}{:>10}{:>9}{:>9}{:>11}{:>9}",
            "distance", "objects", "found", "wrong", "precision", "recall"
        );
        writeln!(f, "\n{}", self.style().paint(BOLD, &head))?;
        for band in bands {
            writeln!(
                f,
                "{:<16}{:>10}{:>9}{:>9}{:>11}{:>9}",
                band_name(band),
                count(band.objects),
                count(band.true_positives),
                count(band.false_positives),
                fraction(band.precision),
                fraction(band.recall)
            )?;
        }
        Ok(())
    }

    fn problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (problem, occurrences)) in self.evaluation.problems.iter().enumerate() {
            if i == 0 {
                writeln!(f)?;
            }
            let more = occurrences
                .count
                .saturating_sub(occurrences.first.len() as u64);
            let problem = problem.counted(occurrences.count);
            let mut line = format!("{problem}: {}", occurrences.first.join("; "));
            if more > 0 {
                line.push_str(&format!("; and {} more", count(more)));
            }
            self.style().coloured_fact(f, "problem", YELLOW, &line)?;
        }
        Ok(())
    }
}

/// The classes that have objects, the most first.
pub(super) fn occurring(evaluation: &Evaluation) -> Vec<&ClassAccuracy> {
    let classes = evaluation.accuracy.per_class.iter();
    let mut occurring: Vec<_> = classes.filter(|class| class.instances > 0).collect();
    occurring.sort_by(|a, b| b.instances.cmp(&a.instances).then(a.name.cmp(&b.name)));
    occurring
}

fn shown(class: &ClassAccuracy) -> String {
    let name = printable(&class.name);
    if name.chars().count() <= LONGEST_NAME {
        return name;
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

/// What became of a budget, those that do not hold last.
pub struct VerdictLines<'a> {
    pub verdicts: &'a [Verdict],
    pub colour: bool,
}

impl fmt::Display for VerdictLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = Style {
            colour: self.colour,
        };
        let head = format!(
            "{:<12}{:<36}{:>14}{:>14}",
            "budget", "condition", "value", "margin"
        );
        writeln!(f, "{}", style.paint(BOLD, &head))?;
        let (passed, failed): (Vec<_>, Vec<_>) = self.verdicts.iter().partition(|v| v.passed);
        for verdict in passed.into_iter().chain(failed) {
            let (name, colour) = if verdict.passed {
                ("holds", GREEN)
            } else {
                ("FAILS", RED)
            };
            let name = style.paint(colour, &format!("{name:<12}"));
            let condition = printable(&verdict.condition);
            let (value, margin) = verdict_texts(verdict);
            writeln!(f, "{name}{condition:<36}{value:>14}{margin:>14}")?;
        }
        Ok(())
    }
}

/// Value and margin.
pub(super) fn verdict_texts(verdict: &Verdict) -> (String, String) {
    let whole = |value: f64| value.fract() == 0.0 && value.abs() < 1e15;
    let value = match verdict.value {
        None => "undefined".to_owned(),
        Some(value) if whole(value) => format!("{value}"),
        Some(value) => format!("{value:.4}"),
    };
    let margin = match verdict.margin {
        None => String::new(),
        Some(margin) if whole(margin) => format!("{margin:+}"),
        Some(margin) => format!("{margin:+.4}"),
    };
    (value, margin)
}

/// `10 to 20 m`
pub(super) fn band_name(band: &DistanceBand) -> String {
    match (band.from_m, band.to_m) {
        (Some(from), Some(to)) => format!("{from} to {to} m"),
        (Some(from), None) => format!("over {from} m"),
        (None, _) => "no distance".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::COLUMNS;
    use shuffledet_eval::fixtures::evaluation;

    fn shown(evaluation: &Evaluation) -> String {
        let colour = false;
        EvaluationTable { evaluation, colour }.to_string()
    }

    #[test]
    fn the_table_reads_as_meant() {
        let expected = "\
truth       a.json (coco)
images      5 images in images
frames      5 received = 4 published + 0 dropped + 1 failed
  failed    1 image_missing
rate        1.00 frames/s, 2 workers, 4.00 s
model       m (sha256 00ff…)
provider    CPUExecutionProvider
counted     score > 0.001, at most 100 detections an image, NMS IoU 0.6, clipped

average             AP      AP50      AP75       APs       APm       APl
precision       1.0000    1.0000    1.0000         –    1.0000         –

average            AR1      AR10     AR100       ARs       ARm       ARl
recall          1.0000    1.0000    1.0000         –    1.0000         –

class          objects       AP     AP50  best F1   at score
class 1              4   1.0000   1.0000   1.0000     ";
        let table = shown(&evaluation());
        assert!(table.starts_with(expected), "{table}");
        let problem = "problem     1 image not found: 2.jpg: image_missing: 2.jpg: gone\n";
        assert!(table.contains(problem), "{table}");
    }

    #[test]
    fn long_text_stays_within_80_columns_and_steers_no_terminal() {
        let mut evaluation = evaluation();
        let long = "word\x1b[2J ".repeat(30) + &"x".repeat(300);
        evaluation.accuracy.per_class[0].name = long.clone();
        evaluation.subject.dataset.annotations = long.clone();
        evaluation.subject.provider = long.clone();
        evaluation.images[2].failure = Some(long.into());
        let table = shown(&evaluation);
        assert!(!table.contains('\x1b'));
        for line in table.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn what_does_not_hold_comes_last() {
        let verdict = |condition: &str, value: Option<f64>, margin: Option<f64>, passed| Verdict {
            condition: condition.to_owned(),
            value,
            margin,
            passed,
        };
        let verdicts = [
            verdict("map >= 0.5", Some(0.25), Some(-0.25), false),
            verdict("failed == 0", Some(0.0), Some(0.0), true),
            verdict("class.a.ap > 0", None, None, false),
        ];
        let lines = VerdictLines {
            verdicts: &verdicts,
            colour: false,
        };
        let lines = lines.to_string();
        let names: Vec<_> = lines
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .collect();
        assert_eq!(names[1], ["holds", "failed", "==", "0", "0", "+0"]);
        assert_eq!(names[2], ["FAILS", "map", ">=", "0.5", "0.2500", "-0.2500"]);
        assert_eq!(names[3], ["FAILS", "class.a.ap", ">", "0", "undefined"]);
    }
}
