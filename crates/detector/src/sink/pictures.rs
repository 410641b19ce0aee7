//! Annotated frames: a file of each, and a sample for the report.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::pipeline::{Annotated, Frame};
use shuffledet_core::Labels;
use shuffledet_core::Preview;
use shuffledet_core::by_count;

/// A folder with a JPEG of every frame, in order by name.
pub struct PictureFolder(PathBuf);

impl PictureFolder {
    /// Creates the folder if it does not exist. Removes the images of an earlier run and keeps
    /// other files.
    pub fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if is_picture_name(&entry.file_name().to_string_lossy()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// Writes the frame's annotated image as `SEQUENCE_TOPIC_STAMP.jpg`, if it has one.
    pub fn write(&self, frame: &Frame, topic: &str) -> io::Result<()> {
        let Some(annotated) = &frame.annotated else {
            return Ok(());
        };
        let topic = topic.trim_matches('/').replace('/', "_");
        let (sequence, stamp) = (frame.sequence, frame.stamp);
        let name = format!(
            "{sequence:06}_{topic}_{}.{:09}.jpg",
            stamp.sec, stamp.nanosec
        );
        fs::write(self.0.join(name), &annotated.jpeg)
    }
}

/// Whether a name has the form that [`PictureFolder::write`] gives.
fn is_picture_name(name: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = || {
        let (sequence, rest) = name.strip_suffix(".jpg")?.split_once('_')?;
        let (_topic, stamp) = rest.rsplit_once('_')?;
        let (sec, nanosec) = stamp.split_once('.')?;
        Some((sequence, sec.strip_prefix('-').unwrap_or(sec), nanosec))
    };
    parts().is_some_and(|(sequence, sec, nanosec)| {
        sequence.len() >= 6
            && nanosec.len() == 9
            && [sequence, sec, nanosec].into_iter().all(digits)
    })
}

/// A sample of twelve images, spread evenly over an unknown number of frames.
#[derive(Default)]
pub struct PreviewSample {
    /// By sequence number.
    kept: BTreeMap<u64, Preview>,
}

impl PreviewSample {
    /// The final number of images, if there were as many frames.
    pub const WANTED: usize = 12;

    /// Adds the frame's annotated image, if it has one.
    pub fn offer(&mut self, frame: &Frame, topic: &str, labels: &Labels) {
        let Some(Annotated {
            jpeg,
            width,
            height,
            ..
        }) = &frame.annotated
        else {
            return;
        };
        // images closer together than this would be removed at once
        let spacing = frame.sequence / (4 * Self::WANTED as u64);
        let last = self.kept.last_key_value().map(|(sequence, _)| *sequence);
        if last.is_some_and(|last| frame.sequence < last + spacing) {
            return;
        }
        let preview = Preview {
            topic: topic.to_owned(),
            stamp_ns: frame.stamp.to_ns(),
            jpeg: jpeg.clone(),
            width: *width,
            height: *height,
            detections: frame.detections.len(),
            caption: caption(frame, labels),
        };
        self.kept.insert(frame.sequence, preview);
        self.thin(4 * Self::WANTED);
    }

    /// Returns the sample in order.
    pub fn finish(mut self) -> Vec<Preview> {
        self.thin(Self::WANTED);
        self.kept.into_values().collect()
    }

    /// Removes the image whose neighbours are closest together, while there are more than `most`.
    fn thin(&mut self, most: usize) {
        while self.kept.len() > most {
            let sequences: Vec<u64> = self.kept.keys().copied().collect();
            let crowded = sequences.windows(3).min_by_key(|three| three[2] - three[0]);
            let Some(crowded) = crowded.map(|three| three[1]) else {
                return;
            };
            self.kept.remove(&crowded);
        }
    }
}

/// Formats the counts of detections: `2 car, 1 truck`.
fn caption(frame: &Frame, labels: &Labels) -> String {
    let mut counts = BTreeMap::<String, u64>::new();
    for detection in &frame.detections {
        *counts
            .entry(labels.name(detection.class_id).to_owned())
            .or_default() += 1;
    }
    let counts = by_count(&counts)
        .into_iter()
        .map(|(label, count)| format!("{count} {label}"));
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::labels::Label;
    use shuffledet_msg::Stamp;

    fn sample(frames: u64) -> Vec<i64> {
        let label = Label {
            name: "car".to_owned(),
            category_id: 1,
        };
        let labels = Labels::new(vec![label]).unwrap();
        let mut sample = PreviewSample::default();
        for sequence in 0..frames {
            let annotated = Some(Annotated {
                jpeg: vec![0],
                bgr: Vec::new(),
                width: 1,
                height: 1,
            });
            let stamp = Stamp {
                sec: sequence as i32,
                nanosec: 0,
            };
            let frame = Frame {
                sequence,
                stamp,
                annotated,
                ..Frame::default()
            };
            sample.offer(&frame, "/c", &labels);
            assert!(sample.kept.len() <= 4 * PreviewSample::WANTED);
        }
        sample
            .finish()
            .iter()
            .map(|p| p.stamp_ns / 1_000_000_000)
            .collect()
    }

    #[test]
    fn pictures_of_an_earlier_run_go_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "000007_camera_5.000000000.jpg",
            "1000000_a_b_-5.000000000.jpg",
            "holiday_2024.jpg",
            "000007_10.jpg",
            "000007.txt",
        ] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        PictureFolder::create(folder.path()).unwrap();
        let names = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["000007.txt", "000007_10.jpg", "holiday_2024.jpg"]);
    }

    #[test]
    fn the_sample_is_spread_over_the_whole_run() {
        assert_eq!(sample(5), [0, 1, 2, 3, 4]);
        for frames in [13, 221, 5000] {
            let kept = sample(frames);
            assert_eq!(kept.len(), PreviewSample::WANTED);
            let widest = kept.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            let end = frames as i64 - kept[11];
            assert!(
                kept[0] == 0 && widest.max(end) <= 3 * frames as i64 / 11,
                "{frames}: {kept:?}"
            );
        }
    }
}
