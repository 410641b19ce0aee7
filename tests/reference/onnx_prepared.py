"""Checks that a prepared model is the original without its weights among the inputs.

    onnx_prepared.py ORIGINAL.onnx PREPARED.onnx

Fails where the prepared model does not pass onnx.checker, differs in anything but the inputs and
the IR version, has more than one input, or gives other output bytes on random input (at full
optimisation, where ONNX Runtime may lay out constant weights anew: figures apart by over 1e-4).
"""

import sys

import numpy
import onnx

from quiet import onnxruntime


LEVEL = onnxruntime.GraphOptimizationLevel


def run(path, feed, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
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
    for level in (LEVEL.ORT_DISABLE_ALL, LEVEL.ORT_ENABLE_EXTENDED, LEVEL.ORT_ENABLE_ALL):
        before, after = run(original_path, feed, level), run(prepared_path, feed, level)
        assert len(before) == len(after) > 0
        for a, b in zip(before, after):
            assert numpy.ptp(a) > 0
            if level == LEVEL.ORT_ENABLE_ALL:
                # only constant weights are laid out for wide registers: other order of sums
                numpy.testing.assert_allclose(a, b, rtol=0, atol=1e-4)
            else:
                assert a.tobytes() == b.tobytes()

    for model in (original, prepared):
        del model.graph.input[:]
        model.ir_version = 0
    assert original == prepared, "something else was changed"


if __name__ == "__main__":
    main(*sys.argv[1:])
