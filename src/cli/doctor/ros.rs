//! Checks the ROS 2 environment.

use std::env;
use std::path::{Path, PathBuf};

use super::check::{Check, Report};

/// The node's program. It may stand beside a `shuffledet` that was built without ROS.
const NODE: &str = "shuffledet_node";

/// Checks the environment variables and the folders that they name, below `root`.
pub(super) fn check(
    environment: &dyn Fn(&str) -> Option<String>,
    root: &Path,
    report: &mut Report,
) {
    let prefixes = environment("AMENT_PREFIX_PATH").unwrap_or_default();
    let beside = env::current_exe().ok();
    let beside = beside.as_deref().and_then(Path::parent);
    report.add(distribution(
        environment,
        node(beside, &prefixes, root).as_deref(),
    ));
    if environment("ROS_DISTRO").is_none() {
        return;
    }
    report.add(vision_msgs(&prefixes, root));
    report.add(match environment("RMW_IMPLEMENTATION") {
        Some(name) => Check::ok("RMW", name),
        None => Check::ok(
            "RMW",
            "the default of the distribution, usually rmw_fastrtps_cpp",
        ),
    });
    report.add(domain(environment("ROS_DOMAIN_ID").as_deref()));
}

/// Finds the node's program beside this program or, as colcon installs it, in a folder of
/// `prefixes`.
fn node(beside: Option<&Path>, prefixes: &str, root: &Path) -> Option<PathBuf> {
    let beside = beside.map(|folder| folder.join(NODE));
    let installed =
        env::split_paths(prefixes).map(|prefix| prefix.join("lib/shuffledet").join(NODE));
    let found = installed.filter(|path| below(root, path).is_file()).take(1);
    beside
        .filter(|path| path.is_file())
        .into_iter()
        .chain(found)
        .next()
}

/// Returns `path` below `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn distribution(environment: &dyn Fn(&str) -> Option<String>, node: Option<&Path>) -> Check {
    const NAME: &str = "ROS 2";
    match (environment("ROS_DISTRO"), node) {
        (Some(name), Some(node)) => Check::ok(NAME, format!("{name}; node: {}", node.display())),
        (Some(name), None) => Check::warn(
            NAME,
            format!("{name}; found no {NODE} beside this program or in AMENT_PREFIX_PATH"),
            "run make build; or colcon build --packages-select shuffledet, then source install/setup.bash",
        ),
        (None, Some(node)) => Check::warn(
            NAME,
            format!("not sourced, but the node is installed: {}", node.display()),
            "run: source /opt/ros/DISTRIBUTION/setup.bash",
        ),
        (None, None) => Check::ok(
            NAME,
            "not sourced; not needed because the node is not installed",
        ),
    }
}

fn vision_msgs(prefixes: &str, root: &Path) -> Check {
    const NAME: &str = "vision_msgs";
    let prefixes = env::split_paths(prefixes).filter_map(|prefix| {
        let package = below(root, &prefix).join("share/vision_msgs/package.xml");
        package.is_file().then_some(prefix)
    });
    match prefixes.into_iter().next() {
        Some(prefix) => Check::ok(NAME, prefix.display().to_string()),
        None => Check::fail(
            NAME,
            "not found in AMENT_PREFIX_PATH",
            "sudo apt-get install ros-$ROS_DISTRO-vision-msgs",
        ),
    }
}

fn domain(id: Option<&str>) -> Check {
    const NAME: &str = "ROS_DOMAIN_ID";
    let Some(id) = id else {
        return Check::ok(NAME, "0 (default)");
    };
    // above 101 the UDP ports overlap with the ephemeral ports of Linux
    match id.parse::<u32>() {
        Ok(0..=101) => Check::ok(NAME, id),
        Ok(102..=232) => {
            let found = format!("{id}: other programs may use its ports");
            Check::warn(NAME, found, "choose one of 0 to 101")
        }
        _ => Check::fail(
            NAME,
            format!("{id} is not a valid domain"),
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
        let node = Some(Path::new("/ws/shuffledet_node"));
        assert_eq!(distribution(&sourced, node).level, Level::Ok);
        assert_eq!(distribution(&sourced, None).level, Level::Warn);
        assert_eq!(distribution(&bare, node).level, Level::Warn);
        assert_eq!(distribution(&bare, None).level, Level::Ok);
    }

    #[test]
    fn a_node_that_make_built_beside_a_program_without_ros_was_not_seen() {
        let root = tempfile::tempdir().unwrap();
        let beside = root.path().join("release");
        let prefixes = "/opt/ros/jazzy:/ws/install/shuffledet";
        fs::create_dir_all(&beside).unwrap();
        assert_eq!(node(Some(&beside), prefixes, root.path()), None);
        let installed = root.path().join("ws/install/shuffledet/lib/shuffledet");
        fs::create_dir_all(&installed).unwrap();
        fs::write(installed.join(NODE), "").unwrap();
        let found = node(Some(&beside), prefixes, root.path());
        let expected = Path::new("/ws/install/shuffledet/lib/shuffledet/shuffledet_node");
        assert_eq!(found.as_deref(), Some(expected));
        fs::write(beside.join(NODE), "").unwrap();
        let found = node(Some(&beside), prefixes, root.path());
        assert_eq!(found, Some(beside.join(NODE)));
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
