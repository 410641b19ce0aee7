//! The schemas of the messages in this module, in the form for recordings (`ros2msg`).
//!
//! Fields, constants and defaults are those of ROS 2 Jazzy, vision_msgs 4.1.1 and foxglove_msgs 3,
//! without comments.

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
    pub const ALL: [&'static Definition; 11] = [
        &IMAGE,
        &COMPRESSED_IMAGE,
        &CAMERA_INFO,
        &DETECTION2D_ARRAY,
        &DETECTION3D_ARRAY,
        &DIAGNOSTIC_ARRAY,
        &LABEL_INFO,
        &VISION_INFO,
        &FLOAT64,
        &IMAGE_ANNOTATIONS,
        &IMAGE_MARKER,
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

pub const IMAGE_ANNOTATIONS: Definition = Definition {
    name: "foxglove_msgs/msg/ImageAnnotations",
    fields: "\
foxglove_msgs/CircleAnnotation[] circles
foxglove_msgs/PointsAnnotation[] points
foxglove_msgs/TextAnnotation[] texts
",
    uses: &[
        (
            "foxglove_msgs/CircleAnnotation",
            "\
builtin_interfaces/Time timestamp
foxglove_msgs/Point2 position
float64 diameter
float64 thickness
foxglove_msgs/Color fill_color
foxglove_msgs/Color outline_color
",
        ),
        TIME,
        (
            "foxglove_msgs/Point2",
            "\
float64 x
float64 y
",
        ),
        (
            "foxglove_msgs/Color",
            "\
float64 r
float64 g
float64 b
float64 a
",
        ),
        (
            "foxglove_msgs/PointsAnnotation",
            "\
builtin_interfaces/Time timestamp
uint8 UNKNOWN=0
uint8 POINTS=1
uint8 LINE_LOOP=2
uint8 LINE_STRIP=3
uint8 LINE_LIST=4
uint8 type
foxglove_msgs/Point2[] points
foxglove_msgs/Color outline_color
foxglove_msgs/Color[] outline_colors
foxglove_msgs/Color fill_color
float64 thickness
",
        ),
        (
            "foxglove_msgs/TextAnnotation",
            "\
builtin_interfaces/Time timestamp
foxglove_msgs/Point2 position
string text
float64 font_size
foxglove_msgs/Color text_color
foxglove_msgs/Color background_color
",
        ),
    ],
};

pub const IMAGE_MARKER: Definition = Definition {
    name: "visualization_msgs/msg/ImageMarker",
    fields: "\
int32 CIRCLE=0
int32 LINE_STRIP=1
int32 LINE_LIST=2
int32 POLYGON=3
int32 POINTS=4
int32 ADD=0
int32 REMOVE=1
std_msgs/Header header
string ns
int32 id
int32 type
int32 action
geometry_msgs/Point position
float32 scale
std_msgs/ColorRGBA outline_color
uint8 filled
std_msgs/ColorRGBA fill_color
builtin_interfaces/Duration lifetime
geometry_msgs/Point[] points
std_msgs/ColorRGBA[] outline_colors
",
    uses: &[
        HEADER,
        TIME,
        POINT,
        (
            "std_msgs/ColorRGBA",
            "\
float32 r
float32 g
float32 b
float32 a
",
        ),
        (
            "builtin_interfaces/Duration",
            "\
int32 sec
uint32 nanosec
",
        ),
    ],
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
