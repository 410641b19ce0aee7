//! Standard output and standard error, safe to show in a terminal.

use std::io::{self, StderrLock, StdoutLock};

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use shuffledet_core::printable::PrintableWriter;

/// Returns standard output. Control characters in what is written become escapes.
pub(super) fn stdout() -> PrintableWriter<StdoutLock<'static>> {
    PrintableWriter::new(io::stdout().lock())
}

/// Returns standard error. Control characters in what is written become escapes.
pub(super) fn stderr() -> PrintableWriter<StderrLock<'static>> {
    PrintableWriter::new(io::stderr().lock())
}

/// Returns whether to write colours to `stream`. Only a terminal gets them, unless `CLICOLOR_FORCE`
/// is set; nothing gets them if `NO_COLOR` is set.
pub(super) fn shows_colour(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}
