//! Decides whether an output is coloured.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};

/// Returns whether to write colours to `stream`. Only a terminal gets them, unless `CLICOLOR_FORCE`
/// is set; nothing gets them if `NO_COLOR` is set.
pub(super) fn shows_colour(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}
