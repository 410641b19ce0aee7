"""Computes what src/losses/tests.rs compares with, in numpy, independently of the Rust code.

Writes reference/losses.json. Logits and boxes come from formulas that both sides share.

Usage: python reference/losses.py
"""

import json
import math
import pathlib

import numpy as np

SIZE = 64
CLASSES = 3
# picture, class, x1, y1, x2, y2, weight, ignored
OBJECTS = [
    (0, 0, 3.0, 5.0, 30.0, 41.0, 1.0, False),
    (0, 2, 20.0, 10.0, 61.0, 50.0, 0.8, False),
    (0, 1, 33.0, 33.0, 60.0, 60.0, 1.0, True),
    (1, 1, 9.0, 9.0, 57.0, 50.0, 1.0, False),
]
# by picture: the classes that are annotated
ANNOTATED = [[True, True, True], [False, True, True]]


def sequence(count, scale, shift):
    steps = np.arange(count, dtype=np.float64) * 0.618033988749895
    return ((steps - np.floor(steps)) * scale + shift).astype(np.float32).astype(np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def entropy(logit, label):
    p = sigmoid(logit)
    return -(label * np.log(p) + (1 - label) * np.log(1 - p))


def points():
    found = []
    for stride in (8, 16, 32, 64):
        n = math.ceil(SIZE / stride)
        found += [(x * stride, y * stride, stride) for y in range(n) for x in range(n)]
    return np.array(found, dtype=np.float64)


def iou(a, b):
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    inter = w * h
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return inter / union, union


def nanodet_plus():
    pts = points()
    width = CLASSES + 32
    out = sequence(2 * len(pts) * width, 4.0, -2.5).reshape(2, len(pts), width)
    qfl, boxes, sides, weights, assigned = 0.0, 0.0, 0.0, 0.0, []
    goals = np.zeros((2, len(pts), CLASSES))
    counts = np.ones((2, len(pts), CLASSES))
    jobs = []
    total = 0.0
    for picture in range(2):
        logits = out[picture, :, :CLASSES]
        dist = softmax(out[picture, :, CLASSES:].reshape(-1, 4, 8)) @ np.arange(8)
        d = dist * pts[:, 2:3]
        pred = np.stack([pts[:, 0] - d[:, 0], pts[:, 1] - d[:, 1], pts[:, 0] + d[:, 2], pts[:, 1] + d[:, 3]], 1)
        for c in range(CLASSES):
            if not ANNOTATED[picture][c]:
                counts[picture, :, c] = 0
        gts = [o for o in OBJECTS if o[0] == picture and not o[7]]

        def inside(o):
            return (pts[:, 0] > o[2]) & (pts[:, 1] > o[3]) & (pts[:, 0] < o[4]) & (pts[:, 1] < o[5])

        for o in OBJECTS:
            if o[0] == picture and o[7]:
                counts[picture, inside(o), o[1]] = 0
        valid = np.nonzero(np.any([inside(o) for o in gts], 0))[0]
        overlap = np.array([[iou(pred[v], o[2:6])[0] for o in gts] for v in valid])
        cost = np.zeros_like(overlap)
        for g, o in enumerate(gts):
            soft = np.zeros((len(valid), CLASSES))
            soft[:, o[1]] = overlap[:, g]
            scale = (soft - sigmoid(logits[valid])) ** 2
            cost[:, g] = (entropy(logits[valid], soft) * scale).sum(1) - 3 * np.log(overlap[:, g] + 1e-7)
        match = np.zeros_like(cost)
        for g in range(len(gts)):
            k = max(1, int(np.sort(overlap[:, g])[::-1][:13].sum()))
            match[np.argsort(cost[:, g], kind="stable")[:k], g] = 1
        for v in np.nonzero(match.sum(1) > 1)[0]:
            match[v] = 0
            match[v, cost[v].argmin()] = 1
        for v in np.nonzero(match.sum(1))[0]:
            g = match[v].argmax()
            o, cell = gts[g], valid[v]
            assigned.append([picture, int(cell), OBJECTS.index(o)])
            goals[picture, cell, o[1]] = overlap[v, g] * o[6]
            counts[picture, cell, o[1]] = 1
            total += o[6]
            weight = sigmoid(logits[cell]).max() * o[6]
            jobs.append((picture, cell, o, pred[cell], weight))
    x = out[..., :CLASSES]
    qfl = (entropy(x, goals) * (goals - sigmoid(x)) ** 2 * counts).sum() / max(total, 1.0)
    weights = sum(j[4] for j in jobs)
    for picture, cell, o, p, weight in jobs:
        inter, union = iou(p, o[2:6])
        hull = (max(p[2], o[4]) - min(p[0], o[2])) * (max(p[3], o[5]) - min(p[1], o[3]))
        boxes += (1 - (inter - (hull - union) / hull)) * weight
        px, py, stride = pts[cell]
        wanted = np.clip(np.array([px - o[2], py - o[3], o[4] - px, o[5] - py]) / stride, 0, 6.9)
        logs = np.log(softmax(out[picture, cell, CLASSES:].reshape(4, 8)))
        for side, w in enumerate(wanted):
            low = int(w)
            sides -= ((low + 1 - w) * logs[side, low] + (w - low) * logs[side, low + 1]) * weight
    norm = max(weights, 1.0)
    return {"assigned": assigned, "class": qfl, "box": 2 * boxes / norm, "sides": 0.25 * sides / (4 * norm)}


def fastestdet():
    n = SIZE // 16
    channels = 5 + CLASSES
    out = sequence(2 * channels * n * n, 4.0, -2.0).reshape(2, channels, n, n)
    jobs = []
    for o in OBJECTS:
        if o[7]:
            continue
        cx, cy = (o[2] + o[4]) / 32, (o[3] + o[5]) / 32
        w, h = (o[4] - o[2]) / 16, (o[5] - o[3]) / 16
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            gx, gy = int(cx) + dx, int(cy) + dy
            if gx < n and gy < n:
                v = out[o[0], :, gy, gx]
                p = (math.tanh(v[1]) + gx, math.tanh(v[2]) + gy, sigmoid(v[3]) * n, sigmoid(v[4]) * n)
                jobs.append((o, gx, gy, siou(p, (cx, cy, w, h))))
    mean = np.mean([j[3] for j in jobs])
    best = [j for j in jobs if j[3] >= mean]
    weight = sum(j[0][6] for j in best)
    box = 8 * sum((1 - s) * o[6] for o, _, _, s in best) / weight
    cls, wanted, factor = 0.0, np.zeros((2, n, n)), np.full((2, n, n), 0.75)
    for picture in range(2):
        top = out[picture, 5:].argmax(0)
        for c in range(CLASSES):
            if not ANNOTATED[picture][c]:
                factor[picture][top == c] = 0
        for o in OBJECTS:
            if o[0] == picture and o[7]:
                for y in range(n):
                    for x in range(n):
                        px, py = 16 * x + 8, 16 * y + 8
                        if o[2] < px < o[4] and o[3] < py < o[5]:
                            factor[picture, y, x] = 0
    for o, gx, gy, s in best:
        logs = np.log(softmax(out[o[0], 5:, gy, gx]))
        cls -= logs[o[1]] * o[6]
        wanted[o[0], gy, gx] = min(max(s, 0), 1)
        count = sum(1 for j in best if j[0][0] == o[0])
        factor[o[0], gy, gx] = 0.25 * n * n / count
    diff = np.abs(sigmoid(out[:, 0]) - wanted)
    smooth = np.where(diff < 1, 0.5 * diff**2, diff - 0.5)
    return {"box": box, "class": cls / weight, "objectness": 16 * (smooth * factor).mean()}


def siou(a, b):
    iw = max(0.0, min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2))
    ih = max(0.0, min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2))
    overlap = iw * ih / (a[2] * a[3] + b[2] * b[3] - iw * ih)
    cw = max(a[0] + a[2] / 2, b[0] + b[2] / 2) - min(a[0] - a[2] / 2, b[0] - b[2] / 2)
    ch = max(a[1] + a[3] / 2, b[1] + b[3] / 2) - min(a[1] - a[3] / 2, b[1] - b[3] / 2)
    dx, dy = b[0] - a[0], b[1] - a[1]
    sine = min(abs(dx), abs(dy)) / math.hypot(dx, dy)
    gamma = math.cos(2 * math.asin(sine) - math.pi / 2) - 2
    distance = 2 - math.exp(gamma * (dx / cw) ** 2) - math.exp(gamma * (dy / ch) ** 2)
    shape = sum((1 - math.exp(-abs(p - q) / max(p, q))) ** 4 for p, q in ((a[2], b[2]), (a[3], b[3])))
    return overlap - 0.5 * (distance + shape)


result = {"nanodet_plus": nanodet_plus(), "fastestdet": fastestdet()}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(result, indent=1) + "\n")
