//! How often the node wakes, and that what is asked of it still comes at once.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::{Node, Room};

/// How often each thread of the node has waited so far, by name.
fn waits(node: &Node) -> BTreeMap<String, u64> {
    let mut waits = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{}/task", node.id())).unwrap() {
        // a thread may have ended meanwhile
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else {
            continue;
        };
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_default().trim().to_owned()
        };
        let count: u64 = field("voluntary_ctxt_switches:").parse().unwrap();
        *waits.entry(field("Name:")).or_default() += count;
    }
    waits
}

#[test]
fn an_idle_node_woke_hundreds_of_times_a_second() {
    let test = "an_idle_node_woke_hundreds_of_times_a_second";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    // a camera that is there and sends nothing: nobody looks for it
    room.peer
        .ask(json!({"do": "advertise", "topic": "/image_raw", "type": "sensor_msgs/msg/Image"}));
    let node = room.start_active(&[
        "-p",
        "input.transport:=raw",
        "-p",
        "diagnostics.grace_ms:=60000.0",
    ]);
    thread::sleep(Duration::from_secs(2));
    let (before, began) = (waits(&node), Instant::now());
    thread::sleep(Duration::from_secs(4));
    let (after, seconds) = (waits(&node), began.elapsed().as_secs_f64());
    let per_second = |thread: &str| {
        let [before, after] = [&before, &after].map(|waits| waits[thread]);
        (after - before) as f64 / seconds
    };
    let of_threads: BTreeMap<_, _> = after.keys().map(|name| (name, per_second(name))).collect();
    eprintln!("waits a second: {of_threads:.1?}");
    for (thread, most) in [
        ("executor", 12.0),
        ("reader", 2.0),
        ("health", 6.0),
        ("shuffledet_node", 3.0),
        ("pipeline", 15.0),
        ("watchdog", 25.0),
    ] {
        assert!(per_second(thread) <= most, "{thread}: {of_threads:.1?}");
    }
}

#[test]
fn services_and_requests_are_served_at_once() {
    let test = "services_and_requests_are_served_at_once";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let mut node = room.start_active(&[]);
    let ask = json!({"do": "parameters", "call": "get", "names": ["model.name"]});
    room.peer.ask(ask.clone());
    let mut took: Vec<_> = (0..20)
        .map(|_| {
            // out of step with any period
            thread::sleep(Duration::from_millis(37));
            let began = Instant::now();
            room.peer.ask(ask.clone());
            began.elapsed()
        })
        .collect();
    took.sort();
    assert!(took[10] < Duration::from_millis(100), "{took:?}");
    // a change of state asks the node for a dozen things, one after the other
    let began = Instant::now();
    for transition in ["deactivate", "cleanup"] {
        room.peer
            .ask(json!({"do": "lifecycle", "call": "change_state",
            "transition": transition, "timeout": 20}));
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    node.signal("TERM");
    assert!(node.end(Duration::from_secs(1)).is_some());
}
