"""Checks that an arranged model computes what the original does.

    onnx_arranged.py ORIGINAL.onnx ARRANGED.onnx

Fails where the arranged model does not pass onnx.checker, has other inputs or outputs, or gives other values on random
input: apart by more than 1e-5 of the largest. Prints the operators of the arranged model as JSON.
"""

import collections
import json
import sys

import numpy
import onnx

from quiet import onnxruntime


def run(path, feed):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def main(original_path, arranged_path):
    original, arranged = onnx.load(original_path), onnx.load(arranged_path)
    onnx.checker.check_model(arranged, full_check=True)
    assert original.graph.output == arranged.graph.output
    assert original.graph.input[0] == arranged.graph.input[0] and len(arranged.graph.input) == 1

    shape = [d.dim_value or 1 for d in arranged.graph.input[0].type.tensor_type.shape.dim]
    random = numpy.random.default_rng(20180908)
    feed = {arranged.graph.input[0].name: random.standard_normal(shape, dtype=numpy.float32)}
    for before, after in zip(run(original_path, feed), run(arranged_path, feed), strict=True):
        assert numpy.ptp(before) > 0
        numpy.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * numpy.abs(before).max())

    print(json.dumps(collections.Counter(node.op_type for node in arranged.graph.node)))


if __name__ == "__main__":
    main(*sys.argv[1:])
