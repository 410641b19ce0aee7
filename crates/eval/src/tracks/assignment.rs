//! The assignment of rows to columns with the least total cost.
//!
//! Shortest augmenting paths after D. F. Crouse, "On implementing 2D rectangular assignment
//! algorithms" (2016). Where several assignments cost the same, the figures of tracks depend on the
//! one that is chosen. TrackEval takes SciPy's, so columns are visited here in SciPy's order.

use super::matrix::Matrix;

/// Assigns as many pairs as the shorter side has entries. Returns (row, column), by row.
///
/// Every cost must be finite.
pub fn assign(cost: &Matrix) -> Vec<(usize, usize)> {
    if cost.rows() <= cost.columns() {
        let columns = shortest_paths(cost);
        return columns.into_iter().enumerate().collect();
    }
    let rows = shortest_paths(&cost.transposed());
    let mut pairs: Vec<_> = rows.into_iter().zip(0..).collect();
    pairs.sort_unstable();
    pairs
}

/// Not assigned yet.
const FREE: usize = usize::MAX;

/// The column of each row. There are at least as many columns as rows.
fn shortest_paths(cost: &Matrix) -> Vec<usize> {
    let (rows, columns) = (cost.rows(), cost.columns());
    let mut row_price = vec![0.0; rows];
    let mut column_price = vec![0.0; columns];
    let mut column_of = vec![FREE; rows];
    let mut row_of = vec![FREE; columns];
    // of the search from one row: the cost of reaching each column, from which row, and what was visited
    let mut reached = vec![f64::INFINITY; columns];
    let mut from = vec![FREE; columns];
    let mut remaining = Vec::with_capacity(columns);
    let mut visited = Vec::with_capacity(columns);
    for start in 0..rows {
        reached.fill(f64::INFINITY);
        visited.clear();
        remaining.clear();
        remaining.extend((0..columns).rev());
        let (mut row, mut least) = (start, 0.0);
        let end = loop {
            let (mut best, mut lowest) = (0, f64::INFINITY);
            for (at, &column) in remaining.iter().enumerate() {
                let path = least + cost.at(row, column) - row_price[row] - column_price[column];
                if path < reached[column] {
                    reached[column] = path;
                    from[column] = row;
                }
                // among equals one that ends the search
                let free = row_of[column] == FREE;
                if reached[column] < lowest || (reached[column] == lowest && free) {
                    (best, lowest) = (at, reached[column]);
                }
            }
            least = lowest;
            let column = remaining.swap_remove(best);
            visited.push(column);
            match row_of[column] {
                FREE => break column,
                next => row = next,
            }
        };
        row_price[start] += least;
        for &column in &visited {
            if row_of[column] != FREE {
                row_price[row_of[column]] += least - reached[column];
            }
            column_price[column] -= least - reached[column];
        }
        let mut column = end;
        loop {
            let row = from[column];
            row_of[column] = row;
            let next = std::mem::replace(&mut column_of[row], column);
            if row == start {
                break;
            }
            column = next;
        }
    }
    column_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(cost: &Matrix, pairs: &[(usize, usize)]) -> f64 {
        pairs
            .iter()
            .map(|&(row, column)| cost.at(row, column))
            .sum()
    }

    /// The least total cost, by trying all.
    fn least(cost: &Matrix, row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == cost.rows() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..cost.columns() {
            if !taken[column] {
                taken[column] = true;
                best = best.min(cost.at(row, column) + least(cost, row + 1, taken));
                taken[column] = false;
            }
        }
        best
    }

    #[test]
    fn among_equals_the_diagonal_is_taken() {
        let equal = Matrix::filled(3, 4, |_, _| 1.0);
        assert_eq!(assign(&equal), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(assign(&equal.transposed()), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(assign(&Matrix::filled(0, 3, |_, _| 0.0)), []);
        assert_eq!(assign(&Matrix::filled(3, 0, |_, _| 0.0)), []);
    }

    proptest! {
        #[test]
        fn nothing_is_cheaper(
            (rows, columns) in (1_usize..5, 1_usize..6),
            costs in prop::collection::vec(-3_i8..4, 30),
        ) {
            let cost = Matrix::filled(rows, columns, |row, column| f64::from(costs[row * 6 + column]));
            let pairs = assign(&cost);
            prop_assert_eq!(pairs.len(), rows.min(columns));
            prop_assert!(pairs.is_sorted_by(|a, b| a.0 < b.0));
            let mut columns: Vec<_> = pairs.iter().map(|pair| pair.1).collect();
            columns.sort_unstable();
            columns.dedup();
            prop_assert_eq!(columns.len(), pairs.len());
            let wide = if cost.rows() > cost.columns() { cost.transposed() } else { cost.clone() };
            prop_assert_eq!(total(&cost, &pairs), least(&wide, 0, &mut vec![false; wide.columns()]));
        }
    }
}
