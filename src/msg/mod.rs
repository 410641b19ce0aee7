//! ROS 2 messages as CDR bytes: views to read them, builders to write them.
