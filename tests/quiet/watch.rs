//! Programs under strace.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::home::Home;
use crate::trace::{CALLS, Trace};
use shuffledet_testing::ended::Ended;

/// Whether a program is cut off from the network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Where the system allows it, there is only a loopback of its own.
    CutOff,
    AsItIs,
}

/// A way to run programs under strace.
pub struct Watch {
    /// What stands before strace.
    prefix: Vec<&'static str>,
}

fn succeeds(command: &[&str]) -> bool {
    let mut program = Command::new(command[0]);
    program
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    program.status().is_ok_and(|status| status.success())
}

impl Watch {
    /// `None`, and a line that says so, where there is no strace, or it may not trace.
    pub fn new(test: &str, network: Network) -> Option<Self> {
        if !succeeds(&[
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            CALLS,
            "true",
        ]) {
            eprintln!(
                "skipped: {test}: needs strace, and the right to trace (in a container: --cap-add=SYS_PTRACE)"
            );
            return None;
        }
        let prefix = match network {
            Network::CutOff => cut_off(),
            Network::AsItIs => Vec::new(),
        };
        Some(Self { prefix })
    }

    pub fn is_cut_off(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// `program` under strace in `home`, and where the trace will be. A relative path is one of `home`.
    pub fn command(&self, program: impl AsRef<OsStr>, home: &Home) -> (Command, PathBuf) {
        let trace = home.path("trace");
        let mut words: Vec<&OsStr> = self.prefix.iter().map(OsStr::new).collect();
        // --seccomp-bpf: stops at these calls alone; -I1: strace leaves signals alone; -y: folders and files by their names
        let strace = [
            "strace",
            "-f",
            "--seccomp-bpf",
            "-I1",
            "-qq",
            "-y",
            "-s",
            "200",
            "-e",
            CALLS,
            "-o",
        ];
        words.extend(strace.iter().map(OsStr::new));
        words.extend([trace.as_os_str(), program.as_ref()]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        home.contain(&mut command);
        (command, trace)
    }

    /// Runs a program to its end.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: &[S],
        home: &Home,
    ) -> (Ended, Trace) {
        let (mut command, trace) = self.command(program, home);
        let ended = Ended::from(command.args(arguments).output().unwrap());
        let read = Trace::read(&trace);
        fs::remove_file(trace).unwrap();
        (ended, read)
    }
}

/// The command that gives a program a network namespace, with loopback and no route; empty where it is not allowed.
fn cut_off() -> Vec<&'static str> {
    // a user's PATH may lack the folder of `ip`
    const UP: &str = "PATH=$PATH:/usr/sbin:/sbin ip link set lo up && exec \"$@\"";
    const LOOPBACK: [&str; 4] = ["sh", "-c", UP, "sh"];
    for namespace in [["unshare", "-n"], ["unshare", "-rn"]] {
        let command = [&namespace[..], &LOOPBACK].concat();
        if succeeds(&[&command[..], &["true"]].concat()) {
            return command;
        }
    }
    Vec::new()
}
