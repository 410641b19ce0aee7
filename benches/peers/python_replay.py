#!/usr/bin/env python3
"""What replay does, in plain Python, to compare its speed with: mcap, cv2.imdecode, onnxruntime with two threads.

The models run as they come; boxes are decoded and suppressed with numpy over whole arrays. Prints one JSON object:
{"model", "frames", "fps", "detections"}; fps covers everything from the first read to the last detection, not the
loading of the model. With --output it also writes what replay writes, detections as vision_msgs in an MCAP; without,
it only counts them.

    python_replay.py BAG.mcap --model fastestdet_352.onnx --family fastestdet [--output OUT.mcap]
"""

import argparse
import json
import pathlib
import sys
import time

import cv2
import numpy as np
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from mcap_ros2.writer import Writer

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "reference"))
from quiet import onnxruntime

SEPARATOR = "=" * 80
DETECTIONS = f"""std_msgs/Header header
vision_msgs/Detection2D[] detections
{SEPARATOR}
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
{SEPARATOR}
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
{SEPARATOR}
MSG: vision_msgs/Detection2D
std_msgs/Header header
vision_msgs/ObjectHypothesisWithPose[] results
vision_msgs/BoundingBox2D bbox
string id
{SEPARATOR}
MSG: vision_msgs/ObjectHypothesisWithPose
vision_msgs/ObjectHypothesis hypothesis
geometry_msgs/PoseWithCovariance pose
{SEPARATOR}
MSG: vision_msgs/ObjectHypothesis
string class_id
float64 score
{SEPARATOR}
MSG: geometry_msgs/PoseWithCovariance
geometry_msgs/Pose pose
float64[36] covariance
{SEPARATOR}
MSG: geometry_msgs/Pose
geometry_msgs/Point position
geometry_msgs/Quaternion orientation
{SEPARATOR}
MSG: geometry_msgs/Point
float64 x
float64 y
float64 z
{SEPARATOR}
MSG: geometry_msgs/Quaternion
float64 x
float64 y
float64 z
float64 w
{SEPARATOR}
MSG: vision_msgs/BoundingBox2D
vision_msgs/Pose2D center
float64 size_x
float64 size_y
{SEPARATOR}
MSG: vision_msgs/Pose2D
vision_msgs/Point2D position
float64 theta
{SEPARATOR}
MSG: vision_msgs/Point2D
float64 x
float64 y
"""
NO_POSE = {
    "pose": {"position": {"x": 0.0, "y": 0.0, "z": 0.0}, "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}},
    "covariance": [0.0] * 36,
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class FastestDet:
    size, threshold, nms_iou = 352, 0.25, 0.45

    def __init__(self):
        self.rows, self.columns = np.mgrid[:22, :22].reshape(2, -1)

    def prepare(self, image):
        resized = cv2.resize(image, (self.size, self.size))
        return cv2.dnn.blobFromImage(resized, 1 / 255)

    def boxes(self, outputs, image):
        cells = outputs[0].reshape(85, -1)
        scores = cells[0] ** 0.6 * cells[5:].max(axis=0) ** 0.4
        keep = scores > self.threshold
        cells = cells[:, keep]
        cx = (self.columns[keep] + np.tanh(cells[1])) / 22
        cy = (self.rows[keep] + np.tanh(cells[2])) / 22
        w, h = sigmoid(cells[3]) / 2, sigmoid(cells[4]) / 2
        height, width = image.shape[:2]
        boxes = np.stack([cx - w, cy - h, cx + w, cy + h], axis=1) * [width, height, width, height]
        return boxes, scores[keep], cells[5:].argmax(axis=0)


class NanoDet:
    size, threshold, nms_iou = 416, 0.3, 0.6
    mean = np.array([103.53, 116.28, 123.675], np.float32)
    std = np.array([57.375, 57.12, 58.395], np.float32)

    def __init__(self):
        centres, strides = [], []
        for stride in (8, 16, 32):
            y, x = np.mgrid[: self.size // stride, : self.size // stride].reshape(2, -1)
            centres.append(np.stack([x, y], axis=1) * stride + stride / 2)
            strides.append(np.full(len(x), stride))
        self.centres, self.strides = np.concatenate(centres), np.concatenate(strides)

    def prepare(self, image):
        height, width = image.shape[:2]
        scale = self.size / max(height, width)
        new_width, new_height = int(width * scale), int(height * scale)
        left, top = (self.size - new_width) // 2, (self.size - new_height) // 2
        canvas = np.zeros((self.size, self.size, 3), np.uint8)
        canvas[top : top + new_height, left : left + new_width] = cv2.resize(image, (new_width, new_height))
        self.undo = np.array([left, top, left, top]), np.array([width / new_width, height / new_height] * 2)
        tensor = (canvas - self.mean) / self.std
        return np.ascontiguousarray(tensor.transpose(2, 0, 1)[None], np.float32)

    def boxes(self, outputs, image):
        classes = np.concatenate(outputs[:3], axis=1)[0]
        scores = classes.max(axis=1)
        keep = scores > self.threshold
        logits = np.concatenate(outputs[3:], axis=1)[0][keep].reshape(-1, 4, 8)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        sides = weights @ np.arange(8) / weights.sum(axis=2) * self.strides[keep, None]
        centres = self.centres[keep]
        boxes = np.concatenate([centres - sides[:, :2], centres + sides[:, 2:]], axis=1)
        offset, scale = self.undo
        height, width = image.shape[:2]
        boxes = np.clip((boxes - offset) * scale, 0, [width, height, width, height])
        return boxes, scores[keep], classes[keep].argmax(axis=1)


def suppress(boxes, scores, classes, threshold):
    """Indices that greedy suppression per class keeps, best first."""
    order, kept = scores.argsort()[::-1], []
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        top_left = np.maximum(boxes[best, :2], boxes[order, :2])
        bottom_right = np.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=1)
        iou = shared / np.maximum(areas[best] + areas[order] - shared, 1e-9)
        order = order[(iou <= threshold) | (classes[order] != classes[best])]
    return kept[:100]


class Output:
    """Detections as an MCAP of vision_msgs/msg/Detection2DArray."""

    def __init__(self, path):
        self.file = path.open("wb")
        self.writer = Writer(self.file)
        self.schema = self.writer.register_msgdef("vision_msgs/msg/Detection2DArray", DETECTIONS)

    def write(self, topic, log_time, header, boxes, scores, classes):
        stamp = {"sec": header.stamp.sec, "nanosec": header.stamp.nanosec}
        header = {"stamp": stamp, "frame_id": header.frame_id}
        detections = [
            {
                "header": header,
                "results": [{"hypothesis": {"class_id": str(label), "score": score}, "pose": NO_POSE}],
                "bbox": {
                    "center": {"position": {"x": (x1 + x2) / 2, "y": (y1 + y2) / 2}, "theta": 0.0},
                    "size_x": x2 - x1,
                    "size_y": y2 - y1,
                },
                "id": "",
            }
            for (x1, y1, x2, y2), score, label in zip(boxes.tolist(), scores.tolist(), classes.tolist())
        ]
        message = {"header": header, "detections": detections}
        self.writer.write_message(f"{topic}/detections", self.schema, message, log_time, log_time)

    def finish(self):
        self.writer.finish()
        self.file.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bag", type=pathlib.Path, help=".mcap file, or a folder with one")
    parser.add_argument("--model", required=True, type=pathlib.Path, help="ONNX file")
    parser.add_argument("--family", required=True, choices=["fastestdet", "nanodet"])
    parser.add_argument("--limit", type=int, help="stop after so many frames")
    parser.add_argument("--output", type=pathlib.Path, help="MCAP file to write the detections to")
    args = parser.parse_args()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(args.model), options, providers=["CPUExecutionProvider"])
    input_name = session.get_inputs()[0].name
    family = FastestDet() if args.family == "fastestdet" else NanoDet()

    path = next(args.bag.glob("*.mcap")) if args.bag.is_dir() else args.bag
    frames = detections = 0
    output = Output(args.output) if args.output else None
    with path.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        topics = [
            channel.topic
            for channel in reader.get_summary().channels.values()
            if reader.get_summary().schemas[channel.schema_id].name == "sensor_msgs/msg/CompressedImage"
        ]
        started = time.perf_counter()
        for _, channel, record, message in reader.iter_decoded_messages(topics=topics):
            image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
            outputs = session.run(None, {input_name: family.prepare(image)})
            boxes, scores, classes = family.boxes(outputs, image)
            kept = suppress(boxes, scores, classes, family.nms_iou)
            detections += len(kept)
            if output:
                output.write(channel.topic, record.log_time, message.header, boxes[kept], scores[kept], classes[kept])
            frames += 1
            if frames == args.limit:
                break
        if output:
            output.finish()
        seconds = time.perf_counter() - started
    print(
        json.dumps(
            {
                "model": args.model.stem,
                "frames": frames,
                "fps": round(frames / seconds, 1),
                "detections": detections,
            }
        )
    )


if __name__ == "__main__":
    main()
