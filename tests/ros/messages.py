"""ROS messages, parameters and QoS as JSON, and back."""

import array
import hashlib
import importlib

import numpy
from rcl_interfaces.msg import Parameter, ParameterValue
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

LONGEST_BYTES = 64  # of an array of bytes; of a longer one, its size and sha256 are told


def find_type(name):
    """The class of `package/msg/Name` or `package/srv/Name`."""
    package, kind, name = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), name)


def to_json(value):
    if hasattr(value, "get_fields_and_field_types"):
        return {name: to_json(getattr(value, name)) for name in value.get_fields_and_field_types()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (array.array, numpy.ndarray)):
        if value.itemsize == 1 and len(value) > LONGEST_BYTES:
            return {"size": len(value), "sha256": hashlib.sha256(value.tobytes()).hexdigest()}
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def fill(message, fields):
    """Sets the fields that are named; returns the message."""
    for name, value in fields.items():
        present = getattr(message, name)
        if hasattr(present, "get_fields_and_field_types"):
            fill(present, value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            slot_type = message.get_fields_and_field_types()[name].removeprefix("sequence<").rstrip(">")
            package, item = slot_type.split("/")[0], slot_type.split("/")[-1]
            setattr(message, name, [fill(find_type(f"{package}/msg/{item}")(), each) for each in value])
        else:
            setattr(message, name, value)
    return message


# by ParameterType: the field of ParameterValue
PARAMETER_FIELDS = [
    None, "bool_value", "integer_value", "double_value", "string_value", "byte_array_value", "bool_array_value",
    "integer_array_value", "double_array_value", "string_array_value",
]  # fmt: skip


def parameter(name, value):
    """A parameter whose type is told by the value's (an empty list is one of strings; None is not set)."""
    if isinstance(value, list):
        kind = 5 + (1 + [bool, int, float, str].index(type(value[0])) if value else 4)
    else:
        kind = [type(None), bool, int, float, str].index(type(value))
    result = Parameter(name=name, value=ParameterValue(type=kind))
    if kind:
        setattr(result.value, PARAMETER_FIELDS[kind], value)
    return result


def parameter_value(message):
    field = PARAMETER_FIELDS[message.type]
    return to_json(getattr(message, field)) if field else None


def qos(depth=10, reliability="reliable", durability="volatile", history="keep_last", liveliness="automatic", **ms):
    """A profile; `deadline`, `lifespan` and `lease` in milliseconds."""
    spans = {"deadline": "deadline", "lifespan": "lifespan", "lease": "liveliness_lease_duration"}
    return QoSProfile(
        depth=depth,
        reliability=ReliabilityPolicy[reliability.upper()],
        durability=DurabilityPolicy[durability.upper()],
        history=HistoryPolicy[history.upper()],
        liveliness=LivelinessPolicy[liveliness.upper()],
        **{spans[name]: Duration(nanoseconds=round(value * 1e6)) for name, value in ms.items()},
    )


def qos_to_json(profile):
    return {
        "depth": profile.depth,
        "reliability": profile.reliability.name.lower(),
        "durability": profile.durability.name.lower(),
        "history": profile.history.name.lower(),
        "liveliness": profile.liveliness.name.lower(),
        "deadline": profile.deadline.nanoseconds / 1e6,
    }
