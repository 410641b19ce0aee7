//! Estimates the size of a YAML document with its aliases expanded: a short document can become
//! gigabytes.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess};
use serde::de::{VariantAccess, Visitor};

/// The size of one value besides its text, in bytes.
const VALUE: u64 = 64;

/// Parses `text`. Fails if its values would take more than about `most` bytes.
pub(super) fn check(text: &str, most: u64) -> Result<(), serde_yaml::Error> {
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
        check(plain, 2000).unwrap();
        assert!(check(plain, 500).is_err());
        let list = "x, ".repeat(1000);
        let aliases = "*a, ".repeat(1000);
        let text = format!("a: &a [{list}]\nb: [{aliases}]\n");
        let told = check(&text, 1 << 20).unwrap_err().to_string();
        assert!(
            told.contains("its aliases expand it beyond the limit"),
            "{told}"
        );
        check(&text, 1 << 30).unwrap();
    }
}
