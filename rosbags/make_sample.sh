#!/usr/bin/env bash
# Makes rosbags/solid_white_right, the sample recording, from a dashcam clip of nine seconds, unless it exists.
# SHUFFLEDET is the binary to use (default: the release build).
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/../scripts/common.sh"

shuffledet=${SHUFFLEDET:-$TARGET/release/shuffledet}
bag=$ROOT/rosbags/solid_white_right
# import writes metadata.yaml last
[ -f "$bag/metadata.yaml" ] && exit
[ -x "$shuffledet" ] || fail "$shuffledet" 'make build'

cd "$ROOT"
rm -rf "$bag"
"$shuffledet" models fetch solid_white_right
"$shuffledet" import "$("$shuffledet" models path solid_white_right)" --output "$bag" \
    --topic /camera/front/image_raw/compressed --frame-id camera_front --start-stamp 1700000000.0
