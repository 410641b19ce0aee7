#!/usr/bin/env python3
"""Reads a recording that shuffledet wrote, with other people's readers, and prints what is in it as JSON.

The MCAP file is read with `mcap` and `mcap-ros2-support`; where a metadata.yaml lies beside it, the folder is read
once more with `rosbags`, and the two must agree on every message.

    read_output.py OUT.mcap
"""

import argparse
import hashlib
import json
import pathlib
import sys

from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore, get_types_from_msg


def number(value):
    """A ROS byte is an int to one reader and a bytes object to the other."""
    return value[0] if isinstance(value, bytes) else int(value)


def detection(message):
    hypothesis, *further = [result.hypothesis for result in message.results]
    bbox = message.bbox
    centre = bbox.center.position
    width, height = (bbox.size.x, bbox.size.y) if hasattr(bbox, "size") else (bbox.size_x, bbox.size_y)
    return {
        "class_id": hypothesis.class_id,
        "score": hypothesis.score,
        "further": [[other.class_id, other.score] for other in further],
        "cx": centre.x,
        "cy": centre.y,
        "w": width,
        "h": height,
        "id": message.id,
    }


def annotation(points, text):
    """A box with its text; both have the image's time."""
    colours = [[colour.r, colour.g, colour.b, colour.a] for colour in (points.outline_color, text.background_color)]
    return {
        "stamps_ns": [part.timestamp.sec * 1_000_000_000 + part.timestamp.nanosec for part in (points, text)],
        "is_loop": points.type == points.LINE_LOOP,
        "corners": [[point.x, point.y] for point in points.points],
        "colours": colours,
        "thickness": points.thickness,
        "text": text.text,
        "at": [text.position.x, text.position.y],
        "font": text.font_size,
    }


def status(message):
    return {
        "level": number(message.level),
        "name": message.name,
        "message": message.message,
        "hardware_id": message.hardware_id,
        "values": {pair.key: pair.value for pair in message.values},
    }


def summarise(log_time, message):
    entry = {"log_time_ns": log_time}
    if hasattr(message, "header"):
        stamp = message.header.stamp
        entry["stamp_ns"] = stamp.sec * 1_000_000_000 + stamp.nanosec
        entry["frame_id"] = message.header.frame_id
    if hasattr(message, "detections"):
        entry["detections"] = [detection(d) for d in message.detections]
    if hasattr(message, "status"):
        entry["status"] = [status(s) for s in message.status]
    if hasattr(message, "texts"):
        entry["annotations"] = [annotation(*pair) for pair in zip(message.points, message.texts, strict=True)]
        entry["circles"] = len(message.circles)
    if hasattr(message, "data"):
        entry["data_sha256"] = hashlib.sha256(bytes(message.data)).hexdigest()
    return entry


def add(topics, topic, type_name, entry):
    found = topics.setdefault(topic, {"type": type_name, "count": 0, "messages": []})
    found["count"] += 1
    found["messages"].append(entry)


def read_with_mcap(path):
    topics, schemas = {}, {}
    with path.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        for schema, channel, message, decoded in reader.iter_decoded_messages():
            add(topics, channel.topic, schema.name, summarise(message.log_time, decoded))
            schemas[schema.name] = (schema.encoding, schema.data.decode())
    return topics, schemas


def read_with_rosbags(folder, schemas):
    """Types come from the schemas in the file, so this checks their text too."""
    types = {}
    for name, (encoding, text) in schemas.items():
        if encoding != "ros2msg":
            sys.exit(f"{folder}: schema {name} is {encoding!r}; expected 'ros2msg'")
        types.update(get_types_from_msg(text, name))
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    topics = {}
    with Reader(folder) as reader:
        counted = {c.topic: c.msgcount for c in reader.connections}
        for connection, log_time, data in reader.messages():
            message = store.deserialize_cdr(data, connection.msgtype)
            add(topics, connection.topic, connection.msgtype, summarise(log_time, message))
    for topic, count in counted.items():
        read = topics.get(topic, {"count": 0})["count"]
        if read != count:
            sys.exit(f"{folder}: metadata.yaml counts {count} messages on {topic}; {read} were read")
    return topics


def first_difference(a, b, where=""):
    if type(a) is not type(b) or not isinstance(a, (dict, list)):
        return None if a == b else f"{where}: {a!r} and {b!r}"
    if len(a) != len(b) or (isinstance(a, dict) and a.keys() != b.keys()):
        return f"{where}: {len(a)} and {len(b)} entries, or other keys"
    keys = a if isinstance(a, dict) else range(len(a))
    return next((d for k in keys if (d := first_difference(a[k], b[k], f"{where}/{k}"))), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mcap", type=pathlib.Path)
    path = parser.parse_args().mcap

    topics, schemas = read_with_mcap(path)
    readers = ["mcap"]
    if (path.parent / "metadata.yaml").exists():
        difference = first_difference(topics, read_with_rosbags(path.parent, schemas), "topics")
        if difference:
            sys.exit(f"{path}: mcap and rosbags do not agree: {difference}")
        readers.append("rosbags")
    json.dump({"file": path.name, "readers": readers, "topics": topics}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
