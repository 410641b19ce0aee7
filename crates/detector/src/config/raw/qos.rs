//! The quality of service of topics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The quality of service of one topic.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQosOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<RawQos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher: Option<RawQos>,
}

/// QoS policies by their names in rclcpp's qos_overrides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawQos {
    /// Whether lost messages are sent again.
    #[schemars(extend("enum" = ["reliable", "best_effort", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<String>,
    /// Whether a late subscriber receives earlier messages.
    #[schemars(extend("enum" = ["volatile", "transient_local", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<String>,
    /// Whether to keep the last messages (depth) or all.
    #[schemars(extend("enum" = ["keep_last", "keep_all", "system_default"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// The number of messages that keep_last keeps.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// The maximum time between two messages, in nanoseconds. 0: no deadline.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<i64>,
    /// The age after which a message is no longer delivered, in nanoseconds. 0: no limit.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifespan: Option<i64>,
    /// How a publisher shows that it is alive.
    #[schemars(extend("enum" = ["automatic", "manual_by_topic", "system_default", "best_available"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveliness: Option<String>,
    /// The time within which a publisher must show that it is alive, in nanoseconds. 0: no limit.
    #[schemars(range(min = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveliness_lease_duration: Option<i64>,
}
