"""The root mean square of each output of the shipped models on the test card of src/image/test_card.rs, by numpy and
onnxruntime alone: the figures of EXPECTED in src/cli/doctor/models.rs.

    python tests/reference/test_card.py FOLDER_OF_MODELS
"""

import pathlib
import sys

import numpy
from ruamel.yaml import YAML

from quiet import onnxruntime


def card(width, height):
    """BGR levels, 0 to 255."""
    x = numpy.arange(width, dtype=numpy.uint32)[None, :]
    y = numpy.arange(height, dtype=numpy.uint32)[:, None]
    from_centre = ((x % 96).astype(int) - 48) ** 2 + ((y % 96).astype(int) - 48) ** 2
    levels = numpy.zeros((height, width, 3), numpy.float32)
    for channel in range(3):
        slope = (x * (channel + 1) + y * (3 - channel)) // 4 % 256
        disc = 60 + 70 * ((x // 96 + y // 96 + channel) % 3)
        # products wrap at 32 bits
        noise = (x * numpy.uint32(374761393)) ^ (y * numpy.uint32(668265263)) ^ numpy.uint32(channel)
        noise = (noise * numpy.uint32(2246822519)) >> numpy.uint32(28)
        levels[..., channel] = numpy.minimum(numpy.where(from_centre < 900, disc, slope) + noise, 255)
    return levels


def main(folder):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    manifest = YAML(typ="safe").load(pathlib.Path(__file__).parents[2].joinpath("models/manifest.yaml"))
    for model in manifest["models"]:
        spec = model["input"]
        assert spec["colour"] == "bgr", spec
        pixels = card(spec["width"], spec["height"])
        tensor = (pixels - numpy.float32(spec["mean"])) / numpy.float32(spec["std"])
        session = onnxruntime.InferenceSession(
            pathlib.Path(folder, model["name"] + ".onnx"), options, providers=["CPUExecutionProvider"]
        )
        feed = {session.get_inputs()[0].name: tensor.transpose(2, 0, 1)[None].astype(numpy.float32)}
        outputs = session.run(None, feed)
        print(model["name"], [float(f"{numpy.sqrt((o.astype(float) ** 2).mean()):.9g}") for o in outputs])


if __name__ == "__main__":
    main(*sys.argv[1:])
