//! The `.param` file: one line of text per layer.
//!
//! The first line is a magic number, the second counts layers and blobs. A layer's line is `type
//! name bottoms tops`, the names of the bottom and top blobs, and `key=value` pairs. A key of
//! `-23300 - k` gives an array for `k`: `count,value,...`. The format is documented in ncnn's
//! `param-and-model-file-structure.md`.

use std::collections::{BTreeMap, HashSet};
use std::str::SplitWhitespace;

use super::error::{ImportError, LayerLabel};

const MAGIC: &str = "7767517";

/// Array keys count down from here.
const FIRST_ARRAY: i32 = -23300;

const MAX_LAYERS: usize = 1 << 16;
const MAX_BLOBS_OF_LAYER: usize = 1024;

const WHOLE_FILE: &str = "give the .param file in its text form, whole";

/// One value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i32),
    Float(f32),
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    One(Number),
    Array(Vec<Number>),
    /// Anything else, such as an expression.
    Text(String),
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub label: LayerLabel,
    /// The blobs that it reads.
    pub bottoms: Vec<String>,
    /// The blobs that it writes.
    pub tops: Vec<String>,
    /// Parameters by key; the key of an array is that of the same parameter without one.
    pub values: BTreeMap<i32, Value>,
}

/// Parses the file. Each blob is written once, before it is read.
///
/// # Errors
/// [`ImportError::Param`] with the first line that breaks the format.
pub(super) fn parse(text: &str) -> Result<Vec<Layer>, ImportError> {
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let (line, magic) = lines.next().unwrap_or((1, ""));
    if magic.trim() != MAGIC {
        return Err(wrong(line, format!("the number {MAGIC}"), magic));
    }
    let (line, counts) = lines.next().unwrap_or((line + 1, ""));
    let [layers, blobs] = *counts
        .split_whitespace()
        .map(|count| count.parse::<usize>().ok())
        .collect::<Vec<_>>()
    else {
        return Err(wrong(line, "the numbers of layers and blobs", counts));
    };
    let (Some(layers @ 1..=MAX_LAYERS), Some(blobs)) = (layers, blobs) else {
        let expected = format!("1 to {MAX_LAYERS} layers, and a number of blobs");
        return Err(wrong(line, expected, counts));
    };

    let mut parsed = Vec::new();
    let mut written = HashSet::new();
    let mut last_line = line;
    for (line, text) in lines {
        last_line = line;
        let layer = parse_layer(line, text)?;
        if let Some(blob) = layer.bottoms.iter().find(|blob| !written.contains(*blob)) {
            return Err(ImportError::Param {
                line,
                expected: "blobs that a layer above writes".to_owned(),
                found: format!("`{blob}`"),
                advice: WHOLE_FILE,
            });
        }
        for blob in &layer.tops {
            if !written.insert(blob.clone()) {
                return Err(ImportError::Param {
                    line,
                    expected: "blobs that no layer above writes".to_owned(),
                    found: format!("`{blob}`"),
                    advice: "give each blob a name of its own",
                });
            }
        }
        parsed.push(layer);
    }
    // files edited by hand often announce more blobs than there are
    if parsed.len() != layers || written.len() > blobs {
        return Err(ImportError::Param {
            line: last_line,
            expected: format!("the last of {layers} layers, which write up to {blobs} blobs"),
            found: format!("{} layers, which write {}", parsed.len(), written.len()),
            advice: WHOLE_FILE,
        });
    }
    Ok(parsed)
}

fn parse_layer(line: usize, text: &str) -> Result<Layer, ImportError> {
    let mut words = text.split_whitespace();
    let head = [words.next(), words.next(), words.next(), words.next()];
    let [Some(kind), Some(name), Some(bottoms), Some(tops)] = head else {
        return Err(wrong(line, "a layer: TYPE NAME BOTTOMS TOPS ...", text));
    };
    let bottoms = blob_names(line, &mut words, bottoms)?;
    let tops = blob_names(line, &mut words, tops)?;
    let mut values = BTreeMap::new();
    for word in words {
        let (key, value) =
            parse_value(word).ok_or_else(|| wrong(line, "a parameter KEY=VALUE", word))?;
        if values.insert(key, value).is_some() {
            return Err(wrong(line, "each parameter once", word));
        }
    }
    let label = LayerLabel {
        line,
        kind: kind.to_owned(),
        name: name.to_owned(),
    };
    Ok(Layer {
        label,
        bottoms,
        tops,
        values,
    })
}

fn blob_names(
    line: usize,
    words: &mut SplitWhitespace<'_>,
    count: &str,
) -> Result<Vec<String>, ImportError> {
    let expected = "the number of bottom or top blobs (at most 1024), then their names";
    let number = count
        .parse()
        .ok()
        .filter(|&number| number <= MAX_BLOBS_OF_LAYER);
    let number = number.ok_or_else(|| wrong(line, expected, count))?;
    let names: Vec<String> = words.by_ref().take(number).map(str::to_owned).collect();
    if names.len() != number {
        let found = format!("the number {number} and {} names", names.len());
        return Err(wrong(line, expected, &found));
    }
    Ok(names)
}

fn parse_value(word: &str) -> Option<(i32, Value)> {
    let (key, value) = word.split_once('=')?;
    let key: i32 = key.parse().ok()?;
    if key > FIRST_ARRAY {
        let value = parse_number(value).map_or_else(|| Value::Text(value.to_owned()), Value::One);
        return Some((key, value));
    }
    let mut parts = value.split(',');
    let count: usize = parts.next()?.parse().ok()?;
    let numbers: Vec<Number> = parts.map(parse_number).collect::<Option<_>>()?;
    (numbers.len() == count).then_some((FIRST_ARRAY.checked_sub(key)?, Value::Array(numbers)))
}

/// Parses a number. It is a float if it has a point or an exponent, as in ncnn.
fn parse_number(text: &str) -> Option<Number> {
    if text.contains(['.', 'e', 'E']) {
        let value: f32 = text.parse().ok()?;
        return value.is_finite().then_some(Number::Float(value));
    }
    text.parse().ok().map(Number::Int)
}

fn wrong(line: usize, expected: impl Into<String>, found: &str) -> ImportError {
    const SHOWN: usize = 60;
    let mut shown: String = found.chars().take(SHOWN).collect();
    if shown.len() < found.len() {
        shown.push_str("...");
    }
    ImportError::Param {
        line,
        expected: expected.into(),
        found: if found.trim().is_empty() {
            "nothing".to_owned()
        } else {
            format!("{shown:?}")
        },
        advice: WHOLE_FILE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str =
        "7767517\n2 2\nInput in 0 1 a\nCrop cut 1 1 a b 1=2 2=0.5 -23309=2,1,-233\n";

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn layers_have_blobs_and_parameters() {
        let layers = parse(SMALL).unwrap();
        let label = LayerLabel {
            line: 4,
            kind: "Crop".to_owned(),
            name: "cut".to_owned(),
        };
        assert_eq!(layers[1].label, label);
        assert_eq!(
            (&layers[0].tops, &layers[1].bottoms),
            (&vec!["a".into()], &vec!["a".into()])
        );
        let array = Value::Array(vec![Number::Int(1), Number::Int(-233)]);
        let values = [
            (1, Value::One(Number::Int(2))),
            (2, Value::One(Number::Float(0.5))),
            (9, array),
        ];
        assert_eq!(layers[1].values, values.into());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let not_param = message("\u{89}PNG\nand more");
        assert!(not_param.starts_with("line 1 of the .param file: expected the number 7767517"));
        for (from, to, expected) in [
            (
                "2 2\n",
                "2\n",
                "line 2 of the .param file: expected the numbers of layers and blobs",
            ),
            (
                "2 2\n",
                "0 2\n",
                "line 2 of the .param file: expected 1 to 65536 layers",
            ),
            (
                "2 2\n",
                "3 2\n",
                "line 4 of the .param file: expected the last of 3 layers",
            ),
            (
                "0 1 a",
                "0 9 a",
                "line 3 of the .param file: expected the number of bottom or top",
            ),
            (
                "1 1 a b",
                "1 1 c b",
                "line 4 of the .param file: expected blobs that a layer above",
            ),
            (
                "1 1 a b",
                "1 1 a a",
                "line 4 of the .param file: expected blobs that no layer above",
            ),
            ("2,1,-233", "3,1,-233", "found \"-23309=3,1,-233\""),
            ("1=2", "1:2", "found \"1:2\""),
            (
                "2=0.5",
                "1=0.5",
                "expected each parameter once, found \"1=0.5\"",
            ),
            (
                "Input in 0 1 a",
                "Input in",
                "line 3 of the .param file: expected a layer",
            ),
        ] {
            let error = message(&SMALL.replacen(from, to, 1));
            assert!(error.contains(expected), "{error}");
        }
        assert!(message("").contains("found nothing"));
    }
}
