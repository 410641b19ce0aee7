#!/usr/bin/env python3
"""Accuracy and time of the models by input size: the tables of docs/performance.md, measured with the program.

    input_sizes.py --program target/release/shuffledet \\
        --data far=OUT/far --data near=OUT/near --data coco=images:instances.json [--rounds 5]

--data names a set: NAME=FOLDER:ANNOTATIONS, or NAME=FOLDER with the annotations in FOLDER.json, as
tests/reference/make_far_near.py makes it. --inputs MODEL=INPUT,... replaces the inputs of a model; an INPUT is native,
auto, auto:BUDGET, WIDTHxHEIGHT or halves:BUDGET (the whole picture and two overlapping halves).

AP is that of boxes as they are published, clipped to the picture, and of all scores above 0.001. The time is that of a
frame without decoding: the medians of letterbox, session.run, boxes and suppression added, on one thread, with scores
above 0.35; of the rounds, in which the inputs take turns, the least. Prints Markdown: a table for each set.
"""

import argparse
import json
import os
import subprocess
import sys

INPUTS = {
    "nanodet_plus_m_416": "native,auto,640x192,640x256,704x256,832x256",
    "nanodet_m_416": "native,auto,auto:0.5,416x192,640x192,640x256,704x224,832x256,halves:0.55",
    "fastestdet_352": "native,auto,480x256,544x224,704x224",
}
HALVES = "[[0,0,1,1],[0,0,0.6,1],[0.4,0,1,1]]"
TIMED = ("letterbox", "infer", "boxes", "nms")
TIMED_SCORE = "0.35"


class Data:
    def __init__(self, text):
        self.name, _, rest = text.partition("=")
        self.folder, _, annotations = rest.partition(":")
        self.annotations = annotations or f"{self.folder.rstrip('/')}.json"
        for path in (self.folder, self.annotations):
            if not path or not os.path.exists(path):
                sys.exit(f"--data {text}: {path or 'the folder'} does not exist; expected NAME=FOLDER[:ANNOTATIONS]")


def parameters(text):
    """The parameters of an input as KEY=VALUE."""
    kind, _, budget = text.partition(":")
    parameters = ["runtime.workers=1"]
    if kind == "halves":
        parameters.append(f"input.regions={HALVES}")
        kind = "auto"
    parameters.append(f"model.input_size={kind}")
    if budget:
        parameters.append(f"model.input_budget={budget}")
    return parameters


def evaluate(program, model, text, data, *options):
    """The program's evaluation."""
    command = [program, "eval", "--images", data.folder, "--annotations", data.annotations, "--model", model]
    command += ["--json", "--quiet", "--clipped", *options]
    for parameter in parameters(text):
        command += ["--set", parameter]
    ran = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if ran.returncode != 0:
        sys.exit(f"exit code {ran.returncode}: {' '.join(command)}")
    return json.loads(ran.stdout)


def frame_ms(evaluation):
    stages = evaluation["latency_ms"]
    return sum(stages[stage]["p50"] for stage in TIMED)


def pixels_per_image(evaluation):
    """Pixels of all runs of the model, per image."""
    total = 0
    for size, runs in evaluation["input_sizes"].items():
        width, height = map(int, size.split("x"))
        total += width * height * runs
    return total / evaluation["frames"]["published"]


def sizes_text(evaluation):
    """The sizes of an image's runs, or, if they differ between images, the one used most."""
    images = evaluation["frames"]["published"]
    sizes = sorted(evaluation["input_sizes"].items(), key=lambda item: -item[1])
    if all(runs % images == 0 for _, runs in sizes):
        return ", ".join(size if runs == images else f"{runs // images} x {size}" for size, runs in sizes)
    return f"{sizes[0][0]} and {len(sizes) - 1} more"


def rows(args, data):
    """Yields a line of the table for each model and input."""
    for model, texts in args.inputs.items():
        evaluations = {text: evaluate(args.program, model, text, data) for text in texts}
        times = {text: [] for text in texts}
        for _ in range(args.rounds):
            for text in texts:
                timed = evaluate(args.program, model, text, data, "--score-threshold", TIMED_SCORE)
                times[text].append(frame_ms(timed))
        native = pixels_per_image(evaluations["native"])
        for text, one in evaluations.items():
            ms = min(times[text])
            yield (
                f"| {model}, {text} | {sizes_text(one)} | {pixels_per_image(one) / native:.2f} | {one['AP']:.3f} | "
                f"{one['AP50']:.3f} | {one['AP'] / evaluations['native']['AP']:.2f} | {ms:.2f} | "
                f"{ms / min(times['native']):.2f} | {one['AP'] / ms:.4f} |"
            )


def inputs(texts):
    chosen = dict(INPUTS)
    if texts:
        chosen = dict(text.split("=", 1) for text in texts)
    # native first: the others are compared with it
    return {model: list(dict.fromkeys(["native", *given.split(",")])) for model, given in chosen.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/shuffledet")
    parser.add_argument("--data", action="append", required=True, type=Data, metavar="NAME=FOLDER[:ANNOTATIONS]")
    parser.add_argument("--inputs", action="append", metavar="MODEL=INPUT,...")
    parser.add_argument("--rounds", type=int, default=3, help="how often each time is measured [default: 3]")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f"--rounds {args.rounds}: expected at least 1")
    args.inputs = inputs(args.inputs)

    for data in args.data:
        print(f"Set `{data.name}`:\n")
        print("| model, input | size | pixels | AP | AP50 | AP over native's | ms | ms over native's | AP per ms |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for row in rows(args, data):
            print(row, flush=True)
        print()


if __name__ == "__main__":
    main()
