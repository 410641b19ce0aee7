#!/usr/bin/env bash
# Makes models/road.onnx, the detector that the program carries.
#
# Usage: training/road.sh [DATA] [RUN]
#   DATA  folder with labels.json, val_list.txt and images/; default ../shared/assets/train/road
#   RUN   folder for the run; default target/train/road
#
# Start: NanoDet-Plus-m (github.com/RangiLyu/nanodet, Apache-2.0), its class layer cut to the nine classes of `road`.
# Data: training/road_sources.md lists the sources and their licences.
# Boxes: people's where there are any, else those of the start itself at several input sizes, each with its mirror
# image, fused (`shuffledet label export --multi-scale`). Boxes from a score of 0.5 on are learned, those from 0.25 to
# 0.5 are ignored.
# Result: half trained and half start, weights of 16 bits.
#
# MINUTES (default 20), THREADS (1) and SEED (7) change the run. The steps that fit into the time depend on the
# machine; STEPS=N makes that many.
set -euo pipefail
cd "$(dirname "$0")/.."

data=$(realpath "${1:-../shared/assets/train/road}")
run=${2:-target/train/road}
shuffledet=${SHUFFLEDET:-target/release/shuffledet}
trainer=${SHUFFLEDET_TRAIN:-target/train/release/shuffledet-train}
threads=${THREADS:-1}
seed=${SEED:-7}
length=(--minutes "${MINUTES:-20}")
if [ -n "${STEPS:-}" ]; then length=(--steps "$STEPS"); fi

for program in "$shuffledet" "$trainer"; do
    command -v "$program" >/dev/null || {
        echo "$program: not there; make build train" >&2
        exit 1
    }
done

mkdir -p "$run"
teacher=$run/teacher
if [ ! -e "$teacher/annotations/instances_default.json" ]; then
    "$shuffledet" label export --images "$data/images" --output "$teacher" \
        --model nanodet_plus_m_416 --classes road --multi-scale
fi

# resumes where a run was cut off
resume=()
if [ -e "$run/fit/last.safetensors" ]; then resume=(--resume); fi
"$trainer" detect "$data" --from nanodet_plus_m_416 --classes road --pseudo "$teacher" --output "$run/fit" \
    "${length[@]}" --input-size 416x416 \
    --train-sizes 416x416,512x352,576x320,640x288,832x256 --batch 16 --learning-rate 1e-4 --blend 0.5 \
    --seed "$seed" --threads "$threads" "${resume[@]}"

"$trainer" export "$run/fit" --half --output models/road.onnx --name road --score-threshold 0.35
cat "$run/fit/figures.json"
