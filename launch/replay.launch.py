"""Plays a recording to shuffledet_node on the recording's clock, and ends after the last frame.

ros2 launch shuffledet replay.launch.py bag:=FOLDER camera:=/camera/image_raw

The arguments of shuffledet.launch.py are passed to the node. The node drops frames that it cannot process in time, as
on a vehicle; `shuffledet replay` processes every frame.
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    node = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare("shuffledet"), "launch", "shuffledet.launch.py"])
        ),
        launch_arguments={"use_sim_time": "true"}.items(),
    )
    player = ExecuteProcess(
        cmd=[
            "ros2", "bag", "play", LaunchConfiguration("bag"),
            "--clock", "100",
            "--rate", LaunchConfiguration("rate"),
            "--delay", LaunchConfiguration("delay"),
        ],
        output="screen",
    )  # fmt: skip
    last_frame = TimerAction(period=1.0, actions=[EmitEvent(event=Shutdown(reason="the recording has been played"))])
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="recording to play: a folder or an .mcap file"),
            DeclareLaunchArgument("rate", default_value="1.0", description="playback speed as a multiple of real time"),
            DeclareLaunchArgument(
                "delay", default_value="3.0", description="seconds to wait before playing while the model loads"
            ),
            node,
            player,
            RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[last_frame])),
        ]
    )
