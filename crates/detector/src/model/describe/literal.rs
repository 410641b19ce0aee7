//! Reads the Python literals in which exporters write class names and input sizes.

use std::collections::BTreeMap;

/// More names than this are no class names.
const MOST_NAMES: usize = 65_536;

/// Returns class names in the order of their index: of a dictionary such as `{0: 'car', 1: "bus"}`
/// with every index from 0, or of a list. `None` for any other text.
pub fn names(text: &str) -> Option<Vec<String>> {
    let mut reader = Reader { rest: text.trim() };
    let names = if reader.take('[') {
        reader.list(']', Reader::text)?
    } else {
        reader.expect('{')?;
        let entry = |reader: &mut Reader<'_>| {
            let index = reader.index()?;
            reader.expect(':')?;
            Some((index, reader.text()?))
        };
        let entries: BTreeMap<usize, String> = reader.list('}', entry)?.into_iter().collect();
        // every index once, from 0
        if entries
            .keys()
            .ne((0..entries.len()).collect::<Vec<_>>().iter())
        {
            return None;
        }
        entries.into_values().collect()
    };
    reader.rest.is_empty().then_some(names)
}

/// Returns the numbers of a list such as `[480, 640]`, or of a single number.
pub fn numbers(text: &str) -> Option<Vec<usize>> {
    let mut reader = Reader { rest: text.trim() };
    let numbers = if reader.take('[') {
        reader.list(']', Reader::number)?
    } else {
        vec![reader.number()?]
    };
    reader.rest.is_empty().then_some(numbers)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// Takes `character` and the spaces after it, if it comes next.
    fn take(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        if let Some(rest) = rest {
            self.rest = rest.trim_start();
        }
        rest.is_some()
    }

    fn expect(&mut self, character: char) -> Option<()> {
        self.take(character).then_some(())
    }

    /// Reads items separated by commas up to `end`. Python allows a comma before it.
    fn list<T>(
        &mut self,
        end: char,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        while !self.take(end) {
            if items.len() == MOST_NAMES {
                return None;
            }
            items.push(item(self)?);
            if !self.take(',') {
                self.expect(end)?;
                break;
            }
        }
        Some(items)
    }

    fn number(&mut self) -> Option<usize> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest.trim_start();
        digits.parse().ok()
    }

    /// Reads an index, which JSON writes as a text.
    fn index(&mut self) -> Option<usize> {
        if self.rest.starts_with(['"', '\'']) {
            self.text()?.parse().ok()
        } else {
            self.number()
        }
    }

    /// Reads a text in single or double quotes.
    fn text(&mut self) -> Option<String> {
        let mut characters = self.rest.chars();
        let quote = characters.next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut text = String::new();
        loop {
            match characters.next()? {
                '\\' => text.push(match characters.next()? {
                    'n' => '\n',
                    't' => '\t',
                    digits @ ('x' | 'u' | 'U') => {
                        let count = [('x', 2), ('u', 4), ('U', 8)];
                        let (_, count) = count.into_iter().find(|(c, _)| *c == digits)?;
                        let code = characters.as_str().get(..count)?;
                        characters = characters.as_str().get(count..)?.chars();
                        char::from_u32(u32::from_str_radix(code, 16).ok()?)?
                    }
                    other => other,
                }),
                end if end == quote => break,
                other => text.push(other),
            }
        }
        self.rest = characters.as_str().trim_start();
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dictionaries_and_lists_are_read() {
        let found = names(r#"{0: 'car', 1: "driver's seat", 2: 'it\'s \u00e9\n', }"#).unwrap();
        assert_eq!(found, ["car", "driver's seat", "it's é\n"]);
        assert_eq!(names("['a', 'b']").unwrap(), ["a", "b"]);
        assert_eq!(names(r#"{"1": "b", "0": "a"}"#).unwrap(), ["a", "b"]);
        assert_eq!(numbers("[480, 640]").unwrap(), [480, 640]);
        assert_eq!(numbers(" 640 ").unwrap(), [640]);
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "",
            "car",
            "{0: 'a', 2: 'b'}",
            "{1: 'a'}",
            "{0: 'a'",
            "['a' 'b']",
            "['a'] or so",
            "{0: a}",
            r"['\u12']",
            r"['\ud800']",
            "['é\\x']",
        ] {
            assert_eq!(names(text), None, "{text}");
        }
        for text in ["", "[640", "-1", "640x480", "99999999999999999999"] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), literal in r#"[\[{]?(['"0-9:, \\xué\]}]|0: 'a', )*"#) {
            let _ = (names(&text), numbers(&text), names(&literal), numbers(&literal));
        }

        #[test]
        fn names_are_read_as_they_were_written(expected in prop::collection::vec("[a-z' ]{0,9}", 1..9)) {
            let entries: Vec<_> = expected.iter().enumerate().map(|(index, name)| format!("{index}: {name:?}")).collect();
            prop_assert_eq!(names(&format!("{{{}}}", entries.join(", "))).unwrap(), expected);
        }
    }
}
