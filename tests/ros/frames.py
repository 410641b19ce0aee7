"""Serialized images to publish: a recording's own bytes, or a made picture. Only the stamp is ever changed."""

import random
import sqlite3
import struct
import sys
import zlib
from pathlib import Path

from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image

VENV = Path(__file__).resolve().parents[2] / ".deps/venv"


def recorded(bag, topic):
    """The serialized messages of a topic, in the order of recording."""
    files = sorted(Path(bag).glob("*.db3")) + sorted(Path(bag).glob("*.mcap"))
    for path in files:
        if path.suffix == ".db3":
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
                query = "select data from messages join topics on topics.id = topic_id where name = ? order by timestamp"
                yield from (data for (data,) in database.execute(query, (topic,)))
        else:
            with path.open("rb") as stream:
                yield from (message.data for _, _, message in make_reader()(stream).iter_messages([topic]))


def make_reader():
    try:
        from mcap.reader import make_reader
    except ImportError:  # the Python of a sourced ROS 2: borrow from the tests' own packages
        sys.path.append(str(VENV / f"lib/python3.{sys.version_info.minor}/site-packages"))
        from mcap.reader import make_reader
    return make_reader


def made(width, height, encoding="bgr8", frame_id="made", moved=0):
    """A raw picture of grey blocks, `moved` pixels to the left; encoding `png` is a grey CompressedImage, `broken` one
    that no decoder takes."""
    if encoding == "broken":
        image = CompressedImage(format="jpeg", data=b"\xff\xd8 not a picture")
    elif encoding == "png":
        image = CompressedImage(format="png", data=png(width, height, moved))
    else:
        channels = 1 if encoding == "mono8" else 3
        step = width * channels
        data = b"".join(blocks(width, height, channels, moved))
        image = Image(width=width, height=height, encoding=encoding, step=step)
        image.data.frombytes(data)
    image.header.frame_id = frame_id
    return serialize_message(image)


def blocks(width, height, channels, moved):
    """The rows of a picture of grey blocks of 8 by 8 pixels, `moved` pixels to the left."""
    levels = random.Random(1)
    for top in range(0, height, 8):
        row = b"".join(bytes([levels.randrange(40, 220)]) * 8 * channels for _ in range(width // 8 + 9))
        row = row[moved * channels :][: width * channels]
        yield from [row] * min(8, height - top)


def png(width, height, moved):
    """A grey picture, without a library."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row for row in blocks(width, height, 1, moved))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


# std_msgs/Header comes first: after the encapsulation's four bytes, a little-endian int32 and uint32
def stamp_of(serialized):
    seconds, nanoseconds = struct.unpack_from("<iI", serialized, 4)
    return seconds * 10**9 + nanoseconds


def stamped(serialized, stamp):
    seconds, nanoseconds = divmod(stamp, 10**9)
    return serialized[:4] + struct.pack("<iI", seconds, nanoseconds) + serialized[12:]
