//! Groups of classes within which one object is one detection, such as car, bus and truck.

use thiserror::Error;

use shuffledet_core::Labels;
use shuffledet_core::detection::MOST_FURTHER;

/// The maximum number of classes in a group: a detection holds the others as further hypotheses.
pub const MOST_CLASSES: usize = 1 + MOST_FURTHER;

/// Tells which classes are in one group. By default each class is by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectGroups {
    /// By class id: the position of its group. A class beyond the end is by itself.
    groups: Vec<Option<usize>>,
}

/// Why groups are refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GroupError {
    #[error(
        "group {group:?}: expected 2 to {MOST_CLASSES} classes, found {count}; add classes, or remove some or the group"
    )]
    Size { group: String, count: usize },
    #[error("class {class:?} is named twice; name each class in one group at most, and once")]
    Twice { class: String },
}

impl ObjectGroups {
    /// Joins the classes of each group, given by class id.
    ///
    /// # Errors
    /// A group has fewer than two or more than [`MOST_CLASSES`] classes, or a class is given twice.
    pub fn new(groups: &[Vec<usize>], labels: &Labels) -> Result<Self, GroupError> {
        let mut by_class = vec![None; labels.count()];
        for (position, group) in groups.iter().enumerate() {
            let names = group.iter().map(|&class| labels.name(class));
            if !(2..=MOST_CLASSES).contains(&group.len()) {
                return Err(GroupError::Size {
                    group: names.collect::<Vec<_>>().join(", "),
                    count: group.len(),
                });
            }
            for (&class, name) in group.iter().zip(names) {
                if by_class[class].replace(position).is_some() {
                    let class = name.to_owned();
                    return Err(GroupError::Twice { class });
                }
            }
        }
        Ok(Self { groups: by_class })
    }

    /// Returns whether overlapping boxes of these classes count as one object: the classes are
    /// equal or in one group.
    pub fn same_object(&self, a: usize, b: usize) -> bool {
        a == b || (self.is_grouped(a) && self.group(a) == self.group(b))
    }

    /// Returns whether the class is in a group.
    pub fn is_grouped(&self, class: usize) -> bool {
        self.group(class).is_some()
    }

    fn group(&self, class: usize) -> Option<usize> {
        self.groups.get(class).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::labels::Label;

    fn labels(count: u32) -> Labels {
        let label = |category_id: u32| Label {
            name: format!("c{category_id}"),
            category_id,
        };
        Labels::new((0..count).map(label).collect()).unwrap()
    }

    fn groups(groups: &[&[usize]]) -> Result<ObjectGroups, GroupError> {
        let groups: Vec<Vec<usize>> = groups.iter().map(|group| group.to_vec()).collect();
        ObjectGroups::new(&groups, &labels(12))
    }

    #[test]
    fn classes_of_one_group_are_one_object() {
        let vehicles = groups(&[&[7, 2, 5], &[3, 1]]).unwrap();
        assert!(vehicles.same_object(2, 7) && vehicles.same_object(7, 5));
        assert!(vehicles.same_object(1, 3) && vehicles.same_object(4, 4));
        assert!(!vehicles.same_object(1, 2) && !vehicles.same_object(0, 4));
        assert!(!ObjectGroups::default().same_object(2, 7));
        assert!(ObjectGroups::default().same_object(9, 9));
        assert!(vehicles.is_grouped(5) && !vehicles.is_grouped(0) && !vehicles.is_grouped(99));
    }

    #[test]
    fn groups_that_cannot_be_are_refused() {
        let message = |given: &[&[usize]]| groups(given).unwrap_err().to_string();
        assert!(message(&[&[2]]).contains("\"c2\": expected 2 to 8 classes, found 1"));
        assert!(message(&[&[0, 1, 2, 3, 4, 5, 6, 7, 8]]).contains("found 9"));
        assert!(message(&[&[2, 5], &[5, 7]]).contains("\"c5\" is named twice"));
        assert!(message(&[&[2, 2]]).contains("\"c2\" is named twice"));
    }
}
