//! The checked parameters of the page that shows a run.

use std::net::{IpAddr, Ipv4Addr};

use super::raw::RawWeb;

/// Where and how the page is served.
#[derive(Debug, Clone, PartialEq)]
pub struct WebConfig {
    /// `None`: there is no page.
    pub port: Option<u16>,
    pub address: IpAddr,
    /// Names besides the address and localhost.
    pub allowed_hosts: Vec<String>,
    /// The greatest width of a picture, in pixels.
    pub max_width: u32,
    /// The greatest rate of a camera's pictures.
    pub max_rate_hz: f64,
    /// Whether viewers may change parameters.
    pub allow_changes: bool,
}

/// Returns the parameters, or an error text if the address is none.
pub(super) fn web(raw: &RawWeb) -> Result<WebConfig, String> {
    let address = match raw.address.trim() {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        address => address.parse(),
    };
    let address = address.map_err(|_| {
        format!(
            "web.address: expected an IP address of this machine such as 127.0.0.1, or 0.0.0.0 for all of them, found {:?}",
            raw.address
        )
    })?;
    // a ROS parameter file cannot give an empty list, but a list of an empty text
    let names = raw.allowed_hosts.iter().map(|name| name.trim());
    Ok(WebConfig {
        port: (raw.port != 0).then_some(raw.port),
        address,
        allowed_hosts: names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        max_width: raw.max_width,
        max_rate_hz: raw.max_rate_hz,
        allow_changes: raw.allow_changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_off_and_for_this_machine_alone() {
        let web = web(&RawWeb::default()).unwrap();
        assert_eq!(web.port, None);
        assert!(web.address.is_loopback() && !web.allow_changes);
    }

    #[test]
    fn a_name_is_no_address() {
        let at = |address: &str| {
            web(&RawWeb {
                address: address.to_owned(),
                ..RawWeb::default()
            })
        };
        assert!(at("localhost").unwrap().address.is_loopback());
        assert!(at("::").unwrap().address.is_unspecified());
        let error = at("robot.local").unwrap_err();
        assert!(
            error.contains("web.address") && error.contains("robot.local"),
            "{error}"
        );
    }
}
