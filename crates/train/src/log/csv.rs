//! The table of a run: a line for each logged step; AP in the lines of evaluations.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use shuffledet_core::whole_file;

use super::History;

/// Writes the whole table.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, history: &History) -> anyhow::Result<()> {
    whole_file::write(path, table(history)).with_context(|| path.display().to_string())
}

fn table(history: &History) -> String {
    let parts: Vec<&str> = history.rows.first().map_or(Vec::new(), |row| {
        row.parts.iter().map(|(name, _)| name.as_str()).collect()
    });
    let mut table = "step,epoch,learning_rate,loss".to_owned();
    for part in &parts {
        let _ = write!(table, ",{part}");
    }
    table += ",gradient,pictures_per_s,AP,AP50\n";
    let empty = ",".repeat(5 + parts.len());
    let mut evaluations = history.evaluations.iter().peekable();
    let mut evaluated_before = |step: u64, table: &mut String| {
        while let Some((at, summary)) = evaluations.next_if(|(at, _)| *at < step) {
            let _ = writeln!(table, "{at}{empty},{:.6},{:.6}", summary.ap, summary.ap50);
        }
    };
    for row in &history.rows {
        evaluated_before(row.step, &mut table);
        let _ = write!(
            table,
            "{},{:.4},{:e},{:.6}",
            row.step, row.epoch, row.learning_rate, row.loss
        );
        for (_, value) in &row.parts {
            let _ = write!(table, ",{value:.6}");
        }
        let _ = writeln!(table, ",{:.4},{:.2},,", row.gradient, row.pictures_per_s);
    }
    evaluated_before(u64::MAX, &mut table);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Row;
    use crate::measure::Summary;

    #[test]
    fn every_line_has_every_column() {
        let summary = Summary {
            ap: 0.25,
            ap50: 0.5,
            classes: Vec::new(),
        };
        let mut history = History::new(&summary);
        for step in [5, 10] {
            history.rows.push(Row {
                step,
                epoch: 0.5,
                learning_rate: 1e-4,
                loss: 2.0,
                parts: vec![("box".to_owned(), 1.0), ("class".to_owned(), 1.0)],
                gradient: 3.0,
                pictures_per_s: 10.0,
            });
        }
        history.evaluated(10, summary);
        let table = table(&history);
        let columns: Vec<usize> = table.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(columns, [10; 5]);
        assert!(table.ends_with("10,,,,,,,,0.250000,0.500000\n"), "{table}");
    }
}
