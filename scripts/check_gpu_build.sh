#!/usr/bin/env bash
# Checks the errors that shuffledet reports for real GPU builds of ONNX Runtime on a machine without a GPU, and that
# OpenVINO runs, which needs no GPU. Not part of CI: it fetches 860 MB into .deps (SMALL=1: 340 MB, without CUDA's own
# libraries) and keeps them.
#
#   scripts/check_gpu_build.sh
#
# Two libraries compiled here (cc) take the place of the driver's: one is too old, one has no device.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
use_own_rust

if [ "$(uname -m)" != x86_64 ]; then
    say 'the wheels exist only for x86_64'
    exit 1
fi
if [ -e /proc/driver/nvidia/version ]; then
    say 'this machine has an NVIDIA driver: run "shuffledet doctor --set runtime.providers=[tensorrt,cuda,cpu]" instead'
    exit 1
fi

gpu=$DEPS/onnxruntime-gpu cuda=$DEPS/cuda openvino=$DEPS/onnxruntime-openvino
[ -e "$gpu/libonnxruntime.so.1.31.1" ] ||
    wheel onnxruntime-gpu 1.31.1 e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6 \
        manylinux_2_28_x86_64 "$gpu" 'onnxruntime/capi/libonnxruntime*.so*'
[ -e "$openvino/libonnxruntime.so.1.24.1" ] ||
    wheel onnxruntime-openvino 1.24.1 3007c803634cc69c6d52af1dea7ce729d9bb62b9a11070fd2f959119199007a8 \
        manylinux_2_28_x86_64 "$openvino" 'onnxruntime/capi/lib*.so*'
if [ "${SMALL:-}" != 1 ]; then
    [ -e "$cuda/libcublas.so.13" ] ||
        wheel nvidia-cublas 13.10.0.20 dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84 \
            manylinux1_x86_64 "$cuda" '*.so*'
    [ -e "$cuda/libcudart.so.13" ] ||
        wheel nvidia-cuda-runtime 13.5.37 df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d \
            manylinux2014_x86_64 "$cuda" '*.so*'
    [ -e "$cuda/libcurand.so.10" ] ||
        wheel nvidia-curand 10.4.5.25 22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529 \
            manylinux_2_27_x86_64 "$cuda" '*.so*'
fi

cd "$ROOT"
cargo build --locked --quiet
drivers=$(mktemp -d)
trap 'rm -rf "$drivers"' EXIT
mkdir "$drivers/old" "$drivers/idle"
# the provider links to this symbol; the runtime looks up the others by name
needed='int cuTensorMapEncodeTiled(void) { return 999; }'
cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$drivers/old/libcuda.so.1" -x c - <<<"$needed"
cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$drivers/idle/libcuda.so.1" -x c - <<CODE
#include <dlfcn.h>
#include <stddef.h>
$needed
int cuInit(unsigned flags) { return 100; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGetCount(int *count) { *count = 0; return 100; }
int cuGetErrorString(int error, const char **text) { *text = "no device"; return 0; }
int cuGetErrorName(int error, const char **text) { *text = "no device"; return 0; }
int cuGetProcAddress_v2(const char *name, void **found, int version, unsigned long flags, void *result) {
    *found = dlsym(RTLD_DEFAULT, name);
    return *found == NULL ? 500 : 0;
}
CODE

failed=0
# expect LIBRARY FOLDERS PROVIDERS PROVIDER CAUSE: checks what `shuffledet doctor` reports for the provider; "used" is a
# cause, too.
expect() {
    local library=$1 folders=$2 providers=$3 provider=$4 cause=$5 report
    report=$(ORT_DYLIB_PATH=$library LD_LIBRARY_PATH=$folders \
        "$TARGET/debug/shuffledet" doctor --json --set "runtime.providers=[$providers]") || [ $? -eq 2 ]
    python3 - "$provider" "$cause" "$(basename "$library")" "$report" <<'PYTHON' || failed=1
import json, sys

provider, expected, library, report = sys.argv[1:]
[fate] = [fate for fate in json.loads(report)["providers"] if fate["provider"] == provider]
found = "used" if fate["used"] else fate["cause"]
placed = [f"nodes on {p['provider']}: {p['nodes']}, {100 * p['time_share']:.1f} % of the time" for p in fate.get("placement", [])]
verdict = "right" if found == expected else f"WRONG, expected {expected}"
print(f"{verdict}: {library}: {provider}: {found}: {'; '.join(placed) or fate['reason']}")
sys.exit(found != expected)
PYTHON
}

ort=$gpu/libonnxruntime.so.1.31.1
for provider in cuda tensorrt; do
    expect "$ort" '' cuda,tensorrt,cpu "$provider" library_missing
done
expect "$ort" '' cuda,tensorrt,cpu cpu used
expect "$ort" '' openvino,cpu openvino not_in_build
if [ "${SMALL:-}" != 1 ]; then
    expect "$ort" "$cuda" cuda,cpu cuda no_driver
    expect "$ort" "$drivers/old:$cuda" cuda,cpu cuda driver_too_old
    expect "$ort" "$drivers/idle:$cuda" cuda,cpu cuda no_device
fi
ort=$openvino/libonnxruntime.so.1.24.1
expect "$ort" '' openvino,cpu openvino used
expect "$ort" '' cuda,cpu cuda not_in_build
exit $failed
