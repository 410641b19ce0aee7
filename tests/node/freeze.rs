//! Stops single threads of a process, as a debugger does: what hangs is the thread itself, and the program knows nothing.

#![expect(unsafe_code, reason = "functions of the C library")]

use std::ffi::{c_int, c_long, c_void};
use std::fs;
use std::ptr::{null, null_mut};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::program::Node;

unsafe extern "C" {
    fn ptrace(request: c_long, pid: c_int, address: *const c_void, data: *const c_void) -> c_long;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
}

const DETACH: c_long = 17;
const SEIZE: c_long = 0x4206;
const INTERRUPT: c_long = 0x4207;
const NO_HANG: c_int = 1;
/// Threads, too.
const ALL: c_int = 0x4000_0000;

/// A stopped thread. It goes on when this is dropped, unless its process has ended.
pub struct Frozen {
    id: i32,
    thaw: Option<Sender<()>>,
    tracer: Option<JoinHandle<()>>,
}

/// The threads of that name, the newest last.
pub fn threads(node: &Node, name: &str) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", node.id())) else {
        return Vec::new();
    };
    let tasks = tasks.map_while(Result::ok);
    let has_name = |task: &fs::DirEntry| {
        let comm = fs::read_to_string(task.path().join("comm"));
        comm.is_ok_and(|comm| comm.trim() == name)
    };
    let named = tasks.filter(has_name);
    let mut ids: Vec<i32> = named
        .map(|task| task.file_name().to_str().unwrap().parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

impl Frozen {
    /// Stops the newest thread of that name that is not among `frozen`; a worker while it computes, not while it is in
    /// a call of the system, with locks. `None`, and a line that says so, where the system does not allow it.
    #[track_caller]
    pub fn freeze(test: &str, node: &Node, name: &str, frozen: &[Frozen]) -> Option<Frozen> {
        let limit = Instant::now() + Duration::from_secs(10);
        let id = loop {
            let threads = threads(node, name);
            let is_frozen = |id: &i32| frozen.iter().any(|frozen| frozen.id == *id);
            if let Some(&id) = threads.iter().rev().find(|id| !is_frozen(id)) {
                break id;
            }
            assert!(Instant::now() < limit, "no thread {name}");
            thread::sleep(Duration::from_millis(5));
        };
        let is_main = id.cast_unsigned() == node.id();
        let state = format!("/proc/{}/task/{id}/syscall", node.id());
        let at_work = name == "worker";
        let (ready, is_ready) = channel();
        let (thaw, thawed) = channel::<()>();
        // only the thread that attached may detach
        let tracer = thread::spawn(move || {
            // SAFETY: the calls take numbers, and pointers that they do not follow.
            let ask = |request| unsafe { ptrace(request, id, null(), null()) == 0 };
            // SAFETY: a null pointer stands for no interest in the status.
            let wait = |options| unsafe { waitpid(id, null_mut(), options | ALL) };
            let seized = loop {
                if !ask(SEIZE) || !ask(INTERRUPT) {
                    break false;
                }
                wait(0);
                let computes =
                    fs::read_to_string(&state).is_ok_and(|state| state.starts_with("-1"));
                if computes || !at_work {
                    break true;
                }
                ask(DETACH);
                thread::sleep(Duration::from_millis(3));
            };
            ready.send(seized).unwrap();
            while seized
                && thawed.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout)
            {
                // a thread that ended must be waited for, or its process stays; the test waits for the main thread
                if !is_main && wait(NO_HANG) != 0 {
                    return;
                }
            }
            // fails if the process has ended
            ask(DETACH);
        });
        if !is_ready.recv().unwrap() {
            eprintln!("skipped: {test}: needs ptrace");
            return None;
        }
        Some(Frozen {
            id,
            thaw: Some(thaw),
            tracer: Some(tracer),
        })
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.thaw.take());
        if let Some(tracer) = self.tracer.take() {
            let _ = tracer.join();
        }
    }
}
