//! Selects the image topics that a command reads, and explains why a recording yields no frame.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;

use shuffledet_bag::{Recording, Topic};
use shuffledet_detector::pipeline::source::RecordingSource;
use shuffledet_detector::pipeline::{Camera, ImageTopics};

/// The topics to read.
pub struct CameraSelection {
    pub cameras: Vec<Camera>,
    /// One line for each image topic that is left out, with the reason.
    pub left_out: Vec<String>,
    /// Whether the user named the topics; if not, topics without pictures are skipped.
    named: bool,
}

/// The input has nothing to process. Exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NothingRead(String);

/// The maximum number of messages read to find out what the topics contain. A topic whose first
/// message comes later is skipped when it is read.
const SURVEYED: usize = 100;

impl CameraSelection {
    /// Selects the recording's image topics, or the `wanted` ones among them.
    pub fn new(recording: &Recording, wanted: &[String], path: &Path) -> anyhow::Result<Self> {
        let all = ImageTopics::list(recording);
        let path = path.display();
        let unreadable = |topic: &str| all.unreadable.iter().find(|t| t.topic == topic);
        if let Some(unreadable) = wanted.iter().find_map(|topic| unreadable(topic)) {
            let (topic, why) = (&unreadable.topic, &unreadable.why);
            bail!("--topic {topic}: cannot read the images on this topic of {path}: {why}");
        }
        if all.cameras.is_empty() {
            let topics: String = recording.topics().iter().map(listed).collect();
            bail!(
                "{path}: no image topics: expected sensor_msgs/msg/Image or CompressedImage, found:{}{}",
                if topics.is_empty() {
                    " no topics at all"
                } else {
                    &topics
                },
                all.unreadable
                    .iter()
                    .map(|t| format!("\n{}: {}", t.topic, t.why))
                    .collect::<String>()
            );
        }
        let mut selected = Self {
            cameras: Vec::new(),
            left_out: Vec::new(),
            named: !wanted.is_empty(),
        };
        for topic in wanted {
            let Some(camera) = all.cameras.iter().find(|camera| camera.topic == *topic) else {
                let images: Vec<_> = all.cameras.iter().map(|c| c.topic.as_str()).collect();
                let images = images.join(", ");
                bail!("--topic {topic}: {path} has no such image topic; it has: {images}");
            };
            if !selected.cameras.contains(camera) {
                selected.cameras.push(camera.clone());
            }
        }
        if wanted.is_empty() {
            let reasons = all.unreadable.iter();
            let reasons = reasons.map(|t| format!("{}: left out: {}", t.topic, t.why));
            selected.left_out.extend(reasons);
            selected.cameras = all.cameras;
            selected.leave_out_measurements(recording)?;
        }
        Ok(selected)
    }

    /// Leaves out the topics whose first message is not a picture.
    fn leave_out_measurements(&mut self, recording: &Recording) -> anyhow::Result<()> {
        let mut heard = self.cameras.clone();
        // the survey would wait for a topic without messages
        // a name may have messages of several types
        let mut heard_of = HashSet::new();
        for topic in recording.topics() {
            if topic.message_count != Some(0) {
                heard_of.insert(topic.name.as_str());
            }
        }
        heard.retain(|camera| heard_of.contains(camera.topic.as_str()));
        if self.cameras.len() < 2 || heard.is_empty() {
            // a single topic is checked when it is read
            return Ok(());
        }
        let source = RecordingSource::new(recording, heard, Duration::ZERO, None)?;
        for (camera, why) in source.only_pictures().survey(SURVEYED)? {
            self.cameras.retain(|other| *other != camera);
            self.left_out.push(why);
        }
        Ok(())
    }

    /// Returns the frames of the topics from `start` to `end`.
    pub fn source(
        &self,
        recording: &Recording,
        start: Duration,
        end: Option<Duration>,
    ) -> anyhow::Result<RecordingSource> {
        let source = RecordingSource::new(recording, self.cameras.clone(), start, end)?;
        Ok(match self.named {
            true => source,
            false => source.only_pictures(),
        })
    }

    /// Returns the frames of the topics and warns about topics that are left out. Fails if there is
    /// no frame.
    pub fn filled_source(
        &self,
        recording: &Recording,
        path: &Path,
    ) -> anyhow::Result<RecordingSource> {
        self.left_out
            .iter()
            .for_each(|line| tracing::warn!("{line}"));
        let mut source = self.source(recording, Duration::ZERO, None)?;
        if source.is_at_end()? {
            let warnings = source.warnings();
            return Err(self
                .nothing(recording, path, (Duration::ZERO, None), warnings)
                .into());
        }
        Ok(source)
    }

    /// Explains why no frame was read from the given time window.
    pub fn nothing(
        &self,
        recording: &Recording,
        path: &Path,
        (start, end): (Duration, Option<Duration>),
        warnings: &[String],
    ) -> NothingRead {
        let topics: Vec<&str> = self.cameras.iter().map(|c| c.topic.as_str()).collect();
        let stated = stated_messages(recording, &topics);
        let span = recording.start_end_ns().map(|(first, last)| {
            let span_ns = last.saturating_sub(first);
            Duration::from_nanos(span_ns)
        });
        let topics = topics.join(", ");
        let why = if let Some(end) = end.filter(|end| *end <= start) {
            format!(
                "--end {} s is not after --start {} s",
                end.as_secs_f64(),
                start.as_secs_f64()
            )
        } else if let Some(span) = span.filter(|span| start > *span) {
            let (start, span) = (start.as_secs_f64(), span.as_secs_f64());
            format!("--start {start} s is past the end; the recording is {span} s long")
        } else if self.cameras.is_empty() || (warnings.is_empty() && !self.left_out.is_empty()) {
            "none of the image topics contains pictures (see the warnings); use --topic to process one anyway"
                .to_owned()
        } else if let Some(warning) = warnings.last() {
            let own_name = format!("{}: ", path.display());
            warning
                .strip_prefix(&own_name)
                .unwrap_or(warning)
                .to_owned()
        } else if stated == Some(0) || (start.is_zero() && end.is_none()) {
            format!("there are no messages on {topics}")
        } else {
            format!("there are no messages on {topics} between --start and --end")
        };
        NothingRead(format!("{}: no frame was read: {why}", path.display()))
    }
}

impl NothingRead {
    /// Returns the error for a recording at `path` that has none of the annotated images.
    pub fn of_annotated(path: &Path) -> Self {
        NothingRead(format!(
            "{}: no annotated image found in this recording: expected messages with the topics and stamps of the \
             annotations",
            path.display()
        ))
    }
}

/// Returns the message count of the topics; `None` if the recording does not state each one.
fn stated_messages(recording: &Recording, topics: &[&str]) -> Option<u64> {
    let topics: HashSet<&str> = topics.iter().copied().collect();
    let of_topics = recording.topics().iter();
    let of_topics = of_topics.filter(|topic| topics.contains(topic.name.as_str()));
    of_topics.map(|topic| topic.message_count).sum()
}

fn listed(topic: &Topic) -> String {
    format!("\n  {} ({})", topic.name, topic.type_name)
}
