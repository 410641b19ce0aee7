"""Builds small models of the family `boxes`, one for each form of the output, and what reference.py finds with them.

    boxes_models.py FOLDER

Writes picture.png, and for each model NAME.onnx, its description NAME.yaml and the detections NAME.json. The weights
are random; what matters is that boxes and scores of every form come out.
"""

import json
import pathlib
import sys

import cv2
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

import quiet  # noqa: F401
import reference

CLASSES = 5
STRIDE = 16
# boxes of a cell
ANCHORS = 6

LAYOUT = {
    "axes": ["boxes", "features"], "form": "xyxy", "unit": "pixels", "classes_at": 4, "class_activation": "none",
}  # fmt: skip
# by name: the layout, the size of the input, whether the output has a batch axis
MODELS = {
    "yolov5": (reference.YOLOV5, (64, 64), True),
    "yolov8": (reference.YOLOV8, (96, 64), True),
    "no_batch": (LAYOUT, (64, 96), False),
    "shares": (
        LAYOUT | {
            "axes": ["features", "boxes"], "unit": "shares", "classes_at": 6, "objectness_at": 5,
            "objectness_activation": "sigmoid", "class_activation": "softmax",
        },
        (96, 64), True,
    ),
    "corner": (LAYOUT | {"form": "xywh", "class_activation": "sigmoid"}, (64, 64), True),
    "logits": (
        LAYOUT | {
            "form": "cxcywh", "unit": "shares", "objectness_at": 4, "objectness_activation": "sigmoid",
            "classes_at": 5, "class_activation": "sigmoid",
        },
        (32, 64), False,
    ),
}  # fmt: skip


class Graph:
    def __init__(self, seed):
        self.nodes, self.constants = [], []
        self.random = numpy.random.default_rng(seed)

    def constant(self, values):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.asarray(values), name))
        return name

    def op(self, kind, *inputs, outputs=1, **attributes):
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names


def build(layout, size, batch, seed):
    graph = Graph(seed)
    op, f32, i64 = graph.op, numpy.float32, numpy.int64
    cells = (size[0] // STRIDE) * (size[1] // STRIDE)
    extra = layout["classes_at"] - 4
    parts = [2, 2] + ([extra] if extra else []) + [CLASSES]
    features = sum(parts)
    weights = graph.random.standard_normal((ANCHORS * features, 3, STRIDE, STRIDE)).astype(f32) * f32(0.07)
    x = op("Conv", "image", weights, kernel_shape=[STRIDE] * 2, strides=[STRIDE] * 2)
    x = op("Reshape", x, i64([1, ANCHORS, features, cells]))
    x = op("Reshape", op("Transpose", x, perm=[0, 1, 3, 2]), i64([1, ANCHORS * cells, features]))
    centre, side, *rest = op("Split", x, i64(parts), outputs=len(parts), axis=2)
    centre = op("Mul", op("Sigmoid", centre), f32(size))
    side = op("Add", op("Mul", op("Sigmoid", side), f32(size) * f32(0.6)), f32(4))
    half = op("Mul", side, f32(0.5))
    low, high = op("Sub", centre, half), op("Add", centre, half)
    box = {"cxcywh": (centre, side), "xyxy": (low, high), "xywh": (low, side)}[layout["form"]]
    if layout["unit"] == "shares":
        box = [op("Div", value, f32(size)) for value in box]
    scores = rest.pop()
    if layout["class_activation"] == "none":
        scores = op("Sigmoid", scores)
    if rest and layout.get("objectness_activation") == "none":
        rest = [op("Sigmoid", rest[0])]
    x = op("Concat", *box, *rest, scores, axis=2)
    shape = [ANCHORS * cells, features]
    if layout["axes"] == ["features", "boxes"]:
        x, shape = op("Transpose", x, perm=[0, 2, 1]), shape[::-1]
    x = op("Reshape", x, i64([1] * batch + shape))
    info = helper.make_tensor_value_info
    made = helper.make_graph(
        graph.nodes, "boxes",
        [info("image", TensorProto.FLOAT, [1, 3, size[1], size[0]])],
        [info(x, TensorProto.FLOAT, [1] * batch + shape)],
        graph.constants,
    )  # fmt: skip
    model = helper.make_model(made, ir_version=7, opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(model)
    return model


def main(folder):
    picture = numpy.random.default_rng(7).integers(0, 256, (12, 16, 3), numpy.uint8)
    picture = cv2.resize(picture, (320, 240), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "picture.png"), picture)
    for seed, (name, (layout, size, batch)) in enumerate(MODELS.items()):
        onnx.save(build(layout, size, batch, seed), folder / f"{name}.onnx")
        boxes = name if name in ("yolov5", "yolov8") else layout
        spec = {
            "width": size[0], "height": size[1], "colour": "rgb", "resize": "letterbox", "padding": 114,
            "mean": [0, 0, 0], "std": [255, 255, 255],
        }  # fmt: skip
        # JSON is YAML too
        description = {
            "family": "boxes", "boxes": boxes, "input": spec, "labels": [f"class_{i}" for i in range(CLASSES)],
            "score_threshold": 0.3, "nms_iou_threshold": 0.45,
        }  # fmt: skip
        (folder / f"{name}.yaml").write_text(json.dumps(description))
        detector = reference.Detector(folder / f"{name}.onnx", reference.Boxes(layout, size), 0.3, 0.45)
        (folder / f"{name}.json").write_text(json.dumps(detector.detect(picture)))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
