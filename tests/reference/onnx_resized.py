"""Checks networks that were rewritten for another input size against the original, made to take any size.

    onnx_resized.py ORIGINAL.onnx RESIZED.onnx...

Makes the original take any size in another way than the rewriting does: every constant of Reshape and Resize that holds
a height or width is replaced by nodes that compute it from the shapes of the values, while the network runs. Fails where
a rewritten network does not pass onnx.checker, does not declare the shapes that come out, or gives other values on
random input: apart by more than 1e-4 of the largest.
"""

import sys

import numpy
import onnx
from onnx import helper, numpy_helper

from quiet import onnxruntime


class AnySize:
    """The original, with what depends on its size computed by nodes."""

    def __init__(self, path):
        self.model = onnx.load(path)
        graph = self.model.graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.writers = {output: node for node in graph.node for output in node.output}
        # old exporters list the weights among the inputs
        (image,) = (info for info in graph.input if info.name not in self.constants)
        self.image = onnx.ValueInfoProto()
        self.image.CopyFrom(image)
        self.shapes = self.native_shapes()
        self.nodes = []
        rules = {"Reshape": self.reshape, "Resize": self.resize}
        for node in graph.node:
            rules.get(node.op_type, self.nodes.append)(node)
        del graph.node[:], graph.value_info[:], graph.input[:]
        graph.node.extend(self.nodes)
        graph.input.append(self.image)
        for info in [*graph.input, *graph.output]:
            for dim in info.type.tensor_type.shape.dim[1:]:
                dim.ClearField("dim_value")

    def native_shapes(self):
        """The shape of each value at the size of the file, by onnx's own inference."""
        inferred = onnx.shape_inference.infer_shapes(self.model).graph
        infos = [*inferred.value_info, *inferred.output, self.image]
        return {info.name: [d.dim_value for d in info.type.tensor_type.shape.dim] for info in infos}

    def constant(self, name, values, kind=numpy.int64):
        tensor = numpy_helper.from_array(numpy.array(values, kind), name)
        self.model.graph.initializer.append(tensor)
        return name

    def map_behind(self, value):
        """The value with height and width as its last dimensions from which a value was reshaped."""
        while len(self.shapes[value]) < 4:
            value = self.writers[value].input[0]
        return value

    def reshape(self, node):
        target = self.constants[node.input[1]].tolist()
        source = self.map_behind(node.input[0])
        height, width = self.shapes[source][-2:]
        name = f"any_{node.output[0]}"
        if target[-2:] == [height, width]:
            self.nodes.append(helper.make_node("Shape", [source], [f"{name}_shape"]))
            last = self.constant(f"{name}_axes", [-2, -1])
            self.nodes.append(helper.make_node("Gather", [f"{name}_shape", last], [f"{name}_sides"]))
            first = self.constant(f"{name}_first", target[:-2])
            self.nodes.append(helper.make_node("Concat", [first, f"{name}_sides"], [f"{name}_target"], axis=0))
            node.input[1] = f"{name}_target"
        elif target[-1] == height * width:
            node.input[1] = self.constant(f"{name}_target", target[:-1] + [-1])
        else:
            assert target[-1] == -1, target
        self.nodes.append(node)

    def resize(self, node):
        if len(node.input) == 4:
            source, size = self.shapes[node.input[0]], self.constants[node.input[3]]
            scales = [to / of for to, of in zip(size, source, strict=True)]
            scales = self.constant(f"any_{node.output[0]}_scales", scales, numpy.float32)
            del node.input[2:]
            node.input.append(scales)
        self.nodes.append(node)


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def main(original_path, *resized_paths):
    any_size = session(AnySize(original_path).model.SerializeToString())
    random = numpy.random.default_rng(20180908)
    for path in resized_paths:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        resized = session(path)
        (image,) = resized.get_inputs()
        feed = {image.name: random.standard_normal(image.shape, dtype=numpy.float32)}
        pairs = zip(any_size.run(None, feed), resized.run(None, feed), resized.get_outputs(), strict=True)
        for expected, found, declared in pairs:
            assert numpy.ptp(expected) > 0
            assert list(found.shape) == declared.shape, (path, declared)
            tolerance = 1e-4 * numpy.abs(expected).max()
            numpy.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=path)


if __name__ == "__main__":
    main(*sys.argv[1:])
