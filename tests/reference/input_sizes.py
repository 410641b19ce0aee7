#!/usr/bin/env python3
"""Average precision of a detector at other input sizes and on regions, independently of shuffledet.

    input_sizes.py --model nanodet_m_416.onnx --family nanodet --annotations far.json --images far \\
        --sizes native,704x224,auto:0.75
    input_sizes.py ... --sizes auto:0.55 --regions '[[0, 0, 1, 1], [0, 0, 0.6, 1], [0.4, 0, 1, 1]]'

Prints a line of JSON for each size: AP and AP50 by pycocotools (score > 0.001, suppression per class, at most 100
boxes), and `pixels`, those of all runs for a picture over native's, the mean of the pictures.

`auto:B` is the size for the shape of a picture or region: multiples of 32, at most B times native's pixels, that shows
it largest; of equals the one with the fewest pixels. For families that are stretched, see `Stretched.target_shape`.
"""

import argparse
import contextlib
import functools
import json
import pathlib
import statistics
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from make_far_near import read_picture
from reference import LABELS
from sized_detectors import FAMILIES, Network, detect

STEP = 32
LONGEST = 4096


@functools.cache
def fitting(width, height, budget, native):
    """The size that shows `width` x `height` largest within `budget` times the native pixels."""
    most = budget * native * native

    def key(size):
        return -round(min(size[0] / width, size[1] / height), 9), size[0] * size[1]

    sides = range(STEP, LONGEST + 1, STEP)
    return min(((w, h) for w in sides for h in sides if w * h <= most), key=key)


def average_precision(truth, results):
    with contextlib.redirect_stdout(sys.stderr):
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats[0], run.stats[1]


def size_choice(text, family):
    """`native`, `WIDTHxHEIGHT` or `auto:BUDGET` as a function from a shape to a size."""
    if text == "native":
        return lambda width, height: (family.size, family.size)
    if text.startswith("auto:"):
        budget = float(text.removeprefix("auto:"))
        return lambda width, height: fitting(*family.target_shape(width, height), budget, family.size)
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
    args = parser.parse_args()

    family = FAMILIES[args.family]
    network = Network(args.model, family)
    regions = json.loads(args.regions)
    with contextlib.redirect_stdout(sys.stderr):
        truth = COCO(str(args.annotations))
    categories = {one["name"]: one["id"] for one in truth.dataset["categories"]}
    pictures = {one["id"]: read_picture(args.images / one["file_name"]) for one in truth.dataset["images"]}

    for text in args.sizes.split(","):
        choose = size_choice(text, family)
        results, pixels, sizes = [], [], {}

        def chosen(width, height):
            size = choose(width, height)
            sizes[size] = sizes.get(size, 0) + 1
            return size

        for image_id, picture in pictures.items():
            boxes, scores, classes, run = detect(network, picture, regions, chosen, not args.unclipped)
            pixels.append(run / family.size**2)
            for (x1, y1, x2, y2), score, class_id in zip(boxes.tolist(), scores.tolist(), classes):
                box = [x1, y1, x2 - x1, y2 - y1]
                category = categories[LABELS[class_id]]
                results.append({"image_id": image_id, "category_id": category, "bbox": box, "score": score})
        ap, ap50 = average_precision(truth, results)
        line = {"size": text, "AP": round(ap, 4), "AP50": round(ap50, 4), "pixels": round(statistics.mean(pixels), 3)}
        line["sizes"] = {f"{w}x{h}": count for (w, h), count in sorted(sizes.items(), key=lambda item: -item[1])}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
