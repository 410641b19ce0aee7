"""Runs shuffledet_node for a long time among faults, and checks that nothing is lost and nothing grows.

    soak.py --node target/release/shuffledet_node --minutes 30 --output soak [--model road] [--seed 1]

Two cameras publish made pictures at 10 Hz, one raw and one compressed. Every few seconds a fault of FAULTS is chosen by
the seed. OUTPUT/report.md has the verdict, the faults with their counts and the samples; OUTPUT/samples.csv all samples;
OUTPUT/node.log the node's log. The exit code is 1 if a check fails. Run by scripts/soak.sh.

The checks: the counters of each camera add up, in every message of /diagnostics; detections have stamps that were
published, each at most as often as it was published; the node answers after every fault and detects again within
RECOVERY seconds; between the first and the last fifth of the run threads, open files and the least resident memory do not
grow, and the p99 of the latency does not double; the node ends within two seconds of SIGTERM with exit code 0.
"""

import argparse
import collections
import contextlib
import csv
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import threading
import time

RATE_HZ = 10.0
RECOVERY = 20.0  # seconds
SAMPLE_INTERVAL = 5.0  # seconds
MEMORY_GROWTH = 64 * 1024**2  # bytes: the allocators' own noise
CAMERAS = {"front": ("/front/image_raw", False), "rear": ("/rear/image_raw/compressed", True)}
SIZE = {"width": 640, "height": 360}


class Camera:
    """Publishes pictures at RATE_HZ from a thread of its own, and knows the stamps."""

    def __init__(self, soak, name, topic, compressed):
        self.soak, self.name, self.topic, self.compressed = soak, name, topic, compressed
        self.type = soak.types.CompressedImage if compressed else soak.types.Image
        encoding = "png" if compressed else "bgr8"
        self.pictures = [soak.frames.made(**SIZE, encoding=encoding, moved=moved) for moved in range(0, 16, 4)]
        self.stamps = collections.Counter()
        self.lock = threading.Lock()
        self.silent = threading.Event()
        self.stopped = threading.Event()
        self.publisher = None
        self.open()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def open(self):
        reliability = self.soak.messages.qos(depth=5, reliability="best_effort")
        with self.lock:
            self.publisher = self.soak.peer.node.create_publisher(self.type, self.topic, reliability)

    def close(self):
        with self.lock:
            publisher, self.publisher = self.publisher, None
        self.soak.peer.node.destroy_publisher(publisher)

    def send(self, data, stamp=None):
        """Publishes serialized bytes of an image with a stamp, by default of now."""
        stamp = time.time_ns() if stamp is None else stamp
        with self.lock:
            if self.publisher is None:
                return
            self.stamps[stamp] += 1
            self.soak.sent_at.setdefault((self.name, stamp), time.monotonic())
            self.publisher.publish(self.soak.frames.stamped(data, stamp))

    def run(self):
        due, count = time.monotonic(), 0
        while not self.stopped.is_set():
            if not self.silent.is_set():
                self.send(self.pictures[count % len(self.pictures)])
                count += 1
            due = max(due + 1 / RATE_HZ, time.monotonic() - 1)
            self.stopped.wait(max(0.0, due - time.monotonic()))

    def end(self):
        self.stopped.set()
        self.thread.join()


class Soak:
    def __init__(self, args):
        # imported here: rclpy reads its environment once
        sys.path.insert(0, str(pathlib.Path(__file__).parent))
        import frames
        import messages
        import rclpy
        import sensor_msgs.msg as types
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.serialization import serialize_message
        from vision_msgs.msg import Detection2DArray

        from peer import Peer

        self.args, self.frames, self.messages, self.types = args, frames, messages, types
        self.rclpy = rclpy
        self.serialize = serialize_message
        self.random = random.Random(args.seed)
        self.output = args.output
        self.output.mkdir(parents=True, exist_ok=True)
        self.problems, self.samples, self.faults = [], [], collections.Counter()
        self.sent_at, self.latencies = {}, collections.deque()
        self.arrived = {name: collections.Counter() for name in CAMERAS}
        self.heard = dict.fromkeys(CAMERAS, time.monotonic())
        self.unbalanced, self.books = collections.Counter(), {}
        self.log = (self.output / "node.log").open("wb")
        self.node = self.start_node()
        self.peer = Peer("soak")
        for name in CAMERAS:
            self.peer.node.create_subscription(
                Detection2DArray, f"/shuffledet/{name}/detections", self.on_detections(name), messages.qos(depth=200)
            )
        self.peer.node.create_subscription(DiagnosticArray, "/diagnostics", self.on_diagnostics, 10)
        self.cameras = {name: Camera(self, name, *camera) for name, camera in CAMERAS.items()}

    def start_node(self):
        command = [self.args.node, "--ros-args", "-p", "cameras:=[front, rear]"]
        command += ["-p", "camera.rear.transport:=compressed", "-p", f"model.name:={self.args.model}"]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    # --- what comes from the node -----------------------------------------------------------------------------------

    def on_detections(self, name):
        def arrived(message):
            stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            now = time.monotonic()
            self.arrived[name][stamp] += 1
            self.heard[name] = now
            sent = self.sent_at.pop((name, stamp), None)
            if sent is not None:
                self.latencies.append((now, (now - sent) * 1000))

        return arrived

    def on_diagnostics(self, message):
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if "received" not in values:
                continue
            counts = {key: int(values[key]) for key in ("received", "published", "dropped", "failed")}
            self.books[status.name] = counts
            waiting = counts["received"] - counts["published"] - counts["dropped"] - counts["failed"]
            # a few frames are being processed
            if not 0 <= waiting <= 64:
                self.unbalanced[status.name] += 1
                self.problem(f"{status.name}: {counts}")

    def problem(self, text):
        self.problems.append(f"{time.monotonic() - self.began:.0f} s: {text}")
        print(f"soak: {self.problems[-1]}", file=sys.stderr, flush=True)

    def sample(self):
        folder = pathlib.Path(f"/proc/{self.node.pid}")
        now = time.monotonic()
        recent = sorted(ms for at, ms in self.latencies if at > now - SAMPLE_INTERVAL)
        while self.latencies and self.latencies[0][0] < now - SAMPLE_INTERVAL:
            self.latencies.popleft()
        with contextlib.suppress(RuntimeError):  # a camera has just sent: the next sample removes them
            for key in [key for key, at in self.sent_at.items() if at < now - 60]:
                del self.sent_at[key]
        pages = int((folder / "statm").read_text().split()[1])
        self.samples.append(
            {
                "s": round(now - self.began, 1),
                "rss_mb": round(pages * os.sysconf("SC_PAGESIZE") / 1024**2, 1),
                "threads": len(list((folder / "task").iterdir())),
                "files": len(list((folder / "fd").iterdir())),
                "frames": len(recent),
                "p50_ms": round(recent[len(recent) // 2], 2) if recent else "",
                "p99_ms": round(recent[int(0.99 * (len(recent) - 1))], 2) if recent else "",
            }
        )

    def sampling(self):
        while not self.ended.wait(SAMPLE_INTERVAL):
            if self.node.poll() is not None:
                return
            self.sample()

    # --- the faults -------------------------------------------------------------------------------------------------

    def camera(self):
        return self.random.choice(list(self.cameras.values()))

    def only(self, name, *pictures):
        """Publishes these serialized pictures in place of the camera's own for a second."""
        camera = self.cameras[name]
        camera.silent.set()
        for count in range(10):
            time.sleep(1 / RATE_HZ)
            camera.send(pictures[count % len(pictures)])
        camera.silent.clear()

    def compressed(self, data):
        return self.serialize(self.types.CompressedImage(format="png", data=data))

    def raw(self, width, height, step, encoding="bgr8"):
        image = self.types.Image(width=width, height=height, step=step, encoding=encoding, data=bytes(64))
        return self.serialize(image)

    def broken_bytes(self):
        """Pictures whose data no decoder takes."""
        self.only("rear", self.frames.made(**SIZE, encoding="broken"), self.compressed(b""))

    def cut_picture(self):
        """Compressed pictures that lack a part of their data."""
        whole = self.frames.png(640, 360, 0)
        self.only("rear", *(self.compressed(whole[: len(whole) * tenth // 10]) for tenth in range(1, 10)))

    def huge_claim(self):
        """PNGs that claim 30000x30000 pixels."""
        data = bytearray(self.frames.png(64, 48, 0))
        data[16:24] = (30000).to_bytes(4, "big") * 2
        self.only("rear", self.compressed(bytes(data)))

    def wrong_geometry(self):
        """Raw pictures whose size does not fit their data."""
        sizes = ((640, 360, 1), (2**31, 2**31, 2**31), (0, 0, 0), (640, 0, 1920))
        self.only("front", *(self.raw(*size) for size in sizes))

    def unknown_encoding(self):
        """Raw pictures of an encoding that does not exist."""
        self.only("front", self.raw(8, 8, 8, encoding="\x1b[31mno"))

    def other_sizes(self):
        """Pictures of other sizes."""
        sizes = ((1920, 1080), (64, 48), (33, 1), (1000, 40))
        self.only("front", *(self.frames.made(width=width, height=height) for width, height in sizes))

    def bad_stamps(self):
        """Stamps of zero, of an hour ago, of an hour ahead, and one stamp three times."""
        camera, now = self.camera(), time.time_ns()
        for stamp in (0, now - 3600 * 10**9, now + 3600 * 10**9, now, now, now):
            camera.send(camera.pictures[0], stamp)

    def burst(self):
        """200 frames at once."""
        camera = self.camera()
        for _ in range(200):
            camera.send(camera.pictures[0])

    def silence(self):
        """A camera sends nothing for three seconds."""
        camera = self.camera()
        camera.silent.set()
        time.sleep(3)
        camera.silent.clear()

    def restarted_camera(self):
        """A camera's publisher goes, and comes again."""
        camera = self.camera()
        camera.close()
        time.sleep(self.random.uniform(0.1, 2))
        camera.open()

    def second_publisher(self):
        """A second camera publishes on the topic of the first for a second."""
        camera = self.camera()
        other = self.peer.node.create_publisher(camera.type, camera.topic, self.messages.qos(depth=5))
        for _ in range(10):
            stamp = time.time_ns()
            camera.stamps[stamp] += 1
            other.publish(self.frames.stamped(camera.pictures[0], stamp))
            time.sleep(0.1)
        self.peer.node.destroy_publisher(other)

    def other_type(self):
        """A publisher of another type on the topic of a camera."""
        context = self.rclpy.Context()
        self.rclpy.init(context=context)
        stranger = self.rclpy.create_node("stranger", context=context)
        other = self.messages.find_type("diagnostic_msgs/msg/DiagnosticArray")
        stranger.create_publisher(other, self.cameras["front"].topic, 10)
        time.sleep(1)
        stranger.destroy_node()
        self.rclpy.shutdown(context=context)

    def many_subscribers(self):
        """Ten subscribers of every output come, read nothing for a second, and go."""
        detections = self.messages.find_type("vision_msgs/msg/Detection2DArray")
        image = self.types.Image
        topics = [("detections", detections), ("tracks", detections), ("image_annotated", image)]
        there = [
            self.peer.node.create_subscription(type, f"/shuffledet/front/{topic}", lambda message: None, 1)
            for topic, type in topics
            for _ in range(10)
        ]
        time.sleep(1)
        for subscription in there:
            self.peer.node.destroy_subscription(subscription)

    def frozen_process(self):
        """SIGSTOP for up to two seconds."""
        self.node.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.2, 2))
        self.node.send_signal(signal.SIGCONT)

    def busy_machine(self):
        """Four processes take the cores for three seconds."""
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
        time.sleep(3)
        for process in busy:
            process.kill()
            process.wait()

    def changed_parameters(self):
        """Parameters change, among them some that are refused."""
        good = {"detector.score_threshold": self.random.uniform(0.2, 0.6), "log_level": "info"}
        good["tracking.enabled"] = self.random.random() < 0.8
        answer = self.peer.parameters("set", values=good)
        if not all(result["successful"] for result in answer["results"]):
            self.problem(f"parameters refused: {answer}")
        bad = {"detector.score_threshold": 7.0, "input.max_age_ms": -1.0, "model.input_size": "13x13"}
        answer = self.peer.parameters("set", values=bad)
        if any(result["successful"] for result in answer["results"]):
            self.problem(f"bad parameters accepted: {answer}")

    def deactivated(self):
        """The node is deactivated for a second."""
        self.transition("deactivate")
        time.sleep(1)
        self.transition("activate")

    def cleaned_up(self):
        """The node is deactivated, cleaned up, configured and activated."""
        for transition in ("deactivate", "cleanup", "configure", "activate"):
            self.transition(transition)

    def reloaded(self):
        """~/reload, and the model's input size."""
        if "/shuffledet/reload" not in self.peer.services():
            return
        answer = self.peer.service("/shuffledet/reload", "std_srvs/srv/Trigger", timeout=60)
        if not answer["success"]:
            self.problem(f"reload: {answer}")

    def transition(self, name):
        answer = self.peer.lifecycle("change_state", transition=name, timeout=60)
        if not answer["success"]:
            self.problem(f"{name}: {answer}")

    FAULTS = (
        broken_bytes, cut_picture, huge_claim, wrong_geometry, unknown_encoding, other_sizes, bad_stamps, burst, silence,
        restarted_camera, second_publisher, other_type, many_subscribers, frozen_process, busy_machine,
        changed_parameters, deactivated, cleaned_up, reloaded,
    )  # fmt: skip

    # --- the run ----------------------------------------------------------------------------------------------------

    def detects_again(self, since, fault):
        """Waits until both cameras have detections from after `since`."""
        limit = time.monotonic() + RECOVERY
        while any(heard < since for heard in self.heard.values()):
            if self.node.poll() is not None:
                self.problem(f"the node ended with {self.node.returncode} after {fault}")
                return False
            if time.monotonic() > limit:
                silent = [name for name, heard in self.heard.items() if heard < since]
                self.problem(f"no detections of {', '.join(silent)} within {RECOVERY:.0f} s after {fault}")
                return False
            time.sleep(0.05)
        return True

    def run(self):
        self.began = time.monotonic()
        self.ended = threading.Event()
        sampling = threading.Thread(target=self.sampling, daemon=True)
        if self.detects_again(self.began, "the start"):
            sampling.start()
        end = self.began + 60 * self.args.minutes
        # the first round has every fault once
        rounds = list(self.FAULTS)
        while time.monotonic() < end and self.node.poll() is None:
            if not rounds:
                rounds = self.random.sample(self.FAULTS, len(self.FAULTS))
            fault = rounds.pop(0)
            try:
                fault(self)
            except Exception as error:
                self.problem(f"{fault.__name__}: {type(error).__name__}: {error}")
            self.faults[fault] += 1
            if not self.detects_again(time.monotonic(), fault.__name__):
                break
            time.sleep(self.random.uniform(0.5, 3))
        self.ended.set()
        self.finish()

    def finish(self):
        for camera in self.cameras.values():
            camera.end()
        time.sleep(3)
        for name, counts in self.books.items():
            if counts["received"] != counts["published"] + counts["dropped"] + counts["failed"]:
                self.problem(f"{name}: the books do not add up at the end: {counts}")
        for name, arrived in self.arrived.items():
            stamps = self.cameras[name].stamps
            foreign = [stamp for stamp in arrived if stamp not in stamps]
            repeated = [stamp for stamp, count in arrived.items() if count > stamps[stamp]]
            if foreign or repeated:
                self.problem(f"{name}: {len(foreign)} stamps that nobody sent, {len(repeated)} sent less often")
        if self.node.poll() is None:
            self.node.terminate()
            asked = time.monotonic()
            try:
                self.node.wait(10)
            except subprocess.TimeoutExpired:
                self.node.kill()
                self.node.wait()
            took = time.monotonic() - asked
            if self.node.returncode != 0 or took > 2:
                self.problem(f"SIGTERM: exit code {self.node.returncode} after {took:.1f} s")
        self.compare()
        self.write()
        self.peer.close()

    def compare(self):
        """Compares the first fifth of the samples with the last."""
        fifth = max(1, len(self.samples) // 5)
        parts = {"first": self.samples[:fifth], "last": self.samples[-fifth:]}
        self.parts = {
            part: {
                # the allocators keep much for a while; a leak raises the least, too
                key: (min if key == "rss_mb" else statistics.median)(
                    sample[key] for sample in samples if sample[key] != ""
                )
                for key in ("rss_mb", "threads", "files", "p50_ms", "p99_ms")
            }
            for part, samples in parts.items()
            if any(sample["p99_ms"] != "" for sample in samples)
        }
        if len(self.parts) < 2:
            self.problem("too few samples to compare")
            return
        first, last = self.parts["first"], self.parts["last"]
        for key, most in (
            ("rss_mb", first["rss_mb"] + MEMORY_GROWTH / 1024**2),
            ("threads", first["threads"] + 2),
            ("files", first["files"] + 4),
            ("p99_ms", 2 * first["p99_ms"] + 20),
        ):
            if last[key] > most:
                self.problem(f"{key} grew from {first[key]} to {last[key]}")

    def write(self):
        with (self.output / "samples.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["s", "rss_mb", "threads", "files", "frames", "p50_ms", "p99_ms"])
            writer.writeheader()
            writer.writerows(self.samples)
        lines = ["# Soak", "", "| | |", "| --- | --- |"]
        minutes = (time.monotonic() - self.began) / 60
        lines += [f"| verdict | {'failed' if self.problems else 'passed'} |", f"| minutes | {minutes:.1f} |"]
        lines += [f"| model, seed | {self.args.model}, {self.args.seed} |"]
        lines += [f"| {name} | {counts} |" for name, counts in sorted(self.books.items())]
        sent = {name: camera.stamps.total() for name, camera in self.cameras.items()}
        lines += [f"| sent, detections | {sent}, {({name: a.total() for name, a in self.arrived.items()})} |"]
        lines += ["", "| fault | times |", "| --- | --- |"]
        lines += [f"| {fault.__doc__} | {count} |" for fault, count in self.faults.most_common()]
        lines += ["", "| median of a fifth | least memory (MB) | threads | files | p50 (ms) | p99 (ms) |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        keys = ("rss_mb", "threads", "files", "p50_ms", "p99_ms")
        for part, medians in self.parts.items():
            lines.append(f"| {part} | " + " | ".join(str(medians[key]) for key in keys) + " |")
        lines += ["", "Problems:", ""] + [f"- {problem}" for problem in self.problems or ["none"]]
        (self.output / "report.md").write_text("\n".join(lines) + "\n")
        print("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node", type=pathlib.Path, default=pathlib.Path("target/release/shuffledet_node"))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("soak"))
    parser.add_argument("--model", default="road")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    soak = Soak(args)
    soak.run()
    sys.exit(1 if soak.problems else 0)


if __name__ == "__main__":
    main()
