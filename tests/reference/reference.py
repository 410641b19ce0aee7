#!/usr/bin/env python3
"""A second implementation of the detectors, to compare shuffledet with.

It shares nothing with the Rust code: numpy, cv2 and onnxruntime only, one candidate box at a time where that is
plainer, no care for speed. It prints one JSON document with the detections of still images or of frames of a video.

    reference.py --model fastestdet_352.onnx --family fastestdet street.png > out.json
    reference.py --model nanodet_m_416.onnx --family nanodet --video clip.mp4 --frames 0,50,100 > out.json
    reference.py --model nanodet_m_416.onnx --family nanodet --tensors out.npz street.png > out.json
    reference.py --model yolov8n.onnx --family yolov8 --size 640x640 street.png > out.json
"""

import argparse
import hashlib
import json
import pathlib
import sys

import cv2
import numpy as np

from quiet import onnxruntime

COCO_LABELS = (
    "person bicycle car motorcycle airplane bus train truck boat|traffic light|fire hydrant|stop sign|parking meter|"
    "bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee "
    "skis snowboard|sports ball|kite|baseball bat|baseball glove|skateboard surfboard|tennis racket|bottle|wine glass|"
    "cup fork knife spoon bowl banana apple sandwich orange broccoli carrot|hot dog|pizza donut cake chair couch|"
    "potted plant|bed|dining table|toilet tv laptop mouse remote keyboard|cell phone|microwave oven toaster sink "
    "refrigerator book clock vase scissors|teddy bear|hair drier|toothbrush"
)
TWO_WORDS = {
    "traffic light", "fire hydrant", "stop sign", "parking meter", "sports ball", "baseball bat", "baseball glove",
    "tennis racket", "wine glass", "hot dog", "potted plant", "dining table", "cell phone", "teddy bear", "hair drier",
}  # fmt: skip
LABELS = [
    label
    for part in COCO_LABELS.split("|")
    for label in ([part] if part in TWO_WORDS else part.split())
]
assert len(LABELS) == 80

MAX_DETECTIONS = 100


class FastestDet:
    """Stretched to 352x352, BGR, x/255. One output [1, 85, 22, 22]: objectness, 4 box terms, 80 class scores."""

    score_threshold, nms_iou = 0.25, 0.45
    clip_before_nms = False
    size = 352

    def prepare(self, image):
        resized = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        tensor = resized.astype(np.float32) / np.float32(255)
        height, width = image.shape[:2]
        return tensor.transpose(2, 0, 1)[None], lambda x, y: (x * width, y * height)

    def candidates(self, outputs, threshold):
        grid = outputs[0][0].astype(np.float64)
        rows, columns = grid.shape[1:]
        for row in range(rows):
            for column in range(columns):
                cell = grid[:, row, column]
                class_id = int(cell[5:].argmax())
                score = cell[0] ** 0.6 * cell[5 + class_id] ** 0.4
                if score <= threshold:
                    continue
                cx = (column + np.tanh(cell[1])) / columns
                cy = (row + np.tanh(cell[2])) / rows
                w, h = 1 / (1 + np.exp(-cell[3:5]))
                yield class_id, score, (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


class NanoDet:
    """Letterboxed to 416x416 with 0, BGR, (x - mean) / std after the padding. For strides 8, 16, 32 the class scores
    [1, n, 80], then the box distances [1, n, 4 * 8] as distributions over 0..7 strides: left, top, right, bottom."""

    score_threshold, nms_iou = 0.3, 0.6
    clip_before_nms = True
    size = 416
    strides = (8, 16, 32)
    mean = np.array([103.53, 116.28, 123.675], np.float32)
    std = np.array([57.375, 57.12, 58.395], np.float32)

    def prepare(self, image):
        height, width = image.shape[:2]
        if height > width:
            new_width, new_height = int(self.size / (height / width)), self.size
        else:
            new_width, new_height = self.size, int(self.size * (height / width))
        left, top = int((self.size - new_width) / 2), int((self.size - new_height) / 2)
        canvas = np.zeros((self.size, self.size, 3), np.uint8)
        canvas[top : top + new_height, left : left + new_width] = cv2.resize(
            image, (new_width, new_height), interpolation=cv2.INTER_LINEAR
        )
        tensor = (canvas.astype(np.float32) - self.mean) / self.std

        def undo(x, y):
            return (x - left) * width / new_width, (y - top) * height / new_height

        return tensor.transpose(2, 0, 1)[None], undo

    def candidates(self, outputs, threshold):
        levels = len(self.strides)
        for stride, scores, distances in zip(self.strides, outputs[:levels], outputs[levels:]):
            columns = self.size // stride
            for i, class_scores in enumerate(scores[0]):
                class_id = int(class_scores.argmax())
                score = float(class_scores[class_id])
                if score <= threshold:
                    continue
                logits = distances[0, i].astype(np.float64).reshape(4, 8)
                weights = np.exp(logits - logits.max(axis=1, keepdims=True))
                left, top, right, bottom = stride * (weights @ np.arange(8)) / weights.sum(axis=1)
                cx = (i % columns + 0.5) * stride
                cy = (i // columns + 0.5) * stride
                yield class_id, score, (cx - left, cy - top, cx + right, cy + bottom)


class NanoDetPlus(NanoDet):
    """Stretched to 416x416, colours as of NanoDet. One output [1, n, 80 + 32]: the cells of strides 8, 16, 32, 64, each
    with its class scores and then its distances. A cell's centre is its corner."""

    score_threshold = 0.35
    strides = (8, 16, 32, 64)

    def prepare(self, image):
        resized = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        tensor = (resized.astype(np.float32) - self.mean) / self.std
        sx, sy = image.shape[1] / self.size, image.shape[0] / self.size
        return tensor.transpose(2, 0, 1)[None], lambda x, y: (x * sx, y * sy)

    def candidates(self, outputs, threshold):
        cells = iter(outputs[0][0].astype(np.float64))
        for stride in self.strides:
            side = -(-self.size // stride)
            for y, x in np.ndindex(side, side):
                cell = next(cells)
                scores, logits = cell[:-32], cell[-32:].reshape(4, 8)
                if scores.max() <= threshold:
                    continue
                weights = np.exp(logits - logits.max(axis=1, keepdims=True))
                left, top, right, bottom = stride * (weights * np.arange(8)).sum(axis=1) / weights.sum(axis=1)
                cx, cy = x * stride, y * stride
                yield int(scores.argmax()), scores.max(), (cx - left, cy - top, cx + right, cy + bottom)
        assert next(cells, None) is None


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def softmax(x):
    weights = np.exp(np.asarray(x, np.float64) - np.max(x))
    return weights / weights.sum()


class YoloFastestV2(FastestDet):
    """Stretched to 352x352, BGR, x/255. For strides 16 and 32: boxes [1, 3 * 4, r, c] of three anchors in YOLOv5's
    form, objectness [1, 3, r, c], classes [1, 80, r, c], which the three anchors share."""

    score_threshold, nms_iou = 0.3, 0.4
    anchors = np.array([
        [[12.64, 19.39], [37.88, 51.48], [55.71, 138.31]],
        [[126.91, 78.23], [131.57, 214.55], [279.92, 258.87]],
    ])  # fmt: skip

    def candidates(self, outputs, threshold):
        for stride, anchors, maps in zip((16, 32), self.anchors, (outputs[:3], outputs[3:])):
            boxes, objectness, classes = (m[0] for m in maps)
            for row, column in np.ndindex(*objectness.shape[1:]):
                probabilities = softmax(classes[:, row, column])
                for index, anchor in enumerate(anchors):
                    score = sigmoid(objectness[index, row, column]) * probabilities.max()
                    if score <= threshold:
                        continue
                    tx, ty, tw, th = sigmoid(boxes[4 * index : 4 * index + 4, row, column])
                    cx, cy = (2 * tx - 0.5 + column) * stride, (2 * ty - 0.5 + row) * stride
                    w, h = (2 * np.array([tw, th])) ** 2 * anchor
                    box = cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
                    yield int(probabilities.argmax()), score, np.array(box) / self.size


class Boxes:
    """One output of boxes and their features. `layout` has the keys of `boxes` in a model's description. The input is
    RGB, letterboxed with 114 (side and offset as of NanoDet), x/255."""

    score_threshold, nms_iou = 0.25, 0.45
    clip_before_nms = False
    activations = {"none": lambda x: x, "sigmoid": sigmoid, "softmax": softmax}

    def __init__(self, layout, size):
        self.layout, self.size = layout, size

    def prepare(self, image):
        height, width = image.shape[:2]
        scale = min(self.size[0] / width, self.size[1] / height)
        # a quotient that should be whole may be less by a rounding error
        new_width, new_height = (max(1, int(side * scale + 1e-6)) for side in (width, height))
        left, top = (self.size[0] - new_width) // 2, (self.size[1] - new_height) // 2
        canvas = np.full((self.size[1], self.size[0], 3), 114, np.uint8)
        canvas[top : top + new_height, left : left + new_width] = cv2.resize(
            image, (new_width, new_height), interpolation=cv2.INTER_LINEAR
        )
        tensor = canvas[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)

        def undo(x, y):
            return (x - left) * width / new_width, (y - top) * height / new_height

        return tensor, undo

    def candidates(self, outputs, threshold):
        layout = self.layout
        rows = outputs[0].reshape(outputs[0].shape[-2:]).astype(np.float64)
        if layout["axes"] == ["features", "boxes"]:
            rows = rows.T
        for row in rows:
            scores = self.activations[layout["class_activation"]](row[layout["classes_at"] :])
            if "objectness_at" in layout:
                scores = scores * self.activations[layout["objectness_activation"]](row[layout["objectness_at"]])
            if scores.max() <= threshold:
                continue
            a, b, c, d = row[:4] * (np.tile(self.size, 2) if layout["unit"] == "shares" else 1)
            box = {
                "cxcywh": (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
                "xyxy": (a, b, c, d),
                "xywh": (a, b, a + c, b + d),
            }[layout["form"]]
            yield int(scores.argmax()), scores.max(), box


YOLOV5 = {
    "axes": ["boxes", "features"],
    "form": "cxcywh",
    "unit": "pixels",
    "objectness_at": 4,
    "objectness_activation": "none",
    "classes_at": 5,
    "class_activation": "none",
}
YOLOV8 = {
    "axes": ["features", "boxes"],
    "form": "cxcywh",
    "unit": "pixels",
    "classes_at": 4,
    "class_activation": "none",
}

FAMILIES = {
    "fastestdet": lambda size: FastestDet(),
    "nanodet": lambda size: NanoDet(),
    "nanodet_plus": lambda size: NanoDetPlus(),
    "yolo_fastestv2": lambda size: YoloFastestV2(),
    "yolov5": lambda size: Boxes(YOLOV5, size),
    "yolov8": lambda size: Boxes(YOLOV8, size),
}


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union


def suppress(candidates, threshold):
    """Greedy, per class, best score first; a box goes when its IoU with a kept one is above the threshold."""
    kept = []
    for candidate in sorted(candidates, key=lambda c: -c[1]):
        if all(k[0] != candidate[0] or iou(k[2], candidate[2]) <= threshold for k in kept):
            kept.append(candidate)
    return kept[:MAX_DETECTIONS]


class Detector:
    def __init__(self, model, family, score_threshold=None, nms_iou=None):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.family = family
        self.score_threshold = self.family.score_threshold if score_threshold is None else score_threshold
        self.nms_iou = self.family.nms_iou if nms_iou is None else nms_iou

    def tensors(self, image):
        """The input tensor, the raw outputs, and the map from the network's coordinates to the image's."""
        tensor, undo = self.family.prepare(image)
        return tensor, self.session.run(None, {self.input: tensor}), undo

    def detect(self, image):
        """Detections of a BGR image, best first; boxes are x1, y1, x2, y2 in its pixels, clipped to it. Those outside
        are left out."""
        height, width = image.shape[:2]
        _, outputs, undo = self.tensors(image)

        def clip(candidate):
            class_id, score, box = candidate
            return class_id, score, np.clip(box, 0, [width, height, width, height])

        candidates = [
            (class_id, score, (*undo(x1, y1), *undo(x2, y2)))
            for class_id, score, (x1, y1, x2, y2) in self.family.candidates(outputs, self.score_threshold)
        ]
        if self.family.clip_before_nms:
            candidates = map(clip, candidates)
        return [
            {
                "class_id": class_id,
                "label": LABELS[class_id] if class_id < len(LABELS) else f"class_{class_id}",
                "score": round(float(score), 6),
                "box": [round(float(v), 3) for v in box],
            }
            for class_id, score, box in map(clip, suppress(candidates, self.nms_iou))
            if box[0] < box[2] and box[1] < box[3]
        ]


def video_frames(path, wanted):
    """Yields (index, BGR frame). Reads from the start: seeking is not exact in every build of OpenCV."""
    capture = cv2.VideoCapture(str(path))
    index, last = 0, max(wanted)
    while index <= last:
        ok, frame = capture.read()
        if not ok:
            sys.exit(f"{path}: ends before frame {index}; frames up to {last} were asked for")
        if index in wanted:
            yield index, frame
        index += 1


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def frame_entry(frame, detector):
    return {
        "width": frame.shape[1],
        "height": frame.shape[0],
        "bgr_sha256": sha256(np.ascontiguousarray(frame).tobytes()),
        "detections": detector.detect(frame),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=pathlib.Path, help="ONNX file")
    parser.add_argument("--family", required=True, choices=FAMILIES)
    parser.add_argument("--video", type=pathlib.Path)
    parser.add_argument("--frames", help="frame indices of the video, separated by commas")
    parser.add_argument("--size", default="640x640", help="input of yolov5 and yolov8, WIDTHxHEIGHT (default: %(default)s)")
    parser.add_argument("--score-threshold", type=float, help="keep scores above it (default: the family's)")
    parser.add_argument("--nms-iou", type=float, help="suppress above it (default: the family's)")
    parser.add_argument("--tensors", type=pathlib.Path, help="write the first image's input and raw outputs as .npz")
    parser.add_argument("images", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    if bool(args.video) == bool(args.images) or bool(args.video) != bool(args.frames):
        parser.error("give either images or --video with --frames")

    size = tuple(map(int, args.size.split("x")))
    detector = Detector(args.model, FAMILIES[args.family](size), args.score_threshold, args.nms_iou)
    document = {
        "model": args.model.stem,
        "model_sha256": sha256(args.model.read_bytes()),
        "family": args.family,
        "score_threshold": detector.score_threshold,
        "nms_iou": detector.nms_iou,
        "max_detections": MAX_DETECTIONS,
        "box": "x1, y1, x2, y2 in pixels of the frame, clipped to it",
        "tolerance": {"iou": 0.98, "score": 0.01},
        "tolerance_other_bgr": {"iou": 0.8, "score": 0.05, "above_threshold": 0.05},
        "versions": {
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
    }
    if args.video:
        wanted = {int(index) for index in args.frames.split(",")}
        document["video"] = args.video.name
        document["video_sha256"] = sha256(args.video.read_bytes())
        document["frames"] = [
            {"index": index, **frame_entry(frame, detector)} for index, frame in video_frames(args.video, wanted)
        ]
    else:
        document["images"] = []
        for path in args.images:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is None:
                sys.exit(f"{path}: OpenCV cannot read it as an image")
            document["images"].append({"file": str(path), **frame_entry(image, detector)})
            if args.tensors and len(document["images"]) == 1:
                tensor, outputs, _ = detector.tensors(image)
                np.savez_compressed(args.tensors, input=tensor, **{f"output_{i}": o for i, o in enumerate(outputs)})
    json.dump(document, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
