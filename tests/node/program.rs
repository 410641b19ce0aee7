//! The node as a process, and the test's room for it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::domain::Domain;
use crate::peer::{LIMIT, Peer};
use shuffledet_detector::model::Model;
use shuffledet_testing::process::terminate;

pub const NODE: &str = env!("CARGO_BIN_EXE_shuffledet_node");

/// The model of a node that is started without another: the lightest, or the one that is built in
/// where that is not fetched.
pub fn light_model() -> &'static str {
    const LIGHTEST: &str = "fastestdet_352";
    match Model::load(LIGHTEST) {
        Ok(_) => LIGHTEST,
        Err(_) => "road",
    }
}

/// A domain with a peer in it, and a folder.
pub struct Room {
    pub peer: Peer,
    pub folder: TempDir,
    /// Of the nodes that are started from now on, besides the test's own.
    pub environment: Vec<(&'static str, PathBuf)>,
    domain: Domain,
}

impl Room {
    /// `None`, and a line that says so, where there is no rclpy.
    pub fn open(test: &str) -> Option<Self> {
        Self::open_in(test, Vec::new())
    }

    /// As [`Room::open`], with variables for the peer and for every node.
    pub fn open_in(test: &str, environment: Vec<(&'static str, PathBuf)>) -> Option<Self> {
        let domain = Domain::take();
        Some(Self {
            peer: Peer::start(test, &domain, &environment)?,
            folder: tempfile::tempdir().unwrap(),
            environment,
            domain,
        })
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Starts a node with these arguments after `--ros-args`, with a light model at its own input
    /// size unless they name others: most tests are about time, and a session for another size is
    /// made while frames are processed.
    pub fn start(&self, arguments: &[&str]) -> Node {
        let names_model = arguments
            .iter()
            .any(|argument| argument.starts_with("model.name") || *argument == "--params-file");
        let names_size = arguments
            .iter()
            .any(|argument| argument.starts_with("model.input_size"));
        let light = format!("model.name:={}", light_model());
        let light = ["-p", &light];
        let native = ["-p", "model.input_size:=native"];
        let log = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        let (log, path) = log.keep().unwrap();
        let mut command = Command::new(NODE);
        command
            .arg("--ros-args")
            .args(light.iter().filter(|_| !names_model))
            .args(native.iter().filter(|_| !names_size))
            .args(arguments)
            .env("ROS_LOG_DIR", self.folder.path())
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(File::try_clone(&log).unwrap()))
            .stderr(log);
        self.domain.contain(&mut command);
        Node {
            process: command.spawn().unwrap(),
            log: path,
        }
    }

    /// Starts a node, and waits until it is active.
    #[track_caller]
    pub fn start_active(&mut self, arguments: &[&str]) -> Node {
        let node = self.start(arguments);
        self.await_state("/shuffledet", "active");
        node
    }

    /// Ends a node, and waits until it is gone from the graph.
    #[track_caller]
    pub fn finish(&mut self, mut node: Node, name: &str) {
        node.signal("TERM");
        assert!(node.end(LIMIT).is_some(), "{name} does not end");
        self.peer.ask(
            json!({"do": "await_node", "node": name, "gone": true, "timeout": LIMIT.as_secs()}),
        );
    }

    #[track_caller]
    pub fn await_state(&mut self, node: &str, state: &str) {
        let limit = Instant::now() + LIMIT;
        // an answer may be lost while both have not found each other yet
        let ask = json!({"do": "lifecycle", "call": "get_state", "node": node, "timeout": 5});
        let is_in = |answer: Result<Value, String>| {
            answer.is_ok_and(|answer| answer["current_state"]["label"] == state)
        };
        while !is_in(self.peer.try_ask(&ask)) {
            assert!(Instant::now() < limit, "{node} is not {state}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A node's process. It is terminated when it goes, and its log shown if the test has failed.
pub struct Node {
    process: Child,
    log: PathBuf,
}

impl Node {
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// How it ended, and after how long.
    pub fn end(&mut self, limit: Duration) -> Option<(ExitStatus, Duration)> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Some((status, began.elapsed()));
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Of the process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        terminate(&mut self.process);
        let log = self.log();
        if thread::panicking() {
            eprintln!("--- the node's log\n{log}---");
        } else {
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

/// As one argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
