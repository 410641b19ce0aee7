#!/usr/bin/env python3
"""Figures of tracks by TrackEval: what `shuffledet eval-tracks --json` says, computed by somebody else.

    track_figures.py CASE ...

CASE is a folder: `protocol` holds mot15, mot17, mot20 or kitti, `truth/` and `tracks/` hold the files of each sequence in
that benchmark's layout. Prints one line of JSON for each case: `per_class` and `sequences` with TrackEval's figures,
and for KITTI `combined` and `class_average` of its two classes. HOTA's figures are the mean over alpha; `curves` has them
at each alpha.
"""

import contextlib
import json
import pathlib
import sys

import numpy

with contextlib.redirect_stdout(sys.stderr):
    # it prints which of its benchmarks lack a package
    import trackeval

MEANS = ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr")
PLAIN = {
    "CLEAR": {"MOTA": "MOTA", "MOTP": "MOTP", "CLR_FN": "FN", "CLR_FP": "FP", "IDSW": "IDSW", "Frag": "Frag",
              "MT": "MT", "PT": "PT", "ML": "ML"},
    "Identity": {"IDF1": "IDF1", "IDP": "IDP", "IDR": "IDR"},
}
QUIET = {"PRINT_CONFIG": False}


def dataset(case):
    protocol = (case / "protocol").read_text().strip()
    if protocol == "kitti":
        config = {
            "GT_FOLDER": str(case / "truth"),
            "TRACKERS_FOLDER": str(case),
            "TRACKERS_TO_EVAL": ["tracks"],
            "TRACKER_SUB_FOLDER": "",
            "SPLIT_TO_EVAL": "all",
        }
        return trackeval.datasets.Kitti2DBox({**config, **QUIET})
    sequences = sorted(path.name for path in (case / "truth").iterdir())
    config = {
        "GT_FOLDER": str(case / "truth"),
        "TRACKERS_FOLDER": str(case),
        "TRACKERS_TO_EVAL": ["tracks"],
        "TRACKER_SUB_FOLDER": "",
        "SKIP_SPLIT_FOL": True,
        "SEQ_INFO": {name: None for name in sequences},
        "BENCHMARK": protocol.upper(),
    }
    return trackeval.datasets.MotChallenge2DBox({**config, **QUIET})


def figures(results):
    found = {name: float(numpy.mean(results["HOTA"][name])) for name in MEANS}
    found["curves"] = {name: numpy.asarray(results["HOTA"][name]).tolist() for name in MEANS}
    for metric, names in PLAIN.items():
        found.update({ours: float(results[metric][theirs]) for theirs, ours in names.items()})
    return found


def evaluate(case):
    data = dataset(case)
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(QUIET), trackeval.metrics.Identity(QUIET)]
    _, sequences, classes = data.get_eval_info()
    results = {}
    for sequence in sequences:
        raw = data.get_raw_seq_data("tracks", sequence)
        for name in classes:
            prepared = data.get_preprocessed_seq_data(raw, name)
            of_class = results.setdefault(name, {})
            of_class[sequence] = {metric.get_name(): metric.eval_sequence(prepared) for metric in metrics}
    joined, averages, all_boxes = {}, {}, {}
    for metric in metrics:
        name = metric.get_name()
        by_class = {}
        for one in classes:
            by_class[one] = metric.combine_sequences({s: r[name] for s, r in results[one].items()})
            joined.setdefault(one, {})[name] = by_class[one]
        averages[name] = metric.combine_classes_class_averaged(by_class, ignore_empty_classes=True)
        all_boxes[name] = metric.combine_classes_det_averaged(by_class)
    return {
        "per_class": {name: figures(results) for name, results in joined.items()},
        "class_average": figures(averages),
        "combined": figures(all_boxes),
        "sequences": {name: {s: figures(r) for s, r in results[name].items()} for name in classes},
    }


def main():
    for path in sys.argv[1:]:
        with contextlib.redirect_stdout(sys.stderr):
            found = evaluate(pathlib.Path(path))
        print(json.dumps(found))


if __name__ == "__main__":
    main()
