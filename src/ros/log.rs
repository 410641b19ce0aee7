//! Passes `tracing` events to ROS: through rcl to the console and the log file, and to `/rosout`.

#![expect(unsafe_code, reason = "rcl's C interface")]

use std::ffi::CString;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use r2r::rcl_interfaces::msg::Log;
use r2r::{Publisher, QosProfile};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::error::explained;
use super::source::RosClock;
use crate::view::log::{EventText, PageLayer};
use shuffledet_core::printable::printable;
use shuffledet_detector::config::raw::LogLevel;

/// The minimum severity to log, with rcl's numbers.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// The level of `--log-level`.
    initial: i32,
    current: Arc<AtomicI32>,
}

impl Threshold {
    /// Sets `level`; `None` restores the level of `--log-level`.
    pub fn set(&self, level: Option<LogLevel>) {
        let severity = level.map_or(self.initial, |level| match level {
            LogLevel::Debug => DEBUG,
            LogLevel::Info => INFO,
            LogLevel::Warn => WARN,
            LogLevel::Error => ERROR,
            LogLevel::Fatal => FATAL,
        });
        self.current.store(severity, Ordering::Relaxed);
    }

    /// The level of `--log-level`.
    pub fn initial(&self) -> LogLevel {
        match self.initial {
            FATAL.. => LogLevel::Fatal,
            ERROR.. => LogLevel::Error,
            WARN.. => LogLevel::Warn,
            INFO.. => LogLevel::Info,
            _ => LogLevel::Debug,
        }
    }
}

const DEBUG: i32 = 10;
const INFO: i32 = 20;
const WARN: i32 = 30;
const ERROR: i32 = 40;
const FATAL: i32 = 50;

/// Passes this program's log events to rcl and publishes them.
struct RosLayer {
    logger: String,
    threshold: Threshold,
    /// `None` if rcl publishes its log itself, or if nothing is to be published.
    rosout: Option<Mutex<Publisher<Log>>>,
    clock: RosClock,
}

/// Keeps rcl and the middleware at INFO if `--log-level debug` applies to every logger, because
/// they log each wait. Loggers with a level of their own keep it. Returns the level of every
/// logger. The caller must have passed the command line to ROS.
pub fn spare_others() -> i32 {
    // SAFETY: rcl's logging is configured with the context; the level is one number.
    unsafe {
        let everyone = match r2r_rcl::rcutils_logging_get_default_logger_level() {
            // the level is unknown
            ..=0 => INFO,
            level => level,
        };
        r2r_rcl::rcutils_logging_set_default_logger_level(everyone.max(INFO));
        everyone
    }
}

/// Starts logging through ROS under the node's name. `everyone` is the level of loggers without a
/// level of their own. The caller must not have started another thread.
pub fn start(node: &mut r2r::Node, clock: RosClock, everyone: i32) -> anyhow::Result<Threshold> {
    let logger = node.logger().to_owned();
    let threshold = take_over(&[&logger, &explained(|| node.name())?, PROGRAM], everyone)?;
    let layer = RosLayer {
        rosout: explained(|| rosout(node))?.map(Mutex::new),
        logger,
        threshold: threshold.clone(),
        clock,
    };
    let ours = tracing_subscriber::filter::Targets::new().with_target("shuffledet", Level::DEBUG);
    // fails only if a subscriber is already set, which then stays in use
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .with(PageLayer)
        .try_init();
    Ok(threshold)
}

/// The name of the node's logger without namespace and remapping: `--log-level shuffledet:=debug`.
const PROGRAM: &str = "shuffledet";

/// Returns the level that `--log-level` sets for the first of `names` or one of its parents; else
/// `everyone`. Opens rcl's filter for the first name: rcl's levels must not change while another
/// thread logs, but ours changes at run time.
fn take_over(names: &[&str], everyone: i32) -> anyhow::Result<Threshold> {
    let mut initial = everyone;
    for name in names.iter().flat_map(|name| ancestors(name)) {
        let name = CString::new(name)?;
        // SAFETY: the name ends with NUL; rcl's logging is configured with the context.
        let level = unsafe { r2r_rcl::rcutils_logging_get_logger_level(name.as_ptr()) };
        // 0: it has none
        if level > 0 {
            initial = level;
            break;
        }
    }
    if let Some(&logger) = names.first() {
        let logger = CString::new(logger)?;
        // SAFETY: as above; no other thread logs yet.
        unsafe { r2r_rcl::rcutils_logging_set_logger_level(logger.as_ptr(), DEBUG) };
    }
    Ok(Threshold {
        initial,
        current: Arc::new(AtomicI32::new(initial)),
    })
}

/// Returns `a.b.c`, `a.b`, `a`: a logger without a level inherits the level of the next.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.rsplit_once('.').map(|(above, _)| above)
    })
}

/// Creates the publisher of `/rosout`. `None` with `--disable-rosout-logs`, and up to Iron, where
/// rcl publishes the log. Since Jazzy the client library must do it, and r2r does not.
fn rosout(node: &mut r2r::Node) -> r2r::Result<Option<Publisher<Log>>> {
    // SAFETY: reads one flag, which the context has set from the command line.
    if !unsafe { r2r_rcl::rcl_logging_rosout_enabled() } {
        return Ok(None);
    }
    let (name, namespace) = (node.name()?, node.namespace()?);
    let publishers = node.get_publishers_info_by_topic("/rosout", false)?;
    let ours =
        |node_name: &str, node_namespace: &str| node_name == name && node_namespace == namespace;
    if publishers
        .iter()
        .any(|p| ours(&p.node_name, &p.node_namespace))
    {
        return Ok(None);
    }
    let qos = QosProfile::default()
        .keep_last(1000)
        .transient_local()
        .lifespan(std::time::Duration::from_secs(10));
    node.create_publisher("/rosout", qos).map(Some)
}

impl<S: Subscriber> Layer<S> for RosLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let (severity, level) = match *metadata.level() {
            Level::ERROR => (r2r::LogSeverity::Error, ERROR),
            Level::WARN => (r2r::LogSeverity::Warn, WARN),
            Level::INFO => (r2r::LogSeverity::Info, INFO),
            Level::DEBUG | Level::TRACE => (r2r::LogSeverity::Debug, DEBUG),
        };
        if level < self.threshold.current.load(Ordering::Relaxed) {
            return;
        }
        let mut text = EventText::default();
        event.record(&mut text);
        // rcl takes C strings, and NUL is one of the characters that are escaped
        let message = printable(&text.0).into_owned();
        let (file, line) = (
            metadata.file().unwrap_or_default(),
            metadata.line().unwrap_or_default(),
        );
        r2r::log(&message, &self.logger, file, line, severity);
        let Some(Ok(rosout)) = self.rosout.as_ref().map(Mutex::lock) else {
            return;
        };
        let now_ns = self.clock.now_ns();
        // a log message that cannot be sent cannot be reported
        let _ = rosout.publish(&Log {
            stamp: r2r::builtin_interfaces::msg::Time {
                sec: i32::try_from(now_ns / 1_000_000_000).unwrap_or_default(),
                nanosec: u32::try_from(now_ns % 1_000_000_000).unwrap_or_default(),
            },
            // one of the five above
            level: level as u8,
            name: self.logger.clone(),
            msg: message,
            file: file.to_owned(),
            function: String::new(),
            line,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logger_has_the_level_of_those_above_it() {
        let names: Vec<_> = ancestors("car.front.shuffledet").collect();
        assert_eq!(names, ["car.front.shuffledet", "car.front", "car"]);
    }
}
