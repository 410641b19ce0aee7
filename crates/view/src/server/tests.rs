//! The page's server over the loopback interface: who is answered, and what viewers cannot do to it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Mutex;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};
use shuffledet_core::{DropReason, Outcome, Trace};

use super::*;
use crate::{ParameterView, PlayCommand, PlaybackState, RunFacts, Scene, Shot};

/// Remembers what it was told.
#[derive(Default)]
struct Told {
    commands: Mutex<Vec<PlayCommand>>,
    score: Mutex<f64>,
    fixed: bool,
}

impl Control for Told {
    fn facts(&self) -> RunFacts {
        RunFacts::default()
    }

    fn playback(&self) -> Option<PlaybackState> {
        None
    }

    fn play(&self, command: &PlayCommand) -> Result<String, String> {
        self.commands.lock().unwrap().push(command.clone());
        Ok("done".to_owned())
    }

    fn parameters(&self) -> Vec<ParameterView> {
        Vec::new()
    }

    fn parameters_yaml(&self) -> Result<String, String> {
        Ok("a: 1\n".to_owned())
    }

    fn parameters_fixed(&self) -> Option<String> {
        self.fixed.then(|| "web.allow_changes is false".to_owned())
    }

    fn set_parameter(&self, name: &str, value: &Value) -> Result<(), String> {
        let score = value.as_f64().filter(|score| (0.0..=1.0).contains(score));
        let score = score.ok_or_else(|| format!("{name}: expected 0 to 1, found {value}"))?;
        *self.score.lock().unwrap() = score;
        Ok(())
    }
}

fn place() -> Place {
    Place {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 0,
        allowed_hosts: Vec::new(),
    }
}

/// Short, so that the tests need not wait.
const LIMITS: Limits = Limits {
    connections: 64,
    head: Duration::from_millis(400),
    write: Duration::from_millis(400),
    wait: Duration::from_millis(100),
};

fn serve(control: Told) -> (Arc<Hub>, Arc<Told>, Served) {
    let hub = Hub::new(vec!["/front".to_owned()], 10.0);
    let control = Arc::new(control);
    let (shared, told) = (Arc::clone(&hub), Arc::clone(&control));
    let served = Served::start(&place(), LIMITS, shared, control, "--view").unwrap();
    (hub, told, served)
}

/// Sends a request and returns the status with the head and the body of the answer; `None` if the
/// server closed the connection without one.
fn ask(address: SocketAddr, request: &[u8]) -> Option<(u16, String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // the server may have closed it already
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "no answer in 20 s");
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_ascii_lowercase(), answer[end..].to_vec()))
}

fn get(served: &Served, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let port = served.address().port();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{headers}\r\n"
    );
    ask(served.address(), request.as_bytes()).unwrap()
}

fn post(served: &Served, path: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
    let (port, length) = (served.address().port(), body.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    ask(served.address(), request.as_bytes()).unwrap()
}

const AS_JSON: &str = "Content-Type: application/json\r\n";

fn shot(bytes: usize) -> Shot {
    Shot {
        jpeg: vec![7; bytes],
        scene: Scene {
            size: [640, 480],
            ..Scene::default()
        },
    }
}

/// Splits the answer of `/live` into its JSON and the pictures.
fn live(body: &[u8]) -> (Value, &[u8]) {
    let length = u32::from_le_bytes(body[..4].try_into().unwrap()) as usize;
    let state = serde_json::from_slice(&body[4..4 + length]).unwrap();
    (state, &body[4 + length..])
}

#[test]
fn the_page_has_all_its_parts_and_allows_nothing_else() {
    let (_hub, _told, served) = serve(Told::default());
    let mut page = String::new();
    for (path, kind) in [
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/picture.js", "text/javascript"),
        ("/plot.js", "text/javascript"),
        ("/control.js", "text/javascript"),
    ] {
        let (status, head, body) = get(&served, path, "");
        assert_eq!(status, 200, "{path}");
        assert!(head.contains(&format!("content-type: {kind}")), "{head}");
        assert!(head.contains("content-security-policy: default-src 'none'"));
        assert!(!head.contains("access-control"), "{head}");
        page.push_str(std::str::from_utf8(&body).unwrap());
    }
    assert!(!page.contains("https://") && !page.contains("http://"));
    for path in [
        "/etc/passwd",
        "/../../etc/passwd",
        "/%2e%2e/Cargo.toml",
        "/live/x",
        "//live",
    ] {
        assert_eq!(get(&served, path, "").0, 404, "{path}");
    }
}

#[test]
fn a_viewer_gets_the_picture_with_its_boxes() {
    let (hub, _told, served) = serve(Told::default());
    hub.record(0, Instant::now(), &Outcome::Published, &Trace::default());
    hub.show(0, shot(1000));
    let (status, _, body) = get(&served, "/live", "");
    let (state, pictures) = live(&body);
    assert_eq!(status, 200);
    assert_eq!(pictures, [7; 1000]);
    let camera = &state["cameras"][0];
    assert_eq!(camera["counts"]["received"], 1);
    assert_eq!(camera["picture"]["bytes"], 1000);
    assert_eq!(camera["picture"]["scene"]["size"], json!([640, 480]));
    assert!(hub.wants_picture(0, Instant::now()));
    // without a new picture the counts come alone, after a while
    let began = Instant::now();
    let path = format!(
        "/live?run={}&after={}&second=0",
        state["run"], state["sequence"]
    );
    let (_, _, body) = get(&served, &path, "");
    let (state, pictures) = live(&body);
    assert_eq!(state["cameras"][0]["picture"], Value::Null);
    assert!(pictures.is_empty() && began.elapsed() >= LIMITS.wait);
}

#[test]
fn other_sites_and_other_names_are_refused() {
    let (_hub, told, served) = serve(Told::default());
    let port = served.address().port();
    let at = |host: &str, more: &str| {
        let request =
            format!("GET /live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
        ask(served.address(), request.as_bytes()).unwrap().0
    };
    let own = format!("localhost:{port}");
    assert_eq!(at(&own, ""), 200);
    assert_eq!(at(&own, &format!("Origin: http://{own}\r\n")), 200);
    assert_eq!(at("evil.example", ""), 403);
    assert_eq!(at(&own, "Origin: http://evil.example\r\n"), 403);
    assert_eq!(at(&own, "Origin: null\r\n"), 403);
    assert_eq!(at(&own, "Sec-Fetch-Site: cross-site\r\n"), 403);
    let absolute = format!(
        "GET http://evil.example/live HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(ask(served.address(), absolute.as_bytes()).unwrap().0, 403);
    // a form of another site, which needs no permission to be sent
    let form = "Content-Type: text/plain\r\n";
    let pause = r#"{"do":"pause"}"#;
    assert_eq!(post(&served, "/play", form, pause).0, 415);
    let foreign = format!("{AS_JSON}Origin: http://evil.example\r\n");
    assert_eq!(post(&served, "/play", &foreign, pause).0, 403);
    assert!(told.commands.lock().unwrap().is_empty());
    assert_eq!(get(&served, "/play", "").0, 405);
}

#[test]
fn orders_are_checked_before_they_are_obeyed() {
    let (_hub, told, served) = serve(Told::default());
    assert_eq!(
        post(&served, "/play", AS_JSON, r#"{"do":"seek","to_s":2.5}"#).0,
        200
    );
    assert_eq!(
        post(&served, "/play", AS_JSON, r#"{"do":"explode"}"#).0,
        422
    );
    assert_eq!(post(&served, "/play", AS_JSON, "{").0, 400);
    let long = format!(r#"{{"do":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(post(&served, "/play", AS_JSON, &long).0, 413);
    assert_eq!(
        *told.commands.lock().unwrap(),
        [PlayCommand::Seek { to_s: 2.5 }]
    );
    let set = |value: &str| {
        let change = format!(r#"{{"name":"detector.score_threshold","value":{value}}}"#);
        let (status, _, body) = post(&served, "/parameter", AS_JSON, &change);
        (status, String::from_utf8(body).unwrap())
    };
    assert_eq!(set("0.4").0, 200);
    let (status, why) = set("4");
    assert!(
        status == 409 && why.contains("expected 0 to 1, found 4"),
        "{why}"
    );
    assert_eq!(*told.score.lock().unwrap(), 0.4);
}

#[test]
fn without_permission_no_parameter_changes() {
    let fixed = Told {
        fixed: true,
        ..Told::default()
    };
    let (_hub, told, served) = serve(fixed);
    let change = r#"{"name":"detector.score_threshold","value":0.4}"#;
    let (status, _, body) = post(&served, "/parameter", AS_JSON, change);
    assert_eq!(status, 409);
    assert!(String::from_utf8_lossy(&body).contains("web.allow_changes"));
    assert_eq!(*told.score.lock().unwrap(), 0.0);
}

#[test]
fn half_sent_heads_and_bodies_are_given_up() {
    let (_hub, _told, served) = serve(Told::default());
    let body =
        format!("POST /play HTTP/1.1\r\nHost: localhost\r\n{AS_JSON}Content-Length: 50\r\n\r\n{{");
    let (status, _, _) =
        ask(served.address(), body.as_bytes()).unwrap_or((408, String::new(), Vec::new()));
    assert_eq!(status, 408);
    for start in ["", "GET", "GET / HTTP/1.1\r\nHost: local"] {
        let began = Instant::now();
        let answer = ask(served.address(), start.as_bytes());
        assert!(answer.is_none_or(|(status, _, _)| status == 408), "{start}");
        assert!(began.elapsed() < Duration::from_secs(15), "{start}");
    }
}

#[test]
fn two_hundred_open_connections_do_not_stop_the_run_or_later_viewers() {
    let (hub, _told, served) = serve(Told::default());
    let open: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(served.address()).unwrap())
        .collect();
    let began = Instant::now();
    for _ in 0..1000 {
        hub.record(
            0,
            Instant::now(),
            &Outcome::Dropped(DropReason::Superseded),
            &Trace::default(),
        );
        hub.show(0, shot(10_000));
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    // those that say nothing are closed, and make room
    std::thread::sleep(2 * LIMITS.head);
    let (status, _, body) = get(&served, "/live", "");
    let (state, _) = live(&body);
    assert_eq!(status, 200);
    let counts = &state["cameras"][0]["counts"];
    assert_eq!(
        (&counts["received"], &counts["dropped"]["superseded"]),
        (&json!(1000), &json!(1000))
    );
    drop(open);
}

#[test]
fn a_viewer_that_does_not_read_is_cut_off() {
    let (hub, _told, served) = serve(Told::default());
    // more than the buffers of the system take
    hub.show(0, shot(64 << 20));
    let mut stream = TcpStream::connect(served.address()).unwrap();
    let port = served.address().port();
    write!(
        stream,
        "GET /live HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
    )
    .unwrap();
    std::thread::sleep(3 * LIMITS.write);
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut got = Vec::new();
    // ends early, in order or with a reset
    if let Err(error) = stream.read_to_end(&mut got) {
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "still open");
    }
    assert!(got.len() < 64 << 20, "{} bytes", got.len());
}

#[test]
fn a_taken_port_is_one_clear_error() {
    let (_hub, _told, served) = serve(Told::default());
    let taken = Place {
        port: served.address().port(),
        ..place()
    };
    let hub = Hub::new(Vec::new(), 10.0);
    let control = Arc::new(Told::default());
    let error = Served::start(&taken, LIMITS, hub, control, "web.port").unwrap_err();
    assert!(matches!(error, ServeError::Taken { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with("web.port: ") && text.contains(&served.address().to_string()),
        "{text}"
    );
    let foreign = Place {
        address: "192.0.2.1".parse().unwrap(),
        ..place()
    };
    let hub = Hub::new(Vec::new(), 10.0);
    let error = Served::start(&foreign, LIMITS, hub, Arc::new(Told::default()), "web.port");
    assert!(error.unwrap_err().to_string().contains("192.0.2.1:0"));
}

#[test]
fn the_server_ends_at_once_while_viewers_wait() {
    let (hub, _told, served) = serve(Told::default());
    let mut stream = TcpStream::connect(served.address()).unwrap();
    write!(stream, "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let began = Instant::now();
    drop(served);
    assert!(began.elapsed() < Duration::from_secs(5));
    hub.show(0, shot(10));
}

/// A line of a request, more or less right.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"GET / HTTP/1.1".to_vec()),
        Just(b"POST /parameter HTTP/1.1".to_vec()),
        Just(b"Host: localhost".to_vec()),
        Just(b"Content-Type: application/json".to_vec()),
        Just(b"Content-Length: 99999999999999999999".to_vec()),
        Just(b"Content-Length: 3".to_vec()),
        Just(b"Transfer-Encoding: chunked".to_vec()),
        Just(b"Connection: close".to_vec()),
        Just(Vec::new()),
        "GET /live\\?[a-z0-9=&%]{0,30} HTTP/1.[01]".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

#[test]
fn no_bytes_end_the_server() {
    let (hub, told, served) = serve(Told::default());
    hub.show(0, shot(100));
    let config = ProptestConfig::with_cases(150);
    proptest!(config, |(lines in prop::collection::vec(line(), 0..12))| {
        let request = lines.join(&b"\r\n"[..]);
        let mut stream = TcpStream::connect(served.address()).unwrap();
        // the server may refuse it before it is whole
        let _ = stream.write_all(&request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            prop_assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
        }
        prop_assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
    });
    assert_eq!(get(&served, "/", "").0, 200);
    assert!(told.commands.lock().unwrap().is_empty());
    assert_eq!(*told.score.lock().unwrap(), 0.0);
}
