#!/usr/bin/env bash
# Runs the node for SOAK_MINUTES (30) among faults of all kinds; the report is soak/report.md. SOAK_SEED chooses the faults.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

"$ROOT/scripts/build.sh"
use_ros || fail 'ROS 2' 'source a ROS 2, or run scripts/setup_ros.sh'
cd "$ROOT"
node=$TARGET/release/shuffledet_node
[ -x "$node" ] || fail "$node" 'make build'

# a domain of its own, on this machine alone
export ROS_DOMAIN_ID=${ROS_DOMAIN_ID:-77} ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOG_DIR=$ROOT/soak/ros
[ "${ROS_DISTRO:-}" != humble ] || export ROS_LOCALHOST_ONLY=1
export FASTRTPS_DEFAULT_PROFILES_FILE=$ROOT/tests/ros/fastdds.xml
"$(ros_interpreter)" tests/ros/soak.py --node "$node" --output soak \
    --minutes "${SOAK_MINUTES:-30}" --seed "${SOAK_SEED:-1}" --model "${SOAK_MODEL:-road}"
