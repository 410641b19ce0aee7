//! An evaluation of tracks as a table of at most 80 columns for a terminal.

use std::fmt;

use super::columns::{BOLD, Style, YELLOW};
use super::format::{count, counted, printable};
use shuffledet_eval::tracks::{TrackEvaluation, TrackFigure, TrackFigures};

/// Sequences shown: the worst by HOTA.
const SEQUENCES_SHOWN: usize = 12;
const LONGEST_NAME: usize = 18;
/// Figures that a row of 80 columns has room for.
const COLUMNS_SHOWN: [TrackFigure; 8] = {
    use TrackFigure::*;
    [Hota, DetA, AssA, Mota, Motp, Idf1, Switches, Fragments]
};
/// The other figures, of all classes together.
const DETAILS: [[TrackFigure; 7]; 2] = {
    use TrackFigure::*;
    [
        [LocA, DetRe, DetPr, AssRe, AssPr, Idp, Idr],
        [
            Missed,
            False,
            MostlyTracked,
            PartlyTracked,
            MostlyLost,
            Switches,
            Fragments,
        ],
    ]
};

/// Displays an evaluation of tracks for people. Text from outside is shown with its control characters escaped.
pub struct TracksTable<'a> {
    pub evaluation: &'a TrackEvaluation,
    /// Whether to emphasise with ANSI colours.
    pub colour: bool,
}

impl fmt::Display for TracksTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = Style {
            colour: self.colour,
        };
        let evaluation = self.evaluation;
        let dataset = &evaluation.dataset;
        let rules = format!(
            "{} ({}, {} protocol)",
            dataset.truth, dataset.format, dataset.protocol
        );
        style.fact(f, "truth", &rules)?;
        style.fact(f, "tracks", &dataset.tracks)?;
        let sequences = counted(evaluation.sequences.len() as u64, "sequence");
        let frames = counted(evaluation.frames(), "frame");
        style.fact(f, "evaluated", &format!("{sequences}, {frames}"))?;
        for note in &evaluation.notes {
            style.coloured_fact(f, "note", YELLOW, note)?;
        }
        head(f, style, "class")?;
        for class in &evaluation.per_class {
            row(f, &class.name, &class.figures)?;
        }
        row(f, "class average", &evaluation.class_average)?;
        row(f, "all boxes", &evaluation.combined)?;
        for details in DETAILS {
            let names: String = details
                .iter()
                .map(|figure| format!("{figure:>9}"))
                .collect();
            writeln!(
                f,
                "\n{}",
                style.paint(BOLD, &format!("{:<12}{names}", "all boxes"))
            )?;
            let values = details
                .iter()
                .map(|&figure| value(figure, evaluation.combined[figure]));
            let values: String = values.map(|value| format!("{value:>9}")).collect();
            writeln!(f, "{:<12}{values}", "")?;
        }
        if evaluation.sequences.len() > 1 {
            head(f, style, "sequence")?;
            let sequences = worst_first(evaluation);
            for (name, figures) in sequences.iter().take(SEQUENCES_SHOWN) {
                row(f, name, figures)?;
            }
            let more = sequences.len().saturating_sub(SEQUENCES_SHOWN) as u64;
            if more > 0 {
                style.fact(
                    f,
                    "",
                    &format!("… and {} with a higher HOTA", counted(more, "sequence")),
                )?;
            }
        }
        Ok(())
    }
}

fn head(f: &mut fmt::Formatter<'_>, style: Style, what: &str) -> fmt::Result {
    let names: String = COLUMNS_SHOWN
        .iter()
        .map(|figure| format!("{figure:>7}"))
        .collect();
    writeln!(
        f,
        "\n{}",
        style.paint(BOLD, &format!("{what:<LONGEST_NAME$}{names}"))
    )
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, figures: &TrackFigures) -> fmt::Result {
    let name: String = printable(name).chars().take(LONGEST_NAME - 1).collect();
    let values = COLUMNS_SHOWN.map(|figure| match figure.is_count() {
        true => count(figures[figure] as u64),
        false => format!("{:.3}", figures[figure]),
    });
    let values: String = values.iter().map(|value| format!("{value:>7}")).collect();
    writeln!(f, "{name:<LONGEST_NAME$}{values}")
}

/// A share with four decimals, or a count.
pub(super) fn value(figure: TrackFigure, value: f64) -> String {
    if figure.is_count() {
        // counts are whole and not negative
        count(value as u64)
    } else {
        format!("{value:.4}")
    }
}

/// The sequences with their figures, the lowest HOTA first.
pub(super) fn worst_first(evaluation: &TrackEvaluation) -> Vec<(&str, TrackFigures)> {
    let sequences = evaluation.sequences.iter();
    let mut sequences: Vec<_> = sequences
        .map(|sequence| (sequence.name.as_str(), sequence.figures()))
        .collect();
    sequences.sort_by(|(_, a), (_, b)| a[TrackFigure::Hota].total_cmp(&b[TrackFigure::Hota]));
    sequences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::COLUMNS;
    use shuffledet_eval::fixtures::track_evaluation;

    #[test]
    fn the_table_fits_80_columns() {
        let mut evaluation = track_evaluation(12, 0);
        let long = "a long name\x1b[31m ".repeat(12);
        evaluation.dataset.truth.push_str(&long);
        evaluation.notes.push(long.clone());
        evaluation.per_class[0].name = long.clone();
        evaluation.sequences[0].name = long;
        let text = TracksTable {
            evaluation: &evaluation,
            colour: false,
        }
        .to_string();
        for line in text.lines() {
            assert!(
                line.chars().count() <= COLUMNS && !line.contains('\x1b'),
                "{line}"
            );
        }
        assert!(
            text.contains("all boxes") && text.contains("IDSW"),
            "{text}"
        );
        let head = "class                HOTA   DetA   AssA   MOTA   MOTP   IDF1   IDSW   Frag\n";
        assert!(text.contains(head), "{text}");
    }
}
