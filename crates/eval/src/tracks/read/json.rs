//! Tracks as `shuffledet track` writes them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::super::sequence::{ClassNames, Marks, Sequence, TrackBox};
use super::lines::upright;
use super::{Reading, TrackError};
use shuffledet_core::bounded_file::DATA_LIMIT;
use shuffledet_core::text;

/// An entry; keys that do not matter here are left out.
#[derive(Deserialize)]
struct Entry {
    image_id: u64,
    category_id: u64,
    bbox: [f64; 4],
    label: Option<String>,
    topic: Option<String>,
    stamp_ns: Option<i64>,
    /// Absent in detections without tracks.
    track_id: Option<u64>,
}

/// All frames of a recording, those without detections included.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrameList {
    /// By topic, the position of each stamp.
    frames: HashMap<String, HashMap<i64, usize>>,
}

impl FrameList {
    /// Reads a JSON array of `{"topic", "stamp_ns"}`. Frames count in the order of their stamps.
    pub fn read(path: &Path) -> Result<Self, TrackError> {
        #[derive(Deserialize)]
        struct Frame {
            topic: String,
            stamp_ns: i64,
        }
        let text = text::read(path, DATA_LIMIT).map_err(TrackError::io(path))?;
        let list: Vec<Frame> = serde_json::from_str(&text).map_err(|error| {
            let expected = r#"expected an array of {"topic": "/camera", "stamp_ns": 1}"#;
            TrackError::file(path, format!("{expected}: {error}"))
        })?;
        let mut stamps: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for frame in list {
            stamps
                .entry(frame.topic)
                .or_default()
                .insert(frame.stamp_ns);
        }
        let numbered = |stamps: BTreeSet<i64>| stamps.into_iter().zip(0..).collect();
        let frames = stamps
            .into_iter()
            .map(|(topic, stamps)| (topic, numbered(stamps)));
        Ok(Self {
            frames: frames.collect(),
        })
    }
}

/// Reads the tracks of one camera. A frame's number is its place in the list of frames, or without a
/// list its `image_id`.
pub(super) fn read(
    path: &Path,
    reading: &Reading<'_>,
    rename: &dyn Fn(&str) -> Option<String>,
    names: &mut ClassNames,
) -> Result<Sequence, TrackError> {
    let text = text::read(path, DATA_LIMIT).map_err(TrackError::io(path))?;
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|source| TrackError::Json {
        path: path.to_owned(),
        source,
    })?;
    let topics: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry.topic.as_deref())
        .collect();
    let wanted = |topic: &str| reading.topic.is_none_or(|wanted| wanted == topic);
    if reading.topic.is_none() && topics.len() > 1 {
        let topics: Vec<_> = topics.into_iter().collect();
        let problem = format!(
            "expected one camera, found {}; name one with --topic",
            topics.join(", ")
        );
        return Err(TrackError::file(path, problem));
    }
    if let Some(topic) = reading.topic
        && !topics.is_empty()
        && !topics.contains(topic)
    {
        let topics: Vec<_> = topics.into_iter().collect();
        let problem = format!("no entry of {topic}; its cameras are {}", topics.join(", "));
        return Err(TrackError::file(path, problem));
    }
    let mut sequence = Sequence::default();
    for (at, entry) in entries.iter().enumerate() {
        let topic = entry.topic.as_deref().unwrap_or_default();
        if !wanted(topic) {
            continue;
        }
        let at_entry = |problem: String| {
            TrackError::file(path, format!("entry {at} (the first is 0): {problem}"))
        };
        let id = entry.track_id.ok_or_else(|| {
            at_entry(
                "expected a track_id, found none; write the file with `shuffledet track`"
                    .to_owned(),
            )
        })?;
        let frame = match reading.frames {
            None => usize::try_from(entry.image_id)
                .ok()
                .filter(|&frame| frame < 30_000_000),
            Some(list) => entry
                .stamp_ns
                .and_then(|stamp| list.frames.get(topic)?.get(&stamp).copied()),
        };
        let frame = frame.ok_or_else(|| {
            at_entry(match (reading.frames, entry.stamp_ns) {
                (Some(_), Some(stamp)) => {
                    format!("expected a frame of the list, found {topic} at {stamp} ns; complete --frames")
                }
                (Some(_), None) => "expected a stamp_ns, found none".to_owned(),
                (None, _) => {
                    format!("expected a frame below 30,000,000 as image_id, found {}; give --frames", entry.image_id)
                }
            })
        })?;
        let [left, top, width, height] = entry.bbox;
        let corners = upright([left, top, left + width, top + height]).map_err(at_entry)?;
        let label = entry
            .label
            .clone()
            .unwrap_or_else(|| entry.category_id.to_string());
        if let Some(class) = rename(&label) {
            sequence.boxes.push(TrackBox {
                frame,
                id,
                class: names.position(&class),
                corners,
                marks: Marks::default(),
            });
        }
    }
    Ok(sequence)
}
