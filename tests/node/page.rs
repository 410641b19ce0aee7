//! The page of the live node.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::peer::Status;
use crate::program::{Room, light_model};
use shuffledet_testing::page::Page;

const IMAGE: &str = "sensor_msgs/msg/Image";

/// Returns a port that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn the_page_shows_the_cameras_and_changes_what_may_change() {
    let test = "the_page_shows_the_cameras_and_changes_what_may_change";
    let Some(mut room) = Room::open(test) else {
        return;
    };
    let page = Page { port: free_port() };
    let port = format!("web.port:={}", page.port);
    let _node = room.start_active(&["-p", &port, "-p", "web.allow_changes:=true"]);
    let peer = &mut room.peer;
    peer.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray");
    peer.ask(json!({"do": "advertise", "topic": "/image_raw", "type": IMAGE, "timeout": 20}));
    let made = json!({"width": 320, "height": 240});
    peer.ask(
        json!({"do": "play", "topic": "/image_raw", "made": made, "stamps": "now",
        "count": 100_000, "rate_hz": 20.0, "background": "camera"}),
    );
    let (state, pictures) = page.until("a picture", |state| {
        state["cameras"][0]["picture"]["bytes"].as_u64() > Some(500)
    });
    assert!(pictures.starts_with(b"\xff\xd8"));
    let facts = &state["facts"];
    assert_eq!(
        (&facts["title"], &facts["model"], &facts["state"]),
        (
            &json!("/shuffledet"),
            &json!(light_model()),
            &json!("active")
        )
    );
    assert_eq!(state["cameras"][0]["name"], "/image_raw");
    assert_eq!(
        state["cameras"][0]["picture"]["scene"]["size"],
        json!([320, 240])
    );

    let threshold = |value: f64| json!({"name": "detector.score_threshold", "value": value});
    let answer = page.order("/parameter", &threshold(0.55));
    assert_eq!(answer["ok"], "detector.score_threshold is set", "{answer}");
    let ask = json!({"do": "parameters", "call": "get", "names": ["detector.score_threshold"]});
    let is_set = json!({"detector.score_threshold": 0.55});
    assert_eq!(peer.ask(ask.clone()), is_set);
    let refused = page.order("/parameter", &threshold(7.0));
    assert!(refused["error"].is_string(), "{refused}");
    assert_eq!(peer.ask(ask), is_set);
    let foreign = page.ask_as("camera.example.org", "GET /live", "");
    assert!(!foreign.windows(2).any(|two| two == b"\xff\xd8"));

    peer.ask(json!({"do": "stop", "name": "camera"}));
    let ended = |status: &Status| {
        status.level == "STALE" && status.number("received") > 0.0 && status.adds_up()
    };
    let books = peer.status("shuffledet: camera", ended);
    let counts = |state: &Value| state["cameras"][0]["counts"]["published"].as_f64();
    page.until("the counts of diagnostics", |state| {
        counts(state) == Some(books.number("published"))
    });
}

#[test]
fn nobody_changes_a_node_that_does_not_allow_it() {
    let Some(mut room) = Room::open("nobody_changes_a_node_that_does_not_allow_it") else {
        return;
    };
    let page = Page { port: free_port() };
    let port = format!("web.port:={}", page.port);
    let _node = room.start_active(&["-p", &port]);
    let order = json!({"name": "detector.score_threshold", "value": 0.55});
    let refused = page.order("/parameter", &order);
    let reason = refused["error"].as_str().unwrap_or_default();
    assert!(reason.contains("web.allow_changes"), "{refused}");
}
