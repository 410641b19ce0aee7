# Sourced by the other scripts: paths, messages, and the Rust and ROS 2 to use.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DEPS=$ROOT/.deps
# shellcheck disable=SC2034 # for the scripts that source this
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
export PATH="$DEPS/bin:$PATH"
# no telemetry from programs that the scripts run
export ORT_DISABLE_TELEMETRY=1 RAY_USAGE_STATS_ENABLED=0

# Uses the Rust of setup.sh, which installs one only if the machine has none or an old one.
use_own_rust() {
    [ -x "$DEPS/rust/bin/cargo" ] || return 0
    export CARGO_HOME=$DEPS/rust RUSTUP_HOME=$DEPS/rust/rustup
    export PATH="$DEPS/rust/bin:$PATH"
}

# The scripts' own mirror of what is fetched: the folder of test data, where there is one and no other mirror is named.
assets=${SHUFFLEDET_ASSETS:-$ROOT/../shared/assets}
if [ -z "${SHUFFLEDET_MODEL_MIRROR:-}" ] && [ -d "$assets" ]; then
    export SHUFFLEDET_MODEL_MIRROR=$assets
fi

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

# fail WHAT COMMAND: ends the script, and names the missing thing and the command that installs it.
fail() {
    say "missing: $1"
    say "  to install it: $2"
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANTED
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# Succeeds if a ROS 2 other than that of setup_ros.sh is sourced.
ros_is_sourced() {
    [ -n "${ROS_DISTRO:-}" ] && [ -n "${AMENT_PREFIX_PATH:-}" ] &&
        [ "$AMENT_PREFIX_PATH" != "$(realpath -m "$DEPS/ros")" ]
}

# use_ros: sources the ROS 2 of setup_ros.sh if none is sourced; fails if there is none.
use_ros() {
    if ros_is_sourced; then
        # r2r's build does not know the name Kilted; Kilted has everything that r2r looks for in Jazzy
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

# ros_python: prints a CPython 3.11 with venv and headers, for the wheels of ROS 2.
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

# pip_python: prints a Python that has pip.
pip_python() {
    if python3 -m pip --version >/dev/null 2>&1; then
        echo python3
        return
    fi
    [ -x "$DEPS/pip/bin/python" ] || python3 -m venv "$DEPS/pip" >&2
    echo "$DEPS/pip/bin/python"
}

# use_libtorch: names the libtorch of setup_train.sh, unless LIBTORCH or LIBTORCH_USE_PYTORCH names another.
use_libtorch() {
    [ -n "${LIBTORCH_USE_PYTORCH:-}" ] || export LIBTORCH=${LIBTORCH:-$DEPS/libtorch}
}

# wheel PACKAGE VERSION SHA256 PLATFORM FOLDER PATTERN...: copies the wheel's files that match a pattern into FOLDER,
# without their folders. Refuses a wheel with another sha256.
wheel() { wheel_tree "${@:1:5}" '' "${@:6}"; }

# wheel_tree PACKAGE VERSION SHA256 PLATFORM FOLDER PREFIX PATTERN...: does the same, but keeps the folders below PREFIX
# if that is not empty.
wheel_tree() {
    local package=$1 version=$2 sha256=$3 platform=$4 folder=$5 prefix=$6 python scratch found
    shift 6
    python=$(pip_python)
    scratch=$(mktemp -d "$DEPS/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder's name now, not at exit
    trap "rm -rf '$scratch'" EXIT
    "$python" -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: \
        --implementation cp --python-version 3.11 --platform "$platform" --dest "$scratch" "$package==$version" >&2 ||
        fail "$package $version from the Python package index" "check the network, then run this again"
    found=$(sha256_of "$scratch"/*.whl)
    if [ "$found" != "$sha256" ]; then
        say "refused: $(basename "$scratch"/*.whl) has sha256 $found; expected $sha256"
        say '  nothing was kept; check the package index of pip, then run this again'
        exit 1
    fi
    mkdir -p "$folder"
    "$python" - "$scratch"/*.whl "$folder" "$prefix" "$@" <<'PYTHON'
import fnmatch, os, pathlib, sys, zipfile

wheel, folder, prefix, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns) and not name.endswith("/"):
            below = name.removeprefix(prefix) if prefix else pathlib.PurePath(name).name
            part = pathlib.Path(folder, below + ".part")
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(archive.read(name))
            part.chmod(0o755)
            os.replace(part, part.with_suffix(""))
PYTHON
    rm -rf "$scratch"
    trap - EXIT
}
