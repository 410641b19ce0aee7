#!/usr/bin/env python3
"""COCO's twelve figures of a file of results, by pycocotools.

    coco_results.py ANNOTATIONS.json RESULTS.json

Prints one line of JSON, a list in pycocotools' order.
"""

import contextlib
import json
import sys

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

with contextlib.redirect_stdout(sys.stderr):
    truth = COCO(sys.argv[1])
    run = COCOeval(truth, truth.loadRes(sys.argv[2]), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
print(json.dumps([float(figure) for figure in run.stats]))
