//! Results as terminal tables and HTML.

pub mod change_pictures;
pub mod chart;
pub mod columns;
pub mod comparison;
pub mod comparison_table;
pub mod confusion;
pub mod curves;
pub mod distribution;
pub mod evaluation;
pub mod evaluation_table;
pub mod format;
pub mod html;
pub mod mistakes;
pub mod over_time;
pub mod pareto;
pub mod stages;
pub mod sweep;
pub mod sweep_table;
pub mod terminal;
pub mod time_axis;

use std::collections::BTreeMap;

/// The most frequent first, equals by name.
pub(crate) fn by_count<'a>(
    counts: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> Vec<(&'a str, u64)> {
    let mut sorted: Vec<(&str, u64)> = counts.into_iter().map(|(k, &n)| (k.as_str(), n)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    sorted
}

/// The numbers of a `by reason` map, added up.
fn sum(by_reason: &BTreeMap<String, u64>) -> u64 {
    by_reason.values().sum()
}
