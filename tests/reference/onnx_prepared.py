"""Checks that a prepared model is the original without its weights among the inputs.

    onnx_prepared.py ORIGINAL.onnx PREPARED.onnx

Fails where the prepared model does not pass onnx.checker, differs in anything but the inputs and
the IR version, has more than one input, or gives other output bytes on random input.
"""

import sys

import numpy
import onnx
import onnxruntime


def run(path, feed):
    options = onnxruntime.SessionOptions()
    # what the optimiser may do differs between the two by design; the arithmetic must not
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def main(original_path, prepared_path):
    original, prepared = onnx.load(original_path), onnx.load(prepared_path)
    onnx.checker.check_model(prepared, full_check=True)
    assert [i.name for i in prepared.graph.input] == [original.graph.input[0].name]
    assert prepared.ir_version == max(original.ir_version, 4)

    shape = [d.dim_value or 1 for d in prepared.graph.input[0].type.tensor_type.shape.dim]
    random = numpy.random.default_rng(20180908)
    feed = {prepared.graph.input[0].name: random.standard_normal(shape, dtype=numpy.float32)}
    before, after = run(original_path, feed), run(prepared_path, feed)
    assert len(before) == len(after) > 0
    for a, b in zip(before, after):
        assert a.tobytes() == b.tobytes() and numpy.ptp(a) > 0

    for model in (original, prepared):
        del model.graph.input[:]
        model.ir_version = 0
    assert original == prepared, "something else was changed"


if __name__ == "__main__":
    main(*sys.argv[1:])
