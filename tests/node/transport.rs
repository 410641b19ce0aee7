//! Which of a camera's topics are heard: raw and compressed, behind a discovery server and not, one after the other and at once.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::peer::{Peer, Status};
use crate::program::Room;
use shuffledet_testing::process::terminate;
use shuffledet_testing::repository;

const RAW: [&str; 2] = ["/image_raw", "sensor_msgs/msg/Image"];
const COMPRESSED: [&str; 2] = ["/image_raw/compressed", "sensor_msgs/msg/CompressedImage"];
const CAMERA: &str = "shuffledet: camera";
/// What is slow or old is nobody's trouble here.
const PATIENT: [&str; 4] = [
    "-p",
    "diagnostics.warn_latency_ms:=50000.0",
    "-p",
    "input.max_age_ms:=60000.0",
];

fn advertise(peer: &mut Peer, [topic, message_type]: [&str; 2]) {
    peer.ask(json!({"do": "advertise", "topic": topic, "type": message_type, "timeout": 20}));
}

/// Images of the topic's type, until `stop`.
fn play(peer: &mut Peer, [topic, message_type]: [&str; 2], stamps: Value, count: usize) {
    let encoding = if message_type == RAW[1] {
        "bgr8"
    } else {
        "png"
    };
    peer.ask(
        json!({"do": "play", "topic": topic, "count": count, "rate_hz": 20.0, "stamps": stamps,
        "made": {"width": 64, "height": 48, "encoding": encoding}, "background": topic}),
    );
}

fn stop(peer: &mut Peer, [topic, _]: [&str; 2]) {
    peer.ask(json!({"do": "stop", "name": topic}));
}

/// The camera's status once frames of that topic are published.
#[track_caller]
fn heard(peer: &mut Peer, [topic, _]: [&str; 2]) -> Status {
    peer.status(CAMERA, |status| {
        status.level == "OK"
            && status
                .values
                .get("topic")
                .is_some_and(|found| found == topic)
            && status.number("rate out (Hz)") > 1.0
    })
}

struct DiscoveryServer(Child);

impl DiscoveryServer {
    /// `None`, and a line that says so, where Fast DDS's tool is not installed.
    fn start(test: &str) -> Option<(Self, &'static str, PathBuf)> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        drop(socket);
        let prefixes = std::env::var("AMENT_PREFIX_PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = prefixes
            .split(':')
            .map(|p| PathBuf::from(p).join("bin"))
            .collect();
        folders.push(repository(".deps/ros/bin"));
        let tool = folders
            .iter()
            .map(|folder| folder.join("fast-discovery-server"));
        let Some(tool) = tool.into_iter().find(|tool| tool.exists()) else {
            eprintln!("skipped: {test}: needs fast-discovery-server");
            return None;
        };
        let server = Command::new(tool)
            .args(["-i", "0", "-l", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = PathBuf::from(format!("127.0.0.1:{port}"));
        Some((Self(server), "ROS_DISCOVERY_SERVER", address))
    }
}

impl Drop for DiscoveryServer {
    fn drop(&mut self) {
        terminate(&mut self.0);
    }
}

#[test]
fn nothing_was_heard_behind_a_discovery_server() {
    let test = "nothing_was_heard_behind_a_discovery_server";
    let Some((_server, variable, address)) = DiscoveryServer::start(test) else {
        return;
    };
    let Some(mut room) = Room::open_in(test, vec![(variable, address)]) else {
        return;
    };
    let _node = room.start_active(&PATIENT);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.status(CAMERA, |status| {
        status.level == "STALE" && status.message.contains("ROS_SUPER_CLIENT")
    });
    for topic in [RAW, COMPRESSED] {
        advertise(peer, topic);
        play(peer, topic, json!("now"), 100_000);
        heard(peer, topic);
        stop(peer, topic);
        peer.ask(json!({"do": "withdraw", "topic": topic[0]}));
    }
}

#[test]
fn a_camera_that_came_back_compressed_was_not_heard() {
    let test = "a_camera_that_came_back_compressed_was_not_heard";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&PATIENT);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    for topic in [RAW, COMPRESSED, RAW] {
        advertise(peer, topic);
        play(peer, topic, json!("now"), 100_000);
        let status = heard(peer, topic);
        assert!(!status.message.contains("segment_size"), "{status:?}");
        stop(peer, topic);
        peer.ask(json!({"do": "withdraw", "topic": topic[0]}));
    }
    let status = peer.status(CAMERA, |status| status.level == "STALE" && status.adds_up());
    assert_eq!(status.number("failed"), 0.0, "{status:?}");
}

#[test]
fn a_publisher_of_another_type_left_the_camera_deaf() {
    let test = "a_publisher_of_another_type_left_the_camera_deaf";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    room.peer
        .ask(json!({"do": "advertise", "topic": RAW[0], "type": "std_msgs/msg/String", "qos": {}}));
    let _node = room.start_active(&PATIENT);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    let expected = "publishes std_msgs/msg/String on /image_raw";
    let status = peer.status(CAMERA, |status| status.message.contains(expected));
    assert!(!status.message.contains("segment_size"), "{status:?}");
    advertise(peer, COMPRESSED);
    play(peer, COMPRESSED, json!("now"), 100_000);
    heard(peer, COMPRESSED);
    stop(peer, COMPRESSED);
}

#[test]
fn compressed_images_on_the_raw_topic_are_named_and_the_remedy_that_is_told_works() {
    let test = "compressed_images_on_the_raw_topic_are_named_and_the_remedy_that_is_told_works";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let node = room.start_active(&PATIENT);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": RAW[0], "type": COMPRESSED[1]}));
    let remap = "/image_raw/compressed:=/image_raw";
    let status = peer.status(CAMERA, |status| status.message.contains(remap));
    assert!(
        status
            .message
            .contains("publishes sensor_msgs/msg/CompressedImage on /image_raw")
    );
    assert!(!status.message.contains("segment_size"), "{status:?}");
    drop(node);
    room.peer
        .ask(json!({"do": "await_node", "gone": true, "timeout": 30}));
    let _node = room.start_active(
        &[
            &PATIENT[..],
            &["-p", "input.transport:=compressed", "-r", remap],
        ]
        .concat(),
    );
    let peer = &mut room.peer;
    play(peer, [RAW[0], COMPRESSED[1]], json!("now"), 100_000);
    heard(peer, [RAW[0], COMPRESSED[1]]);
    stop(peer, RAW);
}

#[test]
fn a_camera_that_sends_both_is_heard_once_and_raw() {
    let test = "a_camera_that_sends_both_is_heard_once_and_raw";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let _node = room.start_active(&PATIENT);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen("/shuffledet/detections", "vision_msgs/msg/Detection2DArray");
    advertise(peer, COMPRESSED);
    advertise(peer, RAW);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    // each picture on both topics, the compressed one first
    let stamps: Vec<u64> = (0..120).map(|picture| now + picture * 50_000_000).collect();
    for topic in [COMPRESSED, RAW] {
        play(peer, topic, json!(stamps), stamps.len());
    }
    heard(peer, RAW);
    // an image_transport that nobody listens to does not compress
    peer.ask(json!({"do": "endpoints", "topic": COMPRESSED[0], "subscriptions": 0}));
    for topic in [COMPRESSED, RAW] {
        peer.ask(json!({"do": "stop", "name": topic[0], "finish": true}));
    }
    let status = peer.status(CAMERA, |status| status.level == "STALE" && status.adds_up());
    for anomaly in ["stamp_duplicate", "stamp_out_of_order"] {
        assert_eq!(status.number(anomaly), 0.0, "{anomaly}: {status:?}");
    }
    let counted = status.number("received") + status.number("lost before the node");
    assert!((115.0..=120.0).contains(&counted), "{status:?}");
    let detections = peer.arrived("/shuffledet/detections");
    let mut stamps: Vec<i64> = detections.iter().map(crate::peer::stamp_ns).collect();
    let count = stamps.len();
    stamps.sort_unstable();
    stamps.dedup();
    assert_eq!(stamps.len(), count, "a picture was worked on twice");
}
