"""Builds small models that try the recognition of ShuffleNet V2 and the counting.

    onnx_models.py FOLDER

Weights are random and of no use; what matters is the structure.
"""

import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """A graph under construction; each method adds a node and returns its output's name."""

    def __init__(self, shape, opset=13, ir=7):
        self.shape, self.opset, self.ir = shape, opset, ir
        self.nodes, self.weights, self.count = [], [], 0
        self.random = numpy.random.default_rng(1)

    def op(self, kind, *inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"{kind.lower()}_{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(numpy.asarray(array), name))
        return name

    def ints(self, *values):
        return self.constant(numpy.array(values, numpy.int64))

    def floats(self, *shape):
        return self.constant(self.random.standard_normal(shape, dtype=numpy.float32) * 0.1)

    def conv(self, x, inner, outer, kernel=1, stride=1, group=1, relu=True):
        weight = self.floats(outer, inner // group, kernel, kernel)
        y = self.op("Conv", x, weight, self.floats(outer), kernel_shape=[kernel] * 2, group=group,
                    strides=[stride] * 2, pads=[kernel // 2] * 4)
        return self.op("Relu", y) if relu else y

    def save(self, path, *outputs, old=False, rank=None):
        inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, self.shape)]
        if old:
            inputs += [helper.make_tensor_value_info(w.name, w.data_type, w.dims)
                       for w in self.weights]
        results = [helper.make_tensor_value_info(o, TensorProto.FLOAT, rank and [None] * rank)
                   for o in outputs]
        graph = helper.make_graph(self.nodes, "net", inputs, results, self.weights)
        model = helper.make_model(graph, producer_name="onnx_models", ir_version=self.ir,
                                  opset_imports=[helper.make_opsetid("", self.opset)])
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.output
        del model.graph.output[:]
        model.graph.output.extend(inferred)
        onnx.checker.check_model(model)
        onnx.save(model, path)


class Shuffle(Net):
    """ShuffleNet V2 in torchvision's form."""

    def __init__(self, *args, split="Split", shuffled=True, dynamic=False, kernel=3, **more):
        super().__init__(*args, **more)
        self.split, self.shuffled, self.dynamic, self.kernel = split, shuffled, dynamic, kernel

    def shuffle(self, x, channels, side):
        if not self.shuffled:
            return x
        if self.dynamic:
            shape = self.op("Shape", x)
            at = [self.op("Gather", shape, self.constant(numpy.int64(i)), axis=0) for i in range(4)]
            half = self.op("Div", at[1], self.constant(numpy.int64(2)))
            def stack(*scalars):
                return self.op("Concat", *[self.op("Unsqueeze", s, self.ints(0)) for s in scalars],
                               axis=0)
            two = self.constant(numpy.int64(2))
            grouped, flat = stack(at[0], two, half, at[2], at[3]), stack(*at)
        else:
            grouped = self.ints(1, 2, channels // 2, side, side)
            flat = self.ints(1, -1, side, side)
        x = self.op("Reshape", x, grouped)
        return self.op("Reshape", self.op("Transpose", x, perm=[0, 2, 1, 3, 4]), flat)

    def halves(self, x, channels):
        half = channels // 2
        if self.split == "Split":
            return self.op("Split", x, self.ints(half, half), outputs=2, axis=1)
        ends = [half, 2**63 - 1]
        return [self.op("Slice", x, self.ints(i * half), self.ints(ends[i]), self.ints(1))
                for i in range(2)]

    def depthwise(self, x, channels, stride):
        return self.conv(x, channels, channels, self.kernel, stride, channels, relu=False)

    def stage(self, x, inner, outer, side, units):
        half = outer // 2
        a = self.conv(self.depthwise(x, inner, 2), inner, half)
        b = self.conv(self.depthwise(self.conv(x, inner, half), half, 2), half, half)
        x = self.shuffle(self.op("Concat", a, b, axis=1), outer, side)
        for _ in range(units):
            a, b = self.halves(x, outer)
            b = self.conv(self.depthwise(self.conv(b, half, half), half, 1), half, half)
            x = self.shuffle(self.op("Concat", a, b, axis=1), outer, side)
        return x

    def backbone(self, channels, repeats, size):
        x = self.conv("image", 3, channels[0], 3, 2)
        x = self.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        for i, units in enumerate(repeats):
            x = self.stage(x, channels[i], channels[i + 1], size >> (i + 3), units)
        return x


def shuffle_net(path, channels, repeats, shape=(1, 3, 64, 64), **more):
    net = Shuffle(shape, **more)
    net.save(path, net.backbone(channels, repeats, 64), rank=4)


def plain(path):
    net = Net([1, 3, 32, 32])
    x = net.conv("image", 3, 8, 3, 2)
    x = net.conv(net.conv(x, 8, 8, 3, 1, 8), 8, 16)
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    net.save(path, net.op("Gemm", x, net.floats(10, 16), net.floats(10), transB=1))


def residual(path):
    net = Net([1, 3, 32, 32])
    x = net.conv("image", 3, 16, 3, 2)
    for _ in range(2):
        y = net.conv(net.conv(net.conv(x, 16, 32), 32, 32, 3, 1, 32), 32, 16, relu=False)
        x = net.op("Add", x, y)
    net.save(path, x)


def lone_shuffle(path):
    net = Shuffle([1, 3, 32, 32])
    x = net.conv(net.conv("image", 3, 16, 3, 2), 16, 16, group=2)
    net.save(path, net.conv(net.shuffle(x, 16, 16), 16, 16, 3, 1, 16))


def partial(path):
    """Cross-stage partial: split and concatenation around a full convolution, and a shuffle."""
    net = Shuffle([1, 3, 32, 32])
    a, b = net.halves(net.conv("image", 3, 16, 3, 2), 16)
    x = net.op("Concat", a, net.conv(net.conv(b, 8, 8, 3), 8, 8, 3), axis=1)
    net.save(path, net.shuffle(x, 16, 16))


def path_net(path):
    """Two depthwise stride-2 branches joined, as in a detector's neck: no unit."""
    net = Net([1, 16, 32, 32])
    a = net.conv(net.conv("image", 16, 16, 5, 2, 16), 16, 16)
    b = net.conv(net.conv(net.conv("image", 16, 16), 16, 16, 5, 2, 16), 16, 16)
    net.save(path, net.op("Concat", a, b, axis=1))


def operators(path):
    """What the two detectors do not use: every result is checked through the products behind it."""
    net = Net(["batch", 3, 33, 47])
    x = net.conv("image", 3, 8, 3, 2)
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    x = net.op("AveragePool", x, kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_UPPER")
    x = net.op("ConvTranspose", x, net.floats(8, 3, 3, 3), group=2, strides=[2, 2],
               pads=[1, 0, 1, 1], output_padding=[1, 0], kernel_shape=[3, 3])
    x = net.op("BatchNormalization", x, *[net.constant(numpy.ones(6, numpy.float32))] * 4)
    x = net.op("Mul", x, net.op("HardSigmoid", x))
    x = net.op("Conv", x, net.floats(4, 6, 3, 2), dilations=[2, 1], auto_pad="VALID")
    x = net.op("Pad", x, net.ints(0, 0, 1, 2, 0, 0, 3, -1))
    x = net.op("Resize", x, "", net.constant(numpy.array([1, 1, 1.5, 0.7], numpy.float32)))
    x = net.op("Conv", x, net.floats(8, 4, 1, 1))
    a, b = net.op("Split", x, outputs=2, axis=-3)
    x = net.op("Add", a, net.op("ReduceMean", b, axes=[2, 3]))
    x = net.op("Slice", x, net.ints(-2, 0), net.ints(-2**62, 2**62), net.ints(2, -1),
               net.ints(-3, 2))
    x = net.op("Conv", x, net.floats(2, 4, 1, 1))
    x = net.op("Transpose", net.op("Reshape", x, net.ints(0, 2, -1)), perm=[0, 2, 1])
    x = net.op("MatMul", x, net.floats(2, 5))
    x = net.op("MatMul", net.op("Unsqueeze", x, net.ints(0)), net.floats(3, 1, 5, 7))
    x = net.op("Squeeze", net.op("Gather", x, net.ints(2), axis=0), net.ints(0, 1))
    net.save(path, net.op("Gemm", x, net.floats(4, 7), transA=0, transB=1),
             net.op("Gemm", x, x, transA=1))


def branch(path):
    net = Net([1, 4, 8, 8])
    x = net.conv("image", 4, 4, 3)
    bodies = {}
    for name, kind in (("then_branch", "Relu"), ("else_branch", "Neg")):
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 8, 8])
        bodies[name] = helper.make_graph([helper.make_node(kind, [x], [name])], name, [], [info])
    net.save(path, net.op("If", net.constant(numpy.bool_(True)), **bodies))


def old(path):
    net = Net([1, 3, 16, 16], opset=8, ir=3)
    net.save(path, net.conv(net.conv("image", 3, 8, 3, 2), 8, 4), old=True)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for build in (plain, residual, lone_shuffle, partial, path_net, operators, branch, old):
        build(folder / f"{build.__name__}.onnx")
    shuffle_net(folder / "slice.onnx", (24, 176, 352, 704), (3, 7, 3), split="Slice")
    shuffle_net(folder / "wide.onnx", (24, 244, 488, 976), (3, 7, 3))
    shuffle_net(folder / "own.onnx", (16, 40, 80), (1, 2), kernel=5)
    shuffle_net(folder / "unshuffled.onnx", (24, 48, 96, 192), (3, 7, 3), shuffled=False)
    shuffle_net(folder / "batch.onnx", (24, 48, 96, 192), (3, 7, 3), ("n", 3, 64, 64))
    shuffle_net(folder / "dynamic.onnx", (24, 48, 96, 192), (3, 7, 3), ("n", 3, "h", "w"),
                dynamic=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
