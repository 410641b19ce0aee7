#!/usr/bin/env bash
# Measures replay and its plain Python equivalent on one recording, in turn; the bare model in other engines; trackers on
# scenes with truth; the live node, if there is a ROS 2; then single stages with criterion.
#   BAG     another MCAP recording of compressed images
#   RUNS    the number of runs of replay and Python (default 3; the best counts)
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" test
"$ROOT/scripts/build.sh"
use_own_rust
cd "$ROOT"
shuffledet=$TARGET/release/shuffledet
"$shuffledet" models fetch fastestdet_352 nanodet_m_416 solid_white_right
if [ -z "${BAG:-}" ]; then
    rosbags/make_sample.sh
    BAG=rosbags/solid_white_right
fi
python=$DEPS/venv/bin/python
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# figure KEY: prints that number of the JSON object on standard input
figure() { "$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
best() { sort -g | tail -n 1; }

printf '%-16s %14s %14s %8s\n' model 'replay, fps' 'Python, fps' ratio
for pair in fastestdet_352:fastestdet nanodet_m_416:nanodet; do
    model=${pair%:*}
    onnx=$("$shuffledet" models path "$model")
    for run in $(seq "${RUNS:-3}"); do
        "$shuffledet" replay "$BAG" --model "$model" --output "$scratch/out/out.mcap" --force --quiet --json |
            figure fps >>"$scratch/$model.ours"
        "$python" benches/peers/python_replay.py "$BAG" --model "$onnx" --family "${pair#*:}" \
            --output "$scratch/peer.mcap" |
            figure fps >>"$scratch/$model.peer"
        say "$model: run $run done"
    done
    ours=$(best <"$scratch/$model.ours")
    peer=$(best <"$scratch/$model.peer")
    awk -v m="$model" -v a="$ours" -v b="$peer" 'BEGIN { printf "%-16s %14.1f %14.1f %7.2fx\n", m, a, b, a / b }'
done
echo

engines=$DEPS/engines requirements=benches/peers/requirements.txt
if ! cmp -s "$requirements" "$engines/.installed-from"; then
    say "installing the engines of $requirements into .deps/engines, to compare the bare model with"
    rm -rf "$engines"
    if "$python" -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps --only-binary=:all: \
        --target "$engines" -r "$requirements" >&2; then
        cp "$requirements" "$engines/.installed-from"
    else
        say '  they cannot be installed; continuing with those that are here'
    fi
fi
for model in fastestdet_352 nanodet_m_416; do
    PYTHONPATH=$engines "$python" benches/peers/engines.py "$("$shuffledet" models path "$model")" \
        --picture "$("$shuffledet" models path solid_white_right)" --shuffledet "$shuffledet"
    echo
done

scenes=$scratch/scenes tracks=$scratch/tracks
say 'comparing trackers on scenes with truth'
cargo run --release --locked --quiet -p shuffledet-track --features scenes --example write_scenes -- "$scenes" 100 103
for group in supervision trackers; do
    packages=$DEPS/$group requirements=benches/peers/$group.txt
    if ! cmp -s "$requirements" "$packages/.installed-from"; then
        say "installing the trackers of $requirements into .deps/$group"
        rm -rf "$packages"
        if "$python" -m pip --disable-pip-version-check install --quiet --only-binary=:all: --target "$packages" \
            -r "$requirements" >&2; then
            cp "$requirements" "$packages/.installed-from"
        else
            say '  they cannot be installed; continuing without them'
            continue
        fi
    fi
done
peers() { PYTHONPATH=$DEPS/$1 "$python" benches/peers/tracking.py "${@:2}"; }
for peer in "shuffledet:$shuffledet" "shuffledet+motion:$shuffledet"; do
    peers supervision run "$peer" "$scenes" "$tracks"
done
if [ -e "$DEPS/supervision/.installed-from" ]; then
    for peer in 'supervision ByteTrack' norfair; do peers supervision run "$peer" "$scenes" "$tracks"; done
    if [ -e "$DEPS/trackers/.installed-from" ]; then
        for peer in ByteTrack OC-SORT C-BIoU SORT; do peers trackers run "$peer" "$scenes" "$tracks"; done
    fi
    peers supervision score "$scenes" "$tracks"
    echo
fi

if use_ros; then
    say 'measuring the live node, from publish to detections'
    cargo build --release --locked --features ros
    for model in fastestdet_352 nanodet_m_416; do
        "$(ros_interpreter)" benches/live/latency.py rosbags/solid_white_right --model "$model" --bin "$TARGET/release"
    done
fi

cargo bench --locked --bench '*'
