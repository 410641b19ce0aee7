//! The schemas of the messages in this module, in the form for recordings (`ros2msg`).
//!
//! Fields, constants and defaults are those of ROS 2 Jazzy and vision_msgs 4.1.1, without comments.

/// A message type: its name and its definitions.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// The ROS name, for example `sensor_msgs/msg/Image`.
    pub name: &'static str,
    fields: &'static str,
    /// All types that the fields use, directly or indirectly, in the order of first use.
    uses: &'static [Part],
}

/// The name of a type in `MSG:` lines, and its fields.
type Part = (&'static str, &'static str);

impl Definition {
    /// Every type of this module.
    pub const ALL: [&'static Definition; 9] = [
        &IMAGE,
        &COMPRESSED_IMAGE,
        &CAMERA_INFO,
        &DETECTION2D_ARRAY,
        &DETECTION3D_ARRAY,
        &DIAGNOSTIC_ARRAY,
        &LABEL_INFO,
        &VISION_INFO,
        &FLOAT64,
    ];

    /// Returns the type of a ROS name; `None` if this module does not have it.
    pub fn find(name: &str) -> Option<&'static Definition> {
        Self::ALL.into_iter().find(|d| d.name == name)
    }

    /// Returns the schema text: the type's own fields, then each type that it uses after a line of
    /// 80 `=` and `MSG: pkg/Type`.
    pub fn schema(&self) -> String {
        let mut text = self.fields.to_owned();
        for (name, fields) in self.uses {
            text += &format!("{}\nMSG: {name}\n{fields}", "=".repeat(80));
        }
        text
    }
}

pub const IMAGE: Definition = Definition {
    name: "sensor_msgs/msg/Image",
    fields: "\
std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
",
    uses: &[HEADER, TIME],
};

pub const COMPRESSED_IMAGE: Definition = Definition {
    name: "sensor_msgs/msg/CompressedImage",
    fields: "\
std_msgs/Header header
string format
uint8[] data
",
    uses: &[HEADER, TIME],
};

pub const CAMERA_INFO: Definition = Definition {
    name: "sensor_msgs/msg/CameraInfo",
    fields: "\
std_msgs/Header header
uint32 height
uint32 width
string distortion_model
float64[] d
float64[9] k
float64[9] r
float64[12] p
uint32 binning_x
uint32 binning_y
RegionOfInterest roi
",
    uses: &[
        HEADER,
        TIME,
        (
            "sensor_msgs/RegionOfInterest",
            "\
uint32 x_offset
uint32 y_offset
uint32 height
uint32 width
bool do_rectify
",
        ),
    ],
};

pub const DETECTION2D_ARRAY: Definition = Definition {
    name: "vision_msgs/msg/Detection2DArray",
    fields: "\
std_msgs/Header header
Detection2D[] detections
",
    uses: &[
        HEADER,
        TIME,
        (
            "vision_msgs/Detection2D",
            "\
std_msgs/Header header
ObjectHypothesisWithPose[] results
BoundingBox2D bbox
string id
",
        ),
        HYPOTHESIS_WITH_POSE,
        HYPOTHESIS,
        POSE_WITH_COVARIANCE,
        POSE,
        POINT,
        QUATERNION,
        (
            "vision_msgs/BoundingBox2D",
            "\
vision_msgs/Pose2D center
float64 size_x
float64 size_y
",
        ),
        (
            "vision_msgs/Pose2D",
            "\
vision_msgs/Point2D position
float64 theta
",
        ),
        (
            "vision_msgs/Point2D",
            "\
float64 x
float64 y
",
        ),
    ],
};

pub const DETECTION3D_ARRAY: Definition = Definition {
    name: "vision_msgs/msg/Detection3DArray",
    fields: "\
std_msgs/Header header
Detection3D[] detections
",
    uses: &[
        HEADER,
        TIME,
        (
            "vision_msgs/Detection3D",
            "\
std_msgs/Header header
ObjectHypothesisWithPose[] results
BoundingBox3D bbox
string id
",
        ),
        HYPOTHESIS_WITH_POSE,
        HYPOTHESIS,
        POSE_WITH_COVARIANCE,
        POSE,
        POINT,
        QUATERNION,
        (
            "vision_msgs/BoundingBox3D",
            "\
geometry_msgs/Pose center
geometry_msgs/Vector3 size
",
        ),
        (
            "geometry_msgs/Vector3",
            "\
float64 x
float64 y
float64 z
",
        ),
    ],
};

pub const DIAGNOSTIC_ARRAY: Definition = Definition {
    name: "diagnostic_msgs/msg/DiagnosticArray",
    fields: "\
std_msgs/Header header
DiagnosticStatus[] status
",
    uses: &[
        HEADER,
        TIME,
        (
            "diagnostic_msgs/DiagnosticStatus",
            "\
byte OK=0
byte WARN=1
byte ERROR=2
byte STALE=3
byte level
string name
string message
string hardware_id
KeyValue[] values
",
        ),
        (
            "diagnostic_msgs/KeyValue",
            "\
string key
string value
",
        ),
    ],
};

pub const LABEL_INFO: Definition = Definition {
    name: "vision_msgs/msg/LabelInfo",
    fields: "\
std_msgs/Header header
vision_msgs/VisionClass[] class_map
float32 threshold
",
    uses: &[
        HEADER,
        TIME,
        (
            "vision_msgs/VisionClass",
            "\
uint16 class_id
string class_name
",
        ),
    ],
};

pub const VISION_INFO: Definition = Definition {
    name: "vision_msgs/msg/VisionInfo",
    fields: "\
std_msgs/Header header
string method
string database_location
int32 database_version
",
    uses: &[HEADER, TIME],
};

pub const FLOAT64: Definition = Definition {
    name: "std_msgs/msg/Float64",
    fields: "float64 data\n",
    uses: &[],
};

const HEADER: Part = (
    "std_msgs/Header",
    "\
builtin_interfaces/Time stamp
string frame_id
",
);

const TIME: Part = (
    "builtin_interfaces/Time",
    "\
int32 sec
uint32 nanosec
",
);

const HYPOTHESIS_WITH_POSE: Part = (
    "vision_msgs/ObjectHypothesisWithPose",
    "\
ObjectHypothesis hypothesis
geometry_msgs/PoseWithCovariance pose
",
);

const HYPOTHESIS: Part = (
    "vision_msgs/ObjectHypothesis",
    "\
string class_id
float64 score
",
);

const POSE_WITH_COVARIANCE: Part = (
    "geometry_msgs/PoseWithCovariance",
    "\
Pose pose
float64[36] covariance
",
);

const POSE: Part = (
    "geometry_msgs/Pose",
    "\
Point position
Quaternion orientation
",
);

const POINT: Part = (
    "geometry_msgs/Point",
    "\
float64 x
float64 y
float64 z
",
);

const QUATERNION: Part = (
    "geometry_msgs/Quaternion",
    "\
float64 x 0
float64 y 0
float64 z 0
float64 w 1
",
);
