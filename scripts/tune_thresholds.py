#!/usr/bin/env python3
"""Tunes the score threshold of each class of a class set for one model, and prints the block for models/manifest.yaml.

    tune_thresholds.py MODEL --data FOLDER ANNOTATIONS.json [--data ...] [--set road] [--leave-out PREFIX]

The annotations are COCO JSON. An image may have a list `annotated_classes`: only there does the absence of a box mean
the absence of an object. In every other image the class has a crowd box over the whole picture, which makes the
evaluation ignore its detections. An image without that list is annotated with all categories of its file.

`shuffledet eval` gives the detections at a low threshold, at the model's own input size. F1 at IoU 0.5 is often flat
around its best value, and a missed vehicle is worse than a false one, so the threshold of a class is the lowest with at
least 0.98 of the best F1. Few objects give an unsure threshold: it is averaged with the model's own, which counts as
much as 50 objects. Below 20 objects the class has no entry, so the model's threshold holds.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
LEAST_OBJECTS = 20
WEIGHT_OF_MODEL = 50
SHARE_OF_BEST_F1 = 0.98
# below every threshold that could be chosen
LOWEST_SCORE = 0.05


class Truth:
    """The images of all data sets in one folder, with one list of annotations."""

    def __init__(self, classes):
        self.classes = classes
        self.images, self.annotations = [], []

    def add(self, folder, file, left_out, pictures):
        data = json.loads(file.read_text())
        names = {category["id"]: category["name"] for category in data["categories"]}
        boxes = {}
        for annotation in data["annotations"]:
            boxes.setdefault(annotation["image_id"], []).append(annotation)
        for image in data["images"]:
            if any(image["file_name"].startswith(prefix) for prefix in left_out):
                continue
            (pictures / image["file_name"]).symlink_to((folder / image["file_name"]).resolve())
            number = len(self.images) + 1
            size = {key: image[key] for key in ("file_name", "width", "height")}
            self.images.append({"id": number, **size})
            for annotation in boxes.get(image["id"], []):
                self.box(number, names[annotation["category_id"]], annotation["bbox"], annotation.get("iscrowd", 0))
            annotated = image.get("annotated_classes", names.values())
            for name in set(self.classes) - set(annotated):
                self.box(number, name, [0, 0, image["width"], image["height"]], 1)

    def box(self, image, name, bbox, crowd):
        if name in self.classes:
            self.annotations.append({
                "id": len(self.annotations) + 1, "image_id": image, "category_id": self.classes.index(name) + 1,
                "bbox": bbox, "area": bbox[2] * bbox[3], "iscrowd": crowd,
            })  # fmt: skip

    def write(self, path):
        categories = [{"id": number, "name": name} for number, name in enumerate(self.classes, 1)]
        coco = {"images": self.images, "annotations": self.annotations, "categories": categories}
        path.write_text(json.dumps(coco))


def overlap(found, box, crowd):
    """The IoU of two boxes; for a crowd, the share of `found` in it."""
    sides = (min(found[i] + found[i + 2], box[i] + box[i + 2]) - max(found[i], box[i]) for i in (0, 1))
    width, height = (max(side, 0) for side in sides)
    area = found[2] * found[3]
    union = area if crowd else area + box[2] * box[3] - width * height
    return width * height / union if union else 0


def hits(image, category):
    """Each counting detection of an image: its score, and whether it finds an object. Matches as COCO does."""
    objects = [o for o in image["objects"] if o["category_id"] == category]
    free = [o["bbox"] for o in objects if not o["iscrowd"]]
    crowds = [o["bbox"] for o in objects if o["iscrowd"]]
    found = [d for d in image["detections"] if d["category_id"] == category]
    for detection in sorted(found, key=lambda d: -d["score"]):
        box = detection["bbox"]
        best = max(free, key=lambda other: overlap(box, other, False), default=None)
        if best and overlap(box, best, False) >= 0.5:
            free.remove(best)
            yield detection["score"], True
        elif not any(overlap(box, crowd, True) >= 0.5 for crowd in crowds):
            yield detection["score"], False


def f1_by_threshold(evaluation, category, objects):
    """Pairs of threshold and F1, the threshold falling."""
    counted = [pair for image in evaluation["images"] for pair in hits(image, category)]
    right, pairs = 0, []
    for number, (score, hit) in enumerate(sorted(counted, reverse=True), 1):
        right += hit
        pairs.append((score, 2 * right / (number + objects)))
    return pairs


def line(evaluation, figures, own):
    """The entry of a class in the manifest, or a comment where too few objects tell."""
    name, count = figures["name"], figures["instances"]
    if count < LEAST_OBJECTS:
        return f"# {name}: {count} object{'s' * (count != 1)}, too few"
    pairs = f1_by_threshold(evaluation, figures["id"], count)
    best = max((f1 for _, f1 in pairs), default=0)
    if abs(best - figures["f1"]) > 0.002:
        sys.exit(f"{name}: F1 {best:.4f} here, {figures['f1']:.4f} by eval; one of them counts wrongly")
    lowest = min(score for score, f1 in pairs if f1 >= SHARE_OF_BEST_F1 * best)
    threshold = (count * lowest + WEIGHT_OF_MODEL * own) / (count + WEIGHT_OF_MODEL)
    return f"{name}: {threshold:.2f}  # {count} objects, best F1 {best:.3f}"


def main():
    import yaml

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model of models/manifest.yaml")
    names = ("FOLDER", "JSON")
    parser.add_argument("--data", nargs=2, action="append", required=True, type=pathlib.Path, metavar=names)
    parser.add_argument("--set", default="road", help="a class set of models/manifest.yaml")
    parser.add_argument("--leave-out", action="append", default=[], metavar="PREFIX", help="of names of images")
    parser.add_argument("--shuffledet", default=ROOT / "target/release/shuffledet", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path, help="keeps the evaluation here")
    args = parser.parse_args()

    manifest = yaml.safe_load((ROOT / "models/manifest.yaml").read_text())
    own = next(model for model in manifest["models"] if model["name"] == args.model)["score_threshold"]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pictures = folder / "images"
        pictures.mkdir()
        truth = Truth(manifest["class_sets"][args.set]["classes"])
        for images, annotations in args.data:
            truth.add(images, annotations, args.leave_out, pictures)
        truth.write(folder / "truth.json")
        evaluation = args.output or folder / "evaluation.json"
        command = [args.shuffledet.resolve(), "eval", "--images", pictures, "--annotations", folder / "truth.json"]
        command += ["--model", args.model, "--set", f"detector.classes={args.set}", "--clipped"]
        command += ["--set", "model.input_size=native"]
        command += ["--score-threshold", str(LOWEST_SCORE), "--output", evaluation, "--force"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        result = json.loads(evaluation.read_text())
    print(f"    class_thresholds:\n      {args.set}:")
    for figures in result["per_class"]:
        print(f"        {line(result, figures, own)}")


if __name__ == "__main__":
    main()
