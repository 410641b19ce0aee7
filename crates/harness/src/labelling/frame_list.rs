//! A list of frames in a text file: a stamp in nanoseconds and a topic on each line.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use shuffledet_core::bounded_file::TEXT_LIMIT;
use shuffledet_core::text;
use shuffledet_detector::pipeline::{Camera, Frame, Source};

/// Frames by topic and stamp.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameList(BTreeSet<(i64, String)>);

/// Why a text is no list of frames.
#[derive(Debug, Error)]
pub enum FrameListError {
    #[error("{}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "line {number}: expected a stamp in nanoseconds and a topic, such as 1700000000000000000 /camera/image_raw, found {found:?}"
    )]
    Line { number: usize, found: String },
}

const HEAD: &str = "# frames for `shuffledet label export --frames`: stamp in nanoseconds, topic\n";

impl FrameList {
    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or has another line than those of a list.
    pub fn read(path: &Path) -> Result<Self, FrameListError> {
        let text = text::read(path, TEXT_LIMIT);
        let text = text.map_err(|source| FrameListError::Read {
            path: path.to_owned(),
            source,
        })?;
        text.parse()
    }

    /// Adds a frame. Returns false if the list has it.
    pub fn add(&mut self, topic: &str, stamp_ns: i64) -> bool {
        self.0.insert((stamp_ns, topic.to_owned()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for FrameList {
    type Err = FrameListError;

    fn from_str(text: &str) -> Result<Self, FrameListError> {
        let mut list = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let frame = line.split_once(char::is_whitespace);
            let frame = frame.and_then(|(stamp, topic)| Some((stamp.parse().ok()?, topic.trim())));
            let Some((stamp_ns, topic)) = frame else {
                return Err(FrameListError::Line {
                    number: number + 1,
                    found: line.chars().take(100).collect(),
                });
            };
            list.add(topic, stamp_ns);
        }
        Ok(list)
    }
}

impl fmt::Display for FrameList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for (stamp_ns, topic) in &self.0 {
            writeln!(f, "{stamp_ns} {topic}")?;
        }
        Ok(())
    }
}

/// Yields the listed frames of a source.
pub struct Listed<S> {
    source: S,
    /// By camera: the topic.
    topics: Vec<String>,
    /// The frames that have not come; `None`: all frames are yielded.
    left: Option<FrameList>,
}

impl<S> Listed<S> {
    /// Yields the frames of `cameras` that `list` has, or all of them without a list.
    pub fn new(source: S, cameras: &[Camera], list: Option<FrameList>) -> Self {
        let topics = cameras.iter().map(|camera| camera.topic.clone());
        Self {
            source,
            topics: topics.collect(),
            left: list,
        }
    }

    /// Returns the source of all frames.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Returns how many listed frames have not come.
    pub fn missing(&self) -> usize {
        self.left.as_ref().map_or(0, FrameList::len)
    }
}

impl<S: Source> Source for Listed<S> {
    type Error = S::Error;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, S::Error> {
        while self.left.as_ref().is_none_or(|left| !left.is_empty()) {
            if !self.source.next_into(frame)? {
                return Ok(false);
            }
            let Some(left) = &mut self.left else {
                return Ok(true);
            };
            let topic = self.topics.get(frame.camera).cloned().unwrap_or_default();
            if left.0.remove(&(frame.stamp.to_ns(), topic)) {
                return Ok(true);
            }
            frame.message.clear();
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shuffledet_detector::pipeline::Transport;
    use shuffledet_msg::Stamp;

    #[test]
    fn a_wrong_line_is_named() {
        let error = "# a\n5 /a\nfive /b\n".parse::<FrameList>().unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("line 3: ") && text.contains("five /b"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn a_written_list_reads_back(frames in prop::collection::vec((any::<i64>(), "/[a-z_/]{1,20}"), 0..20)) {
            let mut list = FrameList::default();
            for (stamp_ns, topic) in &frames {
                list.add(topic, *stamp_ns);
            }
            prop_assert_eq!(list.to_string().parse::<FrameList>().unwrap(), list);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = text.parse::<FrameList>();
        }
    }

    /// Frames of two cameras by turns, a second apart.
    struct Turns(i32);

    impl Source for Turns {
        type Error = ();

        fn next_into(&mut self, frame: &mut Frame) -> Result<bool, ()> {
            self.0 += 1;
            frame.camera = usize::from(self.0 % 2 == 0);
            frame.stamp = Stamp {
                sec: self.0,
                nanosec: 0,
            };
            Ok(self.0 < 10)
        }
    }

    #[test]
    fn only_listed_frames_come_and_the_others_are_told() {
        let cameras = ["/odd", "/even"].map(|topic| Camera {
            topic: topic.to_owned(),
            transport: Transport::Raw,
        });
        let list = "3000000000 /odd\n4000000000 /odd\n6000000000 /even\n";
        let list = list.parse().unwrap();
        let mut source = Listed::new(Turns(0), &cameras, Some(list));
        let (mut frame, mut found) = (Frame::new(), Vec::new());
        while source.next_into(&mut frame).unwrap() {
            found.push(frame.stamp.sec);
        }
        assert_eq!((found, source.missing()), (vec![3, 6], 1));
    }
}
