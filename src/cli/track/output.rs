//! The files that `track` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::ensure;
use serde_json::{Map, Value, json};

use super::input::{Detections, Frame};
use shuffledet_detector::sink::MotRow;
use shuffledet_track::{State, Track, TrackId, Tracker};

/// The entries of `TRACKS.json`.
pub struct TrackRows<'a> {
    detections: &'a Detections,
    coasting: bool,
    entries: Vec<Map<String, Value>>,
    /// By track: the index of the row that it was seen in last.
    last: BTreeMap<TrackId, usize>,
    seen: BTreeSet<TrackId>,
}

impl<'a> TrackRows<'a> {
    pub fn new(detections: &'a Detections, coasting: bool) -> Self {
        Self {
            detections,
            coasting,
            entries: Vec::new(),
            last: BTreeMap::new(),
            seen: BTreeSet::new(),
        }
    }

    /// Adds the tracks of a frame, in the order of its detections; then those that coast.
    pub fn add(&mut self, frame: &Frame<'_>, tracker: &Tracker, mut mot: Option<&mut MotText>) {
        if let Some(mot) = &mut mot {
            mot.next_frame(frame);
        }
        let mut tracks: Vec<(TrackId, &Track)> = tracker.tracks().collect();
        let row = |track: &Track| track.detection().map(|index| frame.rows[index]);
        tracks.sort_by_key(|(_, track)| row(track).unwrap_or(usize::MAX));
        for (id, track) in tracks {
            let entry = match row(track) {
                Some(row) => {
                    self.last.insert(id, row);
                    self.detected(row, id, track)
                }
                None if self.coasting => self.predicted(frame, id, track),
                None => continue,
            };
            if let Some(mot) = &mut mot {
                mot.add(id, &entry);
            }
            self.seen.insert(id);
            self.entries.push(entry);
        }
    }

    fn detected(&self, row: usize, id: TrackId, track: &Track) -> Map<String, Value> {
        let row = self.detections.row_at(row);
        let mut entry = row.entry.clone();
        if track.class_id() != row.detection.class_id {
            for key in ["label", "category_id"] {
                if let Some(own) = entry.get(key).cloned() {
                    entry.insert(format!("detected_{key}"), own);
                }
            }
        }
        self.describe(&mut entry, id, track);
        entry
    }

    fn predicted(&self, frame: &Frame<'_>, id: TrackId, track: &Track) -> Map<String, Value> {
        let bbox = track.bbox();
        let mut entry = Map::new();
        if let Some(image_id) = frame.image_id {
            entry.insert("image_id".to_owned(), image_id.into());
        }
        entry.insert("category_id".to_owned(), Value::Null);
        entry.insert(
            "bbox".to_owned(),
            json!([bbox.x1, bbox.y1, bbox.width(), bbox.height()]),
        );
        let last = self
            .last
            .get(&id)
            .map(|&row| &self.detections.row_at(row).entry);
        let score = last.and_then(|entry| entry.get("score")).cloned();
        entry.insert("score".to_owned(), score.unwrap_or_default());
        entry.insert("label".to_owned(), Value::Null);
        entry.insert("topic".to_owned(), frame.topic.into());
        entry.insert("stamp_ns".to_owned(), frame.stamp_ns.into());
        let last = self
            .last
            .get(&id)
            .map(|&row| &self.detections.row_at(row).entry);
        if let Some(frame_id) = last.and_then(|entry| entry.get("frame_id")) {
            entry.insert("frame_id".to_owned(), frame_id.clone());
        }
        self.describe(&mut entry, id, track);
        entry
    }

    /// Adds what the track says: its class by votes, identity, state and age.
    fn describe(&self, entry: &mut Map<String, Value>, id: TrackId, track: &Track) {
        let (label, category) = self.detections.class(track.class_id());
        for (key, value) in [
            ("label", Some(&Value::from(label))),
            ("category_id", category),
        ] {
            if let (Some(place), Some(value)) = (entry.get_mut(key), value) {
                *place = value.clone();
            }
        }
        entry.insert("track_id".to_owned(), id.get().into());
        entry.insert("state".to_owned(), track.state().name().into());
        // to a microsecond: more is rounding
        let seconds = |seconds: f64| Value::from((seconds * 1e6).round() / 1e6);
        entry.insert("age_s".to_owned(), seconds(track.age_s()));
        if let Some(collision) = track.time_to_collision() {
            entry.insert("time_to_collision_s".to_owned(), seconds(collision.seconds));
        }
        if track.state() == State::Coasting {
            let sigma = track.filter().deviations();
            entry.insert(
                "bbox_sigma".to_owned(),
                json!([sigma.x, sigma.y, sigma.width, sigma.height]),
            );
        }
    }

    /// Returns the number of tracks.
    pub fn tracks(&self) -> usize {
        self.seen.len()
    }

    /// Returns the file: a JSON array with one entry per line.
    pub fn finish(self) -> serde_json::Result<Vec<u8>> {
        let mut text = b"[".to_vec();
        for (index, entry) in self.entries.iter().enumerate() {
            text.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
            serde_json::to_writer(&mut text, entry)?;
        }
        text.extend_from_slice(if self.entries.is_empty() {
            b"]\n"
        } else {
            b"\n]\n"
        });
        Ok(text)
    }
}

/// A file in the format of the MOT challenge: `frame,id,x,y,width,height,score,-1,-1,-1`.
pub struct MotText {
    text: String,
    frame: u64,
    /// Whether all frames are known, so that their number is their place.
    counted: bool,
}

impl MotText {
    /// Starts a file. Fails if the detections are of several cameras.
    pub fn new(detections: &Detections, counted: bool) -> anyhow::Result<Self> {
        let frames = detections.frames();
        let topics: BTreeSet<&str> = frames.iter().map(|frame| frame.topic).collect();
        ensure!(
            topics.len() <= 1,
            "--mot: expected detections of one camera, found {} topics ({}); split the detections by topic",
            topics.len(),
            topics.into_iter().take(5).collect::<Vec<_>>().join(", ")
        );
        Ok(Self {
            text: String::new(),
            frame: 0,
            counted,
        })
    }

    fn next_frame(&mut self, frame: &Frame<'_>) {
        let image_id = frame.image_id.filter(|_| !self.counted);
        self.frame = image_id.map_or(self.frame.saturating_add(1), |id| id.saturating_add(1));
    }

    fn add(&mut self, id: TrackId, entry: &Map<String, Value>) {
        let side = |index: usize| entry.get("bbox").and_then(|bbox| bbox.get(index));
        let number = |value: Option<&Value>| value.and_then(Value::as_f64).unwrap_or_default();
        let row = MotRow {
            frame: self.frame,
            id,
            bbox: [0, 1, 2, 3].map(|index| number(side(index))),
            score: number(entry.get("score")),
        };
        // writing to a String cannot fail
        let _ = writeln!(self.text, "{row}");
    }

    pub fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }
}
