"""The objects that pycocotools finds in a file of COCO annotations, as JSON.

Usage: coco_objects.py ANNOTATIONS

{"categories": {ID: NAME}, "images": {ID: [[ID, CATEGORY, [LEFT, TOP, WIDTH, HEIGHT], AREA, ISCROWD], ...]}}, objects in
the file's order.
"""

import contextlib
import json
import sys

from pycocotools.coco import COCO

with contextlib.redirect_stdout(sys.stderr):
    coco = COCO(sys.argv[1])


def row(annotation):
    keys = ("id", "category_id", "bbox", "area", "iscrowd")
    return [annotation[key] for key in keys]


images = {}
for image_id in coco.getImgIds():
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image_id]))
    images[image_id] = [row(annotation) for annotation in annotations]
categories = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
json.dump({"categories": categories, "images": images}, sys.stdout)
