//! The class table of the detections, as `vision_msgs/msg/LabelInfo`.

use crate::model::ClassIds;
use shuffledet_core::Labels;
use shuffledet_msg::{CdrError, HeaderView, LabelInfo, VisionClass};

/// Fills `out` with the message in CDR. `threshold` is the lowest reported score.
pub fn write_label_info(
    labels: &Labels,
    class_ids: &ClassIds,
    threshold: f32,
    out: &mut Vec<u8>,
) -> Result<(), CdrError> {
    let classes = class_ids.numbers().iter().zip(labels.names());
    let class_map: Vec<_> = classes
        .map(|(&class_id, class_name)| VisionClass {
            class_id,
            class_name,
        })
        .collect();
    LabelInfo {
        header: HeaderView::default(),
        class_map: class_map.into(),
        threshold,
    }
    .write(out)
}
