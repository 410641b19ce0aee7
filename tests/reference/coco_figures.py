#!/usr/bin/env python3
"""COCO's figures of evaluation files, by pycocotools: what `shuffledet eval --json` says, computed by somebody else.

    coco_figures.py EVALUATION.json ...

Prints one line of JSON for each file: `figures`, the twelve, and `per_class` with AP, AP50, AP75, APs, APm, APl, AR100 and
`curve`, the precision at 101 recalls at IoU 0.5. pycocotools overwrites an annotation's `ignore` by its `iscrowd`; here
both count. Annotations get ids from 1, since pycocotools takes the id 0 for no match.
"""

import contextlib
import json
import sys

import numpy
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

KEYS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


class Evaluation(COCOeval):
    def _prepare(self):
        super()._prepare()
        for objects in self._gts.values():
            for one in objects:
                one["ignore"] = one["ignore"] or one["keep_ignored"]


def coco(categories, images, annotations):
    made = COCO()
    made.dataset = {
        "categories": categories,
        "images": [{"id": image["id"]} for image in images],
        "annotations": [{**a, "id": number} for number, a in enumerate(annotations, 1)],
    }
    made.createIndex()
    return made


def evaluate(file):
    categories, images = file["dataset"]["categories"], file["images"]
    truth = [
        {
            "image_id": image["id"],
            "category_id": one["category_id"],
            "bbox": one["bbox"],
            "area": one["area"],
            "iscrowd": int(one["iscrowd"]),
            "keep_ignored": one["ignore"],
        }
        for image in images
        for one in image["objects"]
    ]
    found = [
        {**one, "image_id": image["id"], "iscrowd": 0, "area": one["bbox"][2] * one["bbox"][3]}
        for image in images
        for one in image["detections"]
    ]
    run = Evaluation(coco(categories, images, truth), coco(categories, images, found), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return run


def mean(values):
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0


def of_class(run, number, category_id):
    precision = run.eval["precision"][:, :, number, :, 2]  # IoU threshold, recall, area range
    objects = precision[0, 0, 0] > -1
    return {
        "id": int(category_id),
        "AP": mean(precision[:, :, 0]),
        "AP50": mean(precision[0, :, 0]),
        "AP75": mean(precision[5, :, 0]),
        "APs": mean(precision[:, :, 1]),
        "APm": mean(precision[:, :, 2]),
        "APl": mean(precision[:, :, 3]),
        "AR100": mean(run.eval["recall"][:, number, 0, 2]),
        "curve": precision[0, :, 0].tolist() if objects else [],
    }


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            evaluation = json.load(file)
        with contextlib.redirect_stdout(sys.stderr):
            run = evaluate(evaluation)
        ids = numpy.asarray(run.params.catIds)
        print(
            json.dumps(
                {
                    "figures": dict(zip(KEYS, run.stats.tolist())),
                    "per_class": [of_class(run, number, id) for number, id in enumerate(ids)],
                }
            )
        )


if __name__ == "__main__":
    main()
