//! `models fetch`, the one command that uses a network: it says where it goes before it does.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use crate::home::Home;
use crate::trace::Trace;
use crate::watch::{Network, Watch};
use shuffledet_testing::ended::Ended;
use shuffledet_testing::repository;

const FILE: &str = "fastestdet_352.onnx";

fn fetch(watch: &Watch, home: &Home, from: &str) -> (Ended, Trace) {
    let (mut command, trace) = watch.command(env!("CARGO_BIN_EXE_shuffledet"), home);
    command
        .args(["models", "fetch", "fastestdet_352", "--from", from])
        .env("SHUFFLEDET_MODEL_DIR", home.path("work"));
    let ended = Ended::from(command.output().unwrap());
    (ended, Trace::read(&trace))
}

/// `None`, and a line that says so, where the model is not fetched.
fn model(test: &str) -> Option<PathBuf> {
    let path = repository(".deps/models").join(FILE);
    if !path.is_file() {
        eprintln!("skipped: {test}: needs the model fastestdet_352 (shuffledet models fetch)");
        return None;
    }
    Some(path)
}

#[test]
fn fetch_says_where_it_goes_and_goes_nowhere_else() {
    let test = "fetch_says_where_it_goes_and_goes_nowhere_else";
    let (Some(watch), Some(model)) = (Watch::new(test, Network::AsItIs), model(test)) else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let bytes = fs::read(&model).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
        stream
            .write_all(&[head.as_bytes(), &bytes].concat())
            .unwrap();
    });
    let home = Home::new(Some("0"));
    let (ended, trace) = fetch(&watch, &home, &format!("http://127.0.0.1:{port}"));
    server.join().unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let address = format!("http://127.0.0.1:{port}/{FILE}");
    let said = format!("fetching {FILE} from {address}");
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), [said.as_str()]);
    let connections = trace.named(&["connect"]);
    let there =
        format!("{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr(\"127.0.0.1\")}}");
    assert!(
        !connections.is_empty() && connections.iter().all(|call| call.contains(&there)),
        "{connections:?}"
    );
    assert!(trace.written(&address).unwrap() < trace.first("socket").unwrap());
    assert!(!trace.looks_names_up());
    assert_eq!(home.names("work"), [FILE]);
    home.assert_is_empty();
}

#[test]
fn fetch_from_a_folder_uses_no_network() {
    let test = "fetch_from_a_folder_uses_no_network";
    let (Some(watch), Some(model)) = (Watch::new(test, Network::CutOff), model(test)) else {
        return;
    };
    let home = Home::new(None);
    let (ended, trace) = fetch(&watch, &home, model.parent().unwrap().to_str().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(trace.named(&["socket", "connect"]), [""; 0]);
    assert_eq!(home.names("work"), [FILE]);
}
