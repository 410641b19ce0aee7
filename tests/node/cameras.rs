//! Cameras that do not fit, fall silent, or send what they should not.

use serde_json::json;

use crate::peer::{Peer, Status};
use crate::program::{Node, Room};
use shuffledet_testing::asset;

const IMAGE: &str = "sensor_msgs/msg/Image";
const TOPIC: &str = "/image_raw";
/// Silence is noticed soon, and what is slow is nobody's trouble here.
const EAGER: [&str; 6] = [
    "-p",
    "diagnostics.stale_after_ms:=300.0",
    "-p",
    "diagnostics.warn_latency_ms:=50000.0",
    "-p",
    "input.max_age_ms:=60000.0",
];

fn open(test: &str, arguments: &[&str]) -> Option<(Room, Node)> {
    let mut room = Room::open(test)?;
    let node = room.start_active(&[&EAGER, arguments].concat());
    room.peer
        .listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    Some((room, node))
}

#[track_caller]
fn stale(peer: &mut Peer, parts: &[&str]) -> Status {
    peer.status("shuffledet: camera", |status| {
        status.level == "STALE" && parts.iter().all(|part| status.message.contains(part))
    })
}

#[test]
fn each_policy_that_does_not_fit_is_named_with_what_mends_it() {
    let test = "each_policy_that_does_not_fit_is_named_with_what_mends_it";
    let subscription = |policy| format!("qos_overrides./image_raw.subscription.{policy}");
    let [reliable, latched, deadline, manual, lease] = [
        "reliability:=reliable",
        "durability:=transient_local",
        "deadline:=100000000",
        "liveliness:=manual_by_topic",
        "liveliness_lease_duration:=100000000",
    ]
    .map(subscription);
    let arguments = [
        "-p", &reliable, "-p", &latched, "-p", &deadline, "-p", &manual, "-p", &lease,
    ];
    let Some((mut room, _node)) = open(test, &arguments) else {
        return;
    };
    let peer = &mut room.peer;
    peer.ask(json!({"do": "advertise", "topic": TOPIC, "type": IMAGE,
        "qos": {"reliability": "best_effort"}}));
    for policy in [
        "reliability",
        "durability",
        "deadline",
        "liveliness",
        "liveliness_lease_duration",
    ] {
        let line = subscription(policy);
        stale(peer, &["/peer", policy, &line]);
    }
}

#[test]
fn a_history_of_another_kind_is_no_obstacle() {
    let test = "a_history_of_another_kind_is_no_obstacle";
    let all = "qos_overrides./image_raw.subscription.history:=keep_all";
    let Some((mut room, _node)) = open(test, &["-p", all]) else {
        return;
    };
    let peer = &mut room.peer;
    peer.ask(
        json!({"do": "advertise", "topic": TOPIC, "type": IMAGE, "timeout": 20,
        "qos": {"history": "keep_last", "depth": 1}}),
    );
    peer.ask(
        json!({"do": "play", "topic": TOPIC, "made": {"width": 64, "height": 48},
        "count": 5000, "rate_hz": 20.0, "stamps": "now", "background": "camera"}),
    );
    peer.status("shuffledet: camera", |status| status.level == "OK");
    peer.ask(json!({"do": "stop", "name": "camera"}));
}

#[test]
fn a_missed_deadline_is_noticed_by_the_nodes_own_clock() {
    let test = "a_missed_deadline_is_noticed_by_the_nodes_own_clock";
    let deadline = "qos_overrides./image_raw.subscription.deadline:=400000000";
    let Some((mut room, _node)) = open(test, &["-p", deadline]) else {
        return;
    };
    let peer = &mut room.peer;
    peer.ask(
        json!({"do": "advertise", "topic": TOPIC, "type": IMAGE, "timeout": 20,
        "qos": {"deadline": 400}}),
    );
    let play = |count| {
        json!({"do": "play", "topic": TOPIC, "made": {"width": 64, "height": 48},
            "count": count, "rate_hz": 20.0, "stamps": "now"})
    };
    peer.ask(play(20));
    std::thread::sleep(std::time::Duration::from_millis(900));
    peer.ask(play(20));
    let status = peer.status("shuffledet: camera", |status| {
        status.level == "WARN" && status.message.contains("deadline of 400ms")
    });
    assert!(status.number("deadlines missed") >= 1.0, "{status:?}");
}

#[test]
fn a_topic_of_another_type_or_namespace_is_named() {
    let test = "a_topic_of_another_type_or_namespace_is_named";
    let Some((mut room, _node)) = open(test, &["-p", "input.transport:=raw"]) else {
        return;
    };
    let peer = &mut room.peer;
    stale(peer, &["nobody publishes /image_raw"]);
    peer.ask(json!({"do": "advertise", "topic": "/car/image_raw", "type": IMAGE}));
    stale(peer, &["/car/image_raw", "-r image_raw:=/car/image_raw"]);
    peer.ask(json!({"do": "advertise", "topic": TOPIC, "type": "sensor_msgs/msg/CompressedImage"}));
    stale(
        peer,
        &["/peer publishes sensor_msgs/msg/CompressedImage", IMAGE],
    );
}

#[test]
fn a_camera_that_falls_silent_is_stale_until_it_comes_back() {
    let test = "a_camera_that_falls_silent_is_stale_until_it_comes_back";
    let Some((mut room, _node)) = open(test, &[]) else {
        return;
    };
    let peer = &mut room.peer;
    for _ in 0..2 {
        peer.ask(json!({"do": "advertise", "topic": TOPIC, "type": IMAGE, "timeout": 20}));
        peer.ask(
            json!({"do": "play", "topic": TOPIC, "made": {"width": 64, "height": 48},
            "count": 5000, "rate_hz": 20.0, "stamps": "now", "background": "camera"}),
        );
        peer.status("shuffledet: camera", |status| status.level == "OK");
        peer.ask(json!({"do": "stop", "name": "camera"}));
        stale(peer, &["no frame for", "from /peer"]);
        peer.ask(json!({"do": "withdraw", "topic": TOPIC}));
        stale(peer, &["no frame for", "nobody publishes"]);
    }
}

#[test]
fn a_corrupt_image_fails_and_the_next_does_not() {
    let test = "a_corrupt_image_fails_and_the_next_does_not";
    let Some((mut room, _node)) = open(test, &["-p", "input.transport:=compressed"]) else {
        return;
    };
    let Some(bag) = asset(test, "bags/dashcam_compressed_mcap") else {
        return;
    };
    let (peer, topic) = (&mut room.peer, "/image_raw/compressed");
    peer.listen("/shuffledet/latency", "diagnostic_msgs/msg/DiagnosticArray");
    peer.listen("/shuffledet/detections", "vision_msgs/msg/Detection2DArray");
    peer.ask(json!({"do": "advertise", "topic": topic,
        "type": "sensor_msgs/msg/CompressedImage", "timeout": 20}));
    let good = json!({"do": "play", "topic": topic, "bag": bag, "count": 2, "stamps": "now",
        "bag_topic": "/camera/front/image_raw/compressed",
        "acknowledged_by": "/shuffledet/detections", "timeout": 20});
    for _ in 0..2 {
        peer.ask(good.clone());
        peer.ask(json!({"do": "play", "topic": topic, "made": {"width": 1, "height": 1, "encoding": "broken"},
            "count": 1, "stamps": "now"}));
        peer.find("/shuffledet/latency", |message| {
            let outcome = message["status"][0]["message"].as_str().unwrap();
            outcome.starts_with("failed: ")
        });
    }
    peer.ask(good);
    let status = peer.status("shuffledet: camera", |status| {
        status.number("received") == 8.0 && status.adds_up()
    });
    assert_eq!(
        (status.number("published"), status.number("failed")),
        (6.0, 2.0)
    );
    assert_eq!(peer.arrived("/shuffledet/detections").len(), 6);
}

#[test]
fn odd_stamps_are_counted_by_name() {
    let test = "odd_stamps_are_counted_by_name";
    let Some((mut room, _node)) = open(test, &[]) else {
        return;
    };
    let peer = &mut room.peer;
    peer.listen("/shuffledet/latency", "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": TOPIC, "type": IMAGE, "timeout": 20}));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let now = i64::try_from(now.as_nanos()).unwrap();
    let s = 1_000_000_000;
    // one by one, each once it is known what became of the one before
    for (stamp, outcome) in [
        (now, "published"),
        (now, "dropped: stamp_duplicate"),
        (now - s / 2, "dropped: stamp_out_of_order"),
        (0, "published"),
        (now + 1000 * s, "published"),
        (now - 3600 * s, "published"),
    ] {
        peer.ask(
            json!({"do": "play", "topic": TOPIC, "made": {"width": 64, "height": 48},
            "count": 1, "stamps": [stamp]}),
        );
        let message = peer.next("/shuffledet/latency");
        assert_eq!(message["status"][0]["message"], outcome, "{}", stamp - now);
    }
    let status = peer.status("shuffledet: camera", |status| {
        status.number("received") == 6.0 && status.adds_up()
    });
    for name in [
        "stamp_duplicate",
        "stamp_out_of_order",
        "stamp_zero",
        "stamp_in_future",
        "stamp_jump",
    ] {
        assert_eq!(status.number(name), 1.0, "{name}: {status:?}");
    }
}
