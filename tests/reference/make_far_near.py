#!/usr/bin/env python3
"""Makes two wide data sets from pictures with COCO annotations: one of far objects, one of near ones.

    make_far_near.py INSTANCES.json PICTURES OUTPUT

OUTPUT/far and OUTPUT/near get the pictures (PNG), OUTPUT/far.json and OUTPUT/near.json the annotations. With the same
OpenCV the files are the same bytes every time.

far: canvases of 1242x375 with three pictures side by side, in the order of INSTANCES.json. Each picture is scaled to
fit 414x375 and centred in its third on black. One or two pictures left over at the end are not used.

near: of each picture the middle band with an aspect ratio of 2.4, in full width and at its own scale. Boxes are clipped
to the band. An object that keeps less than 40 % of its box is left out.

`area` changes with the box, and crowd regions stay crowd regions.
"""

import argparse
import json
import pathlib
import sys

import cv2
import numpy as np

ABREAST = 3
THIRD_WIDTH, THIRD_HEIGHT = 414, 375
BAND_ASPECT = 2.4
KEPT_SHARE = 0.4


def read_picture(path):
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        sys.exit(f"{path}: OpenCV cannot read it as an image")
    return picture


def load(instances, pictures):
    """The annotations, and two functions of an entry of `images`: its objects, and its picture."""
    source = json.loads(instances.read_text(encoding="utf-8"))
    by_image = {}
    for one in source["annotations"]:
        by_image.setdefault(one["image_id"], []).append(one)

    def objects(image):
        return by_image.get(image["id"], [])

    def read(image):
        return read_picture(pictures / image["file_name"])

    return source, objects, read


def annotation(source, image_id, box, area):
    """An object on a new picture; the set numbers it later."""
    return {
        "image_id": image_id,
        "category_id": source["category_id"],
        "bbox": [round(float(v), 3) for v in box],
        "area": round(float(area), 3),
        "iscrowd": source.get("iscrowd", 0),
    }


def far_canvas(group, objects, read, image_id):
    """A canvas of three pictures and its annotations."""
    canvas = np.zeros((THIRD_HEIGHT, ABREAST * THIRD_WIDTH, 3), np.uint8)
    annotations = []
    for third, image in enumerate(group):
        picture = read(image)
        height, width = picture.shape[:2]
        scale = min(THIRD_WIDTH / width, THIRD_HEIGHT / height)
        new_width, new_height = round(width * scale), round(height * scale)
        left = third * THIRD_WIDTH + (THIRD_WIDTH - new_width) // 2
        top = (THIRD_HEIGHT - new_height) // 2
        canvas[top : top + new_height, left : left + new_width] = cv2.resize(
            picture, (new_width, new_height), interpolation=cv2.INTER_AREA
        )
        across, down = new_width / width, new_height / height
        for one in objects(image):
            x, y, w, h = one["bbox"]
            box = (left + x * across, top + y * down, w * across, h * down)
            annotations.append(annotation(one, image_id, box, one["area"] * across * down))
    return canvas, annotations


def far_set(images, objects, read):
    """Yields the canvases of the far set: file name, picture, annotations."""
    for number in range(len(images) // ABREAST):
        group = images[number * ABREAST : (number + 1) * ABREAST]
        canvas, annotations = far_canvas(group, objects, read, number + 1)
        yield f"far_{number + 1:04}.png", canvas, annotations


def near_set(images, objects, read):
    """Yields the bands of the near set: file name, picture, annotations."""
    for number, image in enumerate(images, 1):
        picture = read(image)
        height, width = picture.shape[:2]
        rows = min(height, int(width / BAND_ASPECT))
        top = (height - rows) // 2
        annotations = []
        for one in objects(image):
            x, y, w, h = one["bbox"]
            upper, lower = max(y, top), min(y + h, top + rows)
            kept = (lower - upper) / h if h > 0 else 0
            if kept >= KEPT_SHARE:
                annotations.append(annotation(one, number, (x, upper - top, w, lower - upper), one["area"] * kept))
        yield f"near_{pathlib.Path(image['file_name']).stem}.png", picture[top : top + rows], annotations


def write_set(name, pictures, categories, output):
    """Writes the pictures to OUTPUT/NAME, and OUTPUT/NAME.json."""
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    document = {"images": [], "annotations": [], "categories": categories}
    for number, (file_name, picture, annotations) in enumerate(pictures, 1):
        if not cv2.imwrite(str(folder / file_name), picture):
            sys.exit(f"{folder / file_name}: OpenCV cannot write it")
        height, width = picture.shape[:2]
        document["images"].append({"id": number, "file_name": file_name, "width": width, "height": height})
        for one in annotations:
            document["annotations"].append({"id": len(document["annotations"]) + 1, **one})
    (output / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"{name}: {len(document['images'])} pictures, {len(document['annotations'])} objects", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", type=pathlib.Path, help="annotations in COCO's format")
    parser.add_argument("pictures", type=pathlib.Path, help="folder of the pictures that it names")
    parser.add_argument("output", type=pathlib.Path, help="folder for the two sets")
    args = parser.parse_args()

    source, objects, read = load(args.instances, args.pictures)
    for name, pictures in (("far", far_set), ("near", near_set)):
        write_set(name, pictures(source["images"], objects, read), source["categories"], args.output)


if __name__ == "__main__":
    main()
