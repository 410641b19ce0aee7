#!/usr/bin/env python3
"""The live node on a real ROS 2: a camera plays a recording to it, and what comes back is told.

Starts shuffledet_node, publishes the recording's JPEG images at 25 Hz from this process, and prints how many
Detection2DArray came back, what was in them, and the node's own line in /diagnostics. To be run with a ROS 2 sourced
(scripts/demo.sh does).

    demo_node.py RECORDING --node target/release/shuffledet_node
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "ros"))

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from frames import recorded
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage
from vision_msgs.msg import Detection2DArray

RATE_HZ = 25.0
TOPIC = "/camera/front/image_raw/compressed"


def play(node, recording):
    labels, received, health = collections.Counter(), 0, {}

    def on_detections(message):
        nonlocal received
        received += 1
        labels.update(detection.results[0].hypothesis.class_id for detection in message.detections)

    def on_diagnostics(message):
        health.update((status.name, status.message) for status in message.status)

    node.create_subscription(Detection2DArray, "/shuffledet/detections", on_detections, 10)
    node.create_subscription(DiagnosticArray, "/diagnostics", on_diagnostics, 10)
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    camera = node.create_publisher(CompressedImage, TOPIC, best_effort)
    limit = time.monotonic() + 30
    while camera.get_subscription_count() == 0:
        rclpy.spin_once(node, timeout_sec=0.05)
        if time.monotonic() > limit:
            sys.exit("demo_node: the node did not subscribe within 30 s")
    sent, due = 0, time.monotonic()
    for data in recorded(recording, TOPIC):
        while (left := due - time.monotonic()) > 0:
            rclpy.spin_once(node, timeout_sec=left)
        due += 1 / RATE_HZ
        image = deserialize_message(data, CompressedImage)
        image.header.stamp = node.get_clock().now().to_msg()
        camera.publish(image)
        sent += 1
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        rclpy.spin_once(node, timeout_sec=0.05)

    found = ", ".join(f"{label} {count:,}" for label, count in labels.most_common(4))
    print(f"images      {sent} published on {TOPIC} at {RATE_HZ:g} Hz")
    print(f"results     {received} on /shuffledet/detections: {found}")
    for name, message in sorted(health.items()):
        print(f"diagnostics {name}: {message}")
    return received


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=pathlib.Path, help="a rosbag2 folder")
    parser.add_argument("--node", type=pathlib.Path, default=ROOT / "target/release/shuffledet_node")
    args = parser.parse_args()
    # nobody else's topics, and nobody else's network
    os.environ.setdefault("ROS_DOMAIN_ID", "77")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    arguments = ["-r", "image_raw:=/camera/front/image_raw", "-p", "detector.classes:=[road]", "--log-level", "warn"]
    node = subprocess.Popen([args.node, "--ros-args", *arguments])
    try:
        rclpy.init()
        received = play(rclpy.create_node("demo_camera"), args.recording)
        rclpy.shutdown()
    finally:
        node.terminate()
        status = node.wait(10)
    if not received or status:
        sys.exit(f"demo_node: {received} results, and the node ended with {status}")


if __name__ == "__main__":
    main()
