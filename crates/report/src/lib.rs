//! Results as tables for the terminal and as self-contained HTML pages. Pictures come ready-made.
//!
//! ```
//! assert_eq!(shuffledet_report::format::counted(2_477, "car"), "2,477 cars");
//! ```

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
mod track_lengths;
pub mod tracks;
pub mod tracks_comparison;
pub mod tracks_table;

use std::collections::BTreeMap;

use shuffledet_core::Resolution;

/// The numbers of a `by reason` map, added up.
fn sum(by_reason: &BTreeMap<String, u64>) -> u64 {
    by_reason.values().sum()
}

/// Returns each size of the network's input with the number of runs, the most frequent first.
fn input_sizes(sizes: &BTreeMap<Resolution, u64>) -> String {
    let mut sizes: Vec<_> = sizes.iter().collect();
    sizes.sort_by_key(|&(size, &runs)| (std::cmp::Reverse(runs), size));
    let texts = sizes
        .into_iter()
        .map(|(size, &runs)| format!("{size} ({})", format::counted(runs, "run")));
    texts.collect::<Vec<_>>().join(", ")
}
