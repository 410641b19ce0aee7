//! Forwards the log of ONNX Runtime to the program's log. While a session is created, collects the
//! errors instead.
//!
//! Some providers only return "failed to load" and write the reason to the log.

use std::cell::RefCell;

use ort::logging::LogLevel;

thread_local! {
    /// The errors on this thread since [`collect`] began.
    static COLLECTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Receives the log messages of ONNX Runtime.
pub(super) fn log(level: LogLevel, message: &str) {
    let collected = COLLECTED.with_borrow_mut(|collected| {
        let is_error = matches!(level, LogLevel::Error | LogLevel::Fatal);
        let list = collected.as_mut().filter(|_| is_error);
        list.map(|list| list.push(message.trim().to_owned()))
            .is_some()
    });
    match level {
        _ if collected => {}
        LogLevel::Error | LogLevel::Fatal => tracing::warn!("ONNX Runtime: {message}"),
        LogLevel::Warning => tracing::debug!("ONNX Runtime: {message}"),
        _ => tracing::trace!("ONNX Runtime: {message}"),
    }
}

/// Runs `work` and returns the errors that ONNX Runtime logged on this thread in that time. These
/// errors are not logged elsewhere.
pub(super) fn collect<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    COLLECTED.set(Some(Vec::new()));
    let result = work();
    let errors = COLLECTED.take();
    (result, errors.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_collected_and_others_are_not() {
        let ((), errors) = collect(|| {
            log(LogLevel::Error, "no device \n");
            log(LogLevel::Warning, "slow");
        });
        assert_eq!(errors, ["no device"]);
        log(LogLevel::Error, "later");
        assert!(collect(|| ()).1.is_empty());
    }
}
