//! The messages of a frame: detections, tracks and latency.

use std::f64::consts::PI;
use std::fmt::Write;
use std::iter;

use crate::model::ClassIds;
use crate::pipeline::{Frame, TrackedObject};
use shuffledet_core::BBox;
use shuffledet_core::Labels;
use shuffledet_core::{Detection, Outcome, Stage};
use shuffledet_image::draw::class_colour;
use shuffledet_msg::diagnostic_array::{DiagnosticStatus, Level, write_diagnostics};
use shuffledet_msg::{
    BoxAnnotation, CdrError, Detection3DRef, DetectionRef, HeaderView, HypothesisRef, MarkedBox,
    PoseWithCovariance, Strokes, write_detections, write_detections_3d, write_image_annotations,
    write_image_marker,
};
use shuffledet_track::Range;
use shuffledet_track::box_filter::CentreAndSides;

/// Builds the messages in reusable buffers.
#[derive(Default)]
pub struct ResultMessages {
    /// The identifiers of the classes; `None`: their names.
    class_ids: Option<ClassIds>,
    detections: Vec<u8>,
    tracks: Vec<u8>,
    tracks_3d: Vec<u8>,
    /// The tracks' identities as text.
    ids: Vec<String>,
    /// Boxes over the image, in either form.
    drawing: Vec<u8>,
    /// The texts at the boxes.
    captions: Vec<String>,
    latency: Vec<u8>,
    /// The milliseconds of each stage as text.
    figures: [String; Stage::ALL.len()],
    /// The faults of the camera's pictures as text.
    sight: String,
    text: String,
}

impl ResultMessages {
    /// Creates messages with the classes' `class_ids`. By default messages have class names.
    pub fn new(class_ids: ClassIds) -> Self {
        Self {
            class_ids: Some(class_ids),
            ..Self::default()
        }
    }

    /// Uses other `class_ids` from now on.
    pub fn set_class_ids(&mut self, class_ids: ClassIds) {
        self.class_ids = Some(class_ids);
    }

    /// Writes the `vision_msgs/msg/Detection2DArray` of `frame` in CDR. The header and stamp are
    /// the image's; boxes are in pixels of the image.
    pub fn detections(&mut self, frame: &Frame, labels: &Labels) -> Result<&[u8], CdrError> {
        let class_ids = self.class_ids.as_ref();
        let class_id = |class: usize| {
            class_ids.map_or_else(|| labels.name(class), |class_ids| class_ids.text(class))
        };
        name_tracks(&mut self.ids, frame);
        let ids = &self.ids;
        let detections = frame
            .detections
            .iter()
            .enumerate()
            .map(|(index, detection)| {
                let hypothesis = |(class, score)| HypothesisRef {
                    class_id: class_id(class),
                    score: f64::from(score),
                    pose: PoseWithCovariance::UNKNOWN,
                };
                let hypotheses = detection.hypotheses().map(hypothesis);
                refer(
                    hypotheses,
                    detection.bbox,
                    ids.get(index).map_or("", String::as_str),
                )
            });
        let header = header(frame);
        write_detections(&mut self.detections, header, header, detections)?;
        Ok(&self.detections)
    }

    /// Writes the tracks of `frame` as `vision_msgs/msg/Detection2DArray` in CDR, with the image's
    /// header; if tracks are predicted, the header of the array has their time. The first hypothesis
    /// of a track has its class by votes and the score of its latest box. Its pose holds what the
    /// message has no place for: the track's age, the time since its latest box and the time to
    /// collision (-1: none) in seconds as the position, and the variances of the centre's x and y, of
    /// the sides in square pixels, and of the time to collision as the first five of the
    /// covariance's diagonal. If the range is known, a second hypothesis has the same class and score,
    /// and the pose of the object in space, as in [`Self::tracks_3d`].
    pub fn tracks(&mut self, frame: &Frame, labels: &Labels) -> Result<&[u8], CdrError> {
        write_ids(&mut self.ids, frame);
        let class_ids = self.class_ids.as_ref();
        let tracks = frame.tracks.iter().zip(&self.ids).map(|(track, id)| {
            let class = track.class_id;
            let hypothesis = HypothesisRef {
                class_id: class_ids.map_or_else(|| labels.name(class), |ids| ids.text(class)),
                score: f64::from(track.score),
                pose: image_pose(track),
            };
            let in_space = track.range.map(|range| HypothesisRef {
                pose: pose(&range),
                ..hypothesis
            });
            refer(iter::once(hypothesis).chain(in_space), track.bbox, id)
        });
        write_detections(
            &mut self.tracks,
            tracks_header(frame),
            header(frame),
            tracks,
        )?;
        Ok(&self.tracks)
    }

    /// Writes the tracks of `frame` whose range is known as `vision_msgs/msg/Detection3DArray` in CDR,
    /// in the optical frame of the camera, with the headers of [`Self::tracks`]. A pose is the middle
    /// of the side that the camera sees, with its covariance; nothing is known of the orientation.
    /// The box is flat, because nothing is known of the length.
    pub fn tracks_3d(&mut self, frame: &Frame, labels: &Labels) -> Result<&[u8], CdrError> {
        write_ids(&mut self.ids, frame);
        let class_ids = self.class_ids.as_ref();
        let tracks = frame.tracks.iter().zip(&self.ids);
        let tracks = tracks.filter_map(|(track, id)| {
            let (class, range) = (track.class_id, track.range?);
            let pose = pose(&range);
            Some(Detection3DRef {
                hypothesis: HypothesisRef {
                    class_id: class_ids.map_or_else(|| labels.name(class), |ids| ids.text(class)),
                    score: f64::from(track.score),
                    pose,
                },
                center: pose.position,
                size: [range.size_m[0], range.size_m[1], 0.0],
                id,
            })
        });
        write_detections_3d(
            &mut self.tracks_3d,
            tracks_header(frame),
            header(frame),
            tracks,
        )?;
        Ok(&self.tracks_3d)
    }

    /// Writes the detections of `frame` as `foxglove_msgs/msg/ImageAnnotations` in CDR: boxes with label,
    /// score and track, for viewers that draw them over the image.
    pub fn annotations(&mut self, frame: &Frame, labels: &Labels) -> Result<&[u8], CdrError> {
        name_tracks(&mut self.ids, frame);
        let (detections, captions) = (&frame.detections, &mut self.captions);
        captions.resize_with(captions.len().max(detections.len()), String::new);
        for ((caption, detection), id) in captions.iter_mut().zip(detections).zip(&self.ids) {
            let (label, score) = (labels.name(detection.class_id), detection.score);
            caption.clear();
            // writing to a String cannot fail
            let _ = match id.as_str() {
                "" => write!(caption, "{label} {score:.2}"),
                id => write!(caption, "{label} {score:.2} #{id}"),
            };
        }
        let strokes = strokes(frame);
        let boxes = detections
            .iter()
            .zip(&self.captions)
            .map(|(detection, caption)| {
                let sides = sides(detection);
                BoxAnnotation {
                    sides,
                    colour: class_colour(detection.class_id).map(|c| f64::from(c) / 255.0),
                    text: caption,
                    text_is_inside: sides[1] < strokes.font,
                }
            });
        write_image_annotations(&mut self.drawing, frame.stamp, strokes, boxes)?;
        Ok(&self.drawing)
    }

    /// Writes the boxes of `frame` as one `visualization_msgs/msg/ImageMarker` in CDR, which has no
    /// place for text.
    pub fn marker(&mut self, frame: &Frame) -> Result<&[u8], CdrError> {
        let boxes = frame.detections.iter().map(|detection| MarkedBox {
            sides: sides(detection),
            colour: class_colour(detection.class_id).map(|c| f32::from(c) / 255.0),
        });
        let width = strokes(frame).line as f32;
        write_image_marker(&mut self.drawing, header(frame), "detections", width, boxes)?;
        Ok(&self.drawing)
    }

    /// Writes the `diagnostic_msgs/msg/DiagnosticArray` of `frame` in CDR. Its one status has the
    /// name of `camera`, the outcome as its message, and as its values the milliseconds of each
    /// completed stage, the faults of the camera's pictures, and the model that processed it.
    pub fn latency(
        &mut self,
        frame: &Frame,
        outcome: &Outcome,
        camera: &str,
    ) -> Result<&[u8], CdrError> {
        self.text.clear();
        let level = match outcome {
            Outcome::Published => {
                self.text.push_str("published");
                Level::Ok
            }
            Outcome::Dropped(reason) => {
                // writing to a String cannot fail
                let _ = write!(self.text, "dropped: {}", reason.name());
                Level::Warn
            }
            Outcome::Failed(failure) => {
                let _ = write!(self.text, "failed: {}: {}", failure.reason, failure.message);
                Level::Error
            }
        };
        let mut values = [("", ""); Stage::ALL.len() + 2];
        let mut count = 0;
        for (figure, stage) in self.figures.iter_mut().zip(Stage::ALL) {
            let Some(duration) = frame.trace.duration(stage) else {
                continue;
            };
            figure.clear();
            let _ = write!(figure, "{:.3}", duration.as_secs_f64() * 1000.0);
            values[count] = (key(stage), figure.as_str());
            count += 1;
        }
        if let Some(faults) = frame.faults {
            self.sight.clear();
            let _ = write!(self.sight, "{faults}");
            values[count] = ("sight", self.sight.as_str());
            count += 1;
        }
        if let Some(model) = &frame.model {
            values[count] = ("model", model.identity.name.as_str());
            count += 1;
        }
        let status = DiagnosticStatus {
            level,
            name: camera,
            message: &self.text,
            hardware_id: "",
            values: (&values[..count]).into(),
        };
        write_diagnostics(&mut self.latency, header(frame), &[status])?;
        Ok(&self.latency)
    }
}

fn header(frame: &Frame) -> HeaderView<'_> {
    HeaderView {
        stamp: frame.stamp,
        frame_id: &frame.frame_id,
    }
}

/// Returns the lines and the font of a drawing over the frame's image: 2 and 16 pixels where its longer
/// side has 1000.
fn strokes(frame: &Frame) -> Strokes {
    let side = frame.size.map_or(1000, |(width, height)| width.max(height));
    let weight = f64::from(side) / 1000.0;
    Strokes {
        line: (2.0 * weight).max(1.0),
        font: (16.0 * weight).max(10.0),
    }
}

/// Returns left, top, right and bottom in pixels of the image.
fn sides(detection: &Detection) -> [f64; 4] {
    let bbox = detection.bbox;
    [bbox.x1, bbox.y1, bbox.x2, bbox.y2].map(f64::from)
}

/// Returns the header of tracks: the image's, with the time at which they show their objects.
fn tracks_header(frame: &Frame) -> HeaderView<'_> {
    HeaderView {
        stamp: frame.tracks_stamp(),
        ..header(frame)
    }
}

/// Fills `ids` with the identity of each track.
fn write_ids(ids: &mut Vec<String>, frame: &Frame) {
    ids.resize_with(ids.len().max(frame.tracks.len()), String::new);
    for (id, track) in ids.iter_mut().zip(&frame.tracks) {
        write_id(id, track);
    }
}

/// Fills `ids` with the track of each detection, or nothing.
fn name_tracks(ids: &mut Vec<String>, frame: &Frame) {
    ids.resize_with(ids.len().max(frame.detections.len()), String::new);
    ids.iter_mut().for_each(String::clear);
    for track in &frame.tracks {
        if let Some(id) = track.detection.and_then(|index| ids.get_mut(index)) {
            write_id(id, track);
        }
    }
}

fn write_id(id: &mut String, track: &TrackedObject) {
    id.clear();
    // writing to a String cannot fail
    let _ = write!(id, "{}", track.id);
}

/// The variance of an angle that may be any, in square radians.
const ANY_ANGLE: f64 = PI * PI / 3.0;

/// Returns the pose of an object in the optical frame of its camera.
fn pose(range: &Range) -> PoseWithCovariance {
    let mut pose = PoseWithCovariance::UNKNOWN;
    pose.position = range.position.into();
    for row in 0..3 {
        for column in 0..3 {
            pose.covariance[6 * row + column] = range.covariance[(row, column)];
        }
        pose.covariance[7 * (row + 3)] = ANY_ANGLE;
    }
    pose
}

/// Returns what the message has no place for, as a pose.
fn image_pose(track: &TrackedObject) -> PoseWithCovariance {
    let CentreAndSides {
        x,
        y,
        width,
        height,
    } = track.filter.deviations();
    let mut pose = PoseWithCovariance::UNKNOWN;
    let collision = track.time_to_collision;
    let collision_s = collision.map_or(-1.0, |found| found.seconds);
    pose.position = [track.age_s, track.unseen_s, collision_s];
    for (axis, deviation) in [x, y, width, height].into_iter().enumerate() {
        pose.covariance[7 * axis] = deviation * deviation;
    }
    pose.covariance[28] = collision.map_or(0.0, |found| found.deviation_s.powi(2));
    pose
}

fn refer<H>(hypotheses: H, bbox: BBox, id: &str) -> DetectionRef<'_, H> {
    let (x1, y1, x2, y2) = (
        f64::from(bbox.x1),
        f64::from(bbox.y1),
        f64::from(bbox.x2),
        f64::from(bbox.y2),
    );
    DetectionRef {
        hypotheses,
        center_x: (x1 + x2) / 2.0,
        center_y: (y1 + y2) / 2.0,
        size_x: x2 - x1,
        size_y: y2 - y1,
        id,
    }
}

/// Returns the stage's key in latency messages, with its unit.
fn key(stage: Stage) -> &'static str {
    match stage {
        Stage::Read => "read_ms",
        Stage::Queue => "queue_ms",
        Stage::Decode => "decode_ms",
        Stage::Letterbox => "letterbox_ms",
        Stage::Infer => "infer_ms",
        Stage::Boxes => "boxes_ms",
        Stage::Nms => "nms_ms",
        Stage::Classify => "classify_ms",
        Stage::Draw => "draw_ms",
        Stage::Track => "track_ms",
        Stage::Publish => "publish_ms",
        Stage::Total => "total_ms",
        Stage::Latency => "latency_ms",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class_ids::ClassIdForm;
    use crate::sink::write_label_info;
    use shuffledet_core::labels::Label;
    use shuffledet_core::{Detection, DropReason, Mark};
    use shuffledet_msg::{Detection2DArray, Detection3DArray, DiagnosticArray, LabelInfo, Stamp};
    use shuffledet_sight::{Fault, Faults};
    use shuffledet_track::range::Cues;
    use shuffledet_track::{State, TimeToCollision, TrackIds};
    use std::time::Duration;

    fn labels() -> Labels {
        let label = |(name, category_id): (&str, u32)| Label {
            name: name.to_owned(),
            category_id,
        };
        Labels::new([("person", 1), ("car", 3)].map(label).into()).unwrap()
    }

    fn frame() -> Frame {
        let bbox = BBox {
            x1: 10.0,
            y1: 20.0,
            x2: 30.0,
            y2: 60.0,
        };
        let mut frame = Frame {
            stamp: Stamp { sec: 5, nanosec: 7 },
            frame_id: "cam".to_owned(),
            detections: vec![Detection::new(1, 0.5, bbox)],
            ..Frame::default()
        };
        frame.trace.mark(Mark::Received);
        frame.trace.mark(Mark::Dequeued);
        frame
    }

    #[test]
    fn detections_carry_the_images_header_and_the_labels_name() {
        let mut messages = ResultMessages::default();
        let array = Detection2DArray::parse(messages.detections(&frame(), &labels()).unwrap());
        let array = array.unwrap();
        assert_eq!(array.header.view(), header(&frame()));
        let [detection] = array.detections.as_slice() else {
            panic!("{array:?}")
        };
        assert_eq!(detection.results[0].class_id, "car");
        let bbox = &detection.bbox;
        assert_eq!(
            (bbox.center_x, bbox.center_y, bbox.size_x, bbox.size_y),
            (20.0, 40.0, 20.0, 40.0)
        );
    }

    #[test]
    fn a_class_is_told_as_label_info_has_it() {
        for (form, expected) in [
            (ClassIdForm::Name, "car"),
            (ClassIdForm::Index, "1"),
            (ClassIdForm::Coco, "3"),
        ] {
            let (labels, mut map) = (labels(), Vec::new());
            let class_ids = ClassIds::new(&labels, form).unwrap();
            write_label_info(&labels, &class_ids, 0.25, &mut map).unwrap();
            let map = LabelInfo::parse(&map).unwrap();
            assert_eq!(map.threshold, 0.25);
            let mut messages = ResultMessages::new(class_ids);
            let array = messages.detections(&frame(), &labels).unwrap();
            let array = Detection2DArray::parse(array).unwrap();
            let told = &array.detections[0].results[0].class_id;
            assert_eq!(told, expected);
            let joined = map.class_map.iter().find(|class| match form {
                ClassIdForm::Name => class.class_name == told,
                _ => class.class_id.to_string() == *told,
            });
            assert_eq!(joined.unwrap().class_name, "car");
        }
    }

    #[test]
    fn further_hypotheses_follow_the_best() {
        let mut frame = frame();
        frame.detections[0].add_hypothesis(0, 0.25);
        let (labels, mut messages) = (labels(), ResultMessages::default());
        let array = messages.detections(&frame, &labels).unwrap();
        let array = Detection2DArray::parse(array).unwrap();
        let results = array.detections[0].results.iter();
        let results: Vec<_> = results.map(|r| (r.class_id.as_str(), r.score)).collect();
        assert_eq!(results, [("car", 0.5), ("person", 0.25)]);
    }

    #[test]
    fn a_track_names_its_detection_and_has_its_age_and_uncertainty() {
        let (mut frame, ids) = (frame(), TrackIds::new());
        let bbox = frame.detections[0].bbox;
        let seen = TrackedObject {
            age_s: 1.5,
            ..TrackedObject::fresh(ids.next(), 1, bbox)
        };
        let coasting = TrackedObject {
            id: ids.next(),
            state: State::Coasting,
            unseen_s: 0.25,
            detection: None,
            ..seen
        };
        frame.tracks = vec![seen, coasting];
        let (labels, mut messages) = (labels(), ResultMessages::default());
        let detections = messages.detections(&frame, &labels).unwrap();
        let detections = Detection2DArray::parse(detections).unwrap().detections;
        assert_eq!((detections.len(), detections[0].id.as_str()), (1, "1"));
        let tracks = messages.tracks(&frame, &labels).unwrap();
        let tracks = Detection2DArray::parse(tracks).unwrap().detections;
        let told = tracks.iter().map(|track| {
            let pose = &track.results[0].pose;
            let variances = [0, 7, 14, 21].map(|place| pose.covariance[place]);
            (track.id.as_str(), pose.position, variances)
        });
        let sigma = seen.filter.deviations();
        let sigmas = [sigma.x, sigma.y, sigma.width, sigma.height];
        let variances = sigmas.map(|sigma| sigma * sigma);
        let expected = [
            ("1", [1.5, 0.0, -1.0], variances),
            ("2", [1.5, 0.25, -1.0], variances),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        // an id of an earlier frame does not stay
        frame.tracks.clear();
        let detections = messages.detections(&frame, &labels).unwrap();
        assert_eq!(
            Detection2DArray::parse(detections).unwrap().detections[0].id,
            ""
        );
    }

    #[test]
    fn a_track_with_a_range_has_a_place_in_space_and_its_own_time() {
        let (mut frame, ids) = (frame(), TrackIds::new());
        let range = Range {
            position: [1.0, 2.0, 10.0].into(),
            covariance: [[0.1, 0.2, 0.3], [0.2, 0.4, 0.5], [0.3, 0.5, 0.6]].into(),
            cues: Cues::Both,
            size_m: [1.8, 1.5],
        };
        let near = TrackedObject {
            age_s: 1.5,
            unseen_s: 0.1,
            range: Some(range),
            time_to_collision: Some(TimeToCollision {
                seconds: 2.5,
                deviation_s: 0.5,
            }),
            ..TrackedObject::fresh(ids.next(), 1, frame.detections[0].bbox)
        };
        let nowhere = TrackedObject {
            id: ids.next(),
            range: None,
            time_to_collision: None,
            ..near
        };
        frame.tracks = vec![nowhere, near];
        frame.tracks_ahead = Duration::from_millis(1500);
        let (labels, mut messages) = (labels(), ResultMessages::default());
        let array = messages.tracks(&frame, &labels).unwrap();
        let array = Detection2DArray::parse(array).unwrap();
        let (image, later) = (
            frame.stamp,
            Stamp {
                sec: 6,
                nanosec: 500_000_007,
            },
        );
        assert_eq!(array.header.stamp, later);
        assert!(
            array
                .detections
                .iter()
                .all(|track| track.header.stamp == image)
        );
        let results: Vec<_> = array
            .detections
            .iter()
            .map(|track| &track.results)
            .collect();
        assert_eq!((results[0].len(), results[1].len()), (1, 2));
        let [told, placed] = results[1].as_slice() else {
            panic!("{results:?}")
        };
        assert_eq!(
            (told.pose.position[2], told.pose.covariance[28]),
            (2.5, 0.25)
        );
        assert_eq!(results[0][0].pose.position[2], -1.0);

        let array = messages.tracks_3d(&frame, &labels).unwrap();
        let array = Detection3DArray::parse(array).unwrap();
        assert_eq!(
            (array.header.stamp, array.header.frame_id.as_str()),
            (later, "cam")
        );
        let [track] = array.detections.as_slice() else {
            panic!("{array:?}")
        };
        assert_eq!((track.id.as_str(), track.header.stamp), ("1", image));
        assert_eq!(
            (track.bbox.center, track.bbox.size),
            ([1.0, 2.0, 10.0], [1.8, 1.5, 0.0])
        );
        assert_eq!(track.results, std::slice::from_ref(placed));
        assert_eq!((placed.class_id.as_str(), placed.score), ("car", 0.5));
        let covariance = |row: usize, column: usize| placed.pose.covariance[6 * row + column];
        assert_eq!(
            (covariance(1, 2), covariance(2, 1), covariance(2, 2)),
            (0.5, 0.5, 0.6)
        );
        assert_eq!((covariance(4, 4), covariance(0, 3)), (ANY_ANGLE, 0.0));
    }

    #[test]
    fn latency_has_the_stages_that_were_reached() {
        let mut messages = ResultMessages::default();
        let dropped = Outcome::Dropped(DropReason::TooOld);
        let bytes = messages.latency(&frame(), &dropped, "/front").unwrap();
        let array = DiagnosticArray::parse(bytes).unwrap();
        let [status] = array.status.as_slice() else {
            panic!("{array:?}")
        };
        assert_eq!((status.level, status.name), (Level::Warn, "/front"));
        assert_eq!(status.message, "dropped: too_old");
        let keys: Vec<_> = status.values.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["queue_ms"]);
    }

    #[test]
    fn latency_tells_what_is_wrong_with_the_pictures() {
        let mut messages = ResultMessages::default();
        let mut faults = Faults::default();
        faults.set(Fault::Covered, true);
        faults.set(Fault::Blurred, true);
        let frame = Frame {
            faults: Some(faults),
            ..frame()
        };
        let bytes = messages
            .latency(&frame, &Outcome::Published, "/front")
            .unwrap();
        let array = DiagnosticArray::parse(bytes).unwrap();
        assert!(
            array.status[0]
                .values
                .contains(&("sight", "blurred, covered"))
        );
    }
}
