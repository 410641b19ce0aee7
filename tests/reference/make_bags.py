"""Recordings for tests/bag, and independent readings of recordings.

    make_bags.py make FOLDER   writes recordings of every kind and expected.json: for each, the
                               path and what Python's readers find in it
    make_bags.py read PATH     prints what they find in PATH

A reading is a list of [topic, log time in ns, sha256 of the bytes] in the order of log time.
Needs rosbags, mcap and mcap-ros2-support.
"""

import hashlib
import json
import random
import shutil
import sqlite3
import sys
from pathlib import Path

from mcap.reader import make_reader
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from ruamel.yaml import YAML

STORE = get_typestore(Stores.ROS2_HUMBLE)
PLAIN = YAML(typ="safe")
STRING = "std_msgs/msg/String"
TOPICS = ["/b", "/a", "/c/d"]
START = 1_700_000_000_000_000_000


def messages(count, seed, first=0, step=7_000_000):
    """(topic, time, bytes) with texts from empty to 40 kB, one in ten incompressible."""
    rng = random.Random(seed)
    for i in range(first, first + count):
        length = rng.choice([0, 1, 5, 100, 3000, 40_000])
        if rng.random() < 0.1:
            text = rng.randbytes(length // 2).hex()
        else:
            text = f"{i} " * (length // 4)
        message = STORE.types[STRING](data=text)
        yield rng.choice(TOPICS), START + i * step, bytes(STORE.serialize_cdr(message, STRING))


def digest(topic, time, data):
    return [topic, time, hashlib.sha256(data).hexdigest()]


def write_bag(path, content, version, storage, mode=CompressionMode.NONE):
    bag = Writer(path, version=version, storage_plugin=storage)
    if mode != CompressionMode.NONE:
        bag.set_compression(mode, CompressionFormat.ZSTD)
    with bag as writer:
        topics = {t: writer.add_connection(t, STRING, typestore=STORE) for t in TOPICS}
        for topic, time, data in content:
            writer.write(topics[topic], time, data)


def edit_metadata(folder, edit):
    path = folder / "metadata.yaml"
    document = PLAIN.load(path)
    edit(document["rosbag2_bagfile_information"])
    PLAIN.dump(document, path)


def downgrade(version):
    """What older rosbag2 did not write yet."""

    def edit(info):
        info["version"] = version
        for topic in info["topics_with_message_count"]:
            if version < 7:
                del topic["topic_metadata"]["type_description_hash"]
        if version < 8:
            del info["ros_distro"]
        if version < 6:
            del info["custom_data"]
        if version < 5:
            del info["files"]
        if info["compression_mode"]:
            info["compression_mode"] = info["compression_mode"].upper()

    return edit


def write_split(folder, parts, version, storage, mode=CompressionMode.NONE):
    """One recording in several files: bags of their own, brought together."""
    folder.mkdir()
    infos = []
    for index, part in enumerate(parts):
        single = folder.parent / f"{folder.name}_{index}"
        write_bag(single, part, version, storage, mode)
        infos.append(PLAIN.load(single / "metadata.yaml")["rosbag2_bagfile_information"])
        for file in single.iterdir():
            if file.name != "metadata.yaml":
                file.rename(folder / file.name)
        shutil.rmtree(single)
    whole = infos[0]
    for info in infos[1:]:
        whole["relative_file_paths"] += info["relative_file_paths"]
        whole["files"] += info["files"]
        whole["message_count"] += info["message_count"]
        for mine, other in zip(
            whole["topics_with_message_count"], info["topics_with_message_count"]
        ):
            mine["message_count"] += other["message_count"]
    times = [time for part in parts for _, time, _ in part]
    whole["starting_time"]["nanoseconds_since_epoch"] = min(times)
    whole["duration"]["nanoseconds"] = max(times) - min(times)
    PLAIN.dump({"rosbag2_bagfile_information": whole}, folder / "metadata.yaml")


def write_mcap(path, content, **options):
    """A lone MCAP file as the reference library writes it."""
    with path.open("wb") as stream:
        writer = McapWriter(stream, chunk_size=60_000, **options)
        writer.start(profile="ros2", library="reference")
        definition = STORE.generate_msgdef(STRING, ros_version=2)[0]
        schema = writer.register_schema(STRING, "ros2msg", definition.encode())
        channels = {t: writer.register_channel(t, "cdr", schema) for t in TOPICS}
        writer.add_attachment(START, START, "notes", "text/plain", b"n" * 1000)
        for topic, time, data in content:
            writer.add_message(channels[topic], time, data, time)
        writer.finish()


def write_old_sqlite(path, content):
    """The tables as rosbag2 of Foxy made them, and no index."""
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,"
        " serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);"
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,"
        " timestamp INTEGER NOT NULL, data BLOB NOT NULL);"
    )
    for index, topic in enumerate(TOPICS):
        db.execute("INSERT INTO topics VALUES (?, ?, ?, 'cdr', '')", (index + 1, topic, STRING))
    for topic, time, data in content:
        row = (TOPICS.index(topic) + 1, time, data)
        db.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)", row)
    db.commit()
    db.close()


def read_rosbags(path):
    with AnyReader([path], default_typestore=STORE) as reader:
        found = [digest(c.topic, t, bytes(data)) for c, t, data in reader.messages()]
    return sorted(found, key=lambda m: m[1])


def read_mcap(path):
    """Every message is decoded by its schema, too."""
    with path.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        return [
            digest(channel.topic, message.log_time, message.data)
            for _, channel, message, _ in reader.iter_decoded_messages(log_time_order=True)
        ]


def make(folder):
    cases = []

    def add(path, content, check=None):
        expected = [digest(*m) for m in sorted(content, key=lambda m: m[1])]
        if check:
            assert check(path) == expected, path
        cases.append({"path": path.name, "messages": expected})

    plain = list(messages(120, 1))
    shuffled = list(plain)
    random.Random(2).shuffle(shuffled)
    plugins = {"sqlite3": StoragePlugin.SQLITE3, "mcap": StoragePlugin.MCAP}
    for name, storage in plugins.items():
        for version in range(4, 10):
            for mode in CompressionMode:
                if mode == CompressionMode.STORAGE and name == "sqlite3":
                    continue
                path = folder / f"v{version}_{name}_{mode.name.lower()}"
                write_bag(path, plain, 9 if version == 9 else 8, storage, mode)
                if version < 8:
                    edit_metadata(path, downgrade(version))
                add(path, plain, read_rosbags)
        parts = [list(messages(50, 3)), list(messages(50, 4, first=50))]
        overlapping = [list(messages(60, 5)), list(messages(60, 6, step=6_999_999))]
        for mode in [CompressionMode.NONE, CompressionMode.FILE, CompressionMode.MESSAGE]:
            for kind, split in [("split", parts), ("overlap", overlapping), ("back", parts[::-1])]:
                path = folder / f"{kind}_{name}_{mode.name.lower()}"
                write_split(path, split, 9, storage, mode)
                add(path, [m for part in split for m in part])
        path = folder / f"shuffled_{name}"
        write_bag(path, shuffled, 9, storage)
        add(path, shuffled, read_rosbags)
        # Lone files, plain and packed; and a folder that lost its metadata.
        suffix = {"sqlite3": ".db3", "mcap": ".mcap"}[name]
        for mode, packed in [("none", ""), ("message", ""), ("file", ".zstd")]:
            bag = folder / f"v9_{name}_{mode}"
            path = folder / f"lone_{mode}{suffix}{packed}"
            shutil.copy(bag / f"{bag.name}{suffix}{packed}", path)
            add(path, plain)
        path = folder / f"no_metadata_{name}"
        shutil.copytree(folder / f"split_{name}_none", path)
        (path / "metadata.yaml").unlink()
        add(path, [m for part in parts for m in part])

    for compression in CompressionType:
        for kind, options in {
            "indexed": {},
            "no_index": {"index_types": IndexType.NONE},
            "no_message_index": {"index_types": IndexType.CHUNK},
            "no_channels": {"repeat_channels": False, "repeat_schemas": False},
            "no_statistics": {"use_statistics": False, "use_summary_offsets": False},
            "no_crc": {"enable_crcs": False},
            "no_summary": {
                "index_types": IndexType.NONE,
                "repeat_channels": False,
                "repeat_schemas": False,
                "use_statistics": False,
                "use_summary_offsets": False,
            },
        }.items():
            path = folder / f"{compression.name.lower()}_{kind}.mcap"
            write_mcap(path, shuffled, compression=compression, **options)
            add(path, plain, read_mcap if kind not in ("no_channels", "no_summary") else None)
    write_mcap(folder / "in_order_none.mcap", plain, compression=CompressionType.NONE)
    write_mcap(folder / "in_order_lz4.mcap", plain, compression=CompressionType.LZ4)
    write_mcap(folder / "in_order_zstd.mcap", plain, compression=CompressionType.ZSTD)
    write_mcap(folder / "in_order_unchunked.mcap", plain, use_chunking=False)
    for name in ["none", "lz4", "zstd", "unchunked"]:
        add(folder / f"in_order_{name}.mcap", plain)
    write_mcap(folder / "unchunked.mcap", shuffled, use_chunking=False)
    add(folder / "unchunked.mcap", plain)
    write_old_sqlite(folder / "old.db3", shuffled)
    add(folder / "old.db3", plain, read_rosbags)
    (folder / "expected.json").write_text(json.dumps(cases))


def read(path):
    readings = {"rosbags": read_rosbags(path)}
    files = [path] if path.is_file() else sorted(path.glob("*.mcap"))
    readings["mcap"] = [m for file in files for m in read_mcap(file)]
    if path.is_dir():
        with AnyReader([path], default_typestore=STORE) as reader:
            readings["qos"] = {
                c.topic: [
                    [q.history.name, q.depth, q.reliability.name, q.durability.name]
                    for q in c.ext.offered_qos_profiles
                ]
                for c in reader.connections
            }
    json.dump(readings, sys.stdout)


if __name__ == "__main__":
    command, target = sys.argv[1:]
    {"make": make, "read": read}[command](Path(target))
