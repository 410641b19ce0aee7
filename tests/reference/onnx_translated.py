"""Checks that a picture within a larger one, black around it, is seen as it is alone.

    onnx_translated.py PICTURE ORIGINAL.onnx LARGER.onnx

LARGER takes a larger input than ORIGINAL by multiples of 128 pixels; the picture lies in its middle. Compares the middle
half of the first map of the first output, where the border shows little: its values correlate by at least 0.9, and more
than with those one cell beside it.
"""

import itertools
import sys

import cv2
import numpy

from quiet import onnxruntime


def run(path, prepare):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    image = next(info for info in session.get_inputs() if info.name in ("input.1", "data", "image"))
    height, width = image.shape[2:]
    output = session.run(None, {image.name: prepare(height, width)})[0][0]
    if output.ndim == 3:
        # channels, rows, columns
        return output.transpose(1, 2, 0), height // output.shape[1], (height, width)
    # cells of stride 8 in rows, then those of other strides
    rows, columns = height // 8, width // 8
    return output[: rows * columns].reshape(rows, columns, -1), 8, (height, width)


def main(picture_path, original_path, larger_path):
    picture = cv2.imread(picture_path)
    alone = {}

    def prepare(height, width):
        if not alone:
            resized = cv2.resize(picture, (width, height)).astype(numpy.float32) / 255
            alone["tensor"] = resized.transpose(2, 0, 1)[None]
        tensor = alone["tensor"]
        canvas = numpy.zeros((1, 3, height, width), numpy.float32)
        top, left = (height - tensor.shape[2]) // 2, (width - tensor.shape[3]) // 2
        canvas[:, :, top : top + tensor.shape[2], left : left + tensor.shape[3]] = tensor
        return canvas

    expected, stride, size = run(original_path, prepare)
    found, larger_stride, larger_size = run(larger_path, prepare)
    assert stride == larger_stride
    offsets = [(larger - native) // 2 // stride for larger, native in zip(larger_size, size)]
    assert min(offsets) > 0
    quarters = [side // 4 for side in expected.shape[:2]]
    inner = [slice(q, side - q) for q, side in zip(quarters, expected.shape)]

    def correlation(*beside):
        places = [slice(part.start + offset + b, part.stop + offset + b) for part, offset, b in zip(inner, offsets, beside)]
        return numpy.corrcoef(expected[tuple(inner)].ravel(), found[tuple(places)].ravel())[0, 1]

    correlations = {beside: correlation(*beside) for beside in itertools.product((-1, 0, 1), repeat=2)}
    assert correlations[0, 0] > 0.9, correlations
    assert max(correlations, key=correlations.get) == (0, 0), correlations


if __name__ == "__main__":
    main(*sys.argv[1:])
