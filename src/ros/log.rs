//! `tracing` events as ROS log messages: on the console and in the log file as rcl writes them, and on `/rosout`.

use std::fmt::{self, Write};
use std::sync::Mutex;

use r2r::rcl_interfaces::msg::Log;
use r2r::{Publisher, QosProfile};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::source::RosClock;

/// Hands what this program logs to rcl, which filters it by `--log-level`, and publishes it.
struct RosLayer {
    logger: String,
    /// None where rcl itself publishes what it logs.
    rosout: Option<Mutex<Publisher<Log>>>,
    clock: RosClock,
}

/// From now on, what is logged is logged by ROS under the node's name.
pub fn start(node: &mut r2r::Node, clock: RosClock) -> r2r::Result<()> {
    let layer = RosLayer {
        logger: node.logger().to_owned(),
        rosout: rosout(node)?.map(Mutex::new),
        clock,
    };
    let ours = tracing_subscriber::filter::Targets::new().with_target("shuffledet", Level::DEBUG);
    // fails only if a subscriber was set before: then that one logs on
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(ours))
        .try_init();
    Ok(())
}

/// Until Iron, rcl publishes what a node logs; since Jazzy, that is the client library's part, and r2r leaves it out.
fn rosout(node: &mut r2r::Node) -> r2r::Result<Option<Publisher<Log>>> {
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
        let mut text = Text::default();
        event.record(&mut text);
        // rcl takes C strings
        let message = text.0.replace('\0', "\\0");
        let metadata = event.metadata();
        let (file, line) = (
            metadata.file().unwrap_or_default(),
            metadata.line().unwrap_or_default(),
        );
        let (severity, level) = match *metadata.level() {
            Level::ERROR => (r2r::LogSeverity::Error, 40),
            Level::WARN => (r2r::LogSeverity::Warn, 30),
            Level::INFO => (r2r::LogSeverity::Info, 20),
            Level::DEBUG | Level::TRACE => (r2r::LogSeverity::Debug, 10),
        };
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
            level,
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
