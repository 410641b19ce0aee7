//! Reads COCO's JSON entry by entry. An entry whose values are of other types than COCO's does not make the file
//! unreadable: types are looked at when the entry is understood.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// The keys of entries that mean something here.
const KEYS: [&str; 12] = [
    "id",
    "file_name",
    "topic",
    "stamp_ns",
    "width",
    "height",
    "image_id",
    "category_id",
    "bbox",
    "area",
    "iscrowd",
    "name",
];

/// A value of any type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Loose {
    Null,
    Bool(bool),
    Whole(i128),
    Float(f64),
    Text(String),
    List(Vec<Loose>),
    Object(Entry),
}

impl Loose {
    /// Returns the number, or the number that Python's `float` returns for it.
    pub fn number(&self) -> Option<f64> {
        match self {
            Loose::Bool(set) => Some(f64::from(u8::from(*set))),
            Loose::Whole(number) => Some(*number as f64),
            Loose::Float(number) => Some(*number),
            Loose::Text(text) => python_float(text),
            Loose::Null | Loose::List(_) | Loose::Object(_) => None,
        }
    }

    /// Returns the whole number, or the one that Python's `int` returns for it.
    pub fn integer(&self) -> Option<i128> {
        match self {
            Loose::Text(text) => plain_digits(text.trim())?.parse().ok(),
            Loose::Whole(number) => Some(*number),
            Loose::Float(number) => number.is_finite().then_some(*number as i128),
            other => other.number().map(|number| number as i128),
        }
    }

    /// Returns the text, or a number as a text.
    pub fn text(&self) -> Option<String> {
        match self {
            Loose::Text(text) => Some(text.clone()),
            Loose::Whole(number) => Some(number.to_string()),
            Loose::Float(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Loose {
    /// Writes a short text for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loose::Null => f.write_str("null"),
            Loose::Bool(set) => set.fmt(f),
            Loose::Whole(number) => number.fmt(f),
            Loose::Float(number) => number.fmt(f),
            Loose::Text(text) if text.chars().count() > 40 => f.write_str("a long text"),
            Loose::Text(text) => fmt::Debug::fmt(text, f),
            Loose::List(list) => write!(f, "a list of {}", list.len()),
            Loose::Object(_) => f.write_str("an object"),
        }
    }
}

/// Parses a number in a text as Python does: it ignores blanks around it and underscores between
/// digits.
fn python_float(text: &str) -> Option<f64> {
    plain_digits(text.trim())?.parse().ok()
}

/// Removes underscores; `None` if one is not between two digits.
fn plain_digits(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(text.len());
    let parts: Vec<&str> = text.split('_').collect();
    let last = parts.len() - 1;
    for (at, part) in parts.iter().enumerate() {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let bytes = part.as_bytes();
        if (at > 0 && !digit(bytes.first())) || (at < last && !digit(bytes.last())) {
            return None;
        }
        digits.push_str(part);
    }
    Some(digits)
}

/// An entry's values by their keys, as far as they mean something; of a key that stands twice the last, as in Python.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry(Vec<(&'static str, Loose)>);

impl Entry {
    pub fn get(&self, key: &str) -> Option<&Loose> {
        let own = self.0.iter().rev().find(|(own, _)| *own == key);
        own.map(|(_, value)| value)
    }

    /// Returns the value unless it is null.
    pub fn given(&self, key: &str) -> Option<&Loose> {
        self.get(key).filter(|value| **value != Loose::Null)
    }
}

/// The file: entries of its three lists.
#[derive(Debug)]
pub(super) struct RawCoco {
    pub images: Vec<Loose>,
    pub annotations: Vec<Loose>,
    pub categories: Vec<Loose>,
}

impl RawCoco {
    /// Reads the text of a file.
    pub fn parse(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json).or_else(|error| {
            // Python's json writes NaN and Infinity, which JSON does not have
            match without_nan(json) {
                Some(rewritten) => serde_json::from_str(&rewritten).map_err(|_| error),
                None => Err(error),
            }
        })
    }
}

impl<'de> Deserialize<'de> for RawCoco {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CocoVisitor)
    }
}

struct CocoVisitor;

impl<'de> Visitor<'de> for CocoVisitor {
    type Value = RawCoco;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with images, annotations and categories")
    }

    /// Takes the last list if one occurs twice, as Python does.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawCoco, A::Error> {
        let (mut images, mut annotations, mut categories) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "images" => images = map.next_value()?,
                "annotations" => annotations = map.next_value()?,
                "categories" => categories = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(RawCoco {
            images: images.ok_or_else(|| de::Error::missing_field("images"))?,
            annotations: annotations.unwrap_or_default(),
            categories: categories.ok_or_else(|| de::Error::missing_field("categories"))?,
        })
    }
}

/// One of [`KEYS`], or any other. Most keys of a large file are read for nothing: no text is made of them.
struct Key(Option<&'static str>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(Key(KEYS.into_iter().find(|known| *known == key)))
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Null)
    }

    fn visit_bool<E>(self, set: bool) -> Result<Loose, E> {
        Ok(Loose::Bool(set))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose, E> {
        Ok(Loose::Whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose, E> {
        Ok(Loose::Whole(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose, E> {
        Ok(Loose::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose, E> {
        Ok(Loose::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Loose::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        let mut entry = Entry::default();
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Some(known) => entry.0.push((known, map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Loose::Object(entry))
    }
}

/// Replaces NaN and Infinity outside of strings with `null`; `None` if there are none.
fn without_nan(json: &str) -> Option<String> {
    let json = json.as_bytes();
    const NUMBERS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut rewritten = Vec::with_capacity(json.len());
    let (mut at, mut in_string, mut any) = (0, false, false);
    while at < json.len() {
        let rest = &json[at..];
        let number = NUMBERS
            .iter()
            .find(|number| !in_string && rest.starts_with(number));
        if let Some(number) = number {
            rewritten.extend_from_slice(b"null");
            at += number.len();
            any = true;
            continue;
        }
        let escaped = in_string && rest[0] == b'\\' && rest.len() > 1;
        if rest[0] == b'"' {
            in_string = !in_string;
        }
        let length = if escaped { 2 } else { 1 };
        rewritten.extend_from_slice(&rest[..length]);
        at += length;
    }
    // what was replaced is ASCII, so that the rest is the text that it was
    any.then(|| String::from_utf8(rewritten).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        let number = |text: &str| Loose::Text(text.to_owned()).number();
        for (text, expected) in [
            (" 136.63\n", 136.63),
            ("+5e1", 50.0),
            (".5", 0.5),
            ("50.", 50.0),
            ("5_0", 50.0),
            ("inf", f64::INFINITY),
        ] {
            assert_eq!(number(text), Some(expected), "{text:?}");
        }
        for text in ["", "_5", "5_", "5__0", "0x32", "1,5", "a", "5 0"] {
            assert_eq!(number(text), None, "{text:?}");
        }
        assert_eq!(Loose::Bool(true).number(), Some(1.0));
        assert_eq!(Loose::Null.number(), None);
        let integer = |text: &str| Loose::Text(text.to_owned()).integer();
        assert_eq!(
            (integer(" 1 "), integer("1.0"), integer("")),
            (Some(1), None, None)
        );
        assert_eq!(Loose::Float(0.5).integer(), Some(0));
    }

    #[test]
    fn entries_of_any_type_are_read() {
        let json = r#"{"info": [{}], "images": [null, 3, "x", [1], {"id": 1, "id": 2.5, "license": {}}],
            "annotations": null, "annotations": [{"bbox": ["1", null, true, {}], "segmentation": [[1]]}], "categories": []}"#;
        let raw = RawCoco::parse(json).unwrap();
        let shown: Vec<_> = raw.images.iter().map(Loose::to_string).collect();
        assert_eq!(shown, ["null", "3", "\"x\"", "a list of 1", "an object"]);
        let Loose::Object(image) = &raw.images[4] else {
            panic!("{raw:?}");
        };
        assert_eq!(image.get("id"), Some(&Loose::Float(2.5)));
        assert_eq!(image.get("license"), None);
        assert_eq!(raw.annotations.len(), 1);
        assert!(RawCoco::parse("[]").is_err());
        assert!(RawCoco::parse(r#"{"images": [], "annotations": []}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,200}|[\\[\\]{}\":,0-9a-zNI.]{0,60}") {
            let _ = RawCoco::parse(&text);
            let _ = without_nan(&text);
            let _ = Loose::Text(text).number();
        }

        #[test]
        fn text_in_strings_is_left_alone(text in "[a-zA-Z\"\\\\ ]{0,20}") {
            let string = json!([text, "NaN"]).to_string();
            prop_assert!(without_nan(&string).is_none());
        }
    }
}
