"""The detectors of reference.py at any input size and on regions of a picture, over whole arrays.

The networks come from onnx_resized.AnySize. What does not depend on the size is that of reference.py.
"""

import cv2
import numpy as np

import onnx_resized
import reference

SCORE_THRESHOLD = 0.001


class Stretched:
    """The picture is stretched to the input."""

    def place(self, image, width, height):
        """The canvas, and the box of the picture on it: left, top, width, height."""
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), (0, 0, width, height)

    def target_shape(self, width, height):
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

    def target_shape(self, width, height):
        return width, height


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
    left, top, right, bottom = stride * (weights @ np.arange(8) / weights.sum(axis=2)).T
    return np.stack([cx - left, cy - top, cx + right, cy + bottom], axis=1)


class FastestDet(Stretched, reference.FastestDet):
    mean, std = np.float32(0), np.float32(255)

    def boxes(self, outputs, width, height):
        """Boxes in the input's pixels, scores of all classes. A box's sides are shares of the size in training."""
        grid = outputs[0][0].astype(np.float64).reshape(85, -1)
        columns, rows = cells(width, height, 16)
        cx, cy = (columns + np.tanh(grid[1])) * 16, (rows + np.tanh(grid[2])) * 16
        w, h = self.size / (1 + np.exp(-grid[3:5]))
        return centred(cx, cy, w, h), (grid[0] ** 0.6 * grid[5:] ** 0.4).T


class NanoDet(Letterboxed, reference.NanoDet):
    def boxes(self, outputs, width, height):
        boxes = []
        for stride, logits in zip(self.strides, outputs[3:]):
            columns, rows = cells(width, height, stride)
            boxes.append(around((columns + 0.5) * stride, (rows + 0.5) * stride, logits[0], stride))
        return np.concatenate(boxes), np.concatenate([scores[0] for scores in outputs[:3]])


class NanoDetPlus(Stretched, reference.NanoDetPlus):
    def boxes(self, outputs, width, height):
        boxes, first = [], 0
        for stride in self.strides:
            columns, rows = cells(width, height, stride)
            logits = outputs[0][0, first : first + len(rows), 80:]
            boxes.append(around(columns * stride, rows * stride, logits, stride))
            first += len(rows)
        assert first == outputs[0].shape[1], f"{first} cells for {outputs[0].shape[1]} rows"
        return np.concatenate(boxes), outputs[0][0, :, :80]


class YoloFastestV2(Stretched, reference.YoloFastestV2):
    mean, std = np.float32(0), np.float32(255)

    def boxes(self, outputs, width, height):
        boxes, scores = [], []
        for stride, anchors, (box, objectness, classes) in zip((16, 32), self.anchors, (outputs[:3], outputs[3:])):
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


class Network:
    """A model that takes any size."""

    def __init__(self, path, family):
        self.session = onnx_resized.session(onnx_resized.AnySize(path).model.SerializeToString())
        self.family = family

    def candidates(self, image, size):
        """Boxes in the image's pixels, best score and class of each cell, those above the threshold."""
        canvas, (left, top, shown_width, shown_height) = self.family.place(image, *size)
        tensor = (canvas.astype(np.float32) - self.family.mean) / self.family.std
        feed = {self.session.get_inputs()[0].name: np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])}
        boxes, scores = self.family.boxes(self.session.run(None, feed), *size)
        classes, best = scores.argmax(axis=1), scores.max(axis=1).astype(np.float64)
        scale = np.array([image.shape[1] / shown_width, image.shape[0] / shown_height])
        boxes = (boxes - [left, top, left, top]) * np.tile(scale, 2)
        found = best > SCORE_THRESHOLD
        return boxes[found], best[found], classes[found]


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
    size = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
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
    return kept[np.argsort(-scores[kept], kind="stable")][: reference.MAX_DETECTIONS]


def region_pixels(region, width, height):
    left, top, right, bottom = region
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def cut_boxes(boxes, region, picture, tolerance):
    """Which boxes have an edge at a border of the region that lies inside the picture."""
    cut = np.zeros(len(boxes), bool)
    for side, (border, outer) in enumerate(zip(region, (0, 0, *picture))):
        if border != outer:
            cut |= np.abs(boxes[:, side] - border) <= tolerance
    return cut


def detect(network, image, regions, choose, clipped):
    """Boxes, scores and classes of an image, and the pixels of its runs. `choose` gives a size for a shape."""
    family = network.family
    height, width = image.shape[:2]
    parts, pixels = [], 0
    for region in regions:
        left, top, right, bottom = region_pixels(region, width, height)
        size = choose(right - left, bottom - top)
        pixels += size[0] * size[1]
        boxes, scores, classes = network.candidates(np.ascontiguousarray(image[top:bottom, left:right]), size)
        if family.clip_before_nms or len(regions) > 1:
            boxes = np.clip(boxes, 0, [right - left, bottom - top] * 2)
        boxes = boxes + [left, top, left, top]
        # one pixel of the input, in those of the picture
        tolerance = max((right - left) / size[0], (bottom - top) / size[1])
        cut = cut_boxes(boxes, (left, top, right, bottom), (width, height), tolerance)
        parts.append((boxes, scores, classes, cut))
    boxes, scores, classes, cut = map(np.concatenate, zip(*parts))
    kept = suppress(boxes, scores, classes, cut, family.nms_iou)
    boxes = np.clip(boxes[kept], 0, [width, height] * 2) if clipped else boxes[kept]
    return boxes, scores[kept], classes[kept], pixels
