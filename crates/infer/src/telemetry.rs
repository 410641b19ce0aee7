//! Switches off ONNX Runtime's telemetry in every program that links this library.
//!
//! Since 1.32 the official library for Linux stores a device id and a database in the user's cache
//! folder, and sends events to its vendor. It decides this once, when an environment is created:
//! `CreateEnv` reads `ORT_DISABLE_TELEMETRY` with C's `getenv`. The API's own switch,
//! `DisableTelemetryEvents`, needs an environment, and by then the files are written.
//! [`super::Runtime`] uses the switch too, but the variable must be set, whatever its value was.
//!
//! An initialiser in this library sets it before `main`, in both programs, every test and
//! benchmark, and every other program that links the library. `std::env::set_var` is not safe even
//! there: the libraries of ROS 2 (LTTng's) have started threads by then that may read the
//! environment, and C's `setenv` may free the list that they read. Therefore the initialiser
//! replaces the list of variables and neither changes nor frees anything that a reader may hold.
//! Child processes inherit the variable.

#![expect(unsafe_code, reason = "the environment of the process, before main")]

use std::env;
use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use thiserror::Error;

const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";
const OFF: &str = "1";
/// The entry in the environment.
const SETTING: &CStr = c"ORT_DISABLE_TELEMETRY=1";

/// Why ONNX Runtime may not be loaded: its telemetry would be on.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "ONNX Runtime would send telemetry: expected {VARIABLE}={OFF} in this process, found {}\nit was {OFF} when the process started and has changed since; do not change it", found.as_deref().unwrap_or("no such variable")
)]
pub struct TelemetryIsOn {
    found: Option<String>,
}

/// Checks that telemetry is still off. Call it before the library is loaded.
///
/// # Errors
/// The variable has changed since the process started.
pub(super) fn ensure_off() -> Result<(), TelemetryIsOn> {
    let found = env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned());
    match found.as_deref() {
        Some(OFF) => Ok(()),
        _ => Err(TelemetryIsOn { found }),
    }
}

/// The initialiser. `used`, because nothing in Rust refers to it.
// SAFETY: the section holds pointers to C functions, each called once, before `main` or when a
// plugin is loaded. This function does not unwind and needs nothing that `main` would set up first.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = switch_off;

extern "C" fn switch_off() {
    unsafe extern "C" {
        static mut environ: *mut *mut c_char;
    }
    // SAFETY:
    // - `environ` is C's list of variables, ended by a null pointer, or null. The C library reads
    //   it with one load, as POSIX lets a program replace it. Here it is accessed atomically alone,
    //   so that no thread sees half of a change.
    // - The list and its texts stay as they are while they are read: nobody writes to the
    //   environment, since no code but that of initialisers has run. Threads of libraries may be
    //   reading it.
    // - Such a thread continues with the old list, which is neither changed nor freed. The new one
    //   is never freed either; it holds the old texts and a static one, which C may replace but
    //   does not write to.
    unsafe {
        let list = AtomicPtr::from_ptr(&raw mut environ);
        let mut entry = list.load(Ordering::Acquire);
        let mut entries = Vec::new();
        while !entry.is_null() && !(*entry).is_null() {
            let name = CStr::from_ptr(*entry)
                .to_bytes()
                .split(|&byte| byte == b'=')
                .next();
            if name != Some(VARIABLE.as_bytes()) {
                entries.push(*entry);
            }
            entry = entry.add(1);
        }
        entries.extend([SETTING.as_ptr().cast_mut(), ptr::null_mut()]);
        list.store(entries.leak().as_mut_ptr(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn it_is_off_before_anything_runs() {
        assert_eq!(ensure_off(), Ok(()));
        // for C and for Rust, once, and for child processes
        let output = Command::new("env").output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let settings: Vec<_> = output
            .lines()
            .filter(|line| line.starts_with(VARIABLE))
            .collect();
        assert_eq!(settings, ["ORT_DISABLE_TELEMETRY=1"]);
        assert!(
            output.lines().any(|line| line.starts_with("PATH=")),
            "{output}"
        );
    }

    #[test]
    fn the_error_says_what_is_wrong_and_what_to_do() {
        let text = |found: Option<&str>| {
            let found = found.map(str::to_owned);
            TelemetryIsOn { found }.to_string()
        };
        let (set, unset) = (text(Some("0")), text(None));
        assert!(
            set.contains("expected ORT_DISABLE_TELEMETRY=1 in this process, found 0\n"),
            "{set}"
        );
        assert!(unset.contains("found no such variable\n"), "{unset}");
    }
}
