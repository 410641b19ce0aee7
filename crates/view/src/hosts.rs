//! Which requests the page answers: those that a browser sends to the page's own address.
//!
//! A page of another site can make a browser send requests here. Two headers tell of it, and scripts
//! cannot change them: `Host` has the name that the browser resolved, also if that name was made to
//! point here after the page was loaded (DNS rebinding), and `Origin` or `Sec-Fetch-Site` has the site
//! of the page that asks.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};

/// The names under which the page may be asked for.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Where the server listens.
    address: IpAddr,
    /// Further names, in lower case.
    names: Vec<String>,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoHost,
    ForeignHost,
    ForeignOrigin,
}

impl Refusal {
    pub fn text(self) -> &'static str {
        match self {
            Refusal::NoHost => "expected one Host header with a name and perhaps a port\n",
            Refusal::ForeignHost => {
                "this page is not served under that name; open it by the address in the program's log, or add the \
                 name to web.allowed_hosts\n"
            }
            Refusal::ForeignOrigin => "this page answers no other site\n",
        }
    }
}

impl Hosts {
    /// Allows the address at which the server listens, localhost, and `names`.
    pub fn new(address: SocketAddr, names: &[String]) -> Self {
        Self {
            address: address.ip(),
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
        }
    }

    /// Checks the headers of a request.
    pub(crate) fn check(&self, request: &Parts) -> Result<(), Refusal> {
        let authority = single(&request.headers, header::HOST).ok_or(Refusal::NoHost)?;
        let host = host(authority).ok_or(Refusal::NoHost)?;
        if !self.allows(host) {
            return Err(Refusal::ForeignHost);
        }
        // the request line may name a host of its own
        if request.uri.host().is_some_and(|host| !self.allows(host)) {
            return Err(Refusal::ForeignHost);
        }
        let headers = &request.headers;
        let has_origin = headers.contains_key(header::ORIGIN);
        if has_origin && !is_own_origin(single(headers, header::ORIGIN), authority) {
            return Err(Refusal::ForeignOrigin);
        }
        let fetched = |name| single(headers, HeaderName::from_static(name));
        match fetched("sec-fetch-site") {
            None | Some("same-origin" | "none") => Ok(()),
            // a link of another page that leads here
            Some(_)
                if request.method == Method::GET
                    && fetched("sec-fetch-mode") == Some("navigate")
                    && fetched("sec-fetch-dest") == Some("document")
                    && request.uri.path() == "/" =>
            {
                Ok(())
            }
            Some(_) => Err(Refusal::ForeignOrigin),
        }
    }

    fn allows(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host.parse::<IpAddr>() {
            // a name that points elsewhere later cannot look like this
            Ok(address) if self.address.is_unspecified() => {
                address != IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            }
            Ok(address) => {
                address == self.address || (self.address.is_loopback() && address.is_loopback())
            }
            Err(_) => {
                let host = host.to_ascii_lowercase();
                host == "localhost" || self.names.contains(&host)
            }
        }
    }
}

/// Returns the value of a header that comes once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

/// Returns the host of `host`, `host:port`, `[address]` or `[address]:port`.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            let port = match rest {
                "" => None,
                rest => Some(rest.strip_prefix(':')?),
            };
            (address, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    let is_valid = !host.is_empty()
        && host.chars().all(is_name)
        && port.is_none_or(|port| port.parse::<u16>().is_ok());
    is_valid.then_some(host)
}

fn is_own_origin(origin: Option<&str>, authority: &str) -> bool {
    let own = origin.and_then(|origin| origin.strip_prefix("http://"));
    own.is_some_and(|own| own.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use proptest::prelude::*;

    fn check(listening: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let names = ["robot.local".to_owned()];
        let hosts = Hosts::new(listening.parse().unwrap(), &names);
        let mut request = Request::get("/live");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        hosts.check(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_own_names_are_answered() {
        for (listening, host, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", Ok(())),
            ("127.0.0.1:80", "localhost:9000", Ok(())),
            ("127.0.0.1:80", "LOCALHOST", Ok(())),
            ("127.0.0.1:80", "[::1]:80", Ok(())),
            ("127.0.0.1:80", "robot.local", Ok(())),
            ("127.0.0.1:80", "192.168.1.5", Err(Refusal::ForeignHost)),
            ("127.0.0.1:80", "evil.example", Err(Refusal::ForeignHost)),
            (
                "127.0.0.1:80",
                "localhost.evil.example",
                Err(Refusal::ForeignHost),
            ),
            (
                "127.0.0.1:80",
                "127.0.0.1.evil.example",
                Err(Refusal::ForeignHost),
            ),
            ("192.168.1.5:80", "192.168.1.5", Ok(())),
            ("192.168.1.5:80", "192.168.1.6", Err(Refusal::ForeignHost)),
            ("0.0.0.0:80", "192.168.1.6:80", Ok(())),
            ("0.0.0.0:80", "evil.example", Err(Refusal::ForeignHost)),
            ("127.0.0.1:80", "", Err(Refusal::NoHost)),
            ("127.0.0.1:80", "localhost:x", Err(Refusal::NoHost)),
            ("127.0.0.1:80", "a@localhost", Err(Refusal::NoHost)),
            ("127.0.0.1:80", "[localhost]", Err(Refusal::NoHost)),
        ] {
            let found = check(listening, &[("host", host)]);
            assert_eq!(found, expected, "{listening} {host}");
        }
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(check("127.0.0.1:80", &two), Err(Refusal::NoHost));
        assert_eq!(check("127.0.0.1:80", &[]), Err(Refusal::NoHost));
    }

    #[test]
    fn another_site_is_not_answered() {
        let host = ("host", "localhost:80");
        let foreign = Err(Refusal::ForeignOrigin);
        for (header, value, expected) in [
            ("origin", "http://localhost:80", Ok(())),
            ("origin", "http://localhost", foreign),
            ("origin", "https://localhost:80", foreign),
            ("origin", "http://evil.example", foreign),
            ("origin", "null", foreign),
            ("sec-fetch-site", "same-origin", Ok(())),
            ("sec-fetch-site", "none", Ok(())),
            ("sec-fetch-site", "same-site", foreign),
            ("sec-fetch-site", "cross-site", foreign),
        ] {
            let found = check("127.0.0.1:80", &[host, (header, value)]);
            assert_eq!(found, expected, "{header}: {value}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_is_not_listed_is_never_answered(name in "[a-z]{1,8}(\\.[a-z]{1,8}){1,3}(:[0-9]{1,5})?") {
            prop_assume!(!name.starts_with("robot.local"));
            prop_assert!(check("0.0.0.0:80", &[("host", &name)]).is_err());
        }
    }
}
