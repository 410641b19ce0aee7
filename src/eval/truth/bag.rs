//! Ground truth that lies in the recording itself: `vision_msgs/msg/Detection2DArray` on a topic, with the stamps of the
//! images that it is of.

use std::collections::HashSet;

use super::checks::checked;
use super::{Truth, TruthError, TruthImage};
use crate::bag::{Recording, Selection};
use crate::eval::class_map::ClassMap;
use crate::eval::problems::{Problem, Problems};
use crate::eval::{ImageSource, Object};
use crate::msg::Detection2DArray;

const TYPE: &str = "vision_msgs/msg/Detection2DArray";

/// Reads `topic`, the ground truth of the images on `camera`. Categories are the class ids that occur, in the order of
/// their names, as `map` renames them.
pub fn read(
    recording: &Recording,
    topic: &str,
    camera: &str,
    map: &ClassMap,
) -> Result<(Truth, Problems), TruthError> {
    if let Some(found) = recording.topics().iter().find(|t| t.name == topic)
        && found.type_name != TYPE
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
    arrays.sort_by_key(|(stamp_ns, _)| *stamp_ns);

    let names = arrays.iter().flat_map(|(_, array)| &array.detections);
    let names = names.filter_map(|object| Some(object.results.first()?.class_id.as_str()));
    let categories = map.categories_of(names);
    let id_of = |name: &str| categories.iter().find(|c| c.name == name).map(|c| c.id);
    let (mut images, mut next_id) = (Vec::with_capacity(arrays.len()), 0);
    for (index, (stamp_ns, array)) in arrays.into_iter().enumerate() {
        let mut objects = Vec::new();
        for detection in &array.detections {
            next_id += 1;
            let place = || format!("{topic} at {stamp_ns} ns");
            let Some(hypothesis) = detection.results.first() else {
                problems.add(
                    Problem::Malformed,
                    format!("{}: an object without a class", place()),
                );
                continue;
            };
            let Some(category_id) = map.category_of_truth(&hypothesis.class_id).and_then(id_of)
            else {
                continue;
            };
            let bbox = &detection.bbox;
            let object = Object {
                id: next_id,
                category_id,
                bbox: [
                    bbox.center_x - bbox.size_x / 2.0,
                    bbox.center_y - bbox.size_y / 2.0,
                    bbox.size_x,
                    bbox.size_y,
                ],
                area: bbox.size_x * bbox.size_y,
                iscrowd: false,
                ignore: false,
            };
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
    Ok((Truth { categories, images }, problems))
}
