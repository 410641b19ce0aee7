//! The ROS 2 of this environment.

use std::env;
use std::path::Path;

use super::check::{Check, Report};

/// Whether this build has the node.
const BUILT_WITH_ROS: bool = cfg!(feature = "ros");

/// Looks at environment variables, and at the folders that they name under `root`.
pub(super) fn check(
    environment: &dyn Fn(&str) -> Option<String>,
    root: &Path,
    report: &mut Report,
) {
    report.add(distribution(environment, BUILT_WITH_ROS));
    if environment("ROS_DISTRO").is_none() {
        return;
    }
    report.add(vision_msgs(
        &environment("AMENT_PREFIX_PATH").unwrap_or_default(),
        root,
    ));
    report.add(match environment("RMW_IMPLEMENTATION") {
        Some(name) => Check::ok("RMW", name),
        None => Check::ok("RMW", "the distribution's default, mostly rmw_fastrtps_cpp"),
    });
    report.add(domain(environment("ROS_DOMAIN_ID").as_deref()));
}

fn distribution(environment: &dyn Fn(&str) -> Option<String>, built: bool) -> Check {
    const NAME: &str = "ROS 2";
    match (environment("ROS_DISTRO"), built) {
        (Some(name), true) => Check::ok(NAME, format!("{name}; this build has the node")),
        (Some(name), false) => Check::warn(
            NAME,
            format!("{name}; this build is without the node"),
            "colcon build --packages-select shuffledet, or cargo build --features ros",
        ),
        (None, true) => Check::warn(
            NAME,
            "none is sourced, and this build has the node",
            "source /opt/ros/DISTRIBUTION/setup.bash",
        ),
        (None, false) => Check::ok(NAME, "none, and this build needs none"),
    }
}

fn vision_msgs(prefixes: &str, root: &Path) -> Check {
    const NAME: &str = "vision_msgs";
    let prefixes = env::split_paths(prefixes).filter_map(|prefix| {
        let below = prefix.strip_prefix("/").unwrap_or(&prefix).to_owned();
        let package = root.join(below).join("share/vision_msgs/package.xml");
        package.is_file().then_some(prefix)
    });
    match prefixes.into_iter().next() {
        Some(prefix) => Check::ok(NAME, prefix.display().to_string()),
        None => Check::fail(
            NAME,
            "in no folder of AMENT_PREFIX_PATH",
            "sudo apt-get install ros-$ROS_DISTRO-vision-msgs",
        ),
    }
}

fn domain(id: Option<&str>) -> Check {
    const NAME: &str = "ROS_DOMAIN_ID";
    let Some(id) = id else {
        return Check::ok(NAME, "0, the default");
    };
    // above, the ports of UDP run into those that Linux gives to programs
    match id.parse::<u32>() {
        Ok(0..=101) => Check::ok(NAME, id),
        Ok(102..=232) => {
            let found = format!("{id}: its ports may be taken by other programs");
            Check::warn(NAME, found, "choose one of 0 to 101")
        }
        _ => Check::fail(
            NAME,
            format!("{id}: not a domain"),
            "choose one of 0 to 101",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Level;
    use super::*;
    use std::fs;

    #[test]
    fn what_is_sourced_and_built_must_go_together() {
        let sourced = |name: &str| (name == "ROS_DISTRO").then(|| "jazzy".to_owned());
        let bare = |_: &str| None;
        assert_eq!(distribution(&sourced, true).level, Level::Ok);
        assert_eq!(distribution(&sourced, false).level, Level::Warn);
        assert_eq!(distribution(&bare, true).level, Level::Warn);
        assert_eq!(distribution(&bare, false).level, Level::Ok);
    }

    #[test]
    fn vision_msgs_is_looked_for_in_every_prefix() {
        let root = tempfile::tempdir().unwrap();
        let prefixes = "/opt/ros/jazzy:/home/me/ws/install/vision_msgs";
        assert_eq!(vision_msgs(prefixes, root.path()).level, Level::Fail);
        let folder = root
            .path()
            .join("home/me/ws/install/vision_msgs/share/vision_msgs");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("package.xml"), "<package/>").unwrap();
        let found = vision_msgs(prefixes, root.path());
        assert_eq!(
            found,
            Check::ok("vision_msgs", "/home/me/ws/install/vision_msgs")
        );
    }

    #[test]
    fn domains_have_a_range() {
        let level = |id| domain(id).level;
        assert_eq!(level(None), Level::Ok);
        assert_eq!(level(Some("42")), Level::Ok);
        assert_eq!(level(Some("150")), Level::Warn);
        assert_eq!(level(Some("233")), Level::Fail);
        assert_eq!(level(Some("camera")), Level::Fail);
    }
}
