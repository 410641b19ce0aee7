//! What ONNX Runtime logs: into our log, and, while a session is made, to whoever wants to know why it was not.
//!
//! Some providers return nothing but "failed to load" and tell the reason in the log alone.

use std::cell::RefCell;

use ort::logging::LogLevel;

thread_local! {
    /// The errors since [`collect`] began on this thread.
    static COLLECTED: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// ONNX Runtime's logger.
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

/// Does `work`, and gives the errors that ONNX Runtime logged on this thread meanwhile. They are logged nowhere else.
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
