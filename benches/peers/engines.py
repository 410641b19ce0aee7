#!/usr/bin/env python3
"""The bare run of a model on one thread, in ONNX Runtime and in other engines, to compare shuffledet's own with.

Engines: onnxruntime with the model as it comes, and with its initializers out of the graph's inputs; OpenVINO in f32
and bf16; ncnn in f32 and bf16, its model made by pnnx; OpenCV's DNN module in C++ (opencv_dnn.cpp, compiled here);
and, with --shuffledet, `session_run_ms` of `shuffledet bench` on the same picture. All others get one input tensor:
the picture, stretched to the model's size and normalised as the manifest says. The engines take turns in rounds, so
that a change of the processor's clock meets all of them.

Prints a table, or with --json one object: {"model", "engines": [{"engine", "version", "ms", "ratio", "difference",
"fate"}]}. `ms` is the median of the turns' medians, `ratio` the median of the rounds' quotients over the first
engine. `difference` is how far the outputs are from the first engine's: the root mean square of the differences over
that of the output, the greatest of all outputs. An engine that is further off than its precision explains is not
timed; `fate` says that, or what is missing, or how it failed.

    engines.py MODEL.onnx [--picture IMAGE_OR_VIDEO] [--shuffledet target/release/shuffledet] [--json]
"""

import argparse
import functools
import importlib.metadata
import importlib.util
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "reference"))
from quiet import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
WARM_UPS = 5
# of an output's root mean square: other f32 kernels round in another order; bf16 as the node's own self-test allows
TOLERANCE = {"f32": 1e-3, "bf16": 0.15}


class Unusable(Exception):
    """Why an engine cannot be measured: its fate."""


def program(*command):
    """What a program prints, where it succeeds."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise Unusable(f"failed: {pathlib.Path(command[0]).name}: {lines[-1]}")
    return done.stdout


class InProcess:
    """An engine of this process: `once` runs the model and returns its outputs."""

    def outputs(self):
        return [np.array(output) for output in self.once()]

    def turn(self, runs):
        for _ in range(WARM_UPS):
            self.once()
        took = []
        for _ in range(runs):
            start = time.perf_counter()
            self.once()
            took.append((time.perf_counter() - start) * 1e3)
        return statistics.median(took)


class OnnxRuntime(InProcess):
    version = onnxruntime.__version__

    def __init__(self, job, model=None):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            model or job.model.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self.feed = {self.session.get_inputs()[0].name: job.tensor}

    def once(self):
        return self.session.run(None, self.feed)


class OnnxRuntimeConstants(OnnxRuntime):
    """The same with the initializers out of the graph's inputs, so that ONNX Runtime folds constants."""

    def __init__(self, job):
        import onnx

        model = onnx.load(job.model)
        initializers = {initializer.name for initializer in model.graph.initializer}
        for value in [value for value in model.graph.input if value.name in initializers]:
            model.graph.input.remove(value)
        super().__init__(job, model.SerializeToString())


class OpenVino(InProcess):
    def __init__(self, job, precision):
        import openvino

        self.version = importlib.metadata.version("openvino")
        settings = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        compiled = openvino.Core().compile_model(job.model, "CPU", settings)
        used = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if used != precision:
            raise Unusable(f"failed: OpenVINO computes in {used} on this processor")
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(openvino.Tensor(job.tensor))
        self.tensors = [self.request.get_tensor(output) for output in compiled.outputs]

    def once(self):
        self.request.infer()
        return [tensor.data for tensor in self.tensors]


class Ncnn(InProcess):
    def __init__(self, job, precision):
        import ncnn

        self.version = importlib.metadata.version("ncnn")
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = 1
        options.use_vulkan_compute = False
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
        options.use_bf16_packed = options.use_bf16_storage = precision == "bf16"
        param, weights = self.converted(job)
        if self.net.load_param(str(param)) or self.net.load_model(str(weights)):
            raise Unusable(f"failed: ncnn does not load what pnnx made of {job.model.name}")
        self.input = ncnn.Mat(job.tensor[0]).clone()
        # pnnx numbers inputs and outputs in the order of the graph
        self.names = [f"out{i}" for i in range(len(job.names))]

    @staticmethod
    def converted(job):
        """The model as ncnn's two files. The package pnnx is a program; importing it would take torch."""
        package = importlib.util.find_spec("pnnx")
        if package is None:
            raise ModuleNotFoundError(name="pnnx")
        copy = job.scratch / job.model.name
        param, weights = copy.with_suffix(".ncnn.param"), copy.with_suffix(".ncnn.bin")
        if not weights.exists():
            shutil.copyfile(job.model, copy)
            shape = ",".join(map(str, job.tensor.shape))
            program(pathlib.Path(package.origin).with_name("pnnx"), copy, f"inputshape=[{shape}]f32", "fp16=0")
        return param, weights

    def once(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.input)
        return [extractor.extract(name)[1] for name in self.names]


class OpenCvDnn:
    """A program of its own, which loads the model anew for each turn."""

    def __init__(self, job):
        missing = [tool for tool in ("c++", "pkg-config") if shutil.which(tool) is None]
        if missing or subprocess.run(["pkg-config", "--exists", "opencv4"]).returncode:
            raise Unusable("not installed: apt-get install g++ pkg-config libopencv-dev")
        self.job, self.binary, self.output = job, job.scratch / "opencv_dnn", job.scratch / "opencv_dnn.f32"
        flags = program("pkg-config", "--cflags", "--libs-only-L", "opencv4").split()
        source = HERE / "opencv_dnn.cpp"
        program("c++", "-O2", "-o", self.binary, source, *flags, "-lopencv_dnn", "-lopencv_core")
        self.input = job.scratch / "input.f32"
        job.tensor.tofile(self.input)
        self.version = self.run(0, 1)["version"]

    def run(self, warm_ups, runs):
        size = self.job.tensor.shape[-1]
        command = [self.binary, self.job.model, self.input, size, warm_ups, runs, self.output, *self.job.names]
        return json.loads(program(*command))

    def outputs(self):
        return [np.fromfile(self.output, np.float32)]

    def turn(self, runs):
        return statistics.median(self.run(WARM_UPS, runs)["runs_ms"])


class Shuffledet:
    """The bare run within `shuffledet bench`, of the model with its channels arranged."""

    def __init__(self, job):
        self.job = job
        self.version = program(job.shuffledet, "--version").split()[-1]
        self.turn(1)

    def outputs(self):
        return None  # bench keeps them to itself

    def turn(self, runs):
        command = [self.job.shuffledet, "bench", self.job.pictures, "--model", self.job.name, "--rounds", runs]
        printed = program(*command, "--set", "runtime.workers=1", "--json")
        return json.loads(printed)["sequential"]["session_run_ms"]["p50"]


class Job:
    """What all engines get."""

    def __init__(self, args, scratch):
        self.model, self.name, self.shuffledet, self.scratch = args.model, args.model.stem, args.shuffledet, scratch
        if not self.model.is_file():
            raise SystemExit(f"{self.model}: no such file; `shuffledet models path {self.name}` prints where it is")
        manifest = yaml.safe_load(args.manifest.read_text())
        described = {model["name"]: model["input"] for model in manifest["models"]}
        if self.name not in described:
            raise SystemExit(f"{args.manifest} has no model {self.name}; it has {', '.join(described)}")
        image = first_picture(args.picture)
        self.pictures = scratch / "pictures"
        self.pictures.mkdir()
        cv2.imwrite(str(self.pictures / "picture.png"), image)
        self.tensor = prepare(image, described[self.name])

    def expect(self, reference):
        self.expected = reference.outputs()
        self.names = [output.name for output in reference.session.get_outputs()]

    def difference(self, found):
        """From the reference's outputs."""
        sizes = [output.size for output in self.expected]
        flat = np.concatenate([output.ravel() for output in found])
        if flat.size != sum(sizes):
            raise Unusable(f"not compared: {flat.size} output values, not {sum(sizes)}")
        if not np.isfinite(flat).all():
            raise Unusable("not compared: an output is not finite")
        pairs = zip(self.expected, np.split(flat, np.cumsum(sizes)[:-1]))
        return max(float(np.linalg.norm(a.ravel() - b) / np.linalg.norm(a)) for a, b in pairs)


def first_picture(path):
    if path is None:
        return np.random.default_rng(0).integers(0, 256, (540, 960, 3), np.uint8)
    found, image = cv2.VideoCapture(str(path)).read()
    if not found:
        raise SystemExit(f"{path}: neither an image nor a video that OpenCV reads")
    return image


def prepare(image, described):
    resized = cv2.resize(image, (described["width"], described["height"])).astype(np.float32)
    if described["colour"] == "rgb":
        resized = resized[..., ::-1]
    tensor = (resized - np.float32(described["mean"])) / np.float32(described["std"])
    return np.ascontiguousarray(tensor.transpose(2, 0, 1)[None])


def load(job, engine, precision, result):
    """The engine, checked against the reference; None, with the fate in `result`, where it cannot be timed."""
    try:
        loaded = engine(job)
        result["version"] = loaded.version
        outputs = loaded.outputs()
        if outputs is not None:
            result["difference"] = job.difference(outputs)
            if result["difference"] > TOLERANCE[precision]:
                raise Unusable(f"not compared: differs by more than {TOLERANCE[precision]}")
        return loaded
    except ModuleNotFoundError as error:
        result["fate"] = f"not installed: pip install {error.name}"
    except Unusable as fate:
        result["fate"] = str(fate)
    except Exception as error:  # an engine's own: the others are still to be measured
        result["fate"] = f"failed: {str(error).strip().splitlines()[0]}"
    return None


def measure(job, rounds, runs):
    reference = OnnxRuntime(job)
    job.expect(reference)
    engines = {
        "onnxruntime": (lambda _: reference, "f32"),
        "onnxruntime, initializers no inputs": (OnnxRuntimeConstants, "f32"),
        "openvino f32": (functools.partial(OpenVino, precision="f32"), "f32"),
        "openvino bf16": (functools.partial(OpenVino, precision="bf16"), "bf16"),
        "ncnn f32": (functools.partial(Ncnn, precision="f32"), "f32"),
        "ncnn bf16": (functools.partial(Ncnn, precision="bf16"), "bf16"),
        "opencv dnn": (OpenCvDnn, "f32"),
    }
    if job.shuffledet:
        engines["shuffledet"] = (Shuffledet, "f32")
    results, turns = {}, {}
    for name, (engine, precision) in engines.items():
        result = dict.fromkeys(["version", "ms", "ratio", "difference"]) | {"fate": "measured"}
        results[name] = result
        if loaded := load(job, engine, precision, result):
            turns[name] = (loaded, [])
    for _ in range(rounds):
        for engine, took in turns.values():
            took.append(engine.turn(runs))
    for name, (_, took) in turns.items():
        quotients = [own / first for own, first in zip(took, turns["onnxruntime"][1])]
        results[name] |= {"ms": round(statistics.median(took), 3), "ratio": round(statistics.median(quotients), 3)}
    return [{"engine": name} | result for name, result in results.items()]


def print_table(model, results):
    def shown(value, form):
        return "-" if value is None else format(value, form)

    print(f"{model:36} {'version':15} {'ms':>8} {'ratio':>6} {'difference':>10}  fate")
    for result in results:
        figures = f"{shown(result['ms'], '.2f'):>8} {shown(result['ratio'], '.2f'):>6}"
        difference = shown(result["difference"], ".1e")
        print(f"{result['engine']:36} {result['version'] or '-':15} {figures} {difference:>10}  {result['fate']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="ONNX file, named as in the manifest")
    manifest = HERE.parents[1] / "models/manifest.yaml"
    parser.add_argument("--manifest", type=pathlib.Path, default=manifest, help="default: the checkout's")
    parser.add_argument("--picture", type=pathlib.Path, help="image, or video for its first frame (default: noise)")
    parser.add_argument("--shuffledet", type=pathlib.Path, help="its binary, to measure it too")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each engine (default: 7)")
    parser.add_argument("--runs", type=int, default=50, help="runs of the model in a turn (default: 50)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        job = Job(args, pathlib.Path(scratch))
        results = measure(job, args.rounds, args.runs)
    if args.json:
        print(json.dumps({"model": job.name, "engines": results}))
    else:
        print_table(job.name, results)


if __name__ == "__main__":
    main()
