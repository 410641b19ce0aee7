"""Answers how `rosbags`, an independent implementation of CDR, encodes and decodes ROS 2 messages.

Reads one JSON object from standard input:
  {"definitions": {ROS name: schema text}, "messages": [{"type": ROS name, "cdr": hex}]}
The types are registered from these schema texts alone. Writes one JSON object to standard output:
  {"echoes":  for each given message, what comes of decoding it: [{"little": hex, "big": hex}],
   "fixed":   the messages below, which the caller states in its own words:
              {name: {"type": ROS name, "little": hex, "big": hex}},
   "differs": the given types whose schema is not the one that `rosbags` itself has for ROS 2 Jazzy}
"""

import json
import sys

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

FIXED = {
    "image": (
        "sensor_msgs/msg/Image",
        {
            "header": {"stamp": {"sec": 1700000000, "nanosec": 123456789}, "frame_id": "camera_front"},
            "height": 2,
            "width": 3,
            "encoding": "mono16",
            "is_bigendian": 1,
            "step": 7,
            "data": bytes(range(14)),
        },
    ),
    "compressed_image": (
        "sensor_msgs/msg/CompressedImage",
        {
            "header": {"stamp": {"sec": -1, "nanosec": 999999999}, "frame_id": ""},
            "format": "bgr8; jpeg compressed bgr8",
            "data": b"\xff\xd8\xff",
        },
    ),
    "camera_info": (
        "sensor_msgs/msg/CameraInfo",
        {
            "header": {"stamp": {"sec": 5, "nanosec": 6}, "frame_id": "optical"},
            "height": 540,
            "width": 960,
            "distortion_model": "plumb_bob",
            "d": [0.1, -0.2, 0.3, -0.4, 0.5],
            "k": [1, 2, 3, 4, 5, 6, 7, 8, 9],
            "r": [-1, -2, -3, -4, -5, -6, -7, -8, -9],
            "p": [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120],
            "binning_x": 1,
            "binning_y": 2,
            "roi": {"x_offset": 3, "y_offset": 4, "height": 5, "width": 6, "do_rectify": True},
        },
    ),
    "camera_info_without_distortion": (
        "sensor_msgs/msg/CameraInfo",
        {
            "header": {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": "f"},
            "height": 1,
            "width": 1,
            "distortion_model": "",
            "d": [],
            "k": [0] * 9,
            "r": [0] * 9,
            "p": [0] * 12,
            "binning_x": 0,
            "binning_y": 0,
            "roi": {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False},
        },
    ),
    # what shuffledet writes: poses unknown, boxes not rotated, one header
    "detections": (
        "vision_msgs/msg/Detection2DArray",
        {
            "header": {"stamp": {"sec": 7, "nanosec": 8}, "frame_id": "camera"},
            "detections": [
                {
                    "header": {"stamp": {"sec": 7, "nanosec": 8}, "frame_id": "camera"},
                    "results": [
                        {
                            "hypothesis": {"class_id": class_id, "score": score},
                            "pose": {
                                "pose": {
                                    "position": {"x": 0, "y": 0, "z": 0},
                                    "orientation": {"x": 0, "y": 0, "z": 0, "w": 1},
                                },
                                "covariance": [0] * 36,
                            },
                        }
                    ],
                    "bbox": {
                        "center": {"position": {"x": x, "y": y}, "theta": 0},
                        "size_x": width,
                        "size_y": height,
                    },
                    "id": track,
                }
                for class_id, score, x, y, width, height, track in [
                    ("car", 0.75, 100.5, 200.25, 30.0, 40.0, ""),
                    ("fußgänger", 0.5, 1.0, 2.0, 3.0, 4.0, "17"),
                ]
            ],
        },
    ),
    # the header of an object is that of the image, the header of all of them that of a prediction
    "detections_3d": (
        "vision_msgs/msg/Detection3DArray",
        {
            "header": {"stamp": {"sec": 7, "nanosec": 8}, "frame_id": "optical"},
            "detections": [
                {
                    "header": {"stamp": {"sec": 5, "nanosec": 6}, "frame_id": "optical"},
                    "results": [
                        {
                            "hypothesis": {"class_id": "car", "score": 0.75},
                            "pose": {
                                "pose": {
                                    "position": {"x": 1, "y": 2, "z": 3},
                                    "orientation": {"x": 0, "y": 0, "z": 0, "w": 1},
                                },
                                "covariance": list(range(36)),
                            },
                        }
                    ],
                    "bbox": {
                        "center": {
                            "position": {"x": 1, "y": 2, "z": 3},
                            "orientation": {"x": 0, "y": 0, "z": 0, "w": 1},
                        },
                        "size": {"x": 4, "y": 5, "z": 6},
                    },
                    "id": "17",
                }
            ],
        },
    ),
    "no_detections": (
        "vision_msgs/msg/Detection2DArray",
        {"header": {"stamp": {"sec": 7, "nanosec": 8}, "frame_id": "camera"}, "detections": []},
    ),
    # what another node may write
    "foreign_detections": (
        "vision_msgs/msg/Detection2DArray",
        {
            "header": {"stamp": {"sec": 1, "nanosec": 2}, "frame_id": "a"},
            "detections": [
                {
                    "header": {"stamp": {"sec": 3, "nanosec": 4}, "frame_id": "bc"},
                    "results": [
                        {
                            "hypothesis": {"class_id": str(n), "score": n / 4},
                            "pose": {
                                "pose": {
                                    "position": {"x": n + 1, "y": n + 2, "z": n + 3},
                                    "orientation": {"x": n + 4, "y": n + 5, "z": n + 6, "w": n + 7},
                                },
                                "covariance": [n + i for i in range(36)],
                            },
                        }
                        for n in range(2)
                    ],
                    "bbox": {"center": {"position": {"x": 1, "y": 2}, "theta": 3}, "size_x": 4, "size_y": 5},
                    "id": "t",
                },
                {
                    "header": {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": ""},
                    "results": [],
                    "bbox": {"center": {"position": {"x": 0, "y": 0}, "theta": 0}, "size_x": 0, "size_y": 0},
                    "id": "",
                },
            ],
        },
    ),
    "diagnostics": (
        "diagnostic_msgs/msg/DiagnosticArray",
        {
            "header": {"stamp": {"sec": 9, "nanosec": 10}, "frame_id": ""},
            "status": [
                {
                    "level": 2,
                    "name": "camera",
                    "message": "stalled",
                    "hardware_id": "cam0",
                    "values": [{"key": "rate_hz", "value": "0.0"}, {"key": "", "value": "x"}],
                },
                {"level": 0, "name": "", "message": "", "hardware_id": "", "values": []},
            ],
        },
    ),
    "label_info": (
        "vision_msgs/msg/LabelInfo",
        {
            "header": {"stamp": {"sec": 11, "nanosec": 12}, "frame_id": "x"},
            "class_map": [
                {"class_id": 0, "class_name": "person"},
                {"class_id": 65535, "class_name": "toothbrush"},
            ],
            "threshold": 0.25,
        },
    ),
    "vision_info": (
        "vision_msgs/msg/VisionInfo",
        {
            "header": {"stamp": {"sec": 13, "nanosec": 14}, "frame_id": "x"},
            "method": "nanodet_m_416",
            "database_location": "sha256:4b82",
            "database_version": -3,
        },
    ),
    "float64": ("std_msgs/msg/Float64", {"data": -12.5}),
    "image_annotations": (
        "foxglove_msgs/msg/ImageAnnotations",
        {
            "circles": [],
            "points": [
                {
                    "timestamp": {"sec": 7, "nanosec": 8},
                    "type": 2,
                    "points": [{"x": x, "y": y} for x, y in [(10.5, y), (30, y), (30, 60), (10.5, 60)]],
                    "outline_color": {**colour, "a": 1},
                    "outline_colors": [],
                    "fill_color": {"r": 0, "g": 0, "b": 0, "a": 0},
                    "thickness": 1.5,
                }
                for y, colour in [(20, {"r": 1, "g": 0.5, "b": 0.25}), (4, {"r": 0, "g": 0, "b": 1})]
            ],
            "texts": [
                {
                    "timestamp": {"sec": 7, "nanosec": 8},
                    "position": {"x": 10.5, "y": y},
                    "text": text,
                    "font_size": 12,
                    "text_color": {"r": 0, "g": 0, "b": 0, "a": 1},
                    "background_color": {**colour, "a": 1},
                }
                for y, text, colour in [
                    (20, "car 0.75 #17", {"r": 1, "g": 0.5, "b": 0.25}),
                    (16, "fußgänger", {"r": 0, "g": 0, "b": 1}),
                ]
            ],
        },
    ),
    "no_annotations": ("foxglove_msgs/msg/ImageAnnotations", {"circles": [], "points": [], "texts": []}),
    "image_marker": (
        "visualization_msgs/msg/ImageMarker",
        {
            "header": {"stamp": {"sec": 7, "nanosec": 8}, "frame_id": "camera"},
            "ns": "detections",
            "id": 0,
            "type": 2,
            "action": 0,
            "position": {"x": 0, "y": 0, "z": 0},
            "scale": 1.5,
            "outline_color": {"r": 1, "g": 1, "b": 1, "a": 1},
            "filled": 0,
            "fill_color": {"r": 0, "g": 0, "b": 0, "a": 0},
            "lifetime": {"sec": 0, "nanosec": 0},
            "points": [
                {"x": x, "y": y, "z": 0}
                for x, y in [(10.5, 20), (30, 20), (30, 20), (30, 60), (30, 60), (10.5, 60), (10.5, 60), (10.5, 20)]
            ],
            "outline_colors": [{"r": 1, "g": 0.5, "b": 0.25, "a": 1}] * 4,
        },
    ),
}


def build(store, name, value):
    """The message object of type `name` for plain values, filled by field name."""
    fields = store.get_msgdef(name).fields
    return store.types[name](**{field: convert(store, kind, value[field]) for field, kind in fields})


def convert(store, kind, value):
    code, detail = kind
    if code.name == "NAME":
        return build(store, detail, value)
    if code.name == "BASE":
        return value
    (element_code, element), _ = detail
    if element_code.name == "NAME":
        return [build(store, element, v) for v in value]
    if isinstance(value, bytes):
        return np.frombuffer(value, dtype=np.uint8)
    return np.array(value, dtype=element[0])


def both_orders(store, name, message):
    return {
        "little": store.serialize_cdr(message, name).hex(),
        "big": store.serialize_cdr(message, name, little_endian=False).hex(),
    }


def main():
    request = json.load(sys.stdin)
    store = get_typestore(Stores.EMPTY)
    types = {}
    for name, schema in request["definitions"].items():
        types.update(get_types_from_msg(schema, name))
    store.register(types)

    jazzy = get_typestore(Stores.ROS2_JAZZY)
    known = [name for name in types if name in jazzy.types]
    differs = [name for name in known if store.hash_rihs01(name) != jazzy.hash_rihs01(name)]

    echoes = []
    for given in request["messages"]:
        message = store.deserialize_cdr(bytes.fromhex(given["cdr"]), given["type"])
        echoes.append(both_orders(store, given["type"], message))
    fixed = {
        key: {"type": name, **both_orders(store, name, build(store, name, value))}
        for key, (name, value) in FIXED.items()
    }
    json.dump({"echoes": echoes, "fixed": fixed, "differs": differs}, sys.stdout)


main()
