//! A confusion matrix as a page shows it.

use std::cmp::Reverse;

use serde::Serialize;

use super::format::count;
use shuffledet_eval::Confusion;

/// Classes with a row and a column of their own in the confusion matrix.
const CONFUSED_SHOWN: usize = 20;

/// A confusion matrix of the classes that are in it, the rest folded into one.
#[derive(Serialize)]
pub struct Matrix {
    labels: Vec<String>,
    rows: Vec<MatrixRow>,
    score_threshold: String,
    iou: String,
}

#[derive(Serialize)]
struct MatrixRow {
    label: String,
    cells: Vec<MatrixCell>,
}

#[derive(Serialize)]
struct MatrixCell {
    count: String,
    /// Of the row, in percent.
    share: u32,
    hit: bool,
    title: String,
}

impl Matrix {
    pub fn of(confusion: &Confusion) -> Self {
        let (labels, counts) = folded(confusion);
        let background = labels.len() - 1;
        let rows = labels
            .iter()
            .zip(&counts)
            .enumerate()
            .map(|(row, (label, counts))| {
                let all: u64 = counts.iter().sum();
                let cells = counts
                    .iter()
                    .zip(&labels)
                    .enumerate()
                    .map(|(column, (&n, found))| MatrixCell {
                        count: if n == 0 { String::new() } else { count(n) },
                        share: (100 * n / all.max(1)) as u32,
                        hit: row == column,
                        title: match (row == background, column == background) {
                            (true, _) => {
                                format!("{} detected as {found} without an object", count(n))
                            }
                            (false, true) => {
                                format!("{} of {} {label} not found", count(n), count(all))
                            }
                            _ => format!(
                                "{} of {} {label} detected as {found}",
                                count(n),
                                count(all)
                            ),
                        },
                    });
                MatrixRow {
                    label: label.clone(),
                    cells: cells.collect(),
                }
            });
        Matrix {
            rows: rows.collect(),
            labels,
            score_threshold: confusion.score_threshold.to_string(),
            iou: confusion.iou.to_string(),
        }
    }
}

/// The classes with the most in their rows and columns; the others together; the background.
fn folded(confusion: &Confusion) -> (Vec<String>, Vec<Vec<u64>>) {
    let background = confusion.counts.len().saturating_sub(1);
    let weight = |class: usize| {
        let row: u64 = confusion.counts[class].iter().sum();
        let column: u64 = confusion.counts.iter().map(|row| row[class]).sum();
        row + column
    };
    let mut classes: Vec<usize> = (0..background).filter(|&class| weight(class) > 0).collect();
    classes.sort_by_key(|&class| Reverse(weight(class)));
    let folds = classes.len() > CONFUSED_SHOWN + 1;
    classes.truncate(if folds { CONFUSED_SHOWN } else { classes.len() });
    let size = classes.len() + usize::from(folds) + 1;
    let place = |class: usize| match classes.iter().position(|&shown| shown == class) {
        Some(at) => at,
        None if class == background => size - 1,
        // one of the others; where there are none, it has nothing to add
        None => size.saturating_sub(2),
    };
    let mut counts = vec![vec![0; size]; size];
    for (row, line) in confusion.counts.iter().enumerate() {
        for (column, n) in line.iter().enumerate().filter(|(_, n)| **n > 0) {
            counts[place(row)][place(column)] += n;
        }
    }
    let mut labels: Vec<String> = classes
        .iter()
        .map(|&class| confusion.labels[class].clone())
        .collect();
    labels.extend(folds.then(|| "others".to_owned()));
    labels.push("background".to_owned());
    (labels, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `classes` classes, each found as the next once, more often right the later it comes.
    fn confusion(classes: usize) -> Confusion {
        let names = (0..classes).map(|class| format!("class {class}"));
        let mut counts = vec![vec![0; classes + 1]; classes + 1];
        for class in 0..classes {
            counts[class][class] = class as u64;
            counts[class][class + 1] = 1;
        }
        Confusion {
            score_threshold: 0.25,
            iou: 0.5,
            labels: names.chain(["background".to_owned()]).collect(),
            counts,
        }
    }

    fn total(counts: &[Vec<u64>]) -> u64 {
        counts.iter().flatten().sum()
    }

    #[test]
    fn rare_classes_are_folded_and_none_is_lost() {
        for classes in [0, 1, 5, CONFUSED_SHOWN + 1, CONFUSED_SHOWN + 2, 80] {
            let confusion = confusion(classes);
            let (labels, counts) = folded(&confusion);
            assert_eq!(total(&counts), total(&confusion.counts), "{classes}");
            assert_eq!(labels.len(), counts.len());
            assert_eq!(labels.last().unwrap(), "background");
            assert!(labels.len() <= CONFUSED_SHOWN + 2, "{classes}");
            let others = labels.iter().any(|label| label == "others");
            assert_eq!(others, classes > CONFUSED_SHOWN + 1, "{classes}");
        }
    }

    #[test]
    fn cells_say_what_they_count() {
        let matrix = Matrix::of(&confusion(2));
        let titles: Vec<&str> = matrix
            .rows
            .iter()
            .flat_map(|row| &row.cells)
            .map(|cell| cell.title.as_str())
            .collect();
        assert_eq!(
            titles[..2],
            [
                "1 of 2 class 1 detected as class 1",
                "0 of 2 class 1 detected as class 0"
            ]
        );
        assert_eq!(titles[2], "1 of 2 class 1 not found");
        assert_eq!(titles[6], "0 detected as class 1 without an object");
        assert_eq!(matrix.rows[0].cells[0].share, 50);
    }
}
