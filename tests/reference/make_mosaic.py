#!/usr/bin/env python3
"""Makes large pictures with full detail from small ones with COCO annotations, by setting them side by side unscaled.

    make_mosaic.py INSTANCES.json PICTURES OUTPUT --columns 3 --rows 2

OUTPUT/mosaic gets the pictures (JPEG of quality 95), OUTPUT/mosaic.json the annotations. A tile has the width of the
widest picture and the height of the highest; a smaller picture lies in the tile's upper left corner on grey. Pictures
left over at the end are not used. With the same OpenCV the files are the same bytes every time.

An enlarged picture has no more detail than the small one had, so it cannot show what is lost by decoding at a smaller
scale. A mosaic can.
"""

import argparse
import pathlib

import cv2
import numpy as np

from make_far_near import annotation, load, write_set

GREY = 114


def mosaics(images, objects, read, columns, rows):
    """Yields the mosaics: file name, picture, annotations."""
    width = max(image["width"] for image in images)
    height = max(image["height"] for image in images)
    tiles = columns * rows
    for number in range(1, len(images) // tiles + 1):
        canvas = np.full((rows * height, columns * width, 3), GREY, np.uint8)
        annotations = []
        for tile, image in enumerate(images[(number - 1) * tiles : number * tiles]):
            picture = read(image)
            left, top = tile % columns * width, tile // columns * height
            canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            for one in objects(image):
                x, y, w, h = one["bbox"]
                annotations.append(annotation(one, number, (left + x, top + y, w, h), one["area"]))
        yield f"mosaic_{number:04}.jpg", canvas, annotations


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", type=pathlib.Path, help="annotations in COCO's format")
    parser.add_argument("pictures", type=pathlib.Path, help="folder of the pictures that it names")
    parser.add_argument("output", type=pathlib.Path, help="folder for the set")
    parser.add_argument("--columns", type=int, default=3, help="pictures side by side")
    parser.add_argument("--rows", type=int, default=2, help="pictures one above the other")
    args = parser.parse_args()

    source, objects, read = load(args.instances, args.pictures)
    pictures = mosaics(source["images"], objects, read, args.columns, args.rows)
    write_set("mosaic", pictures, source["categories"], args.output)


if __name__ == "__main__":
    main()
