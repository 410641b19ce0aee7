#!/usr/bin/env python3
"""Average precision of a detector at other input sizes and on regions, independently of shuffledet.

    input_sizes.py --model nanodet_m_416.onnx --family nanodet --annotations far.json --images far \\
        --sizes native,704x224,auto:0.75
    input_sizes.py ... --sizes auto:0.55 --regions '[[0, 0, 1, 1], [0, 0, 0.6, 1], [0.4, 0, 1, 1]]'

Prints a line of JSON for each size: AP and AP50 by pycocotools (score > 0.001, suppression per class, at most 100
boxes), and `pixels`, those of all runs for a picture over native's, the mean of the pictures. --time adds the medians of
session.run in milliseconds, on one thread, in turn with native.

`auto:B` is the size for the shape of a picture or region: multiples of 32, at most B times native's pixels, that shows
it largest; of equals the one with the fewest pixels. For families that are stretched, see `Stretched.shown`.
"""

import argparse
import contextlib
import functools
import json
import pathlib
import statistics
import sys
import time

import cv2
import numpy as np
import onnx
from onnx import numpy_helper
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from quiet import onnxruntime
from reference import LABELS

SCORE_THRESHOLD = 0.001
MAX_DETECTIONS = 100
STEP = 32
LONGEST = 4096


class Stretched:
    """The picture is stretched to the input."""

    def place(self, image, width, height):
        """The canvas, and the box of the picture on it: left, top, width, height."""
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), (0, 0, width, height)

    def shown(self, width, height):
        """The shape that the input is chosen for. COCO's pictures, mostly 4:3, were squeezed into a square in training;
        a picture is squeezed along its longer side as much as those, and not beyond a square."""
        if width >= height:
            return max(height, width * 3 / 4), height
        return width, max(width, height * 3 / 4)


class Letterboxed:
    """The picture keeps its shape, in the middle of a black canvas."""

    def place(self, image, width, height):
        rows, columns = image.shape[:2]
        if rows * width > columns * height:
            new_width, new_height = max(1, int(height / (rows / columns))), height
        else:
            new_width, new_height = width, max(1, int(width * (rows / columns)))
        left, top = (width - new_width) // 2, (height - new_height) // 2
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[top : top + new_height, left : left + new_width] = cv2.resize(
            image, (new_width, new_height), interpolation=cv2.INTER_LINEAR
        )
        return canvas, (left, top, new_width, new_height)

    def shown(self, width, height):
        return width, height


def of_255(canvas):
    return canvas.astype(np.float32) / np.float32(255)


def standardised(canvas):
    mean = np.array([103.53, 116.28, 123.675], np.float32)
    std = np.array([57.375, 57.12, 58.395], np.float32)
    return (canvas.astype(np.float32) - mean) / std


def cells(width, height, stride):
    """Column and row of each cell, row by row."""
    rows, columns = np.mgrid[: -(-height // stride), : -(-width // stride)]
    return columns.ravel(), rows.ravel()


def centred(cx, cy, w, h):
    return np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], axis=1)


def around(cx, cy, logits, stride):
    """Boxes of distances: per side a distribution over 0..7 strides."""
    logits = logits.astype(np.float64).reshape(-1, 4, 8)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    left, top, right, bottom = (stride * (weights @ np.arange(8) / weights.sum(axis=2)).T)
    return np.stack([cx - left, cy - top, cx + right, cy + bottom], axis=1)


class FastestDet(Stretched):
    native, nms_iou, clip_before_nms = 352, 0.45, False
    normalise = staticmethod(of_255)

    def boxes(self, outputs, width, height):
        """Boxes in the input's pixels, scores of all classes. A box's sides are shares of the size in training."""
        grid = outputs[0][0].astype(np.float64).reshape(85, -1)
        columns, rows = cells(width, height, 16)
        cx, cy = (columns + np.tanh(grid[1])) * 16, (rows + np.tanh(grid[2])) * 16
        w, h = self.native / (1 + np.exp(-grid[3:5]))
        return centred(cx, cy, w, h), (grid[0] ** 0.6 * grid[5:] ** 0.4).T


class NanoDet(Letterboxed):
    native, nms_iou, clip_before_nms = 416, 0.6, True
    normalise = staticmethod(standardised)

    def boxes(self, outputs, width, height):
        boxes = []
        for stride, logits in zip((8, 16, 32), outputs[3:]):
            columns, rows = cells(width, height, stride)
            boxes.append(around((columns + 0.5) * stride, (rows + 0.5) * stride, logits[0], stride))
        return np.concatenate(boxes), np.concatenate([scores[0] for scores in outputs[:3]])


class NanoDetPlus(Stretched):
    native, nms_iou, clip_before_nms = 416, 0.6, True
    normalise = staticmethod(standardised)

    def boxes(self, outputs, width, height):
        boxes, first = [], 0
        for stride in (8, 16, 32, 64):
            columns, rows = cells(width, height, stride)
            logits = outputs[0][0, first : first + len(rows), 80:]
            boxes.append(around(columns * stride, rows * stride, logits, stride))
            first += len(rows)
        assert first == outputs[0].shape[1], f"{first} cells for {outputs[0].shape[1]} rows"
        return np.concatenate(boxes), outputs[0][0, :, :80]


class YoloFastestV2(Stretched):
    native, nms_iou, clip_before_nms = 352, 0.4, False
    normalise = staticmethod(of_255)
    anchors = (
        (16, ((12.64, 19.39), (37.88, 51.48), (55.71, 138.31))),
        (32, ((126.91, 78.23), (131.57, 214.55), (279.92, 258.87))),
    )

    def boxes(self, outputs, width, height):
        boxes, scores = [], []
        for (stride, anchors), (box, objectness, classes) in zip(self.anchors, (outputs[:3], outputs[3:])):
            columns, rows = cells(width, height, stride)
            terms = 1 / (1 + np.exp(-box[0].astype(np.float64).reshape(3, 4, -1)))
            weights = np.exp(classes[0].astype(np.float64) - classes[0].max(axis=0))
            weights = (weights / weights.sum(axis=0)).reshape(80, -1)
            for (w, h), (x, y, across, down), logit in zip(anchors, terms, objectness[0].reshape(3, -1)):
                cx, cy = (2 * x - 0.5 + columns) * stride, (2 * y - 0.5 + rows) * stride
                boxes.append(centred(cx, cy, (2 * across) ** 2 * w, (2 * down) ** 2 * h))
                scores.append((weights / (1 + np.exp(-logit.astype(np.float64)))).T)
        return np.concatenate(boxes), np.concatenate(scores)


FAMILIES = {
    "fastestdet": FastestDet(),
    "nanodet": NanoDet(),
    "nanodet_plus": NanoDetPlus(),
    "yolo_fastestv2": YoloFastestV2(),
}


def resized_dimensions(target, native, width, height):
    """The dimensions of a feature map at the new size: those that end in the sides, or in the number of cells, of a
    stride at the native size."""
    for stride in (8, 16, 32):
        side = native // stride
        if target[-2:] == [side, side]:
            return target[:-2] + [height // stride, width // stride]
        if target[-1:] == [side * side]:
            return target[:-1] + [(height // stride) * (width // stride)]
    return target


def resized_model(path, native, width, height):
    """The bytes of the ONNX file for another input size, weights no longer inputs."""
    model = onnx.load(path)
    graph = model.graph
    targets = set()
    for node in graph.node:
        if node.op_type == "Reshape":
            targets.add(node.input[1])
        elif node.op_type == "Resize" and len(node.input) > 3:
            targets.add(node.input[3])
    constants = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = node.attribute[0].t
    for name in targets & constants.keys():
        dimensions = numpy_helper.to_array(constants[name]).tolist()
        dimensions = np.array(resized_dimensions(dimensions, native, width, height), np.int64)
        constants[name].CopyFrom(numpy_helper.from_array(dimensions, constants[name].name))

    inputs = [one for one in graph.input if one.name not in constants]
    del graph.input[:], graph.value_info[:]
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    shape = graph.input[0].type.tensor_type.shape.dim
    shape[2].dim_value, shape[3].dim_value = height, width
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    return model.SerializeToString()


@functools.cache
def fitting(width, height, budget, native):
    """The size that shows `width` x `height` largest within `budget` times the native pixels."""
    most = budget * native * native

    def key(size):
        return -round(min(size[0] / width, size[1] / height), 9), size[0] * size[1]

    sides = range(STEP, LONGEST + 1, STEP)
    return min(((w, h) for w in sides for h in sides if w * h <= most), key=key)


class Network:
    """The sessions of a model, one for each size."""

    def __init__(self, path, family):
        self.path, self.family = path, family
        self.session = functools.cache(self.make_session)

    def make_session(self, width, height):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        model = resized_model(self.path, self.family.native, width, height)
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(self, tensor):
        session = self.session(tensor.shape[3], tensor.shape[2])
        return session.run(None, {session.get_inputs()[0].name: tensor})

    def candidates(self, image, size):
        """Boxes in the image's pixels, best score and class of each cell, those above the threshold."""
        canvas, (left, top, shown_width, shown_height) = self.family.place(image, *size)
        tensor = np.ascontiguousarray(self.family.normalise(canvas).transpose(2, 0, 1)[None])
        boxes, scores = self.family.boxes(self.run(tensor), *size)
        classes, best = scores.argmax(axis=1), scores.max(axis=1).astype(np.float64)
        scale = np.array([image.shape[1] / shown_width, image.shape[0] / shown_height])
        boxes = (boxes - [left, top, left, top]) * np.tile(scale, 2)
        found = best > SCORE_THRESHOLD
        return boxes[found], best[found], classes[found]


def areas(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def shared_areas(boxes, box):
    across = np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0])
    down = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    return np.maximum(across, 0) * np.maximum(down, 0)


def suppress(boxes, scores, classes, cut, threshold):
    """Indices of the boxes that stay, best first.

    Greedy, per class: a box goes when it overlaps a kept one above the threshold. Whole boxes come before cut ones. The
    overlap is IoU; of a cut box with a whole one it is the share of the cut box that the whole one covers.
    """
    order = np.lexsort((-scores, cut))
    boxes, classes, cut = boxes[order], classes[order], cut[order]
    size = areas(boxes)
    alive = np.ones(len(boxes), bool)
    kept = []
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        kept.append(i)
        shared = shared_areas(boxes, boxes[i])
        base = np.where(cut & ~cut[i], size, size + size[i] - shared)
        alive &= (classes != classes[i]) | (shared <= threshold * base) | (shared == 0)
    kept = order[kept]
    return kept[np.argsort(-scores[kept], kind="stable")][:MAX_DETECTIONS]


def region_pixels(region, width, height):
    left, top, right, bottom = region
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def detect(network, image, regions, choose, clipped):
    """Boxes, scores and classes of an image, and the pixels of its runs. `choose` gives a size for a shape."""
    family = network.family
    height, width = image.shape[:2]
    boxes, scores, classes, cut, pixels = [], [], [], [], 0
    for region in regions:
        left, top, right, bottom = region_pixels(region, width, height)
        size = choose(right - left, bottom - top)
        pixels += size[0] * size[1]
        found, best, names = network.candidates(np.ascontiguousarray(image[top:bottom, left:right]), size)
        if family.clip_before_nms or len(regions) > 1:
            found = np.clip(found, 0, [right - left, bottom - top] * 2)
        found = found + [left, top, left, top]
        # an edge is cut off that lies within a pixel of the input at a border inside the picture
        near = max((right - left) / size[0], (bottom - top) / size[1])
        edges = ((0, left, left > 0), (1, top, top > 0), (2, right, right < width), (3, bottom, bottom < height))
        touching = [np.abs(found[:, side] - border) <= near for side, border, inside in edges if inside]
        cut.append(np.any(touching, axis=0) if touching else np.zeros(len(found), bool))
        boxes.append(found), scores.append(best), classes.append(names)
    boxes, scores, classes, cut = map(np.concatenate, (boxes, scores, classes, cut))
    kept = suppress(boxes, scores, classes, cut, family.nms_iou)
    boxes = np.clip(boxes[kept], 0, [width, height] * 2) if clipped else boxes[kept]
    return boxes, scores[kept], classes[kept], pixels


def average_precision(truth, results):
    with contextlib.redirect_stdout(sys.stderr):
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats[0], run.stats[1]


def median_times(network, sizes, rounds):
    """Medians of session.run in milliseconds, in turn."""
    random = np.random.default_rng(20180908)
    tensors = {size: random.standard_normal((1, 3, size[1], size[0]), np.float32) for size in sizes}
    times = {size: [] for size in sizes}
    for _ in range(rounds):
        for size, tensor in tensors.items():
            started = time.perf_counter()
            network.run(tensor)
            times[size].append(1e3 * (time.perf_counter() - started))
    return {size: statistics.median(values) for size, values in times.items()}


def size_choice(text, family):
    """`native`, `WIDTHxHEIGHT` or `auto:BUDGET` as a function from a shape to a size."""
    if text == "native":
        return lambda width, height: (family.native, family.native)
    if text.startswith("auto:"):
        budget = float(text.removeprefix("auto:"))
        return lambda width, height: fitting(*family.shown(width, height), budget, family.native)
    fixed = tuple(int(side) for side in text.split("x"))
    return lambda width, height: fixed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=pathlib.Path, help="ONNX file")
    parser.add_argument("--family", required=True, choices=FAMILIES)
    parser.add_argument("--annotations", required=True, type=pathlib.Path, help="COCO's format")
    parser.add_argument("--images", required=True, type=pathlib.Path, help="folder of its pictures")
    parser.add_argument("--sizes", default="native", help="native, WIDTHxHEIGHT, auto:BUDGET; separated by commas")
    parser.add_argument("--regions", default="[[0, 0, 1, 1]]", help="[[left, top, right, bottom], ...] in shares")
    parser.add_argument("--unclipped", action="store_true", help="evaluate boxes that reach beyond the picture as such")
    parser.add_argument("--time", type=int, default=0, metavar="ROUNDS", help="measure session.run as often as this")
    args = parser.parse_args()

    family = FAMILIES[args.family]
    network = Network(args.model, family)
    regions = json.loads(args.regions)
    with contextlib.redirect_stdout(sys.stderr):
        truth = COCO(str(args.annotations))
    categories = {one["name"]: one["id"] for one in truth.dataset["categories"]}
    pictures = {one["id"]: cv2.imread(str(args.images / one["file_name"])) for one in truth.dataset["images"]}

    for text in args.sizes.split(","):
        choose = size_choice(text, family)
        results, pixels, sizes = [], [], {}

        def chosen(width, height):
            size = choose(width, height)
            sizes[size] = sizes.get(size, 0) + 1
            return size

        for image_id, picture in pictures.items():
            boxes, scores, classes, run = detect(network, picture, regions, chosen, not args.unclipped)
            pixels.append(run / family.native**2)
            for (x1, y1, x2, y2), score, class_id in zip(boxes.tolist(), scores.tolist(), classes):
                box = [x1, y1, x2 - x1, y2 - y1]
                category = categories[LABELS[class_id]]
                results.append({"image_id": image_id, "category_id": category, "bbox": box, "score": score})
        ap, ap50 = average_precision(truth, results)
        line = {"size": text, "AP": round(ap, 4), "AP50": round(ap50, 4), "pixels": round(statistics.mean(pixels), 3)}
        line["sizes"] = {f"{w}x{h}": count for (w, h), count in sorted(sizes.items(), key=lambda item: -item[1])}
        if args.time:
            times = median_times(network, [(family.native, family.native), *sizes], args.time)
            line["ms"] = {f"{w}x{h}": round(value, 3) for (w, h), value in times.items()}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
