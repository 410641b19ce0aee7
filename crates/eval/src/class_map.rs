//! Which class of the model stands for which category of the data set.
//!
//! The file of `--class-map` is YAML with two optional sections, each of names to names (null: left out):
//!
//! ```yaml
//! model:              # the model's labels -> categories
//!   car: vehicle
//!   bus: vehicle
//! truth:              # the data set's own names -> categories, where they are to be joined or renamed
//!   Van: vehicle
//!   Misc: null
//!   7: vehicle        # YOLO: a class's number
//! ```
//!
//! Without sections it is all `model`. What is not named keeps its name; names are compared without regard to case, to
//! blanks around them and to the Unicode normal form that they are in. A
//! class that is named nowhere and whose name is no category is left out, unless the data set numbers its categories as
//! the model does: more than half of them have a name and an id in common with a class, and none has the name alone. Then
//! the id decides, and is told ([`Problem::MappedById`]): data sets that spell COCO's names in their own way.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};
use thiserror::Error;

use super::Category;
use super::problems::{Problem, Problems};
use shuffledet_core::Labels;
use shuffledet_core::{text, text::same_name};

/// By name, or a number as text.
type Names = BTreeMap<String, Option<String>>;

/// Names to other names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassMap {
    model: Names,
    truth: Names,
}

/// Why there is no class map.
#[derive(Debug, Error)]
pub enum ClassMapError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: expected names to names, as `bus: vehicle`, alone or under `model` and `truth`: {problem}", path.display())]
    Form { path: PathBuf, problem: String },
    #[error("{}: {class:?} is not a class of the model; its classes are: {known}", path.display())]
    UnknownClass {
        path: PathBuf,
        class: String,
        known: String,
    },
}

impl ClassMap {
    /// Reads a file; `labels` are those of the model that it must be of.
    pub fn read(path: &Path, labels: &Labels) -> Result<Self, ClassMapError> {
        let text = text::read(path).map_err(|source| ClassMapError::Io {
            path: path.to_owned(),
            source,
        })?;
        let form = |problem: String| ClassMapError::Form {
            path: path.to_owned(),
            problem,
        };
        let file = serde_yaml::from_str(&text).map_err(|error| form(error.to_string()))?;
        let map = sections(file).map_err(form)?;
        let is_class = |name: &str| labels.names().any(|label| same_name(label, name));
        match map.model.keys().find(|class| !is_class(class)) {
            None => Ok(map),
            Some(class) => Err(ClassMapError::UnknownClass {
                path: path.to_owned(),
                class: class.clone(),
                known: labels.names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// Returns the category that a name of the data set stands for; `None` if it is left out.
    pub fn category_of_truth<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        lookup(&self.truth, name).map_or(Some(name), Option::as_deref)
    }

    /// Returns the category that a number of the data set stands for, or `None` if it is left out;
    /// the outer `None` if the map does not name it.
    pub fn category_of_number(&self, number: usize) -> Option<Option<&str>> {
        self.truth.get(&number.to_string()).map(Option::as_deref)
    }

    /// Returns every number of the data set that the map names.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        self.truth.keys().filter_map(|key| key.parse().ok())
    }

    /// Whether it says anything of the data set's own classes.
    pub fn names_truth(&self) -> bool {
        !self.truth.is_empty()
    }

    /// Returns the id of the category of each class of the model, and counts what does not fit.
    pub fn resolve(
        &self,
        labels: &Labels,
        categories: &[Category],
        problems: &mut Problems,
    ) -> Vec<Option<u64>> {
        let named = |name: &str| {
            categories
                .iter()
                .find(|category| same_name(&category.name, name))
        };
        let by_id = numbered_alike(labels, categories);
        let mut resolved = Vec::with_capacity(labels.count());
        for (class_id, label) in labels.names().enumerate() {
            let target = lookup(&self.model, label);
            let name = target.map_or(Some(label), Option::as_deref);
            let own_id = u64::from(labels.category_id(class_id));
            let id = match (name.and_then(named), target, name) {
                (Some(category), ..) => Some(category.id),
                (None, Some(_), Some(name)) => {
                    problems.add(Problem::UnknownTarget, format!("{label}: {name}"));
                    None
                }
                // it is the map that leaves it out
                (None, Some(_), None) => None,
                (None, None, _) => match categories.iter().find(|c| by_id && c.id == own_id) {
                    Some(category) => {
                        let place = format!("{label}: {} (id {own_id})", category.name);
                        problems.add(Problem::MappedById, place);
                        Some(own_id)
                    }
                    None => {
                        problems.add(Problem::UnmappedClass, label);
                        None
                    }
                },
            };
            resolved.push(id);
        }
        for category in categories
            .iter()
            .filter(|c| !resolved.contains(&Some(c.id)))
        {
            problems.add(Problem::UnmappedCategory, category.name.clone());
        }
        resolved
    }
}

/// Categories for a data set that numbers none: `names`, each once and in order, numbered from 1.
pub fn numbered<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Category> {
    let names: BTreeSet<&str> = names.collect();
    let numbered = names.into_iter().zip(1..);
    numbered
        .map(|(name, id)| Category {
            id,
            name: name.to_owned(),
        })
        .collect()
}

/// Returns the entry of `name`; prefers an entry with the same case.
fn lookup<'a>(names: &'a Names, name: &str) -> Option<&'a Option<String>> {
    names.get(name).or_else(|| {
        names
            .iter()
            .find(|entry| same_name(entry.0, name))
            .map(|(_, target)| target)
    })
}

/// Whether a class's id tells its category where the name does not.
fn numbered_alike(labels: &Labels, categories: &[Category]) -> bool {
    let (mut alike, mut other) = (0, 0);
    for (class_id, label) in labels.names().enumerate() {
        let same = |category: &&Category| same_name(&category.name, label);
        match categories.iter().find(same).map(|category| category.id) {
            Some(id) if id == u64::from(labels.category_id(class_id)) => alike += 1,
            Some(_) => other += 1,
            None => {}
        }
    }
    other == 0 && 2 * alike > categories.len()
}

/// Returns the sections of a file, or what is wrong with it.
fn sections(file: Value) -> Result<ClassMap, String> {
    let Value::Mapping(file) = file else {
        return Err("no names at all".to_owned());
    };
    let is_section = |(key, value): (&Value, &Value)| {
        matches!(key.as_str(), Some("model" | "truth")) && !value.is_string()
    };
    if !file.iter().any(is_section) {
        let (model, truth) = (names(&file)?, Names::new());
        return Ok(ClassMap { model, truth });
    }
    let mut map = ClassMap::default();
    for (key, value) in &file {
        let section = match key.as_str() {
            Some("model") => &mut map.model,
            Some("truth") => &mut map.truth,
            _ => return Err(format!("{} beside the sections", shown(key))),
        };
        match value {
            Value::Null => {}
            Value::Mapping(entries) => *section = names(entries)?,
            other => return Err(format!("{}: {}", shown(key), shown(other))),
        }
    }
    Ok(map)
}

fn names(entries: &Mapping) -> Result<Names, String> {
    entries
        .iter()
        .map(|(key, value)| {
            let name = match key {
                Value::String(name) => text::name(name).into_owned(),
                Value::Number(number) => number.to_string(),
                other => return Err(format!("{} as a name", shown(other))),
            };
            match value {
                Value::Null => Ok((name, None)),
                Value::String(target) => Ok((name, Some(text::name(target).into_owned()))),
                other => Err(format!("{name}: {}", shown(other))),
            }
        })
        .collect()
}

/// Writes a YAML value in one line.
fn shown(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| format!("{value:?}"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;
    use shuffledet_core::labels::Label;

    pub fn labels(names: &[&str]) -> Labels {
        let label = |(name, category_id): (&&str, u32)| Label {
            name: (*name).to_owned(),
            category_id,
        };
        Labels::new(names.iter().zip(1..).map(label).collect()).unwrap()
    }

    pub fn map(yaml: &str) -> Result<ClassMap, ClassMapError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, yaml).unwrap();
        ClassMap::read(file.path(), &labels(&["car", "bus", "kite"]))
    }

    pub fn categories(names: &[&str]) -> Vec<Category> {
        names
            .iter()
            .zip(10..)
            .map(|(name, id)| Category {
                id,
                name: (*name).to_owned(),
            })
            .collect()
    }

    #[test]
    fn several_classes_may_stand_for_one_category() {
        let found = map("{car: vehicle, bus: vehicle, kite: }").unwrap();
        let mut problems = Problems::default();
        let resolved = found.resolve(
            &labels(&["car", "bus", "kite"]),
            &categories(&["Vehicle", "sign"]),
            &mut problems,
        );
        assert_eq!(resolved, [Some(10), Some(10), None]);
        assert_eq!(problems.count(Problem::UnmappedCategory), 1);
        assert_eq!(problems.total(), 1);
    }

    #[test]
    fn a_target_that_the_data_set_lacks_is_a_mistake() {
        let found = map("{Car: vehicel}").unwrap();
        let mut problems = Problems::default();
        let resolved = found.resolve(
            &labels(&["car", "bus"]),
            &categories(&["vehicle"]),
            &mut problems,
        );
        assert_eq!(resolved, [None, None]);
        assert_eq!(problems.count(Problem::UnknownTarget), 1);
        assert_eq!(problems.count(Problem::UnmappedClass), 1);
        assert!(problems.strictly().is_err());
    }

    #[test]
    fn ids_decide_between_data_sets_that_are_numbered_alike() {
        let resolve = |categories: &[Category]| {
            let mut problems = Problems::default();
            let labels = labels(&["car", "bus", "motorcycle"]);
            let resolved = ClassMap::default().resolve(&labels, categories, &mut problems);
            (resolved, problems.count(Problem::MappedById))
        };
        let from = |first: u64, names: [&str; 3]| -> Vec<Category> {
            let names = names.into_iter().zip(first..);
            names
                .map(|(name, id)| Category {
                    id,
                    name: name.to_owned(),
                })
                .collect()
        };
        let spelled = from(1, ["car", "bus", "motorbike"]);
        assert_eq!(resolve(&spelled), (vec![Some(1), Some(2), Some(3)], 1));
        // one name of three, and names at other numbers
        let few = from(1, ["car", "tram", "motorbike"]);
        assert_eq!(resolve(&few), (vec![Some(1), None, None], 0));
        let other = from(3, ["car", "bus", "motorbike"]);
        assert_eq!(resolve(&other), (vec![Some(3), Some(4), None], 0));
    }

    #[test]
    fn the_truths_own_names_can_be_joined() {
        let found = map("truth: {Van: Car, Misc: }").unwrap();
        let names = ["van", "Misc", "Car", "Tram"];
        let categories_of = numbered(
            names
                .iter()
                .filter_map(|name| found.category_of_truth(name)),
        );
        let names: Vec<_> = categories_of.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["Car", "Tram"]);
    }

    #[test]
    fn a_map_of_another_model_is_refused() {
        assert!(matches!(
            map("{lorry: vehicle}"),
            Err(ClassMapError::UnknownClass { .. })
        ));
        assert!(matches!(map("- car"), Err(ClassMapError::Form { .. })));
        for wrong in [
            "",
            "model: [car]",
            "{truth: {}, car: vehicle}",
            "car: {a: b}",
        ] {
            let found = map(wrong);
            assert!(matches!(found, Err(ClassMapError::Form { .. })), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_names_too() {
        let found = map("truth: {0: car, 12: }").unwrap();
        assert_eq!(found.category_of_number(0), Some(Some("car")));
        assert_eq!(found.category_of_number(12), Some(None));
        assert_eq!(found.category_of_number(1), None);
        assert_eq!(found.numbers().collect::<Vec<_>>(), [0, 12]);
    }
}
