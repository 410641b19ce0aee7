"""Compares networks of ncnn with the ONNX models that were made from them.

    ncnn_outputs.py FOLDER

Runs each FOLDER/NAME.param, with its .bin, in ncnn and each FOLDER/NAME[-WIDTHxHEIGHT].onnx in ONNX Runtime, on random
input of the ONNX model's size. Fails if a model does not pass onnx.checker or an output has another shape. Prints, for
each model, the greatest difference and the greatest value as JSON; `null` where ncnn is not installed.
"""

import json
import pathlib
import re
import sys

import numpy
import onnx

from quiet import onnxruntime

try:
    import ncnn
except ImportError:
    ncnn = None


def ncnn_network(stem):
    network = ncnn.Net()
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "vulkan_compute"):
        setattr(network.opt, f"use_{option}", False)
    network.opt.num_threads = 1
    assert network.load_param(str(stem.with_suffix(".param"))) == 0, stem
    assert network.load_model(str(stem.with_suffix(".bin"))) == 0, stem
    return network


def compare(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    (graph_input,) = model.graph.input
    shape = [d.dim_value for d in graph_input.type.tensor_type.shape.dim]
    image = numpy.random.default_rng(20180908).standard_normal(shape, dtype=numpy.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    ours = session.run(None, {graph_input.name: image})

    network = ncnn_network(path.with_name(re.sub(r"(-\d+x\d+)?\.onnx$", "", path.name)))
    extractor = network.create_extractor()
    # a copy, because layers that work in place crash on borrowed memory
    extractor.input(graph_input.name, ncnn.Mat(image[0]).clone())
    difference = largest = 0.0
    for output, value in zip(model.graph.output, ours, strict=True):
        declared = [d.dim_value for d in output.type.tensor_type.shape.dim]
        status, blob = extractor.extract(output.name)
        theirs = numpy.array(blob)
        del blob
        found = status, list(value.shape), [1, *theirs.shape]
        assert found == (0, declared, declared), (path, output.name, found)
        assert numpy.isfinite(theirs).all() and (value.size < 4 or numpy.ptp(theirs) > 0), (path, output.name)
        difference = max(difference, float(numpy.abs(theirs - value[0]).max()))
        largest = max(largest, float(numpy.abs(theirs).max()))
    # its memory belongs to the network
    del extractor
    return {"difference": difference, "largest": largest}


def main(folder):
    paths = sorted(pathlib.Path(folder).glob("*.onnx"))
    assert paths
    print(json.dumps(ncnn and {path.name: compare(path) for path in paths}))


if __name__ == "__main__":
    main(*sys.argv[1:])
