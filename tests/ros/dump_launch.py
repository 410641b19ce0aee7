"""What a launch file would start, as JSON, where the launch packages of ROS 2 cannot be installed.

    python dump_launch.py LAUNCH_FILE FOLDER [NAME:=VALUE ...]

The names that our launch files import are stood in for by classes that record how they are used; share/shuffledet is
this checkout. Node's command line is put together as launch_ros does it: parameters given as a mapping go to a file, here
in FOLDER. It refuses what launch refuses (an argument without a value) and knows no more than our launch files use.
"""

import importlib.util
import json
import sys
import types
import xml.etree.ElementTree
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STAND_INS = {
    "launch": ["LaunchDescription"],
    "launch.actions": [
        "DeclareLaunchArgument", "EmitEvent", "ExecuteProcess", "IncludeLaunchDescription", "OpaqueFunction",
        "RegisterEventHandler", "TimerAction",
    ],
    "launch.event_handlers": ["OnProcessExit"],
    "launch.events": ["Shutdown"],
    "launch.launch_description_sources": ["PythonLaunchDescriptionSource"],
    "launch.substitutions": ["LaunchConfiguration", "PathJoinSubstitution"],
    "launch_ros.actions": ["Node"],
    "launch_ros.substitutions": ["FindPackageShare"],
}  # fmt: skip


class StandIn:
    """Keeps what it was made with; as a substitution, it can be performed."""

    def __init__(self, *args, **options):
        self.args, self.options = args, options

    def perform(self, context):
        kind, value = type(self).__name__, self.args[0]
        if kind == "LaunchConfiguration":
            return context[value]
        if kind == "PathJoinSubstitution":
            return "/".join(text(part, context) for part in value)
        assert (kind, value) == ("FindPackageShare", "shuffledet"), f"{kind}({value}) is no substitution"
        return str(CHECKOUT)


def stand_in():
    for name, members in STAND_INS.items():
        module = sys.modules[name] = types.ModuleType(name)
        for member in members:
            setattr(module, member, type(member, (StandIn,), {}))
    sys.modules["launch_ros"] = types.ModuleType("launch_ros")


def text(value, context):
    return value.perform(context) if isinstance(value, StandIn) else str(value)


class Launch:
    def __init__(self, folder, given):
        self.folder, self.context = Path(folder), dict(given)
        self.arguments, self.processes, self.on_exit, self.restarts = {}, [], [], []

    def declare(self, name, default):
        assert default is not None or name in self.context, f"argument {name} has no value"
        self.arguments[name] = default
        self.context.setdefault(name, default)

    def file(self, path):
        if str(path).endswith(".xml"):
            return self.xml(path)
        spec = importlib.util.spec_from_file_location("launch_file", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.actions(module.generate_launch_description().args[0])

    def actions(self, actions):
        for action in actions:
            getattr(self, type(action).__name__)(*action.args, **action.options)

    def DeclareLaunchArgument(self, name, default_value=None, description=None):
        assert description, f"argument {name} has no description"
        self.declare(name, default_value if default_value is None else text(default_value, self.context))

    def OpaqueFunction(self, function):
        self.actions(function(self.context))

    def IncludeLaunchDescription(self, source, launch_arguments=()):
        for name, value in launch_arguments:
            self.context[name] = text(value, self.context)
        self.file(text(source.args[0], self.context))

    def ExecuteProcess(self, cmd, output):
        self.processes.append({"cmd": [text(word, self.context) for word in cmd]})

    def Node(self, package, executable, name, namespace, parameters, remappings, ros_arguments, output):
        cmd = [f"{package}/{executable}", "--ros-args", *ros_arguments]
        cmd += ["-r", f"__node:={name}", "-r", f"__ns:=/{namespace.removeprefix('/')}"]
        for number, given in enumerate(parameters):
            if isinstance(given, dict):
                nodes = {"/**": {"ros__parameters": given}}
                given = self.folder / f"launch_params_{number}.yaml"
                given.write_text(json.dumps(nodes))
            cmd += ["--params-file", text(given, self.context)]
        for source, target in remappings:
            cmd += ["-r", f"{source}:={target}"]
        self.processes.append({"cmd": cmd})

    def RegisterEventHandler(self, handler):
        target, on_exit = handler.options["target_action"], handler.options["on_exit"]
        if callable(on_exit):
            for code in (0, 1, 75, -6, -9):
                for timer in on_exit(types.SimpleNamespace(returncode=code), self.context):
                    node, _ = timer.options["actions"]
                    assert node.options == target.options, "another process is started"
                    self.restarts.append(code)
            return
        timer = handler.options["on_exit"][0]
        target = handler.options["target_action"].options["cmd"]
        event = timer.options["actions"][0].options["event"]
        self.on_exit.append({"of": text(target[0], self.context), "then": type(event).__name__})

    def xml(self, path):
        for element in xml.etree.ElementTree.parse(path).getroot():
            if element.tag == "arg":
                assert element.get("description"), f"argument {element.get('name')} has no description"
                self.declare(element.get("name"), self.xml_text(element.get("default")))
            else:
                assert element.tag == "include", f"<{element.tag}>"
                for argument in element:
                    self.context[argument.get("name")] = self.xml_text(argument.get("value"))
                self.file(self.xml_text(element.get("file")))

    def xml_text(self, value):
        for name in self.context:
            value = value.replace(f"$(var {name})", self.context[name])
        value = value.replace("$(find-pkg-share shuffledet)", str(CHECKOUT))
        assert "$(" not in value, f"unknown substitution in {value}"
        return value


def main():
    sys.dont_write_bytecode = True
    launch_file, folder, *given = sys.argv[1:]
    stand_in()
    launch = Launch(folder, (argument.split(":=", 1) for argument in given))
    launch.file(launch_file)
    json.dump({key: getattr(launch, key) for key in ("arguments", "processes", "on_exit", "restarts")}, sys.stdout)


main()
