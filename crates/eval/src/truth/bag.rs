//! Ground truth that lies in the recording itself: `vision_msgs/msg/Detection2DArray` on a topic, with the stamps of the
//! images that it is of. An object is of the class of its best hypothesis, and its box, where it is turned, the upright one
//! around it. Images that no message is of are not evaluated.
//!
//! Where a `vision_msgs/msg/LabelInfo` of the same namespace, or of one around it, is recorded, the numbers of its class map
//! stand for their names.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::checks::checked;
use super::{ReadCounts, Truth, TruthError, TruthImage};
use crate::class_map::{ClassMap, numbered};
use crate::problems::{Problem, Problems};
use crate::{ImageSource, Object};
use shuffledet_bag::{Recording, Selection, Topic};
use shuffledet_core::text;
use shuffledet_msg::detection2d_array::{BoundingBox2D, Detection2D};
use shuffledet_msg::{Detection2DArray, LabelInfo};

const TYPE: &str = "vision_msgs/msg/Detection2DArray";
const LABELS: &str = "vision_msgs/msg/LabelInfo";

/// Reads `topic`, the ground truth of the images on `camera`. Categories are the class ids that occur, in the order of
/// their names, as `map` renames them.
pub fn read(
    recording: &Recording,
    topic: &str,
    camera: &str,
    map: &ClassMap,
) -> Result<(Truth, Problems), TruthError> {
    let is_truth = |t: &Topic| t.type_name == TYPE;
    let mut of_name = recording.topics().iter().filter(|t| t.name == topic);
    if let Some(found) = of_name.clone().next()
        && !of_name.any(is_truth)
    {
        return Err(TruthError::NotTruth {
            topic: topic.to_owned(),
            found: found.type_name.clone(),
        });
    }
    let selection = Selection {
        topics: vec![topic.to_owned()],
        ..Selection::default()
    };
    let mut messages = recording.read(&selection)?;
    let (mut bytes, mut problems) = (Vec::new(), Problems::default());
    let (mut arrays, mut stamps) = (Vec::new(), HashSet::new());
    while let Some(head) = messages.next_into(&mut bytes)? {
        if !messages.topics().get(head.topic).is_some_and(is_truth) {
            // another type on the same topic
            continue;
        }
        match Detection2DArray::parse(&bytes) {
            Ok(array) => {
                let stamp_ns = array.header.stamp.to_ns();
                if stamps.insert(stamp_ns) {
                    arrays.push((stamp_ns, array));
                } else {
                    problems.add(Problem::DuplicateImage, format!("{topic} at {stamp_ns} ns"));
                }
            }
            Err(error) => {
                let place = format!("{topic} recorded at {} ns: {error}", head.log_time_ns);
                problems.add(Problem::Malformed, place);
            }
        }
        bytes.clear();
    }
    if arrays.is_empty() {
        return Err(TruthError::NoMessages {
            topic: topic.to_owned(),
            left_out: problems.left_out(),
        });
    }
    arrays.sort_by_key(|(stamp_ns, _)| *stamp_ns);
    let names = class_names(recording, topic, &mut problems)?;

    let objects = arrays.iter().flat_map(|(_, array)| &array.detections);
    let classes: Vec<Cow<str>> = objects
        .filter_map(|object| class_of(object, &names))
        .collect();
    let categories = numbered(
        classes
            .iter()
            .filter_map(|name| map.category_of_truth(name)),
    );
    let id_of = |name: &str| categories.iter().find(|c| c.name == name).map(|c| c.id);
    let (mut images, mut next_id) = (Vec::with_capacity(arrays.len()), 0);
    let mut seen = ReadCounts::default();
    for (index, (stamp_ns, array)) in arrays.into_iter().enumerate() {
        let mut objects = Vec::new();
        for detection in &array.detections {
            next_id += 1;
            seen.annotations += 1;
            let place = || format!("{topic} at {stamp_ns} ns");
            let Some(class) = class_of(detection, &names) else {
                let place = format!("{}: an object without a class", place());
                problems.add(Problem::Malformed, place);
                continue;
            };
            let Some(category_id) = map.category_of_truth(&class).and_then(id_of) else {
                seen.unwanted += 1;
                continue;
            };
            let bbox = upright(&detection.bbox);
            let object = Object::in_box(next_id, category_id, bbox);
            objects.extend(checked(object, (0, 0), place, &mut problems));
        }
        images.push(TruthImage {
            id: index as u64 + 1,
            source: ImageSource::Message {
                topic: camera.to_owned(),
                stamp_ns,
            },
            width: 0,
            height: 0,
            objects,
        });
    }
    let truth = Truth {
        categories,
        images,
        ..Truth::default()
    };
    truth.checked_for_objects(Path::new(topic), seen, problems)
}

/// Returns the class of the best hypothesis, the first of equal ones: its id, or the name that
/// `names` has for the id.
fn class_of<'a>(object: &'a Detection2D, names: &'a ClassNames) -> Option<Cow<'a, str>> {
    let best = object.results.iter().rev();
    let best = best.max_by(|a, b| a.score.total_cmp(&b.score))?;
    let told = &best.class_id;
    let class = names.get(told).unwrap_or(told);
    Some(text::name(class)).filter(|name| !name.is_empty())
}

/// By the text of a number.
type ClassNames = HashMap<String, String>;

/// Returns the class table for `topic`: the one in the nearest namespace. It is empty if none is
/// recorded. A number that is the name of a class stands for itself.
fn class_names(
    recording: &Recording,
    topic: &str,
    problems: &mut Problems,
) -> Result<ClassNames, TruthError> {
    let namespace = |name: &str| {
        name.rsplit_once('/')
            .map_or("", |(space, _)| space)
            .to_owned()
    };
    let own = namespace(topic);
    let around = |space: &str| {
        let rest = own.strip_prefix(space);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let tables = recording.topics().iter();
    let tables = tables.filter(|t| t.type_name == LABELS && around(&namespace(&t.name)));
    let Some(nearest) = tables.max_by_key(|t| namespace(&t.name).len()) else {
        return Ok(ClassNames::new());
    };
    let selection = Selection {
        topics: vec![nearest.name.clone()],
        ..Selection::default()
    };
    let (mut messages, mut bytes) = (recording.read(&selection)?, Vec::new());
    let mut names = ClassNames::new();
    while messages.next_into(&mut bytes)?.is_some() {
        match LabelInfo::parse(&bytes) {
            Ok(table) => names.extend(table.class_map.iter().map(|class| {
                let name = class.class_name.to_owned();
                (class.class_id.to_string(), name)
            })),
            Err(error) => problems.add(Problem::Malformed, format!("{}: {error}", nearest.name)),
        }
        bytes.clear();
    }
    let known: HashSet<String> = names.values().cloned().collect();
    names.retain(|number, _| !known.contains(number));
    Ok(names)
}

/// Returns left, top, width and height of the upright box around a box, which may be rotated.
fn upright(bbox: &BoundingBox2D) -> [f64; 4] {
    let (sin, cos) = (bbox.theta.sin().abs(), bbox.theta.cos().abs());
    let width = bbox.size_x * cos + bbox.size_y * sin;
    let height = bbox.size_x * sin + bbox.size_y * cos;
    let (left, top) = (bbox.center_x - width / 2.0, bbox.center_y - height / 2.0);
    [left, top, width, height]
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_bag::{Qos, RecordingWriter, TopicSpec};
    use shuffledet_msg::detection2d_array::ObjectHypothesisWithPose;
    use shuffledet_msg::{HeaderView, VisionClass, definition};

    #[test]
    fn a_turned_box_is_enclosed() {
        let bbox = |theta: f64| {
            upright(&BoundingBox2D {
                center_x: 10.0,
                center_y: 20.0,
                theta,
                size_x: 8.0,
                size_y: 4.0,
            })
        };
        assert_eq!(bbox(0.0), [6.0, 18.0, 8.0, 4.0]);
        let quarter = bbox(-std::f64::consts::FRAC_PI_2);
        let expected = [8.0, 16.0, 4.0, 8.0];
        assert!(
            quarter
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-9)
        );
        assert!(bbox(f64::NAN)[0].is_nan());
    }

    #[test]
    fn the_best_hypothesis_counts() {
        let hypothesis = |(class_id, score): (&str, f64)| ObjectHypothesisWithPose {
            class_id: class_id.to_owned(),
            score,
            ..Default::default()
        };
        let class = |results: &[(&str, f64)]| {
            let results = results.iter().copied().map(hypothesis).collect();
            let object = Detection2D {
                results,
                ..Default::default()
            };
            class_of(&object, &ClassNames::new()).map(Cow::into_owned)
        };
        assert_eq!(class(&[("car", 0.4), ("bus", 0.6)]).as_deref(), Some("bus"));
        assert_eq!(class(&[("car", 0.5), ("bus", 0.5)]).as_deref(), Some("car"));
        assert_eq!(class(&[]), None);
    }

    /// Records the class tables `tables`, each with its classes.
    fn recorded(tables: &[(&str, &[(u16, &str)])]) -> (tempfile::TempDir, Recording) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bag");
        let mut writer = RecordingWriter::create(&path, false).unwrap();
        for &(name, classes) in tables {
            let topic = TopicSpec {
                name,
                type_name: LABELS,
                definition: &definition::LABEL_INFO.schema(),
                qos: Qos {
                    depth: 1,
                    reliable: true,
                    transient_local: true,
                },
            };
            let topic = writer.add_topic(&topic).unwrap();
            let class = |&(class_id, class_name)| VisionClass {
                class_id,
                class_name,
            };
            let table = LabelInfo {
                header: HeaderView::default(),
                class_map: classes.iter().map(class).collect::<Vec<_>>().into(),
                threshold: 0.5,
            };
            let mut message = Vec::new();
            table.write(&mut message).unwrap();
            writer.write(topic, 1, &message).unwrap();
        }
        writer.finish().unwrap();
        let recording = Recording::open(&path).unwrap();
        (folder, recording)
    }

    #[test]
    fn numbers_of_a_class_map_were_taken_for_names() {
        let (_folder, recording) = recorded(&[
            ("/eye/label_info", &[(2, "car"), (5, "bus")]),
            ("/eye/left/label_info", &[(3, "tram"), (4, "3")]),
            ("/ey/label_info", &[(2, "dog")]),
        ]);
        let mut problems = Problems::default();
        let mut names = |topic| {
            let names = class_names(&recording, topic, &mut problems).unwrap();
            let mut names: Vec<_> = names.into_iter().collect();
            names.sort();
            names
        };
        let own = |names: &[(&str, &str)]| -> Vec<_> {
            names
                .iter()
                .map(|&(a, b)| (a.to_owned(), b.to_owned()))
                .collect()
        };
        assert_eq!(names("/eye/detections"), own(&[("2", "car"), ("5", "bus")]));
        assert_eq!(
            names("/eye/front/detections"),
            own(&[("2", "car"), ("5", "bus")])
        );
        // 3 is the name of a class
        assert_eq!(names("/eye/left/detections"), own(&[("4", "3")]));
        assert_eq!(names("/eyes/detections"), []);
    }
}
