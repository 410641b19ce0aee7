//! Reads text files as common tools write them. [`read`] or [`decode`] handles every text file of a
//! user: it removes a byte order mark, accepts line ends of LF, CRLF or CR, and decodes UTF-16 with
//! a byte order mark. Names in it are compared after [`name`].

use std::borrow::Cow;
use std::io;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::bounded_file;

/// The byte order mark as a character. Concatenated files contain it in the middle.
const MARK: char = '\u{feff}';

/// Reads a text file, or a pipe, of at most `limit` bytes. Fails with `InvalidData` and the expected
/// encoding if the content is not text.
pub fn read(path: &Path, limit: u64) -> io::Result<String> {
    Ok(decode(&bounded_file::read_or_pipe(path, limit)?)?.into_owned())
}

/// Returns the text in `bytes`, without byte order marks and with LF line ends.
pub fn decode(bytes: &[u8]) -> io::Result<Cow<'_, str>> {
    let invalid = |problem: String| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    let expected = "expected UTF-8, or UTF-16 with a byte order mark";
    let (text, replaced) = characters(bytes);
    // the replacement character may also be part of the text itself
    if replaced {
        let at = text.find(char::REPLACEMENT_CHARACTER).unwrap_or_default();
        let line = 1 + text[..at].matches('\n').count();
        return invalid(format!(
            "{expected}, found other bytes in line {line}; save the file as UTF-8"
        ));
    }
    if text.contains('\0') {
        return invalid(format!(
            "{expected}, found NUL characters (UTF-32, or UTF-16 without a byte order mark); save the file as UTF-8"
        ));
    }
    Ok(text)
}

/// Decodes like [`decode`], with U+FFFD in place of invalid bytes.
pub fn decode_lossy(bytes: &[u8]) -> Cow<'_, str> {
    characters(bytes).0
}

/// Returns the text, and whether any of it was replaced.
fn characters(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or((UTF_8, 0));
    let (text, replaced) = encoding.decode_without_bom_handling(&bytes[mark..]);
    let marked = text.starts_with(MARK);
    if !marked && !text.contains('\r') {
        return (text, replaced);
    }
    let text = text.trim_start_matches(MARK);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    (Cow::Owned(text), replaced)
}

/// Returns a name in the form for comparison: in the normal form NFC, without surrounding blanks
/// and byte order marks.
pub fn name(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == MARK);
    if is_nfc(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// Whether two names are equal except for upper and lower case.
pub fn same_name(a: &str, b: &str) -> bool {
    let folded = |text: &str| name(text).to_lowercase();
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && folded(a) == folded(b))
}

/// Returns the other Unicode forms of the file name `path`, to try if the file does not exist:
/// macOS writes decomposed names (NFD), most other systems composed ones (NFC). Empty if the forms
/// do not differ.
pub fn other_forms(path: &str) -> impl Iterator<Item = String> {
    let forms = [path.nfc().collect::<String>(), path.nfd().collect()];
    forms.into_iter().filter(move |form| form != path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        let text = "Fußgänger 1\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("{MARK}{text}").into_bytes(),
            format!("{MARK}{MARK}{text}").into_bytes(),
            utf16(&format!("{MARK}{text}"), u16::to_le_bytes),
            utf16(&format!("{MARK}{text}"), u16::to_be_bytes),
        ] {
            assert_eq!(decode(&bytes).unwrap(), text, "{bytes:x?}");
        }
        assert_eq!(decode(b"").unwrap(), "");
        assert_eq!(decode(b"\xef\xbb\xbf").unwrap(), "");
    }

    #[test]
    fn lines_end_as_they_may() {
        assert_eq!(decode(b"a\r\nb\rc\n\r\nd").unwrap(), "a\nb\nc\n\nd");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        let said = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        let latin1 = said(b"a\nb\r\nFu\xdfg\xe4nger 1\n");
        assert!(
            latin1.contains("expected UTF-8") && latin1.contains("line 3"),
            "{latin1}"
        );
        let unmarked = said(&utf16("car", u16::to_le_bytes));
        assert!(
            unmarked.contains("UTF-16 without a byte order mark"),
            "{unmarked}"
        );
        let utf32 = said(b"\xff\xfe\0\0c\0\0\0");
        assert!(utf32.contains("UTF-32"), "{utf32}");
        let torn = said(b"\xff\xfec\0a");
        assert!(torn.contains("line 1"), "{torn}");
        assert_eq!(decode_lossy(b"a\xff\r\nb"), "a\u{fffd}\nb");
        // a U+FFFD in the input is text
        assert_eq!(decode("\u{fffd}".as_bytes()).unwrap(), "\u{fffd}");
    }

    #[test]
    fn names_are_the_same_in_any_normal_form() {
        let (composed, decomposed) = ("Fußg\u{e4}nger", "Fußga\u{308}nger");
        assert_ne!(composed, decomposed);
        assert_eq!(name(decomposed), composed);
        assert_eq!(name("\u{feff} car\t"), "car");
        assert_eq!(name("traffic light\u{a0}"), "traffic light");
        assert!(same_name("Car", "CAR"));
        assert!(same_name("FUSSGA\u{308}NGER", "fussg\u{e4}nger"));
        assert!(!same_name("car", "cart"));
        let forms: Vec<String> = other_forms(decomposed).collect();
        assert_eq!(forms, [composed]);
        assert_eq!(other_forms("car").count(), 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let lossy = decode_lossy(&bytes);
            prop_assert!(!lossy.contains('\r') && !lossy.starts_with(MARK));
            if let Ok(text) = decode(&bytes) {
                prop_assert_eq!(text, lossy);
            }
        }

        #[test]
        fn text_is_the_same_in_every_encoding(text in "[^\r\0\u{feff}]{0,40}") {
            let marked = format!("{MARK}{text}");
            for bytes in [text.clone().into_bytes(), marked.clone().into_bytes(),
                utf16(&marked, u16::to_le_bytes), utf16(&marked, u16::to_be_bytes)] {
                prop_assert_eq!(decode(&bytes).unwrap(), text.as_str());
            }
            let windows = text.replace('\n', "\r\n");
            prop_assert_eq!(decode(windows.as_bytes()).unwrap(), text.as_str());
            let once = name(&text);
            prop_assert_eq!(name(&once), once.as_ref());
        }
    }
}
