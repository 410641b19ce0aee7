//! The progress bar on a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Returns a bar on standard error with frame rate and remaining time. Hidden if standard error is
/// not a terminal or `quiet` is set. Without a known `total` it counts the frames.
pub fn bar(total: Option<u64>, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match total {
        Some(_) => "{bar:32} {pos}/{len} frames  {per_sec}  {eta} remaining",
        None => "{spinner} {pos} frames  {per_sec}",
    };
    // an error in the template above falls back to the plain style instead of failing the run
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr();
    ProgressBar::with_draw_target(total, target).with_style(style)
}
