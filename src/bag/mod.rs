//! rosbag2 recordings: reading and writing.
