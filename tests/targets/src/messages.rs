//! Messages of ROS 2, ROS 1 and Foxglove.

use shuffledet_msg::{
    CameraInfo, Carries, CompressedImageView, Detection2DArray, Detection3DArray, DiagnosticArray,
    HeaderView, ImageView, LabelInfo, VisionInfo, float64,
};

/// Images of other tools that become CDR: type, serialization, and a message that is right, with the stamp 5.000000006 s
/// and the frame `c`.
pub const FOREIGN: [(&str, &str, &[u8]); 8] = [
    (
        "sensor_msgs/Image",
        "ros1",
        b"\x01\0\0\0\x05\0\0\0\x06\0\0\0\x01\0\0\0c\x01\0\0\0\x01\0\0\0\x05\0\0\0mono8\0\x01\0\0\0\x01\0\0\0\x09",
    ),
    (
        "sensor_msgs/CompressedImage",
        "ros1",
        b"\x01\0\0\0\x05\0\0\0\x06\0\0\0\x01\0\0\0c\x04\0\0\0jpeg\x02\0\0\0\xff\xd8",
    ),
    (
        "foxglove.RawImage",
        "protobuf",
        b"\x0a\x04\x08\x05\x10\x06\x15\x01\0\0\0\x1d\x01\0\0\0\x22\x05mono8\x2d\x01\0\0\0\x32\x01\x09\x3a\x01c",
    ),
    (
        "foxglove.CompressedImage",
        "protobuf",
        b"\x0a\x04\x08\x05\x10\x06\x12\x02\xff\xd8\x1a\x04jpeg\x22\x01c",
    ),
    (
        "foxglove.RawImage",
        "json",
        br#"{"timestamp":{"sec":5,"nsec":6},"frame_id":"c","width":1,"height":1,"encoding":"mono8","step":1,"data":"CQ=="}"#,
    ),
    (
        "foxglove.CompressedImage",
        "json",
        br#"{"timestamp":{"sec":5,"nsec":6},"frame_id":"c","data":"/9g=","format":"jpeg"}"#,
    ),
    (
        "foxglove_msgs/msg/RawImage",
        "cdr",
        b"\0\x01\0\0\x05\0\0\0\x06\0\0\0\x02\0\0\0c\0\0\0\x01\0\0\0\x01\0\0\0\x06\0\0\0mono8\0\0\0\x01\0\0\0\x01\0\0\0\x09",
    ),
    (
        "foxglove_msgs/msg/CompressedImage",
        "cdr",
        b"\0\x01\0\0\x05\0\0\0\x06\0\0\0\x02\0\0\0c\0\0\0\x02\0\0\0\xff\xd8\0\0\x05\0\0\0jpeg\0",
    ),
];

/// The types that are parsed from CDR.
const TYPES: [fn(&[u8]) -> bool; 10] = [
    |cdr| HeaderView::parse_first(cdr).is_ok(),
    |cdr| ImageView::parse(cdr).is_ok(),
    |cdr| CompressedImageView::parse(cdr).is_ok(),
    |cdr| CameraInfo::parse(cdr).is_ok_and(|info| info.write(&mut Vec::new()).is_ok()),
    |cdr| Detection2DArray::parse(cdr).is_ok(),
    |cdr| Detection3DArray::parse(cdr).is_ok(),
    |cdr| DiagnosticArray::parse(cdr).is_ok(),
    |cdr| LabelInfo::parse(cdr).is_ok(),
    |cdr| VisionInfo::parse(cdr).is_ok(),
    |cdr| float64::parse(cdr).is_ok(),
];

/// The first byte selects the type, the rest is the message.
pub fn cdr(input: &[u8]) -> bool {
    let Some((&kind, message)) = input.split_first() else {
        return false;
    };
    let kind = usize::from(kind) % (TYPES.len() + FOREIGN.len());
    match kind.checked_sub(TYPES.len()) {
        None => TYPES[kind](message),
        Some(form) => {
            let (type_name, serialization, _) = FOREIGN[form];
            let Carries::Images(form) = Carries::by_type(type_name, serialization) else {
                unreachable!("{type_name} is an image")
            };
            let mut cdr = Vec::new();
            let is_converted = form.to_cdr(message, &mut cdr).is_ok();
            if is_converted {
                assert!(
                    HeaderView::parse_first(&cdr).is_ok(),
                    "{type_name} became no message"
                );
            }
            is_converted
        }
    }
}

pub mod seeds {
    use shuffledet_msg::{
        CdrError, Detection3DRef, DetectionRef, DiagnosticStatus, HypothesisRef, Level,
        PoseWithCovariance, Stamp, VisionClass, write_detections, write_detections_3d,
        write_diagnostics,
    };

    use super::*;

    fn header() -> HeaderView<'static> {
        HeaderView {
            stamp: Stamp { sec: 5, nanosec: 6 },
            frame_id: "camera",
        }
    }

    pub fn raw_image(encoding: &str, bytes_per_pixel: u32) -> Vec<u8> {
        let mut message = Vec::new();
        let data = [90; 64];
        let image = ImageView {
            header: header(),
            height: 4,
            width: 4,
            encoding,
            is_bigendian: false,
            step: 4 * bytes_per_pixel,
            data: &data[..16 * bytes_per_pixel as usize],
        };
        image.write(&mut message).unwrap();
        message
    }

    pub fn compressed_image(data: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        let image = CompressedImageView {
            header: header(),
            format: "jpeg",
            data,
        };
        image.write(&mut message).unwrap();
        message
    }

    /// One message of each type, in the order of `TYPES` and `FOREIGN`.
    pub fn cdr() -> Vec<Vec<u8>> {
        let camera = CameraInfo {
            distortion_model: "plumb_bob".to_owned(),
            d: vec![0.0; 5],
            ..CameraInfo::default()
        };
        let hypothesis = HypothesisRef {
            class_id: "car",
            score: 0.5,
            pose: PoseWithCovariance::default(),
        };
        let detection = DetectionRef {
            hypotheses: [hypothesis],
            center_x: 5.0,
            center_y: 6.0,
            size_x: 7.0,
            size_y: 8.0,
            id: "1",
        };
        let object = Detection3DRef {
            hypothesis,
            center: [1.0, 2.0, 3.0],
            size: [1.0; 3],
            id: "1",
        };
        let status = DiagnosticStatus {
            level: Level::Warn,
            name: "n",
            message: "m",
            hardware_id: "",
            values: vec![("key", "value")].into(),
        };
        let class = VisionClass {
            class_id: 1,
            class_name: "car",
        };
        let labels = LabelInfo {
            header: header(),
            class_map: vec![class].into(),
            threshold: 0.5,
        };
        let vision = VisionInfo {
            header: header(),
            method: "m",
            database_location: "d",
            database_version: 1,
        };
        let written = |write: &dyn Fn(&mut Vec<u8>) -> Result<(), CdrError>| {
            let mut message = Vec::new();
            write(&mut message).unwrap();
            message
        };
        let mut messages = vec![
            raw_image("mono8", 1),
            raw_image("bgr8", 3),
            compressed_image(b"\xff\xd8\xff\xd9"),
            written(&|out| camera.write(out)),
            written(&|out| write_detections(out, header(), header(), [detection])),
            written(&|out| write_detections_3d(out, header(), header(), [object])),
            written(&|out| write_diagnostics(out, header(), std::slice::from_ref(&status))),
            written(&|out| labels.write(out)),
            written(&|out| vision.write(out)),
        ];
        let mut number = Vec::new();
        float64::write(1.5, &mut number);
        messages.push(number);
        messages.extend(FOREIGN.iter().map(|(_, _, message)| message.to_vec()));
        let kinds = 0_u8..;
        let kinds = kinds.zip(messages);
        kinds
            .map(|(kind, message)| [vec![kind], message].concat())
            .collect()
    }
}
