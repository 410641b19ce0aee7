//! `tracing` events as ROS log messages: on the console and in the log file as rcl writes them, and on `/rosout`.

use std::ffi::CString;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use r2r::rcl_interfaces::msg::Log;
use r2r::{Publisher, QosProfile};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::error::explained;
use super::source::RosClock;
use shuffledet_detector::config::raw::LogLevel;

/// The severity, as rcl numbers it, below which nothing is logged.
#[derive(Debug, Clone)]
pub struct Threshold {
    /// What `--log-level` gave.
    initial: i32,
    current: Arc<AtomicI32>,
}

impl Threshold {
    /// From now on `level`; what `--log-level` gave if that is `None`.
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

    /// What `--log-level` gave.
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

/// Hands what this program logs to rcl, and publishes it.
struct RosLayer {
    logger: String,
    threshold: Threshold,
    /// None where rcl itself publishes what it logs, or nothing is to be published.
    rosout: Option<Mutex<Publisher<Log>>>,
    clock: RosClock,
}

/// Leaves rcl and the middleware at INFO where `--log-level debug` is for every logger, for they tell of each wait: those
/// that it names have what it says. Gives the level of every logger. To be called once ROS knows the command line.
pub fn spare_others() -> i32 {
    // SAFETY: rcl's logging is configured with the context; the level is one number.
    unsafe {
        let everyone = match r2r_rcl::rcutils_logging_get_default_logger_level() {
            // it is not known
            ..=0 => INFO,
            level => level,
        };
        r2r_rcl::rcutils_logging_set_default_logger_level(everyone.max(INFO));
        everyone
    }
}

/// From now on, what is logged is logged by ROS under the node's name. `everyone` is the level of loggers that have none of
/// their own. To be called before there is another thread.
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
    // fails only if a subscriber was set before: then that one logs on
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .try_init();
    Ok(threshold)
}

/// What the node's logger may be called without its namespace or its other name: `--log-level shuffledet:=debug`.
const PROGRAM: &str = "shuffledet";

/// The level that `--log-level` gave the logger under the first of its `names` that it names, or one above that; else
/// `everyone`'s. rcl lets everything of the first pass from then on: its own levels must not be changed while another
/// thread logs, and ours is to change at run time.
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

/// `a.b.c`, `a.b`, `a`: a logger without a level has that of the next.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.rsplit_once('.').map(|(above, _)| above)
    })
}

/// `None` under `--disable-rosout-logs`, and until Iron, where rcl publishes what a node logs; since Jazzy, that is the client
/// library's part, and r2r leaves it out.
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
        let mut text = Text::default();
        event.record(&mut text);
        // rcl takes C strings
        let message = text.0.replace('\0', "\\0");
        let (file, line) = (
            metadata.file().unwrap_or_default(),
            metadata.line().unwrap_or_default(),
        );
        r2r::log(&message, &self.logger, file, line, severity);
        let Some(Ok(rosout)) = self.rosout.as_ref().map(Mutex::lock) else {
            return;
        };
        let now_ns = self.clock.now_ns();
        // nothing can be told of a log message that cannot be sent
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

/// The message of an event, and its fields after it.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // writing to a String cannot fail
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
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
