#!/usr/bin/env python3
"""From a camera's publish call to the detections' arrival back at its process: shuffledet_node on real ROS 2.

Publishes the JPEG images of a recording at 25 Hz to a node that it starts itself, with shared-memory transport and
without, and compares with the sum of the stage medians that `shuffledet replay` needs for the same frames. Prints one
JSON object a transport. To be run with a ROS 2 sourced (scripts/bench.sh does).

    latency.py RECORDING --topic /camera/front/image_raw/compressed --model fastestdet_352 --bin target/release
"""

import argparse
import gc
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

RATE_HZ = 25.0
WARM_UP = 25
STAGES = ("decode", "letterbox", "infer", "boxes", "nms", "publish")


def quantiles(values):
    ordered = sorted(values)
    shares = {"p50": 0.5, "p99": 0.99}
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in shares.items()}


def replay_stages_ms(args):
    """The sum of the medians of the stages, one worker, paced as recorded."""
    command = [args.bin / "shuffledet", "replay", args.recording, "--model", args.model, "--json", "--rate", "1"]
    run = subprocess.run([*command, "--set", "runtime.workers=1"], check=True, capture_output=True, text=True)
    stages = json.loads(run.stdout)["stages_ms"]
    return sum(stages[stage]["p50"] for stage in STAGES)


def measure(args, transport):
    """In a process of its own, because rclpy reads the transport once."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import CompressedImage
    from vision_msgs.msg import Detection2DArray

    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "ros"))
    from frames import recorded, stamp_of, stamped

    rclpy.init()
    node = rclpy.create_node("bench_camera")
    arrived, read, latencies = {}, {}, []

    # the bytes of a message, as a peer in any language gets them; what Python's objects cost is told apart
    def on_detections(serialized):
        stamp = stamp_of(serialized)
        arrived[stamp] = time.monotonic()
        deserialize_message(serialized, Detection2DArray)
        read[stamp] = time.monotonic()

    def on_latency(message):
        latencies.append({value.key: float(value.value) for value in message.status[0].values})

    node.create_subscription(Detection2DArray, "/shuffledet/detections", on_detections, 10, raw=True)
    node.create_subscription(DiagnosticArray, "/shuffledet/latency", on_latency, 10)
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = node.create_publisher(CompressedImage, "/image_raw/compressed", best_effort)
    images = list(recorded(args.recording, args.topic))

    limit = time.monotonic() + 20
    while publisher.get_subscription_count() == 0:
        rclpy.spin_once(node, timeout_sec=0.05)
        if time.monotonic() > limit:
            sys.exit("the node did not subscribe within 20 s")
    sent = {}
    gc.disable()
    due = time.monotonic()
    for image in images:
        while (left := due - time.monotonic()) > 0:
            rclpy.spin_once(node, timeout_sec=left)
        due += 1 / RATE_HZ
        stamp = time.time_ns()
        image = stamped(image, stamp)
        sent[stamp] = time.monotonic()
        publisher.publish(image)
    until = time.monotonic() + 1
    while time.monotonic() < until:
        rclpy.spin_once(node, timeout_sec=0.05)
    counted = list(sent)[WARM_UP:]
    got = [stamp for stamp in counted if stamp in arrived]
    own = [entry["latency_ms"] - sum(entry[f"{stage}_ms"] for stage in STAGES) for entry in latencies[WARM_UP:]]
    print(
        json.dumps(
            {
                "transport": transport,
                "model": args.model,
                "frames": len(counted),
                "lost": len(counted) - len(got),
                "round_trip_ms": quantiles(1000 * (arrived[stamp] - sent[stamp]) for stamp in got),
                "read_by_python_ms": quantiles(1000 * (read[stamp] - sent[stamp]) for stamp in got),
                "node_ms": quantiles(entry["latency_ms"] for entry in latencies[WARM_UP:]),
                "own_share_ms": quantiles(own),
            }
        )
    )
    rclpy.shutdown()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=pathlib.Path, help="a rosbag2 folder")
    parser.add_argument("--topic", default="/camera/front/image_raw/compressed", help="of compressed images")
    parser.add_argument("--model", default="fastestdet_352")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("target/release"))
    parser.add_argument("--transport", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.transport:
        return measure(args, args.transport)

    stages_ms = replay_stages_ms(args)
    for transport, setting in (("shared memory", "DEFAULT"), ("UDP", "UDPv4")):
        environment = {
            **os.environ,
            "FASTDDS_BUILTIN_TRANSPORTS": setting,
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID", "42"),
        }
        with tempfile.TemporaryFile() as log:
            command = [args.bin / "shuffledet_node", "--ros-args", "-p", f"model.name:={args.model}"]
            node = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                own = [sys.executable, __file__, *sys.argv[1:], "--transport", transport]
                run = subprocess.run(own, env=environment, check=True, capture_output=True, text=True)
            finally:
                node.terminate()
                node.wait(10)
        result = json.loads(run.stdout)
        result["stages_ms"] = stages_ms
        for share in ("p50", "p99"):
            result[f"{share}_over_stages"] = result["round_trip_ms"][share] / stages_ms
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
