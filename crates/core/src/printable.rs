//! Text for people, without characters that control a terminal.
//!
//! Names come from models, recordings, topics and files, and may hold anything: a title that a terminal
//! takes for a command, or characters that show a text in another order. [`printable`] makes one text
//! safe, and [`PrintableWriter`] all that is written through it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::str;

/// Returns whether a character changes how others are shown: control characters (C0, DEL, C1) but for
/// line ends and tabs, and those that end lines or turn the direction of text.
fn is_unsafe(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    }
}

/// Returns `text` with its unsafe characters as escapes (`\u001b`), which JSON reads as the same
/// characters.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut printable = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push(&mut printable, c));
    Cow::Owned(printable)
}

fn push(text: &mut String, c: char) {
    if is_unsafe(c) {
        // writing to a String cannot fail
        let _ = write!(text, "\\u{:04x}", u32::from(c));
    } else {
        text.push(c);
    }
}

/// Escapes the unsafe characters of what is written through it. Colours (SGR sequences) stay. Bytes
/// that are not UTF-8 become U+FFFD.
pub struct PrintableWriter<W: Write> {
    inner: W,
    /// The beginning of a character or a colour whose end has not been written yet.
    incomplete: Vec<u8>,
}

impl<W: Write> PrintableWriter<W> {
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            incomplete: Vec::new(),
        }
    }
}

impl<W: Write> Write for PrintableWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.incomplete.is_empty()
            && let Ok(text) = str::from_utf8(bytes)
            && !text.contains(is_unsafe)
        {
            self.inner.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut all = std::mem::take(&mut self.incomplete);
        all.extend_from_slice(bytes);
        let end = all.len() - incomplete_length(&all);
        self.incomplete.extend_from_slice(&all[end..]);
        self.inner.write_all(escaped(&all[..end]).as_bytes())?;
        Ok(bytes.len())
    }

    /// Ends what is incomplete, too.
    fn flush(&mut self) -> io::Result<()> {
        let incomplete = std::mem::take(&mut self.incomplete);
        self.inner.write_all(escaped(&incomplete).as_bytes())?;
        self.inner.flush()
    }
}

impl<W: Write> Drop for PrintableWriter<W> {
    fn drop(&mut self) {
        // nobody is left to be told of an error
        let incomplete = std::mem::take(&mut self.incomplete);
        let _ = self.inner.write_all(escaped(&incomplete).as_bytes());
    }
}

/// Returns the number of bytes at the end that may be the beginning of a character or of a colour.
/// Formatted text is written in pieces.
fn incomplete_length(bytes: &[u8]) -> usize {
    /// No colour is longer, in bytes.
    const LONGEST: usize = 32;
    let near = bytes.len().saturating_sub(LONGEST);
    let colour = bytes[near..].iter().rposition(|&byte| byte == 0x1b);
    if let Some(at) = colour
        && let [0x1b] | [0x1b, b'[', ..] = &bytes[near + at..]
        && bytes[near + at..]
            .iter()
            .skip(2)
            .all(|byte| byte.is_ascii_digit() || *byte == b';')
    {
        return bytes.len() - near - at;
    }
    let last = bytes.utf8_chunks().last();
    let invalid = last.map_or(&[][..], |chunk| chunk.invalid());
    let goes_on = str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
    if goes_on { invalid.len() } else { 0 }
}

/// Returns the text with escapes in place of unsafe characters, but with its colours.
fn escaped(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut text = text.as_ref();
    let mut safe = String::with_capacity(text.len() + 16);
    while let Some(at) = text.find(is_unsafe) {
        safe.push_str(&text[..at]);
        text = &text[at..];
        let length = match colour_length(text) {
            Some(length) => {
                safe.push_str(&text[..length]);
                length
            }
            None => {
                let c = text.chars().next().unwrap_or_default();
                push(&mut safe, c);
                c.len_utf8()
            }
        };
        text = &text[length..];
    }
    safe.push_str(text);
    safe
}

/// Returns the length of the SGR sequence (`ESC [ numbers m`) that `text` begins with.
fn colour_length(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\u{1b}[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(parts: &[&[u8]]) -> String {
        let mut written = Vec::new();
        let mut out = PrintableWriter::new(&mut written);
        for part in parts {
            out.write_all(part).unwrap();
        }
        drop(out);
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn a_name_cleared_the_screen_and_set_the_title() {
        let name = "\u{1b}[2J\u{1b}]0;owned\u{7}\rcar\u{9b}31m\u{202e}txt";
        let safe = "\\u001b[2J\\u001b]0;owned\\u0007\\u000dcar\\u009b31m\\u202etxt";
        assert_eq!(printable(name), safe);
        assert_eq!(written(&[name.as_bytes()]), safe);
    }

    #[test]
    fn tables_keep_lines_tabs_colours_and_letters() {
        let table = "\u{1b}[1;32mok\u{1b}[0m\tFußgänger 行人\n";
        assert_eq!(written(&[table.as_bytes()]), table);
        assert_eq!(printable("Fußgänger\t行人\n"), "Fußgänger\t行人\n");
    }

    #[test]
    fn json_reads_the_same_text() {
        let name = "a\u{202e}b\u{85}c";
        let json = serde_json::to_string(name).unwrap();
        let read: String = serde_json::from_str(&written(&[json.as_bytes()])).unwrap();
        assert_eq!(read, name);
    }

    #[test]
    fn other_bytes_become_a_replacement() {
        assert_eq!(written(&[b"a\xffb"]), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_passes(text in any::<String>()) {
            let safe = printable(&text).into_owned();
            prop_assert!(!safe.contains(is_unsafe));
            prop_assert_eq!(printable(&safe), safe.as_str());
        }

        #[test]
        fn pieces_give_what_the_whole_gives(text in "(\\PC|[m0-9;\\[\u{1b}\u{7}]){0,40}", cut in any::<prop::sample::Index>()) {
            let bytes = text.as_bytes();
            let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(written(&[a, b]), written(&[bytes]));
        }
    }
}
