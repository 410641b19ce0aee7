//! What stands beside YOLO's labels: the names of the classes, and whether the lines have key points.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::class_map::ClassMap;
use crate::truth::TruthError;
use shuffledet_core::text;

/// Where the names stand, in the folder of labels or above it: as Ultralytics has it.
pub(super) const NAMES_FILE: &str = "data.yaml";
/// Other tools' lists of names, one a line.
const LISTS: [&str; 2] = ["classes.txt", "obj.names"];

/// Of a set of labels.
#[derive(Debug, PartialEq)]
pub(super) struct Classes {
    /// The categories of the classes by their numbers; `None` for those that the map leaves out.
    pub categories: BTreeMap<usize, Option<String>>,
    /// How many numbers of key points follow the box in a line, if any do.
    pub key_points: Option<usize>,
    /// Whether `data.yaml` has `kpt_shape`, which is null if there are no key points.
    pub states_key_points: bool,
}

impl Classes {
    /// Reads those of the labels in `folder`. The class map's names of numbers win over those of the files.
    pub fn read(folder: &Path, map: &ClassMap) -> Result<Self, TruthError> {
        let data = match above(folder, NAMES_FILE) {
            Some(file) => DataYaml::read(&file)?,
            None => DataYaml::default(),
        };
        let mut given = data.names;
        for list in LISTS.iter().filter_map(|list| above(folder, list)) {
            if given.is_empty() {
                given = names_of_lines(&text::read(&list).map_err(TruthError::io(&list))?);
            }
        }
        if given.is_empty() && map.numbers().next().is_none() {
            return Err(TruthError::NoNames {
                path: folder.to_owned(),
                names: folder.join(NAMES_FILE),
            });
        }
        let owned = |name: &str| name.to_owned();
        let mut categories: BTreeMap<_, _> = (given.into_iter())
            .map(|(number, name)| (number, map.category_of_truth(&name).map(owned)))
            .collect();
        for number in map.numbers() {
            if let Some(name) = map.category_of_number(number) {
                categories.insert(number, name.map(owned));
            }
        }
        Ok(Self {
            categories,
            key_points: data.key_points,
            states_key_points: data.states_key_points,
        })
    }
}

/// Finds the file of that name in the folder, or one or two folders above.
fn above(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut above = folder.ancestors().take(3).map(|dir| dir.join(name));
    above.find(|file| file.is_file())
}

/// Reads one name per line, from number 0. A line without a name keeps its number.
fn names_of_lines(text: &str) -> BTreeMap<usize, String> {
    let names = text.lines().map(|line| text::name(line).into_owned());
    let numbered = names.enumerate().filter(|(_, name)| !name.is_empty());
    numbered.collect()
}

/// What a `data.yaml` says of the labels.
#[derive(Debug, Default, PartialEq)]
struct DataYaml {
    names: BTreeMap<usize, String>,
    key_points: Option<usize>,
    states_key_points: bool,
}

impl DataYaml {
    fn read(file: &Path) -> Result<Self, TruthError> {
        let text = text::read(file).map_err(TruthError::io(file))?;
        Self::parse(&text).map_err(|problem| TruthError::Names {
            path: file.to_owned(),
            problem,
        })
    }

    fn parse(yaml: &str) -> Result<Self, String> {
        let expected = |found: String| {
            format!("expected `names`, a list or a name for each number, found {found}")
        };
        let data: Value = serde_yaml::from_str(yaml).map_err(|error| error.to_string())?;
        if !data.is_mapping() {
            return Err(expected(shown(&data)));
        }
        let mut names = BTreeMap::new();
        let mut insert = |number: usize, value: &Value| {
            let name =
                word(value).ok_or_else(|| expected(format!("{} as a name", shown(value))))?;
            names.insert(number, text::name(&name).into_owned());
            Ok::<(), String>(())
        };
        match data.get("names") {
            None | Some(Value::Null) => {}
            Some(Value::Sequence(list)) => {
                for (number, value) in list.iter().enumerate() {
                    insert(number, value)?;
                }
            }
            Some(Value::Mapping(map)) => {
                for (key, value) in map {
                    let number = word(key).and_then(|key| key.trim().parse().ok());
                    let number =
                        number.ok_or_else(|| expected(format!("{} as a number", shown(key))))?;
                    insert(number, value)?;
                }
            }
            Some(other) => return Err(expected(shown(other))),
        }
        let key_points = match data.get("kpt_shape") {
            None | Some(Value::Null) => None,
            Some(shape) => {
                let found = || {
                    format!(
                        "expected kpt_shape: [points, 2 or 3], found {}",
                        shown(shape)
                    )
                };
                Some(key_points(shape).ok_or_else(found)?)
            }
        };
        Ok(Self {
            names,
            key_points,
            states_key_points: data.get("kpt_shape").is_some(),
        })
    }
}

/// Returns the number of values of the points of a `kpt_shape`.
fn key_points(shape: &Value) -> Option<usize> {
    let [points, each] = shape.as_sequence()?.as_slice() else {
        return None;
    };
    let (points, each) = (points.as_u64()?, each.as_u64()?);
    let points = usize::try_from(points)
        .ok()
        .filter(|points| *points <= 10_000)?;
    matches!(each, 2 | 3).then_some(points * each as usize)
}

/// Returns a name: a text, or a value that YAML takes for a number or a truth value.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(set) => Some(set.to_string()),
        _ => None,
    }
}

/// Writes a short text for people.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
        other => word(other).map_or("something else".to_owned(), |word| format!("{word:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_a_list_or_numbered() {
        let names = |yaml: &str| {
            let names = DataYaml::parse(yaml).unwrap().names.into_iter();
            names
                .map(|(number, name)| format!("{number}:{name}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            names("names: [car, ' bus ', 3, yes, true]"),
            "0:car 1:bus 2:3 3:yes 4:true"
        );
        assert_eq!(names("names: {0: car, '7': bus}"), "0:car 7:bus");
        assert_eq!(names("names: [Fußga\u{308}nger]"), "0:Fußg\u{e4}nger");
        assert_eq!(names("train: x"), "");
        for wrong in [
            "names: car",
            "names: [[car]]",
            "names: {a: car}",
            "- car",
            "",
            "names: [null]",
            "kpt_shape: 17",
            "kpt_shape: [17, 4]",
        ] {
            let error = DataYaml::parse(wrong).unwrap_err();
            assert!(error.starts_with("expected "), "{wrong}: {error}");
        }
        assert_eq!(
            DataYaml::parse("kpt_shape: [17, 3]").unwrap().key_points,
            Some(51)
        );
    }

    #[test]
    fn the_class_map_names_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let yaml = folder.path().join("map.yaml");
        let labels = crate::class_map::tests::labels(&["car"]);
        let read = |text: &str| {
            fs::write(&yaml, text).unwrap();
            let map = ClassMap::read(&yaml, &labels).unwrap();
            Classes::read(folder.path(), &map).unwrap().categories
        };
        let some = |name: &str| Some(name.to_owned());
        let found = read("truth: {0: car, 3: null}");
        assert_eq!(found, BTreeMap::from([(0, some("car")), (3, None)]));
        fs::write(folder.path().join(NAMES_FILE), "names: [van, lorry]").unwrap();
        let found = read("truth: {0: car, Lorry: truck}");
        assert_eq!(
            found,
            BTreeMap::from([(0, some("car")), (1, some("truck"))])
        );
    }

    #[test]
    fn lists_of_names_beside_the_labels_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let labels = folder.path().join("labels");
        fs::create_dir(&labels).unwrap();
        let names = || {
            let classes = Classes::read(&labels, &ClassMap::default());
            classes.map(|classes| {
                classes
                    .categories
                    .into_values()
                    .flatten()
                    .collect::<Vec<_>>()
            })
        };
        assert!(matches!(names(), Err(TruthError::NoNames { .. })));
        fs::write(folder.path().join("obj.names"), "car\nbus\n").unwrap();
        assert_eq!(names().unwrap(), ["car", "bus"]);
        fs::write(labels.join("classes.txt"), "\u{feff}van\r\n\r\nlorry \r\n").unwrap();
        assert_eq!(names().unwrap(), ["van", "lorry"]);
        fs::write(
            folder.path().join(NAMES_FILE),
            "\u{feff}names:\r\n- tram\r\n",
        )
        .unwrap();
        assert_eq!(names().unwrap(), ["tram"]);
    }
}
