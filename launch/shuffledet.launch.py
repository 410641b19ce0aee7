"""Starts shuffledet_node. `ros2 launch shuffledet shuffledet.launch.py --show-args` lists the arguments."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

DEFAULT_PARAMS = PathJoinSubstitution([FindPackageShare("shuffledet"), "config", "shuffledet.yaml"])

ARGUMENTS = [
    DeclareLaunchArgument("params_file", default_value=DEFAULT_PARAMS, description="YAML file of the node's parameters"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
    DeclareLaunchArgument(
        "camera",
        default_value="image_raw",
        description="topic of the camera's images, without /compressed (params_file names those of several cameras)",
    ),
    DeclareLaunchArgument("model", default_value="", description="model.name, in place of params_file's"),
    DeclareLaunchArgument(
        "provider",
        default_value="",
        description="runtime.providers, separated by commas (tensorrt,cuda,cpu), in place of params_file's",
    ),
    DeclareLaunchArgument(
        "use_sim_time", default_value="", description="true or false: take the time from /clock; params_file's if empty"
    ),
    DeclareLaunchArgument(
        "log_level", default_value="info", description="debug, info, warn, error or fatal; LOGGER:=LEVEL for one logger"
    ),
]


def start_node(context):
    def argument(name):
        return LaunchConfiguration(name).perform(context)

    overrides = {}
    if argument("model"):
        overrides["model.name"] = argument("model")
    if argument("provider"):
        overrides["runtime.providers"] = argument("provider").split(",")
    if argument("use_sim_time"):
        values = {"true": True, "false": False}
        value = argument("use_sim_time").lower()
        if value not in values:
            raise ValueError(f"use_sim_time:={value}: expected true or false")
        overrides["use_sim_time"] = values[value]

    camera = argument("camera")
    node = Node(
        package="shuffledet",
        executable="shuffledet_node",
        name="shuffledet",
        namespace=argument("namespace"),
        parameters=[argument("params_file")] + ([overrides] if overrides else []),
        remappings=[("image_raw", camera), ("image_raw/compressed", f"{camera}/compressed")],
        ros_arguments=["--log-level", argument("log_level")],
        output="screen",
    )
    return [node]


def generate_launch_description():
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start_node)])
