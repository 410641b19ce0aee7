//! The rclpy process that stands in for cameras and tools: `tests/ros/peer.py`.

use std::collections::{HashMap, VecDeque};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::domain::Domain;
use shuffledet_testing::process::await_end;
use shuffledet_testing::repository;

/// The longest that anything may take.
pub const LIMIT: Duration = Duration::from_secs(30);

pub struct Peer {
    process: Child,
    commands: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// Messages that came and were not asked for yet, by topic.
    kept: HashMap<String, VecDeque<Value>>,
}

/// `None`, and a line that says so, where there is no Python with rclpy.
fn python(test: &str) -> Option<PathBuf> {
    let named = env::var_os("SHUFFLEDET_ROS_PYTHON").map(PathBuf::from);
    let own = Some(repository(".deps/ros/bin/python")).filter(|path| path.exists());
    let python = named.or(own).unwrap_or_else(|| "python3".into());
    let has_rclpy = Command::new(&python)
        .args(["-c", "import rclpy"])
        .stderr(Stdio::null())
        .status();
    if has_rclpy.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {test}: needs rclpy");
    None
}

impl Peer {
    pub fn start(test: &str, domain: &Domain, environment: &[(&str, PathBuf)]) -> Option<Self> {
        let mut command = Command::new(python(test)?);
        command
            .arg(repository("tests/ros/peer.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(
                "FASTRTPS_DEFAULT_PROFILES_FILE",
                repository("tests/ros/fastdds.xml"),
            )
            .envs(environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        domain.contain(&mut command);
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (line, lines) = channel();
        thread::spawn(move || {
            for text in output.lines().map_while(Result::ok) {
                let Ok(()) = line.send(serde_json::from_str(&text).unwrap()) else {
                    return;
                };
            }
        });
        Some(Self {
            commands: process.stdin.take(),
            process,
            lines,
            kept: HashMap::new(),
        })
    }

    /// The answer to a command; what went wrong is the error.
    pub fn try_ask(&mut self, command: &Value) -> Result<Value, String> {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        // play may take long, but has limits of its own
        let limit = Instant::now() + 4 * LIMIT;
        loop {
            let Some(mut line) = self.line(limit) else {
                panic!("no answer to {command}");
            };
            if let Some(answer) = line.get_mut("answer") {
                return Ok(answer.take());
            }
            if let Some(error) = line["error"].as_str() {
                return Err(error.to_owned());
            }
            self.keep(line);
        }
    }

    #[track_caller]
    pub fn ask(&mut self, command: Value) -> Value {
        match self.try_ask(&command) {
            Ok(answer) => answer,
            Err(error) => panic!("{command}: {error}"),
        }
    }

    #[track_caller]
    pub fn listen(&mut self, topic: &str, message_type: &str) {
        // results and diagnostics are published reliably; nothing of them may be lost here
        self.ask(
            json!({"do": "subscribe", "topic": topic, "type": message_type, "qos": {"depth": 1000}}),
        );
    }

    /// The first of the messages on `topic` that is `wanted`; those before it are passed over.
    #[track_caller]
    pub fn find(&mut self, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (limit, mut last) = (Instant::now() + LIMIT, Value::Null);
        loop {
            let Some(message) = self.next_until(topic, limit) else {
                panic!("not found on {topic}; the last message was {last:#}");
            };
            if wanted(&message) {
                return message;
            }
            last = message;
        }
    }

    #[track_caller]
    pub fn next(&mut self, topic: &str) -> Value {
        self.find(topic, |_| true)
    }

    /// Those that have come so far and were not taken yet.
    pub fn arrived(&mut self, topic: &str) -> Vec<Value> {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(line);
        }
        self.kept.remove(topic).unwrap_or_default().into()
    }

    /// Those of the first message of `/diagnostics` with which `wanted` agrees.
    #[track_caller]
    pub fn statuses(&mut self, wanted: impl Fn(&[Status]) -> bool) -> Vec<Status> {
        let read = |message: &Value| -> Vec<_> {
            let statuses = message["status"].as_array().unwrap().iter();
            statuses.map(Status::read).collect()
        };
        read(&self.find("/diagnostics", |message| wanted(&read(message))))
    }

    fn next_until(&mut self, topic: &str, limit: Instant) -> Option<Value> {
        loop {
            let kept = self.kept.get_mut(topic).and_then(VecDeque::pop_front);
            if kept.is_some() {
                return kept;
            }
            let line = self.line(limit)?;
            self.keep(line);
        }
    }

    fn line(&mut self, limit: Instant) -> Option<Value> {
        let left = limit.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the peer has ended"),
        }
    }

    fn keep(&mut self, mut line: Value) {
        let topic = line["topic"].as_str().unwrap_or_default().to_owned();
        let message = line["message"].take();
        self.kept.entry(topic).or_default().push_back(message);
    }

    /// The status of that name as soon as it is `wanted`; `/diagnostics` must be listened to.
    #[track_caller]
    pub fn status(&mut self, name: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let pick = |message: &Value| {
            let statuses = message["status"].as_array().unwrap().iter();
            let mut statuses = statuses.map(Status::read);
            statuses.find(|status| status.name == name)
        };
        let message = self.find("/diagnostics", |message| {
            pick(message).is_some_and(|status| wanted(&status))
        });
        pick(&message).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // at the end of its input it ends by itself, unless it is at work in a test that has failed
        self.commands = None;
        await_end(&mut self.process);
    }
}

/// One status of `/diagnostics`.
#[derive(Debug, Clone)]
pub struct Status {
    /// OK, WARN, ERROR, STALE
    pub level: &'static str,
    pub name: String,
    pub message: String,
    pub values: HashMap<String, String>,
}

impl Status {
    fn read(status: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let values = status["values"].as_array().unwrap().iter();
        Self {
            level: match status["level"].as_str().unwrap() {
                "00" => "OK",
                "01" => "WARN",
                "02" => "ERROR",
                "03" => "STALE",
                other => panic!("level {other}"),
            },
            name: text(&status["name"]),
            message: text(&status["message"]),
            values: values
                .map(|value| (text(&value["key"]), text(&value["value"])))
                .collect(),
        }
    }

    /// A number; 0 where there is none.
    pub fn number(&self, key: &str) -> f64 {
        let value = self.values.get(key);
        value.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Every frame that was received has one end.
    pub fn adds_up(&self) -> bool {
        let ended = ["published", "dropped", "failed"].map(|key| self.number(key));
        self.number("received") == ended.iter().sum::<f64>()
    }
}

pub fn stamp_ns(message: &Value) -> i64 {
    let stamp = &message["header"]["stamp"];
    stamp["sec"].as_i64().unwrap() * 1_000_000_000 + stamp["nanosec"].as_i64().unwrap()
}
