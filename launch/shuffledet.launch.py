"""Starts shuffledet_node. `ros2 launch shuffledet shuffledet.launch.py --show-args` lists the arguments."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler, TimerAction
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

DEFAULT_PARAMS = PathJoinSubstitution([FindPackageShare("shuffledet"), "config", "shuffledet.yaml"])

# the node ends with this code if it has to be started again (docs/node.md)
STUCK_EXIT_CODE = 75

ARGUMENTS = [
    DeclareLaunchArgument("params_file", default_value=DEFAULT_PARAMS, description="YAML file with parameters"),
    DeclareLaunchArgument("namespace", default_value="", description="namespace of the node"),
    DeclareLaunchArgument(
        "camera",
        default_value="image_raw",
        description="image topic of a single camera, without /compressed",
    ),
    DeclareLaunchArgument(
        "cameras",
        default_value="",
        description="names of several cameras, separated by commas (front,left); each publishes NAME/image_raw unless "
        "params_file sets another topic",
    ),
    DeclareLaunchArgument(
        "reliability",
        default_value="",
        description="best_effort or reliable; overrides input.reliability of params_file",
    ),
    DeclareLaunchArgument("model", default_value="", description="name or path; overrides model.name of params_file"),
    DeclareLaunchArgument(
        "classes",
        default_value="",
        description="names of classes or class sets, separated by commas; overrides detector.classes of params_file; "
        "road if neither is given",
    ),
    DeclareLaunchArgument(
        "provider",
        default_value="",
        description="execution providers, separated by commas (tensorrt,cuda,cpu); overrides runtime.providers of "
        "params_file",
    ),
    DeclareLaunchArgument(
        "camera_height_m",
        default_value="",
        description="height of the camera above the ground in metres; overrides ranging.camera_height_m of params_file",
    ),
    DeclareLaunchArgument(
        "camera_pitch_deg",
        default_value="",
        description="downward pitch of the camera in degrees; overrides ranging.camera_pitch_deg of params_file",
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="",
        description="true or false: whether the node activates itself; overrides autostart of params_file",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="",
        description="true or false: whether the node takes its time from /clock; overrides use_sim_time of params_file",
    ),
    DeclareLaunchArgument(
        "log_level", default_value="info", description="debug, info, warn, error, fatal; or LOGGER:=LEVEL"
    ),
]


def start_node(context):
    def argument(name):
        return LaunchConfiguration(name).perform(context).strip()

    def names(name):
        return [part.strip() for part in argument(name).split(",") if part.strip()]

    def choice(name, values):
        value = argument(name).lower()
        if value not in values:
            raise ValueError(f"{name}:={value}: expected {' or '.join(values)}")
        return values[value]

    def number(name):
        try:
            return float(argument(name))
        except ValueError:
            raise ValueError(f"{name}:={argument(name)}: expected a number") from None

    # launch itself ignores a missing file
    params_file = argument("params_file")
    if not Path(params_file).is_file():
        raise FileNotFoundError(f"params_file:={params_file}: no such file")

    # params_file comes after it and wins
    defaults = {"detector.classes": ["road"]}
    truth = {"true": True, "false": False}
    overrides = {}
    if argument("model"):
        overrides["model.name"] = argument("model")
    if names("classes"):
        overrides["detector.classes"] = names("classes")
    if names("provider"):
        overrides["runtime.providers"] = names("provider")
    if names("cameras"):
        overrides["cameras"] = names("cameras")
    if argument("reliability"):
        overrides["input.reliability"] = choice("reliability", {"best_effort": "best_effort", "reliable": "reliable"})
    for name in ("camera_height_m", "camera_pitch_deg"):
        if argument(name):
            overrides[f"ranging.{name}"] = number(name)
    for name in ("autostart", "use_sim_time"):
        if argument(name):
            overrides[name] = choice(name, truth)

    camera = argument("camera")

    def started():
        node = Node(
            package="shuffledet",
            executable="shuffledet_node",
            name="shuffledet",
            namespace=argument("namespace"),
            parameters=[defaults, params_file] + ([overrides] if overrides else []),
            remappings=[("image_raw", camera), ("image_raw/compressed", f"{camera}/compressed")],
            ros_arguments=["--log-level", argument("log_level")],
            output="screen",
        )

        def ended(event, context):
            return [TimerAction(period=1.0, actions=started())] if event.returncode == STUCK_EXIT_CODE else []

        return [node, RegisterEventHandler(OnProcessExit(target_action=node, on_exit=ended))]

    return started()


def generate_launch_description():
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start_node)])
