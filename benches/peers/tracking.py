#!/usr/bin/env python3
"""Trackers on the same scenes: HOTA of each, by TrackEval.

    tracking.py run PEER SCENES OUT      tracks every scene of the folder SCENES with PEER, into OUT/PEER/SCENE.json
    tracking.py score SCENES OUT         prints a table of all that OUT holds

SCENES is what the example write_scenes of the crate shuffledet-track writes. A peer tracks each class by itself, cars and
trucks as one class, with its own default parameters; those that take the time of a frame get it. PEER may also be
`shuffledet:PROGRAM`, which runs `PROGRAM track`, and `shuffledet+motion:PROGRAM`, which gives it the motion of the camera.
"""

import collections
import contextlib
import io
import json
import logging
import pathlib
import subprocess
import sys
import warnings

import numpy as np

CLASSES = {"person": ["person"], "vehicle": ["car", "truck"]}


def read(path):
    return json.loads(path.read_text())


def by_stamp(rows):
    frames = collections.defaultdict(list)
    for row in rows:
        frames[row["stamp_ns"]].append(row)
    return frames


def corners(rows):
    boxes = np.array([row["bbox"] for row in rows], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


class Supervision:
    def __init__(self, rate):
        import supervision

        self.sv = supervision
        self.tracker = supervision.ByteTrack(frame_rate=rate)

    def update(self, boxes, scores, at):
        found = self.tracker.update_with_detections(detections(self.sv, boxes, scores))
        return numbered(found)


class Trackers:
    """A tracker of the package `trackers`, with time stamps."""

    def __init__(self, name, rate):
        import supervision
        import trackers

        self.sv = supervision
        self.tracker = getattr(trackers, name)(frame_rate=float(rate))

    def update(self, boxes, scores, at):
        found = self.tracker.update(detections(self.sv, boxes, scores), timestamp=at)
        return numbered(found)


class Norfair:
    def __init__(self):
        import norfair

        self.norfair = norfair
        # its own example for boxes: overlap of boxes, and this threshold
        self.tracker = norfair.Tracker(distance_function="iou", distance_threshold=0.7)

    def update(self, boxes, scores, at):
        seen = [
            self.norfair.Detection(box.reshape(2, 2), scores=np.full(2, score), data=row)
            for row, (box, score) in enumerate(zip(boxes, scores))
        ]
        found = self.tracker.update(detections=seen)
        return [(track.id, track.last_detection.data) for track in found if any(track.last_detection is d for d in seen)]


def detections(sv, boxes, scores):
    # these trackers keep class_id and do not look at it: it carries the row
    return sv.Detections(xyxy=boxes, confidence=scores, class_id=np.arange(len(boxes)))


def numbered(found):
    ids = [] if found.tracker_id is None else found.tracker_id
    return [(number, row) for number, row in zip(ids, found.class_id) if number is not None and number >= 0]


PEERS = {
    "supervision ByteTrack": Supervision,
    "ByteTrack": lambda rate: Trackers("ByteTrackTracker", rate),
    "OC-SORT": lambda rate: Trackers("OCSORTTracker", rate),
    "C-BIoU": lambda rate: Trackers("CBIoUTracker", rate),
    "SORT": lambda rate: Trackers("SORTTracker", rate),
    "norfair": lambda rate: Norfair(),
}


def track(peer, scene):
    """Returns rows with stamp_ns, label, bbox and track_id."""
    stamps = [frame["stamp_ns"] for frame in read(scene / "frames.json")]
    frames = by_stamp(read(scene / "detections.json"))
    # the rate of the camera, as a user would give it: of the frames that follow each other
    rate = round(1e9 / np.diff(stamps).min())
    rows = []
    for number, (name, labels) in enumerate(CLASSES.items()):
        tracker = PEERS[peer](rate)
        for stamp in stamps:
            seen = [row for row in frames[stamp] if row["label"] in labels]
            scores = np.array([row["score"] for row in seen], float)
            for track_id, index in tracker.update(corners(seen), scores, (stamp - stamps[0]) * 1e-9):
                row = seen[int(index)]
                rows.append({"stamp_ns": stamp, "label": name, "bbox": row["bbox"], "track_id": int(track_id) * 2 + number})
    return rows


def run(peer, scenes, out):
    kind, _, program = peer.partition(":")
    folder = out / kind
    folder.mkdir(parents=True, exist_ok=True)
    for scene in sorted(path for path in scenes.iterdir() if path.is_dir()):
        target = folder / f"{scene.name}.json"
        if program:
            motion = ["--motion", scene / "motion.json"] if kind.endswith("+motion") else []
            files = ["--frames", scene / "frames.json", "--output", target, "--force"]
            subprocess.run([program, "track", scene / "detections.json", *files, *motion, "--quiet"], check=True)
        else:
            with contextlib.redirect_stdout(io.StringIO()):
                target.write_text(json.dumps(track(kind, scene)))


def overlaps(truth, found):
    a, b = corners(truth)[:, None], corners(found)[None]
    sides = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None)
    both = sides.prod(-1)
    area = lambda boxes: (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    return both / np.maximum(area(a) + area(b) - both, 1e-9)


def hota(scene, tracks):
    """Returns the mean over classes of HOTA, DetA and AssA, in percent."""
    from trackeval.metrics import HOTA

    stamps = [frame["stamp_ns"] for frame in read(scene / "frames.json")]
    all_truth = read(scene / "truth.json")
    figures = []
    for name, labels in CLASSES.items():
        truth = by_stamp(row for row in all_truth if row["label"] in labels)
        found = by_stamp(row for row in tracks if row["label"] == name or row["label"] in labels)
        if not any(truth[stamp] for stamp in stamps):
            continue
        data = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
        ids = ({}, {})
        for stamp in stamps:
            for key, rows, known, field in (("gt_ids", truth[stamp], ids[0], "id"), ("tracker_ids", found[stamp], ids[1], "track_id")):
                data[key].append(np.array([known.setdefault(row[field], len(known)) for row in rows], int))
            data["similarity_scores"].append(overlaps(truth[stamp], found[stamp]))
        data["num_gt_ids"], data["num_tracker_ids"] = len(ids[0]), len(ids[1])
        data["num_gt_dets"] = sum(map(len, data["gt_ids"]))
        data["num_tracker_dets"] = sum(map(len, data["tracker_ids"]))
        result = HOTA().eval_sequence(data)
        figures.append([100 * result[key].mean() for key in ("HOTA", "DetA", "AssA")])
    return np.mean(figures, axis=0)


def score(scenes, out):
    groups = collections.defaultdict(list)
    for scene in sorted(path for path in scenes.iterdir() if path.is_dir()):
        name, variant, _ = scene.name.split("-")
        groups[variant, name].append(scene)
    peers = sorted(path.name for path in out.iterdir())
    print(f"{'HOTA':24}", *(f"{peer[:21]:>21}" for peer in peers))
    means = collections.defaultdict(list)
    for variant, name in sorted(groups):
        line = []
        for peer in peers:
            values = [hota(scene, read(out / peer / f"{scene.name}.json"))[0] for scene in groups[variant, name]]
            line.append(np.mean(values))
            means[peer, variant].append(line[-1])
        print(f"{name + ', ' + variant:24}", *(f"{value:21.1f}" for value in line))
    for variant in sorted({variant for variant, _ in groups}):
        print(f"{'mean, ' + variant:24}", *(f"{np.mean(means[peer, variant]):21.1f}" for peer in peers))


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    match sys.argv[1:]:
        case ["run", peer, scenes, out]:
            run(peer, pathlib.Path(scenes), pathlib.Path(out))
        case ["score", scenes, out]:
            score(pathlib.Path(scenes), pathlib.Path(out))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
