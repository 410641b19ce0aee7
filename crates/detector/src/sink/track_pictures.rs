//! Pictures of tracked objects over time, for the report.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::worker::decode;
use crate::pipeline::{Frame, TrackedObject};
use shuffledet_core::{BBox, Failure, Labels, StripPicture, TrackStrip};
use shuffledet_image::cutout::cut_out;
use shuffledet_image::jpeg::JpegEncoder;
use shuffledet_image::{BgrView, DecodeError, ImageDecoder, ImageLimits};
use shuffledet_track::TrackId;

/// The tracks that are shown, and the pictures of each.
const STRIPS: usize = 6;
const PICTURES: usize = 8;
/// The tracks of which pictures are kept during the run.
const KEPT: usize = 64;
/// The shortest time between two frames from which pictures are cut, in nanoseconds.
const SPACING_NS: i64 = 200_000_000;
/// The longer side of a picture, in pixels.
const SIDE: u32 = 144;
const JPEG_QUALITY: i32 = 80;

/// Cuts tracked objects out of the frames of a run, a few times in the life of each. The pictures of
/// at most 64 tracks are kept, about 16 of each: at most some megabytes.
pub struct TrackPictures {
    decoder: ImageDecoder,
    encoder: JpegEncoder,
    strips: BTreeMap<TrackId, Strip>,
    /// By camera: the stamp of the last frame from which pictures were cut.
    last_cut_ns: BTreeMap<usize, i64>,
}

/// The pictures of one track.
struct Strip {
    topic: String,
    class_id: usize,
    start_ns: i64,
    last_ns: i64,
    frames: u64,
    /// The least time between two pictures.
    spacing_ns: i64,
    /// With their stamps.
    pictures: Vec<(i64, StripPicture)>,
}

impl TrackPictures {
    /// Images beyond `limits` are not decoded.
    ///
    /// # Errors
    /// libjpeg-turbo fails.
    pub fn new(limits: ImageLimits) -> Result<Self, DecodeError> {
        let mut decoder = ImageDecoder::new();
        decoder.set_limits(limits);
        Ok(Self {
            decoder,
            encoder: JpegEncoder::new(JPEG_QUALITY)?,
            strips: BTreeMap::new(),
            last_cut_ns: BTreeMap::new(),
        })
    }

    /// Takes the tracks of a frame, and pictures of them if it is time for it.
    pub fn offer(&mut self, frame: &Frame, topic: &str) {
        let now_ns = frame.time_ns();
        let seen = |track: &&TrackedObject| track.detection.is_some();
        for track in frame.tracks.iter().filter(seen) {
            if !self.strips.contains_key(&track.id) && !self.make_room(frame) {
                continue;
            }
            let strip = self.strips.entry(track.id);
            let strip = strip.or_insert_with(|| Strip::new(topic, now_ns));
            strip.class_id = track.class_id;
            strip.last_ns = strip.last_ns.max(now_ns);
            strip.frames += 1;
        }
        let last_ns = self.last_cut_ns.get(&frame.camera).copied();
        // a stamp that went back begins again
        if last_ns.is_some_and(|last_ns| (0..SPACING_NS).contains(&now_ns.saturating_sub(last_ns)))
        {
            return;
        }
        let wanted = frame.tracks.iter().filter(seen).filter(|track| {
            let strip = self.strips.get(&track.id);
            strip.is_some_and(|strip| strip.wants(now_ns))
        });
        let wanted: Vec<(TrackId, BBox)> = wanted.map(|track| (track.id, track.bbox)).collect();
        if wanted.is_empty() {
            return;
        }
        self.last_cut_ns.insert(frame.camera, now_ns);
        if let Err(failure) = self.cut(frame, &wanted, now_ns) {
            let problem = &failure.message;
            tracing::warn!(
                "frame {}: no pictures of its tracks: {problem}",
                frame.sequence
            );
        }
    }

    /// Returns the longest tracks, the longest first.
    pub fn finish(self, labels: &Labels) -> Vec<TrackStrip> {
        let mut strips: Vec<(TrackId, Strip)> = self.strips.into_iter().collect();
        strips.sort_by_key(|(id, strip)| (std::cmp::Reverse(strip.length_ns()), *id));
        strips.truncate(STRIPS);
        let strips = strips.into_iter();
        strips.map(|(id, strip)| strip.finish(id, labels)).collect()
    }

    /// Makes room for one more track: the shortest of those that the frame does not show goes.
    /// Returns false if there is none.
    fn make_room(&mut self, frame: &Frame) -> bool {
        if self.strips.len() < KEPT {
            return true;
        }
        let shown: BTreeSet<TrackId> = frame.tracks.iter().map(|track| track.id).collect();
        let gone = self.strips.iter().filter(|(id, _)| !shown.contains(id));
        let shortest = gone.min_by_key(|(_, strip)| strip.length_ns());
        let shortest = shortest.map(|(id, _)| *id);
        shortest.is_some_and(|id| self.strips.remove(&id).is_some())
    }

    /// Cuts the boxes out of the frame's image.
    fn cut(
        &mut self,
        frame: &Frame,
        wanted: &[(TrackId, BBox)],
        now_ns: i64,
    ) -> Result<(), Failure> {
        let image = decode(&mut self.decoder, frame.transport, &frame.message)?;
        for (id, bbox) in wanted {
            let Some(strip) = self.strips.get_mut(id) else {
                continue;
            };
            let picture = picture(&image, *bbox, &mut self.encoder).map_err(|error| Failure {
                reason: error.reason(),
                message: error.to_string().into(),
            })?;
            strip.add(now_ns, picture);
        }
        Ok(())
    }
}

fn picture(
    image: &BgrView<'_>,
    bbox: BBox,
    encoder: &mut JpegEncoder,
) -> Result<StripPicture, DecodeError> {
    let cut = cut_out(image, bbox, SIDE)?;
    let cut = BgrView::from_mat(&cut).ok_or_else(|| DecodeError::Damaged {
        kind: "picture of a track",
        problem: "OpenCV gave no BGR picture".to_owned(),
    })?;
    Ok(StripPicture {
        at_s: 0.0,
        jpeg: encoder.encode(&cut)?,
        width: cut.width(),
        height: cut.height(),
    })
}

impl Strip {
    fn new(topic: &str, start_ns: i64) -> Self {
        Self {
            topic: topic.to_owned(),
            class_id: 0,
            start_ns,
            last_ns: start_ns,
            frames: 0,
            spacing_ns: SPACING_NS,
            pictures: Vec::new(),
        }
    }

    fn length_ns(&self) -> i64 {
        self.last_ns.saturating_sub(self.start_ns)
    }

    fn wants(&self, now_ns: i64) -> bool {
        let last = self.pictures.last();
        last.is_none_or(|(last_ns, _)| now_ns.saturating_sub(*last_ns) >= self.spacing_ns)
    }

    /// Adds a picture. If there are many, every second one goes.
    fn add(&mut self, now_ns: i64, picture: StripPicture) {
        let at_s = now_ns.saturating_sub(self.start_ns) as f64 / 1e9;
        self.pictures
            .push((now_ns, StripPicture { at_s, ..picture }));
        if self.pictures.len() > 2 * PICTURES {
            let mut index = 0;
            self.pictures.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.spacing_ns = self.spacing_ns.saturating_mul(2);
        }
    }

    fn finish(self, id: TrackId, labels: &Labels) -> TrackStrip {
        let length_s = self.length_ns() as f64 / 1e9;
        let last = self.pictures.len().saturating_sub(1);
        let kept: BTreeSet<usize> = (0..PICTURES)
            .map(|place| (2 * place * last + PICTURES - 1) / (2 * (PICTURES - 1)))
            .collect();
        let pictures = self.pictures.into_iter().enumerate();
        TrackStrip {
            topic: self.topic,
            id: id.get(),
            label: labels.name(self.class_id).to_owned(),
            start_ns: self.start_ns,
            length_s,
            frames: self.frames,
            pictures: pictures
                .filter(|(index, _)| kept.contains(index))
                .map(|(_, (_, picture))| picture)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Transport;
    use shuffledet_core::labels::Label;
    use shuffledet_msg::{HeaderView, ImageView, Stamp};

    fn labels() -> Labels {
        let label = Label {
            name: "car".to_owned(),
            category_id: 3,
        };
        Labels::new(vec![label]).unwrap()
    }

    fn track(id: u64) -> TrackedObject {
        let bbox = BBox {
            x1: 10.0,
            y1: 10.0,
            x2: 40.0,
            y2: 30.0,
        };
        TrackedObject::fresh(TrackId::new(id).unwrap(), 0, bbox)
    }

    /// A grey frame at tenths of a second.
    fn frame(tenths: i64, ids: impl IntoIterator<Item = u64>) -> Frame {
        let image = ImageView {
            header: HeaderView::default(),
            height: 48,
            width: 64,
            encoding: "bgr8",
            is_bigendian: false,
            step: 3 * 64,
            data: &[114; 3 * 64 * 48],
        };
        let mut frame = Frame {
            transport: Transport::Raw,
            stamp: Stamp::from_ns(1_000_000_000 + 100_000_000 * tenths).unwrap(),
            tracks: ids.into_iter().map(track).collect(),
            ..Frame::default()
        };
        image.write(&mut frame.message).unwrap();
        frame
    }

    #[test]
    fn the_longest_tracks_have_pictures_over_their_whole_life() {
        let mut pictures = TrackPictures::new(ImageLimits::DEFAULT).unwrap();
        for tenths in 0..300 {
            // one that stays, one of the last three seconds, and a new one in each frame
            let mut ids = vec![1, 1000 + tenths as u64];
            ids.extend((tenths >= 270).then_some(2));
            pictures.offer(&frame(tenths, ids), "/front");
            assert!(pictures.strips.len() <= KEPT);
            assert!(pictures.strips[&TrackId::MIN].pictures.len() <= 2 * PICTURES);
        }
        let strips = pictures.finish(&labels());
        assert_eq!(strips.len(), STRIPS);
        let [longest, second, ..] = strips.as_slice() else {
            panic!("{strips:?}")
        };
        assert_eq!(
            (longest.id, longest.frames, longest.label.as_str()),
            (1, 300, "car")
        );
        assert!((longest.length_s - 29.9).abs() < 1e-6);
        assert_eq!(longest.pictures.len(), PICTURES);
        let times: Vec<f64> = longest
            .pictures
            .iter()
            .map(|picture| picture.at_s)
            .collect();
        assert!(times[0] == 0.0 && times[7] > 22.0, "{times:?}");
        assert!(
            times
                .windows(2)
                .all(|two| (1.0..6.5).contains(&(two[1] - two[0]))),
            "{times:?}"
        );
        assert_eq!((second.id, second.frames), (2, 30));
        assert!(
            strips
                .iter()
                .all(|strip| strip.pictures.iter().all(|picture| {
                    picture.width.max(picture.height) == SIDE
                        && picture.jpeg.starts_with(&[0xff, 0xd8])
                }))
        );
    }

    #[test]
    fn more_tracks_than_are_kept_do_not_push_out_those_in_sight() {
        let mut pictures = TrackPictures::new(ImageLimits::DEFAULT).unwrap();
        pictures.offer(&frame(0, 1..=100), "/front");
        pictures.offer(&frame(1, 1..=100), "/front");
        assert_eq!(pictures.strips.len(), KEPT);
        assert!(pictures.strips.values().all(|strip| strip.frames == 2));
        pictures.offer(&frame(2, [200]), "/front");
        assert!(pictures.strips.contains_key(&TrackId::new(200).unwrap()));
    }

    #[test]
    fn frames_that_follow_fast_are_not_decoded() {
        let mut pictures = TrackPictures::new(ImageLimits::DEFAULT).unwrap();
        pictures.offer(&frame(0, [1]), "/front");
        let mut damaged = frame(1, [1]);
        damaged.message.clear();
        pictures.offer(&damaged, "/front");
        pictures.offer(&frame(2, [1]), "/front");
        // a recording that loops begins again
        pictures.offer(&frame(-5, [2]), "/front");
        let strips = pictures.finish(&labels());
        let counts: Vec<_> = strips.iter().map(|strip| strip.pictures.len()).collect();
        assert_eq!(counts, [2, 1]);
    }
}
