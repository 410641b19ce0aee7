//! Optimal one-to-one assignment in which rows and columns may stay free.
//!
//! Shortest augmenting paths with dual variables: R. Jonker and A. Volgenant, "A shortest augmenting
//! path algorithm for dense and sparse linear assignment problems", Computing 38 (1987); the form for
//! rectangular matrices of D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE
//! Transactions on Aerospace and Electronic Systems 52 (2016).

/// A solver that keeps its buffers.
#[derive(Debug, Clone, Default)]
pub struct Assignment {
    /// The column of each row.
    column_of: Vec<Option<usize>>,
    /// The row of each column.
    row_of: Vec<Option<usize>>,
    row_dual: Vec<f64>,
    column_dual: Vec<f64>,
    /// By column: the length of the shortest path to it, and the last row of that path.
    shortest: Vec<f64>,
    last_row: Vec<usize>,
    rows_done: Vec<usize>,
    columns_done: Vec<usize>,
    columns_left: Vec<usize>,
}

/// Where a shortest path ends.
enum End {
    /// At a free column.
    Column(usize),
    /// At a row that becomes free.
    Row(usize),
}

impl Assignment {
    /// Finds the column of each row, so that the sum over the pairs of `limit - cost` is largest.
    /// `cost` has `rows` by `columns` values, row after row. A pair that costs `limit` or more, or
    /// not a number, stays apart. Equal inputs give equal results.
    ///
    /// # Panics
    /// If `cost` has another length.
    pub fn solve(&mut self, rows: usize, columns: usize, cost: &[f64], limit: f64) {
        assert_eq!(
            cost.len(),
            rows * columns,
            "costs of {rows} rows and {columns} columns"
        );
        clear_to(&mut self.column_of, rows, None);
        clear_to(&mut self.row_of, columns, None);
        clear_to(&mut self.row_dual, rows, 0.0);
        clear_to(&mut self.column_dual, columns, 0.0);
        clear_to(&mut self.shortest, columns, f64::INFINITY);
        clear_to(&mut self.last_row, columns, 0);
        for row in 0..rows {
            let (end, length) = self.shortest_path(row, columns, cost, limit);
            self.update_duals(row, length);
            self.augment(row, end);
        }
    }

    /// Returns the column of each row of the latest problem.
    pub fn columns(&self) -> &[Option<usize>] {
        &self.column_of
    }

    /// Finds the shortest path from a free row to a free column, or to a row that may become free
    /// at the cost `limit`.
    fn shortest_path(
        &mut self,
        from: usize,
        columns: usize,
        cost: &[f64],
        limit: f64,
    ) -> (End, f64) {
        self.shortest.fill(f64::INFINITY);
        self.rows_done.clear();
        self.columns_done.clear();
        self.columns_left.clear();
        self.columns_left.extend(0..columns);
        let (mut row, mut length) = (from, 0.0);
        let (mut free_row, mut free_length) = (from, f64::INFINITY);
        loop {
            self.rows_done.push(row);
            let offset = length - self.row_dual[row];
            if offset + limit < free_length {
                (free_row, free_length) = (row, offset + limit);
            }
            let (mut nearest, mut nearest_length) = (None, f64::INFINITY);
            let costs = &cost[row * columns..(row + 1) * columns];
            for (place, &column) in self.columns_left.iter().enumerate() {
                let to = costs[column];
                let through = offset + to - self.column_dual[column];
                if to < limit && through < self.shortest[column] {
                    self.shortest[column] = through;
                    self.last_row[column] = row;
                }
                if self.shortest[column] < nearest_length {
                    (nearest, nearest_length) = (Some(place), self.shortest[column]);
                }
            }
            let Some(place) = nearest.filter(|_| nearest_length < free_length) else {
                return (End::Row(free_row), free_length);
            };
            let column = self.columns_left.remove(place);
            self.columns_done.push(column);
            length = nearest_length;
            match self.row_of[column] {
                None => return (End::Column(column), length),
                Some(next) => row = next,
            }
        }
    }

    fn update_duals(&mut self, from: usize, length: f64) {
        for &row in &self.rows_done {
            let before = self.column_of[row].map_or(0.0, |column| self.shortest[column]);
            self.row_dual[row] += length - if row == from { 0.0 } else { before };
        }
        for &column in &self.columns_done {
            self.column_dual[column] -= length - self.shortest[column];
        }
    }

    fn augment(&mut self, from: usize, end: End) {
        let mut column = match end {
            End::Column(column) => column,
            End::Row(row) => match self.column_of[row].take() {
                Some(column) => column,
                // the row itself stays free
                None => return,
            },
        };
        loop {
            let row = self.last_row[column];
            self.row_of[column] = Some(row);
            match self.column_of[row].replace(column) {
                Some(previous) if row != from => column = previous,
                _ => return,
            }
        }
    }
}

fn clear_to<T: Copy>(values: &mut Vec<T>, length: usize, value: T) {
    values.clear();
    values.resize(length, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The largest sum over all assignments of the rows from `row` on.
    fn best(row: usize, rows: usize, columns: usize, cost: &[f64], limit: f64, taken: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        let free = best(row + 1, rows, columns, cost, limit, taken);
        (0..columns)
            .filter(|column| taken & (1 << column) == 0 && cost[row * columns + column] < limit)
            .map(|column| {
                let gain = limit - cost[row * columns + column];
                gain + best(row + 1, rows, columns, cost, limit, taken | (1 << column))
            })
            .fold(free, f64::max)
    }

    fn problem() -> impl Strategy<Value = (usize, usize, Vec<f64>)> {
        (0usize..6, 0usize..6).prop_flat_map(|(rows, columns)| {
            let cost = prop_oneof![0.0..1.0, Just(0.5), Just(f64::INFINITY), Just(f64::NAN)];
            (
                Just(rows),
                Just(columns),
                proptest::collection::vec(cost, rows * columns),
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_assignment_is_better((rows, columns, cost) in problem(), limit in 0.1..1.2) {
            let mut solver = Assignment::default();
            // buffers of an earlier problem must not show
            solver.solve(2, 3, &[0.1, 0.2, 0.3, 0.4, 0.0, 0.6], 1.0);
            solver.solve(rows, columns, &cost, limit);
            let found = solver.columns().to_vec();
            let mut taken = 0u32;
            let mut sum = 0.0;
            for (row, column) in found.iter().enumerate() {
                if let &Some(column) = column {
                    prop_assert_eq!(taken & (1 << column), 0, "column {} twice", column);
                    taken |= 1 << column;
                    prop_assert!(cost[row * columns + column] < limit);
                    sum += limit - cost[row * columns + column];
                }
            }
            let expected = best(0, rows, columns, &cost, limit, 0);
            prop_assert!((sum - expected).abs() < 1e-9, "{} instead of {}", sum, expected);
        }
    }

    #[test]
    fn two_good_pairs_beat_one_very_good_pair() {
        let cost = [0.0, 0.3, 0.3, 0.9];
        let mut solver = Assignment::default();
        solver.solve(2, 2, &cost, 0.8);
        assert_eq!(solver.columns(), [Some(1), Some(0)]);
        solver.solve(2, 2, &cost, 0.5);
        assert_eq!(solver.columns(), [Some(0), None]);
    }
}
