//! The page that shows the node while it runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The page that shows the node while it runs (docs/view.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWeb {
    /// The TCP port of the page. 0: there is no page.
    #[schemars(range(max = 65_535), extend("readOnly" = true))]
    pub port: u16,
    /// The IP address at which the page is served. 127.0.0.1: only to this machine. 0.0.0.0: to
    /// every machine that reaches this one.
    #[schemars(extend("readOnly" = true))]
    pub address: String,
    /// Names under which browsers may open the page, besides its address and localhost.
    #[schemars(extend("readOnly" = true))]
    pub allowed_hosts: Vec<String>,
    /// The greatest width of the page's pictures in pixels.
    #[schemars(range(min = 64, max = 4096), extend("readOnly" = true))]
    pub max_width: u32,
    /// The greatest rate of a camera's pictures on the page. Pictures are made only while somebody
    /// looks.
    #[schemars(range(min = 0.1, max = 60.0), extend("readOnly" = true))]
    pub max_rate_hz: f64,
    /// Whether viewers may change parameters.
    #[schemars(extend("readOnly" = true))]
    pub allow_changes: bool,
}

impl Default for RawWeb {
    fn default() -> Self {
        Self {
            port: 0,
            address: "127.0.0.1".to_owned(),
            allowed_hosts: Vec::new(),
            max_width: 960,
            max_rate_hz: 10.0,
            allow_changes: false,
        }
    }
}
