//! Parses YAML that may come from anybody, in bounded time and memory.
//!
//! Aliases can expand a short document to gigabytes. The time to scan nested braces grows with the
//! square of their depth.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
};
use serde::de::{VariantAccess, Visitor};

/// The size of one value besides its text, in bytes.
const VALUE: u64 = 64;

/// The limit for a document with its aliases expanded, in bytes.
const EXPANDED_LIMIT: u64 = 64 << 20;

/// The limit for brackets and braces within each other. The parser itself stops at 128 levels, but
/// only after it has scanned the whole document.
const DEPTH_LIMIT: usize = 1000;

/// Parses a document.
///
/// # Errors
/// `text` is no YAML of that form, its brackets are nested too deeply, or its aliases expand it too
/// far.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, serde_yaml::Error> {
    check_depth(text)?;
    check_expanded(text, EXPANDED_LIMIT)?;
    serde_yaml::from_str(text)
}

/// Counts brackets and braces, also those in quotes and comments, where so many do not occur.
fn check_depth(text: &str) -> Result<(), serde_yaml::Error> {
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_LIMIT {
            return Err(serde_yaml::Error::custom(format_args!(
                "its brackets are nested deeper than {DEPTH_LIMIT} levels"
            )));
        }
    }
    Ok(())
}

/// Parses `text`. Fails if its values would take more than about `most` bytes.
fn check_expanded(text: &str, most: u64) -> Result<(), serde_yaml::Error> {
    let left = Cell::new(most);
    SizeCounter { left: &left }.deserialize(serde_yaml::Deserializer::from_str(text))
}

/// Any value; it is parsed and discarded.
#[derive(Clone, Copy)]
struct SizeCounter<'a> {
    left: &'a Cell<u64>,
}

impl SizeCounter<'_> {
    fn spend<E: Error>(self, bytes: usize) -> Result<(), E> {
        let cost = VALUE.saturating_add(bytes as u64);
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.unwrap_or(0));
        left.map(|_| ())
            .ok_or_else(|| E::custom("its aliases expand it beyond the limit"))
    }
}

impl<'de> DeserializeSeed<'de> for SizeCounter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SizeCounter<'_> {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.spend(text.len())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.spend(0)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while elements.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.spend(0)?;
        while entries.next_key_seed(self)?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let ((), value) = tagged.variant_seed(self)?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aliases_stand_for_is_counted() {
        let plain = "a: [1, -2, 3.5, true, ~, text, !tag x]\nb: {c: &d [e], f: *d}\n";
        check_expanded(plain, 2000).unwrap();
        assert!(check_expanded(plain, 500).is_err());
        let list = "x, ".repeat(1000);
        let aliases = "*a, ".repeat(1000);
        let text = format!("a: &a [{list}]\nb: [{aliases}]\n");
        let told = check_expanded(&text, 1 << 20).unwrap_err().to_string();
        assert!(
            told.contains("its aliases expand it beyond the limit"),
            "{told}"
        );
        check_expanded(&text, 1 << 30).unwrap();
    }

    #[test]
    fn braces_nested_a_hundred_thousand_deep_are_refused_at_once() {
        let deep = format!("{}1{}", "{a: ".repeat(100_000), "}".repeat(100_000));
        let error = parse::<serde_yaml::Value>(&deep).unwrap_err().to_string();
        assert!(error.contains("deeper than 1000 levels"), "{error}");
        let value: Vec<Vec<u32>> = parse("[[1, 2], [3]]").unwrap();
        assert_eq!(value, [vec![1, 2], vec![3]]);
    }
}
