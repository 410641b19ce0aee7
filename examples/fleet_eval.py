"""Evaluate recordings on a Ray cluster: each in shards, each shard a task, the shards merged.

    python examples/fleet_eval.py RECORDINGS OUT [--shards N] [-- ARGUMENTS OF shuffledet eval]

RECORDINGS is a folder or any address that fsspec opens (s3://bucket/drives, gs://..., sftp://...). A recording is a
folder with a metadata.yaml, or a lone .mcap or .db3 file; its annotations lie beside it under the same name, as
drive1.json beside drive1/ or drive1.mcap. OUT gets NAME.json for each, as one `shuffledet eval` gives it.

Every machine of the cluster needs shuffledet with its models, and fsspec with what opens the address. docs/fleet.md
tells more.
"""

import argparse
import json
import os
import pathlib
import posixpath
import subprocess
import sys
import tempfile

# Ray reports how it is used to its maker otherwise; a cluster that is joined was started by others, who decide for it
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import fsspec
import ray
from fsspec.implementations.local import LocalFileSystem

RECORDING_SUFFIXES = (".mcap", ".db3")


def recordings(address):
    """By name, the address of each recording and that of its annotations; recordings without any are left out."""
    filesystem, root = fsspec.core.url_to_fs(address)
    found = {}
    for entry in filesystem.ls(root, detail=True):
        path = entry["name"].rstrip("/")
        if entry["type"] == "directory":
            is_recording = filesystem.exists(posixpath.join(path, "metadata.yaml"))
        else:
            is_recording = path.endswith(RECORDING_SUFFIXES)
        if not is_recording:
            continue
        stem = path if entry["type"] == "directory" else posixpath.splitext(path)[0]
        name = posixpath.basename(stem)
        if name in found:
            sys.exit(f"{address}: two recordings are called {name}; rename one")
        if filesystem.exists(stem + ".json"):
            found[name] = tuple(filesystem.unstrip_protocol(part) for part in (path, stem + ".json"))
        else:
            print(f"{name}: no annotations beside it, left out", file=sys.stderr)
    return found


def fetch(address, folder):
    """A path of what is at `address`: itself where it is on this machine, else a copy in `folder`."""
    filesystem, path = fsspec.core.url_to_fs(address)
    if isinstance(filesystem, LocalFileSystem):
        return path
    target = str(pathlib.Path(folder, posixpath.basename(path.rstrip("/"))))
    filesystem.get(path, target, recursive=True)
    return target


class EvaluationFailed(Exception):
    """shuffledet refused: doing it again would end the same way."""


def evaluate(shuffledet, recording, annotations, shard, arguments):
    """One shard of one recording; the bytes of its evaluation file."""
    with tempfile.TemporaryDirectory(prefix="shuffledet-") as folder:
        output = pathlib.Path(folder, "shard.json")
        command = [shuffledet, "eval", fetch(recording, folder), "--annotations", fetch(annotations, folder)]
        command += ["--shard", shard, "--output", str(output), "--quiet", *arguments]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        # 2: some images failed, which the file tells
        if ended.returncode not in (0, 2):
            raise EvaluationFailed(f"{recording}, shard {shard}: {ended.stderr.strip()}")
        return output.read_bytes()


def merge(shuffledet, shards, target):
    """Joins the bytes of the shards into `target`."""
    with tempfile.TemporaryDirectory(prefix="shuffledet-") as folder:
        paths = []
        for number, shard in enumerate(shards):
            path = pathlib.Path(folder, f"{number}.json")
            path.write_bytes(shard)
            paths.append(str(path))
        command = [shuffledet, "merge", *paths, "--output", str(target), "--force", "--quiet"]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if ended.returncode not in (0, 2):
            raise EvaluationFailed(f"{target}: {ended.stderr.strip()}")
    return json.loads(pathlib.Path(target).read_bytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", help="a folder, or an address that fsspec opens")
    parser.add_argument("out", type=pathlib.Path, help="the folder for the results")
    parser.add_argument("--shards", type=int, default=4, help="of each recording (default: 4)")
    parser.add_argument("--cpus", type=int, default=1, help="cores of a shard's task (default: 1)")
    parser.add_argument("--retries", type=int, default=3, help="of a task whose worker died or whose input failed")
    parser.add_argument("--address", help="of a Ray cluster, or auto (default: a cluster of this machine's own)")
    parser.add_argument("--cluster-cpus", type=int, help="cores of this machine's own cluster (default: all)")
    parser.add_argument("--shuffledet", default="shuffledet", help="the program (default: from PATH)")
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    options, arguments = parser.parse_args(given[:end]), given[end + 1 :]
    if options.shards < 1 or options.cpus < 1:
        parser.error("--shards and --cpus: expected at least 1")

    found = recordings(options.recordings)
    if not found:
        sys.exit(f"{options.recordings}: no recording with annotations beside it")
    options.out.mkdir(parents=True, exist_ok=True)
    cluster = {"address": options.address} if options.address else {"address": "local", "num_cpus": options.cluster_cpus}
    ray.init(**cluster, include_dashboard=False if not options.address else None, log_to_driver=False)
    task = ray.remote(num_cpus=options.cpus, max_retries=options.retries, retry_exceptions=[OSError])(evaluate)
    arguments = ["--set", f"runtime.workers={options.cpus}", *arguments]
    pending = {}
    for name, (recording, annotations) in found.items():
        for index in range(options.shards):
            shard = f"{index + 1}/{options.shards}"
            pending[task.remote(options.shuffledet, recording, annotations, shard, arguments)] = (name, index)

    shards = {name: {} for name in found}
    failures = {}
    while pending:
        (done,), _ = ray.wait(list(pending), num_returns=1)
        name, index = pending.pop(done)
        try:
            shards[name][index] = ray.get(done)
            if len(shards[name]) == options.shards:
                result = merge(options.shuffledet, shards.pop(name).values(), options.out / f"{name}.json")
                images = result["frames"]["received"]
                print(f"{name}: AP {result['AP']:.4f}, AP50 {result['AP50']:.4f}, {images} images", flush=True)
        except (EvaluationFailed, ray.exceptions.RayError) as error:
            # of a recording one failure is enough to know
            failures.setdefault(name, str(getattr(error, "cause", None) or error).strip())
    for name, failure in failures.items():
        print(f"{name}: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
