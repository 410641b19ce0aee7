"""Builds small classifiers with random weights, and answers with them, in numpy, cv2 and onnxruntime alone.

    classifier_models.py FOLDER
    classifier_models.py FOLDER IMAGE BOXES MARGIN

Writes picture.png, and for each model NAME.onnx, its description NAME.yaml and the probabilities of the picture
NAME.json. With an image, prints as JSON the best class and its probability for each of BOXES, a JSON list of
[left, top, width, height] in pixels, by the model `lights`.
"""

import json
import math
import pathlib
import sys

import cv2
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from quiet import onnxruntime

CLASSES = ["red", "yellow", "green", "off"]
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]

# by name: width, height, colour, resize, padding, crop, where the activation is, the shape of the output
MODELS = {
    "lights": (32, 48, "rgb", "stretch", 0, 1.0, ("softmax", "outside"), [1, 4]),
    "centre": (24, 20, "bgr", "stretch", 0, 0.875, ("softmax", "inside"), [1, 4, 1, 1]),
    "padded": (40, 40, "rgb", "letterbox", 114, 1.0, ("sigmoid", "outside"), [4]),
}


def build(name, seed):
    width, height, *_, (activation, place), shape = MODELS[name]
    random = numpy.random.default_rng(seed)
    weights = random.standard_normal((3 * width * height, len(CLASSES))).astype(numpy.float32) * numpy.float32(0.03)
    nodes = [
        helper.make_node("Flatten", ["image"], ["row"], axis=1),
        helper.make_node("MatMul", ["row", "weights"], ["logits"]),
    ]
    last = "logits"
    if place == "inside":
        kind = {"softmax": "Softmax", "sigmoid": "Sigmoid"}[activation]
        nodes.append(helper.make_node(kind, [last], ["probabilities"]))
        last = "probabilities"
    nodes.append(helper.make_node("Reshape", [last, "shape"], ["output"]))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, name,
        [info("image", TensorProto.FLOAT, [1, 3, height, width])],
        [info("output", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(numpy.int64(shape), "shape")],
    )  # fmt: skip
    model = helper.make_model(graph, ir_version=7, opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(model)
    return model


def description(name):
    width, height, colour, resize, padding, crop, (activation, place), _ = MODELS[name]
    order = slice(None) if colour == "rgb" else slice(None, None, -1)
    spec = {"width": width, "height": height, "colour": colour, "resize": resize, "mean": MEAN[order], "std": STD[order]}
    if padding:
        spec["padding"] = padding
    written = {"family": "classifier", "labels": CLASSES, "input": spec}
    if place == "outside":
        written["class_activation"] = activation
    if crop < 1:
        written["crop"] = crop
    return written


def even_span(low, high, length):
    """The pixels that a span touches, from an even one on and up to an even one or the end."""
    first = min(max(math.floor(low), 0), (length - 1) // 2 * 2) // 2 * 2
    last = (max(math.ceil(high), 0) + 1) // 2 * 2
    return first, min(max(last, first + 2), length)


def centre(image, width, height, share):
    rows, columns = image.shape[:2]
    scale = min(columns / width, rows / height) * share
    left, right = even_span((columns - width * scale) / 2, (columns + width * scale) / 2, columns)
    top, bottom = even_span((rows - height * scale) / 2, (rows + height * scale) / 2, rows)
    return image[top:bottom, left:right]


def around(image, box, margin):
    left, top, width, height = box
    rows, columns = image.shape[:2]
    x1, x2 = even_span(left - margin * width, left + width + margin * width, columns)
    y1, y2 = even_span(top - margin * height, top + height + margin * height, rows)
    return image[y1:y2, x1:x2]


def tensor(name, image):
    width, height, colour, resize, padding, crop, *_ = MODELS[name]
    if crop < 1:
        image = centre(image, width, height, crop)
    if resize == "letterbox":
        rows, columns = image.shape[:2]
        if rows * width > columns * height:
            size = max(1, int(height / (rows / columns))), height
        else:
            size = width, max(1, int(width * (rows / columns)))
        canvas = numpy.full((height, width, 3), padding, numpy.uint8)
        left, top = (width - size[0]) // 2, (height - size[1]) // 2
        canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size)
    else:
        canvas = cv2.resize(image, (width, height))
    mean, std = numpy.float32(MEAN), numpy.float32(STD)
    values = (canvas[:, :, ::-1].astype(numpy.float32) - mean) / std
    if colour == "bgr":
        values = values[:, :, ::-1]
    return numpy.ascontiguousarray(values.transpose(2, 0, 1)[None])


def probabilities(folder, name, image):
    session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"image": tensor(name, image)})
    scores = output.astype(numpy.float64).ravel()
    activation, place = MODELS[name][6]
    if place == "inside":
        return scores
    if activation == "sigmoid":
        return 1 / (1 + numpy.exp(-scores))
    powers = numpy.exp(scores - scores.max())
    return powers / powers.sum()


def main(folder):
    picture = numpy.random.default_rng(7).integers(0, 256, (9, 12, 3), numpy.uint8)
    picture = cv2.resize(picture, (131, 97), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "picture.png"), picture)
    for seed, name in enumerate(MODELS):
        onnx.save(build(name, seed), folder / f"{name}.onnx")
        # JSON is YAML too
        (folder / f"{name}.yaml").write_text(json.dumps(description(name)))
        (folder / f"{name}.json").write_text(json.dumps(probabilities(folder, name, picture).tolist()))


def answer(folder, image, boxes, margin):
    image = cv2.imread(image)
    answers = []
    for box in boxes:
        found = probabilities(folder, "lights", around(image, box, margin))
        best = int(found.argmax())
        answers.append([CLASSES[best], float(found[best])])
    print(json.dumps(answers))


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    if rest:
        answer(pathlib.Path(folder), rest[0], json.loads(rest[1]), float(rest[2]))
    else:
        main(pathlib.Path(folder))
