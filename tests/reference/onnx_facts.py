"""What an ONNX file holds, by the onnx package's own reading and shape inference, as JSON.

    onnx_facts.py MODEL.onnx

The multiply-adds come from another formula than shuffledet's: a convolution uses each of its
weights once per output position, a matrix product takes its inner length from the second matrix.
"""

import collections
import json
import math
import sys

import onnx

FLOATS = ("float", "float16", "bfloat16", "double")


def shape_of(info):
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or None
            for d in info.type.tensor_type.shape.dim]


def type_name(number):
    return onnx.TensorProto.DataType.Name(number).lower()


def value(info):
    return {"name": info.name, "element_type": type_name(info.type.tensor_type.elem_type),
            "shape": shape_of(info)}


def multiply_adds(model):
    """The sum, a batch without a size being 1, and the operators whose shapes stay unknown."""
    weights = {t.name for t in model.graph.initializer}
    for info in (i for i in model.graph.input if i.name not in weights):
        for dim in info.type.tensor_type.shape.dim[:1]:
            dim.dim_value = dim.dim_value or 1
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {i.name: shape_of(i) for i in [*graph.value_info, *graph.input, *graph.output]}
    shapes |= {t.name: list(t.dims) for t in graph.initializer}
    total, uncounted = 0, collections.Counter()
    for node in graph.node:
        try:
            if node.op_type == "Conv":
                batch, _, *positions = shapes[node.output[0]]
                total += batch * math.prod(positions) * math.prod(shapes[node.input[1]])
            elif node.op_type == "ConvTranspose":
                batch, _, *positions = shapes[node.input[0]]
                total += batch * math.prod(positions) * math.prod(shapes[node.input[1]])
            elif node.op_type in ("Gemm", "MatMul"):
                second, output = shapes[node.input[1]], shapes[node.output[0]]
                total += math.prod(output) * math.prod(second[-2:]) // output[-1]
            elif node.op_type == "If":
                uncounted["If"] += 1
        except (KeyError, TypeError, ValueError):
            uncounted[node.op_type] += 1
    return {"count": total, "uncounted": dict(uncounted)}


def facts(model):
    graph = model.graph
    initializers = {t.name for t in graph.initializer}
    return {
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "opsets": {o.domain or "ai.onnx": o.version for o in model.opset_import},
        "inputs": [value(i) for i in graph.input if i.name not in initializers],
        "outputs": [value(o) for o in graph.output],
        "nodes": len(graph.node),
        "operators": dict(collections.Counter(n.op_type for n in graph.node)),
        "initializers": len(graph.initializer),
        "initializers_among_inputs": sum(i.name in initializers for i in graph.input),
        "parameters": sum(onnx.numpy_helper.to_array(t).size for t in graph.initializer
                          if type_name(t.data_type) in FLOATS),
        "multiply_adds": multiply_adds(model),
    }


if __name__ == "__main__":
    json.dump(facts(onnx.load(sys.argv[1])), sys.stdout)
