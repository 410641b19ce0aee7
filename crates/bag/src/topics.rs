//! The topics of a recording: those in its metadata, and those found in its files.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Topic;

/// Merges topics to one per name, type and serialization, sorted by them.
pub(super) fn merge_topics(topics: Vec<Topic>) -> Vec<Topic> {
    let mut merged = BTreeMap::<_, Topic>::new();
    for topic in topics {
        let key = [&topic.name, &topic.type_name, &topic.serialization_format].map(String::clone);
        let Some(known) = merged.get_mut(&key) else {
            merged.insert(key, topic);
            continue;
        };
        known.message_count = known
            .message_count
            .zip(topic.message_count)
            .map(|(a, b)| a.saturating_add(b));
    }
    merged.into_values().collect()
}

/// The topics during reading. Grows if a file has another type than the recording's metadata.
#[derive(Debug)]
pub(super) struct TopicTable {
    topics: Vec<Topic>,
    /// The indices of the topics of each selected name.
    wanted: HashMap<String, Vec<usize>>,
}

impl TopicTable {
    pub fn new(topics: Vec<Topic>, wanted: HashSet<String>) -> Self {
        let mut wanted: HashMap<String, Vec<usize>> =
            wanted.into_iter().map(|name| (name, Vec::new())).collect();
        for (index, topic) in topics.iter().enumerate() {
            if let Some(of_name) = wanted.get_mut(&topic.name) {
                of_name.push(index);
            }
        }
        Self { topics, wanted }
    }

    pub fn is_wanted(&self, name: &str) -> bool {
        self.wanted.contains_key(name)
    }

    pub fn as_slice(&self) -> &[Topic] {
        &self.topics
    }

    /// Returns the index of a file's topic; `None` if its name is not selected. Missing details
    /// come from the recording.
    pub fn index(&mut self, mut topic: Topic) -> Option<usize> {
        let of_name = self.wanted.get_mut(&topic.name)?;
        let agrees = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
        let is_same = |known: &Topic| {
            known.type_name == topic.type_name
                && known.serialization_format == topic.serialization_format
        };
        let may_be_same = |known: &Topic| {
            agrees(&known.type_name, &topic.type_name)
                && agrees(&known.serialization_format, &topic.serialization_format)
        };
        let find = |is_it: &dyn Fn(&Topic) -> bool| {
            let mut indices = of_name.iter().copied();
            indices.find(|&index| is_it(&self.topics[index]))
        };
        let Some(index) = find(&is_same).or_else(|| find(&may_be_same)) else {
            topic.message_count = None;
            of_name.push(self.topics.len());
            self.topics.push(topic);
            return Some(self.topics.len() - 1);
        };
        let known = &mut self.topics[index];
        if known.type_name.is_empty() {
            known.type_name = topic.type_name;
        }
        if known.serialization_format.is_empty() {
            known.serialization_format = topic.serialization_format;
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, type_name: &str, serialization: &str) -> Topic {
        Topic {
            name: name.into(),
            type_name: type_name.into(),
            serialization_format: serialization.into(),
            message_count: Some(1),
        }
    }

    #[test]
    fn one_name_with_two_types_is_two_topics() {
        let merged = merge_topics(vec![
            topic("/b", "B", "cdr"),
            topic("/a", "B", "cdr"),
            topic("/b", "A", "cdr"),
            topic("/b", "B", "ros1"),
            topic("/b", "B", "cdr"),
        ]);
        let told: Vec<_> = merged
            .iter()
            .map(|t| {
                (
                    &*t.name,
                    &*t.type_name,
                    &*t.serialization_format,
                    t.message_count,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("/a", "B", "cdr", Some(1)),
                ("/b", "A", "cdr", Some(1)),
                ("/b", "B", "cdr", Some(2)),
                ("/b", "B", "ros1", Some(1)),
            ]
        );
    }

    #[test]
    fn a_file_adds_the_types_that_the_recording_does_not_tell_of() {
        let recorded = vec![topic("/a", "A", ""), topic("/b", "B", "cdr")];
        let mut table = TopicTable::new(recorded, HashSet::from(["/a".into(), "/b".into()]));
        assert_eq!(table.index(topic("/c", "A", "cdr")), None);
        assert_eq!(table.index(topic("/b", "", "")), Some(1));
        assert_eq!(table.index(topic("/a", "A", "cdr")), Some(0));
        assert_eq!(table.as_slice()[0].serialization_format, "cdr");
        assert_eq!(table.index(topic("/a", "A", "ros1")), Some(2));
        assert_eq!(table.index(topic("/b", "A", "cdr")), Some(3));
        assert_eq!(table.index(topic("/b", "A", "cdr")), Some(3));
        assert_eq!(table.as_slice().len(), 4);
    }
}
