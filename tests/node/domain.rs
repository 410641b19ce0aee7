//! A ROS domain for one test, where no other test's nodes are.

use std::fs::{self, File};
use std::process::Command;

/// Held for as long as it lives, by a lock that other tests' processes heed, too.
pub struct Domain {
    number: usize,
    _lock: File,
}

impl Domain {
    /// One that is free. Domains above 101 have ports that the system may give to others.
    pub fn take() -> Self {
        let folder = std::env::temp_dir().join("shuffledet-test-domains");
        fs::create_dir_all(&folder).unwrap();
        (1..=101)
            .find_map(|number| {
                let lock = File::create(folder.join(number.to_string())).unwrap();
                lock.try_lock().ok().map(|()| Self {
                    number,
                    _lock: lock,
                })
            })
            .expect("a free ROS domain")
    }

    /// Makes `command` part of the domain; it reaches no other computer.
    pub fn contain(&self, command: &mut Command) {
        command.env("ROS_DOMAIN_ID", self.number.to_string());
        if std::env::var("ROS_DISTRO").is_ok_and(|distro| distro == "humble") {
            command.env("ROS_LOCALHOST_ONLY", "1");
        } else {
            command.env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
        }
    }
}
