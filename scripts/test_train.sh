#!/usr/bin/env bash
# Checks and tests the trainer. Arguments go to the tests, such as a part of a name.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" build
"$ROOT/scripts/setup_train.sh"
use_own_rust
use_libtorch
use_ros || true
cd "$ROOT"
trainer=(--locked --manifest-path crates/train/Cargo.toml --target-dir "$TARGET/train")

say 'cargo clippy'
cargo clippy "${trainer[@]}" --all-targets -- -D warnings

for model in nanodet_plus_m_416 fastestdet_352; do
    [ -f "${SHUFFLEDET_MODEL_DIR:-$DEPS/models}/$model.onnx" ] && continue
    say "fetching $model, which the tests compare with"
    [ -x "$TARGET/debug/shuffledet" ] || cargo build --locked
    "$TARGET/debug/shuffledet" models fetch "$model" || missing=$model
done
# $assets is of common.sh
[ -d "$assets/train" ] || missing="$assets/train"
skip=()
if [ -n "${missing:-}" ]; then
    say "$missing is missing: the tests of weights, of int8 and of whole trainings are skipped"
    skip=(--skip weights::tests --skip quantise --skip a_killed_run --skip a_short_fine_tuning)
fi

say 'building the tests (takes some minutes the first time)'
cargo test "${trainer[@]}" --no-run
cargo test "${trainer[@]}" -- "${skip[@]}" "$@"
