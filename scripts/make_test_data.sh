#!/usr/bin/env bash
# Makes a folder of test data for SHUFFLEDET_ASSETS from public files: make_test_data.sh FOLDER. It fetches models and a
# video by sha256, and makes recordings from the video. It prints what it cannot make; tests that need that are skipped.
# SHUFFLEDET is the binary to use (default: the debug build).
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

[ $# = 1 ] || { say 'usage: make_test_data.sh FOLDER'; exit 1; }
mkdir -p "$1"
folder=$(realpath "$1")
shuffledet=${SHUFFLEDET:-$TARGET/debug/shuffledet}
python=$DEPS/venv/bin/python
[ -x "$shuffledet" ] || fail "$shuffledet" 'cargo build'
"$python" -c 'import cv2, rosbags' 2>/dev/null || fail 'Python with rosbags and OpenCV' 'make setup'

mkdir -p "$folder/models" "$folder/video" "$folder/bags"
fetched=(fastestdet_352 nanodet_m_416 solid_white_right)
"$shuffledet" models fetch "${fetched[@]}"
for name in "${fetched[@]}"; do
    path=$("$shuffledet" models path "$name")
    case $path in
    *.onnx) cp "$path" "$folder/models/$name.onnx" ;;
    *) cp "$path" "$folder/video/solidWhiteRight.mp4" ;;
    esac
done

bags=(dashcam_compressed_mcap dashcam_raw_sqlite3 encodings_mcap)
missing=()
for bag in "${bags[@]}"; do
    [ -f "$folder/bags/$bag/metadata.yaml" ] || missing+=("$bag")
done
if [ ${#missing[@]} -gt 0 ]; then
    # a folder of an interrupted run has no metadata
    for bag in "${bags[@]}"; do rm -rf "${folder:?}/bags/$bag"; done
    "$python" "$ROOT/tests/reference/make_dashcam.py" "$folder/video/solidWhiteRight.mp4" "$folder/bags"
fi

say "made $folder; to use it: export SHUFFLEDET_ASSETS=$folder"
say 'not made, because their sources are not fetched here:'
say '  images/   64 COCO and 14 dashcam images with annotations'
say '  golden/   the images of the reference detections'
say '  reports/  files that once failed'
