//! The live node: DDS on this machine, ROS's log, and nothing else.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::home::Home;
use crate::trace::{Trace, is_of_lttng};
use crate::watch::{Network, Watch};

#[path = "../node/domain.rs"]
mod domain;

/// ONNX Runtime first looked its maker's name up nine seconds after it had started.
const LONG_ENOUGH: Duration = Duration::from_secs(13);

/// Killed when it goes.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The process that strace runs: the first that it wrote of.
fn traced(trace: &std::path::Path) -> String {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(trace).unwrap_or_default();
        if let Some((process, _)) = text.split_once(' ') {
            return process.to_owned();
        }
        assert!(Instant::now() < limit, "the node does not start");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a file is one that DDS, LTTng or ROS's log keeps.
fn is_of_ros(path: &str, home: &str) -> bool {
    let shared = path.strip_prefix("/dev/shm/");
    let names = ["fastrtps_", "fastdds_", "sem.", "cyclone", "iceoryx"];
    shared.is_some_and(|name| names.iter().any(|start| name.starts_with(start)))
        || is_of_lttng(path)
        || [format!("{home}/.ros"), format!("{home}/.ros/log")].contains(&path.to_owned())
        || path.starts_with(&format!("{home}/.ros/log/"))
}

/// Whether a call goes to DDS on this machine, to the kernel, to LTTng, or to the system's cache of user names.
fn stays_here(call: &str) -> bool {
    let known = [
        "AF_NETLINK",
        "/var/run/nscd/socket",
        "\"0.0.0.0\"",
        "\"127.0.0.1\"",
        "\"239.255.0.1\"",
    ];
    is_of_lttng(call) || known.iter().any(|name| call.contains(name))
}

fn the_node_is_quiet(test: &str, telemetry: Option<&'static str>) {
    let Some(watch) = Watch::new(test, Network::CutOff) else {
        return;
    };
    let (home, domain) = (Home::new(telemetry), domain::Domain::take());
    let (mut command, file) = watch.command(env!("CARGO_BIN_EXE_shuffledet_node"), &home);
    domain.contain(&mut command);
    let log = home.path("log");
    command
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap());
    let mut node = Node(command.spawn().unwrap());
    let process = traced(&file);
    thread::sleep(LONG_ENOUGH);
    let signalled = std::process::Command::new("kill")
        .args(["-s", "INT", &process])
        .status();
    assert!(signalled.unwrap().success());
    let status = node.0.wait().unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    // it had its model
    assert!(log.contains("nobody publishes"), "{log}");

    let trace = Trace::read(&file);
    assert!(!trace.looks_names_up());
    let mut sockets = trace.named(&["socket"]);
    sockets.retain(|call| {
        !["AF_INET, SOCK_DGRAM", "AF_NETLINK", "AF_UNIX"]
            .iter()
            .any(|kind| call.contains(kind))
    });
    assert_eq!(sockets, [""; 0]);
    let mut reached = trace.named(&["connect", "bind", "sendto", "sendmsg", "sendmmsg"]);
    // a connected socket's own address is not told again
    reached.retain(|call| call.contains("sa_family") && !stays_here(call));
    assert_eq!(reached, [""; 0]);

    let folder = home.path("home");
    let folder = folder.to_str().unwrap();
    let mut changed = trace.changed(&home.path("work"));
    changed.retain(|path| !path.starts_with("/proc") && !is_of_ros(path.to_str().unwrap(), folder));
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(home.names("home"), [".ros"]);
    assert_eq!(home.names("tmp"), [""; 0]);
    assert_eq!(home.names("work"), [""; 0]);
}

#[test]
fn the_node_is_quiet_by_itself() {
    the_node_is_quiet("the_node_is_quiet_by_itself", None);
}

#[test]
fn the_node_is_quiet_where_the_environment_wants_telemetry() {
    the_node_is_quiet(
        "the_node_is_quiet_where_the_environment_wants_telemetry",
        Some("0"),
    );
}
