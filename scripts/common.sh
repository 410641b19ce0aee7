# Sourced by the other scripts: where things are, how to speak, and which Rust is used.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DEPS=$ROOT/.deps
# shellcheck disable=SC2034 # for the scripts that source this
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export PATH="$DEPS/bin:$PATH"

# setup.sh makes this folder only where the machine has no Rust, or too old a one.
use_own_rust() {
    [ -x "$DEPS/rust/bin/cargo" ] || return 0
    export CARGO_HOME=$DEPS/rust RUSTUP_HOME=$DEPS/rust/rustup
    export PATH="$DEPS/rust/bin:$PATH"
}

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

# fail WHAT COMMAND: ends with the missing thing's name and the command that mends it.
fail() {
    say "missing: $1"
    say "  to install it: $2"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANTED
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# Whether a ROS 2 other than the one of setup_ros.sh is sourced.
ros_is_sourced() {
    [ -n "${ROS_DISTRO:-}" ] && [ -n "${AMENT_PREFIX_PATH:-}" ] &&
        [ "$AMENT_PREFIX_PATH" != "$(realpath -m "$DEPS/ros")" ]
}

# use_ros: sources the ROS 2 of setup_ros.sh where none is sourced; fails where there is none.
use_ros() {
    if ros_is_sourced; then
        # r2r's build knows Kilted by no name; of what it asks for by name, Kilted has what Jazzy has
        [ "$ROS_DISTRO" != kilted ] || export ROS_DISTRO=jazzy
        return
    fi
    [ -f "$DEPS/ros/ros_env.sh" ] || return 1
    # shellcheck disable=SC1091 # written by setup_ros.sh
    source "$DEPS/ros/ros_env.sh"
}

# ros_interpreter: prints the Python that has rclpy, once use_ros has succeeded.
ros_interpreter() {
    if ros_is_sourced; then echo python3; else echo "$DEPS/ros/bin/python"; fi
}

# ros_python: prints a CPython 3.11 that can make a venv and compile against itself, for the wheels of ROS 2.
ros_python() {
    local candidate
    for candidate in python3.11 /usr/bin/python3.11 python3; do
        "$candidate" - <<'PYTHON' 2>/dev/null && return
import ensurepip, os, sys, sysconfig, venv

headers = os.path.join(sysconfig.get_path("include"), "Python.h")
if sys.version_info[:2] != (3, 11) or not os.path.exists(headers):
    sys.exit(1)
print(sys.executable)
PYTHON
    done
    return 1
}
