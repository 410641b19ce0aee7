"""Image messages in the forms of other tools, by their own libraries, for tests/replay.

    make_forms.py IMAGE.jpg OUT.mcap   one topic for each form, each with the same image, stamp and frame

Needs mcap, rosbags, numpy and protobuf.
"""

import sys
from pathlib import Path

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from mcap.writer import Writer
from rosbags.typesys import Stores, get_typestore

SEC, NANOSEC, FRAME = 1_700_000_123, 456_789_012, "camera_front"
LOG_TIME = 1_700_000_200_000_000_000
PROTO = descriptor_pb2.FieldDescriptorProto


def ros(name, jpeg, store, header):
    """The message of this type, for ROS 1 or ROS 2."""
    data = np.frombuffer(jpeg, dtype=np.uint8)
    return store.types[name](header=header, format="jpeg", data=data)


def protobuf(jpeg):
    """foxglove.CompressedImage, with the field numbers of its published schema, and its schema."""
    file = descriptor_pb2.FileDescriptorProto(
        name="foxglove/CompressedImage.proto", package="foxglove", syntax="proto3"
    )
    file.dependency.append("google/protobuf/timestamp.proto")
    message = file.message_type.add(name="CompressedImage")
    for name, number, kind in [
        ("timestamp", 1, PROTO.TYPE_MESSAGE),
        ("data", 2, PROTO.TYPE_BYTES),
        ("format", 3, PROTO.TYPE_STRING),
        ("frame_id", 4, PROTO.TYPE_STRING),
    ]:
        field = message.field.add(name=name, number=number, type=kind, label=PROTO.LABEL_OPTIONAL)
        if kind == PROTO.TYPE_MESSAGE:
            field.type_name = ".google.protobuf.Timestamp"
    files = descriptor_pb2.FileDescriptorSet()
    timestamp_pb2.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.append(file)
    pool = descriptor_pool.DescriptorPool()
    for each in files.file:
        pool.Add(each)
    kind = message_factory.GetMessageClass(
        pool.FindMessageTypeByName("foxglove.CompressedImage")
    )
    image = kind(data=jpeg, format="jpeg", frame_id=FRAME)
    image.timestamp.seconds, image.timestamp.nanos = SEC, NANOSEC
    return image.SerializeToString(), files.SerializeToString()


def main(image, output):
    jpeg = Path(image).read_bytes()
    name = "sensor_msgs/msg/CompressedImage"
    one, two = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_HUMBLE)
    time = {"stamp": one.types["builtin_interfaces/msg/Time"](sec=SEC, nanosec=NANOSEC), "frame_id": FRAME}
    message = ros(name, jpeg, one, one.types["std_msgs/msg/Header"](seq=256, **time))
    ros1 = bytes(one.serialize_ros1(message, name))
    message = ros(name, jpeg, two, two.types["std_msgs/msg/Header"](**time))
    cdr = bytes(two.serialize_cdr(message, name))
    proto, descriptors = protobuf(jpeg)
    with open(output, "wb") as file:
        writer = Writer(file)
        writer.start()
        for topic, kind, schema, text, encoding, data in [
            ("/cdr", name, "ros2msg", b"", "cdr", cdr),
            ("/ros1", "sensor_msgs/CompressedImage", "ros1msg", b"", "ros1", ros1),
            ("/protobuf", "foxglove.CompressedImage", "protobuf", descriptors, "protobuf", proto),
        ]:
            schema = writer.register_schema(kind, schema, text)
            channel = writer.register_channel(topic, encoding, schema)
            writer.add_message(channel, LOG_TIME, data, LOG_TIME)
        writer.finish()


main(*sys.argv[1:])
