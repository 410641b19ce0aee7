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
//! ```
//!
//! Without sections it is all `model`. What is not named keeps its name; names are compared without regard to case.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::Category;
use super::problems::{Problem, Problems};
use super::truth::Truth;
use crate::model::Labels;

type Names = BTreeMap<String, Option<String>>;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sections {
    model: Names,
    truth: Names,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Sections(Sections),
    Model(Names),
}

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
    #[error("{}: {class:?} is no class of the model; it has: {known}", path.display())]
    UnknownClass {
        path: PathBuf,
        class: String,
        known: String,
    },
}

impl ClassMap {
    /// Reads a file; `labels` are those of the model that it must be of.
    pub fn read(path: &Path, labels: &Labels) -> Result<Self, ClassMapError> {
        let text = fs::read_to_string(path).map_err(|source| ClassMapError::Io {
            path: path.to_owned(),
            source,
        })?;
        let file: File = serde_yaml::from_str(&text).map_err(|error| ClassMapError::Form {
            path: path.to_owned(),
            problem: error.to_string(),
        })?;
        let map = match file {
            File::Sections(Sections { model, truth }) => Self { model, truth },
            File::Model(model) => Self {
                model,
                truth: Names::new(),
            },
        };
        match map
            .model
            .keys()
            .find(|&class| labels.class_id(class).is_none())
        {
            None => Ok(map),
            Some(class) => Err(ClassMapError::UnknownClass {
                path: path.to_owned(),
                class: class.clone(),
                known: labels.names().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// What the data set's own name stands for; `None` where it is left out.
    pub fn category_of_truth<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.truth.get(name).map_or(Some(name), Option::as_deref)
    }

    /// Categories for a data set that numbers none: the names that these stand for, in their order, numbered from 1.
    pub fn categories_of<'a>(&'a self, names: impl Iterator<Item = &'a str>) -> Vec<Category> {
        let names: BTreeSet<&str> = names
            .filter_map(|name| self.category_of_truth(name))
            .collect();
        let numbered = names.into_iter().zip(1..);
        numbered
            .map(|(name, id)| Category {
                id,
                name: name.to_owned(),
            })
            .collect()
    }

    /// Joins and renames the categories of a data set that has them numbered. A joined category has the id of the first.
    pub fn rename(&self, truth: &mut Truth) {
        if self.truth.is_empty() {
            return;
        }
        let (mut kept, mut becomes): (Vec<Category>, BTreeMap<u64, Option<u64>>) =
            Default::default();
        for category in &truth.categories {
            let name = self.category_of_truth(&category.name);
            let id = name.map(|name| match kept.iter().find(|c| c.name == name) {
                Some(first) => first.id,
                None => {
                    kept.push(Category {
                        id: category.id,
                        name: name.to_owned(),
                    });
                    category.id
                }
            });
            becomes.insert(category.id, id);
        }
        truth.categories = kept;
        for image in &mut truth.images {
            image.objects.retain_mut(|object| {
                let id = becomes.get(&object.category_id).copied().flatten();
                object.category_id = id.unwrap_or(object.category_id);
                id.is_some()
            });
        }
    }

    /// By class of the model, the id of the category that its detections are of; what does not fit is counted.
    pub fn resolve(
        &self,
        labels: &Labels,
        categories: &[Category],
        problems: &mut Problems,
    ) -> Vec<Option<u64>> {
        let category = |name: &str| {
            let same = |category: &&Category| category.name.eq_ignore_ascii_case(name);
            categories.iter().find(same).map(|category| category.id)
        };
        let mut resolved = Vec::with_capacity(labels.count());
        for label in labels.names() {
            let name = self.model.get(label).map_or(Some(label), Option::as_deref);
            let id = name.and_then(category);
            if id.is_none() {
                let target = name.filter(|&name| name != label);
                let place = target.map_or(label.to_owned(), |name| format!("{label} ({name})"));
                problems.add(Problem::UnmappedClass, place);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::labels::Label;

    fn labels(names: &[&str]) -> Labels {
        let label = |(name, category_id): (&&str, u32)| Label {
            name: (*name).to_owned(),
            category_id,
        };
        Labels::new(names.iter().zip(1..).map(label).collect()).unwrap()
    }

    fn map(yaml: &str) -> Result<ClassMap, ClassMapError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, yaml).unwrap();
        ClassMap::read(file.path(), &labels(&["car", "bus", "kite"]))
    }

    fn categories(names: &[&str]) -> Vec<Category> {
        let category = |(name, id): (&&str, u64)| Category {
            id,
            name: (*name).to_owned(),
        };
        names.iter().zip(10..).map(category).collect()
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
        assert_eq!(problems.count(Problem::UnmappedClass), 1);
        assert_eq!(problems.count(Problem::UnmappedCategory), 1);
    }

    #[test]
    fn the_truths_own_names_can_be_joined() {
        let found = map("truth: {Van: Car, Misc: }").unwrap();
        let names = found.categories_of(["Van", "Misc", "Car", "Tram"].into_iter());
        let names: Vec<_> = names
            .iter()
            .map(|category| category.name.as_str())
            .collect();
        assert_eq!(names, ["Car", "Tram"]);
        let mut truth = Truth {
            categories: categories(&["Car", "Van", "Misc"]),
            images: Vec::new(),
        };
        found.rename(&mut truth);
        assert_eq!(truth.categories, categories(&["Car"]));
    }

    #[test]
    fn a_map_of_another_model_is_refused() {
        assert!(matches!(
            map("{lorry: vehicle}"),
            Err(ClassMapError::UnknownClass { .. })
        ));
        assert!(matches!(map("- car"), Err(ClassMapError::Form { .. })));
        assert!(matches!(
            map("model: [car]"),
            Err(ClassMapError::Form { .. })
        ));
    }
}
