//! The page of a run, asked over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A page on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub port: u16,
}

impl Page {
    /// Asks with the name that the page knows itself by. Returns the body of the answer.
    pub fn ask(self, request: &str, body: &str) -> Vec<u8> {
        self.ask_as(&format!("localhost:{}", self.port), request, body)
    }

    /// Asks as if the page were at `host`.
    pub fn ask_as(self, host: &str, request: &str, body: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let head = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        answer.split_off(head + 4)
    }

    /// Gives an order, and returns the answer.
    pub fn order(self, path: &str, order: &Value) -> Value {
        let answer = self.ask(&format!("POST {path}"), &order.to_string());
        serde_json::from_slice(&answer).unwrap()
    }

    /// Returns what the page shows, and the JPEGs of its cameras one after the other.
    pub fn live(self) -> (Value, Vec<u8>) {
        let mut answer = self.ask("GET /live?after=0&second=0", "");
        let length = u32::from_le_bytes(answer[..4].try_into().unwrap()) as usize;
        let pictures = answer.split_off(4 + length);
        (serde_json::from_slice(&answer[4..]).unwrap(), pictures)
    }

    /// Waits until the page shows what is wanted.
    #[track_caller]
    pub fn until(self, what: &str, is_so: impl Fn(&Value) -> bool) -> (Value, Vec<u8>) {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let (state, pictures) = self.live();
            if is_so(&state) {
                return (state, pictures);
            }
            assert!(Instant::now() < limit, "{what}: {state}");
        }
    }
}
