//! A matrix of numbers.

/// `rows` times `columns` numbers, row by row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// With the value of each (row, column).
    pub fn filled(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        Self {
            rows,
            columns,
            values: places.map(|(row, column)| value(row, column)).collect(),
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    pub fn transposed(&self) -> Self {
        Self::filled(self.columns, self.rows, |row, column| self.at(column, row))
    }

    /// With `change` of each value.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self {
            values: self.values.iter().map(|&value| change(value)).collect(),
            ..*self
        }
    }

    /// The sum of each row.
    pub fn row_sums(&self) -> Vec<f64> {
        let row = |row| (0..self.columns).map(|column| self.at(row, column)).sum();
        (0..self.rows).map(row).collect()
    }

    /// The sum of each column.
    pub fn column_sums(&self) -> Vec<f64> {
        let column = |column| (0..self.rows).map(|row| self.at(row, column)).sum();
        (0..self.columns).map(column).collect()
    }
}
