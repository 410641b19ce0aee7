//! How far a run is, on a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error with frame rate and time left; nothing when it is not a terminal, or `quiet`.
/// Without a known `total` it counts.
pub fn bar(total: Option<u64>, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match total {
        Some(_) => "{bar:32} {pos}/{len} frames  {per_sec}  {eta} left",
        None => "{spinner} {pos} frames  {per_sec}",
    };
    // a mistake in the template above shows in the plain style, not as a failed run
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr();
    ProgressBar::with_draw_target(total, target).with_style(style)
}
