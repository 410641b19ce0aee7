#!/usr/bin/env bash
# Takes a fresh clone to detections in a recording, and to detections of the live node on a camera topic.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" demo
"$ROOT/scripts/build.sh"
shuffledet=$TARGET/release/shuffledet
cd "$ROOT"
rosbags/make_sample.sh

"$shuffledet" replay rosbags/sample --config config/shuffledet.yaml --set detector.classes=road --force \
    --output demo/detections/detections.mcap --with-images --report demo/report.html --detections demo/detections.json \
    --draw demo/frames

if use_ros; then
    printf '\nThe live node, on ROS 2 %s:\n' "$ROS_DISTRO"
    "$(ros_interpreter)" scripts/demo_node.py rosbags/sample --node "$TARGET/release/shuffledet_node"
else
    printf '\nThere is no ROS 2, and none can be installed: the live node was not shown.\n'
fi

cat <<END

Written:
  demo/report.html                     open it in a browser: latency, detections, twelve frames
  demo/frames/                         every frame with its boxes, as JPEG
  demo/detections.json                 the detections, as COCO results
  demo/detections/detections.mcap      the images and detections as ROS 2 messages; metadata.yaml beside it
                                       (Foxglove draws them, with config/foxglove_layout.json)
  rosbags/sample/                      the input recording
END
