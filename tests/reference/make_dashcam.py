"""The recordings that tests read from the folder of test data, made from the public dashcam clip.

    make_dashcam.py VIDEO FOLDER   writes dashcam_compressed_mcap, dashcam_raw_sqlite3 and encodings_mcap to FOLDER

- dashcam_compressed_mcap: MCAP; every frame as JPEG, 960x540, with its CameraInfo
- dashcam_raw_sqlite3: SQLite3; 75 frames as bgr8, 480x270, with their CameraInfo
- encodings_mcap: MCAP; the first frame at 480x270 in eleven encodings, each on a topic of its own

Stamps and log times begin at 1,700,000,000 s, at 25 Hz. Needs rosbags and OpenCV.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_HUMBLE)
START_NS, PERIOD_NS = 1_700_000_000_000_000_000, 40_000_000
RAW_FRAMES = 75
SMALL = (480, 270)
PADDING = 32  # bytes after each row
TYPES = {name.rpartition("/")[2]: kind for name, kind in STORE.types.items() if name.startswith("sensor_msgs/")}


def header(index):
    time = START_NS + index * PERIOD_NS
    stamp = STORE.types["builtin_interfaces/msg/Time"](sec=time // 10**9, nanosec=time % 10**9)
    return STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera_front")


def image(index, encoding, pixels, step=None):
    """pixels: rows of bytes; step: bytes of a row, if it is padded."""
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1)
    if step:
        rows = np.pad(rows, ((0, 0), (0, step - rows.shape[1])))
    width = pixels.shape[1]
    return TYPES["Image"](header(index), pixels.shape[0], width, encoding, 0, rows.shape[1], rows.reshape(-1))


def compressed(index, frame, kind):
    extension, options = {"jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90]), "png": (".png", [])}[kind]
    ok, data = cv2.imencode(extension, frame, options)
    assert ok, kind
    return TYPES["CompressedImage"](header(index), f"bgr8; {kind} compressed bgr8", data.reshape(-1))


def camera_info(index, width, height):
    """A pinhole camera without distortion, with a horizontal field of view of 58 degrees."""
    focal, identity = 0.9 * width, np.eye(3).reshape(-1)
    k = np.array([focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1.0])
    p = np.column_stack([k.reshape(3, 3), np.zeros(3)]).reshape(-1)
    roi = TYPES["RegionOfInterest"](0, 0, 0, 0, False)
    return TYPES["CameraInfo"](header(index), height, width, "plumb_bob", np.zeros(5), k, identity, p, 0, 0, roi)


def bayer_rggb(frame):
    mosaic = np.empty(frame.shape[:2], np.uint8)
    blue, green, red = cv2.split(frame)
    mosaic[0::2, 0::2], mosaic[0::2, 1::2] = red[0::2, 0::2], green[0::2, 1::2]
    mosaic[1::2, 0::2], mosaic[1::2, 1::2] = green[1::2, 0::2], blue[1::2, 1::2]
    return mosaic


def encodings(frame):
    """Topic and message of each encoding."""
    yuyv = cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_YUY2)
    raw = {
        "bgr8": frame,
        "rgb8": cv2.cvtColor(frame, cv2.COLOR_BGR2RGB),
        "bgra8": cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA),
        "rgba8": cv2.cvtColor(frame, cv2.COLOR_BGR2RGBA),
        "mono8": cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY),
        "yuv422_yuy2": yuyv,
        "yuv422": yuyv[:, :, ::-1],  # UYVY: the bytes of each pair swapped
        "bayer_rggb8": bayer_rggb(frame),
    }
    messages = {name: image(index, name, pixels) for index, (name, pixels) in enumerate(raw.items())}
    messages["bgr8_padded_step"] = image(len(messages), "bgr8", frame, 3 * frame.shape[1] + PADDING)
    for kind in ["jpeg", "png"]:
        messages[f"compressed_{kind}"] = compressed(len(messages), frame, kind)
    return [(f"/enc/{name}", message) for name, message in messages.items()]


def write(path, storage, messages):
    """messages: topic and message, in order."""
    with Writer(path, version=9, storage_plugin=storage) as writer:
        topics = {}
        for topic, message in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, message.__msgtype__, typestore=STORE)
            stamp = message.header.stamp
            data = STORE.serialize_cdr(message, message.__msgtype__)
            writer.write(topics[topic], stamp.sec * 10**9 + stamp.nanosec, data)
    print(path)


def frames(video):
    capture = cv2.VideoCapture(str(video))
    while True:
        read, frame = capture.read()
        if not read:
            return
        yield frame


def main(video, folder):
    everything = list(frames(video))
    if len(everything) < RAW_FRAMES:
        sys.exit(f"{video}: expected at least {RAW_FRAMES} frames, found {len(everything)}; give solidWhiteRight.mp4")
    small = [cv2.resize(frame, SMALL, interpolation=cv2.INTER_AREA) for frame in everything[:RAW_FRAMES]]
    images, info = "/camera/front/image_raw", "/camera/front/camera_info"
    folder.mkdir(parents=True, exist_ok=True)
    height, width = everything[0].shape[:2]
    jpeg = []
    for index, frame in enumerate(everything):
        jpeg += [(f"{images}/compressed", compressed(index, frame, "jpeg")), (info, camera_info(index, width, height))]
    write(folder / "dashcam_compressed_mcap", StoragePlugin.MCAP, jpeg)
    raw = []
    for index, frame in enumerate(small):
        raw += [(images, image(index, "bgr8", frame)), (info, camera_info(index, *SMALL))]
    write(folder / "dashcam_raw_sqlite3", StoragePlugin.SQLITE3, raw)
    write(folder / "encodings_mcap", StoragePlugin.MCAP, encodings(small[0]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
