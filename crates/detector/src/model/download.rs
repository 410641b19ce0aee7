//! Downloads a file over HTTP and names every address before contacting it.

use std::io::Read;
use std::time::Duration;

use ureq::http::{Response, Uri, header::LOCATION};
use ureq::{Agent, Body};

const MAX_REDIRECTS: usize = 10;

/// The longest wait for a connection. A firewall may drop requests without an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Requests the file at `url` and follows redirects. Calls `contact` with each address and its
/// proxy before connecting.
///
/// # Errors
/// The reason, as text.
pub(super) fn download(url: &str, contact: &dyn Fn(&str)) -> Result<impl Read + use<>, String> {
    let agent: Agent = Agent::config_builder()
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .build()
        .into();
    let proxy = agent.config().proxy();
    let proxy = proxy.map(|proxy| format!(" through the proxy {}:{}", proxy.host(), proxy.port()));
    let mut uri: Uri = url
        .parse()
        .map_err(|error| format!("no address: {error}"))?;
    for _ in 0..=MAX_REDIRECTS {
        contact(&format!(
            "{}{}",
            shown(&uri),
            proxy.as_deref().unwrap_or_default()
        ));
        let response = agent.get(&uri).call().map_err(|error| error.to_string())?;
        match redirection(&uri, &response)? {
            Some(next) => uri = next,
            None => return Ok(response.into_body().into_reader()),
        }
    }
    Err(format!("more than {MAX_REDIRECTS} redirections"))
}

/// Returns the address without secrets: without the user's name and password, and without the query
/// of a signed link.
fn shown(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let port = uri
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{host}{port}{}",
        uri.scheme_str().unwrap_or_default(),
        uri.path()
    )
}

/// Returns the redirect target of `response`; `None` if it is the final response.
fn redirection(from: &Uri, response: &Response<Body>) -> Result<Option<Uri>, String> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| format!("{} without a Location", response.status()))?;
    let unusable =
        || format!("redirected to {location:?}: expected an address, or a path from the root");
    let (scheme, authority) = (from.scheme(), from.authority());
    let (Some(scheme), Some(authority)) = (scheme, authority) else {
        return Err(unusable());
    };
    let address = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        location.to_owned()
    };
    let next = address.parse::<Uri>().map_err(|_| unusable())?;
    if !["http", "https"].contains(&next.scheme_str().unwrap_or_default()) {
        return Err(unusable());
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::io::Write;
    use std::net::TcpListener;
    use std::thread;

    /// Serves one request after another on loopback, each with one of `answers`.
    fn serve(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}")
    }

    fn redirect(to: &str) -> String {
        format!(
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    }

    const FILE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfile";

    /// Returns the file or the reason for failure, and the contacted addresses.
    fn fetch(url: &str) -> (Result<String, String>, Vec<String>) {
        let told = RefCell::new(Vec::new());
        let file = download(url, &|address| told.borrow_mut().push(address.to_owned()));
        let text = file.map(|mut file| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        });
        (text, told.into_inner())
    }

    #[test]
    fn each_address_is_told_without_its_secrets() {
        let other = serve(vec![redirect("/there?signature=secret"), FILE.to_owned()]);
        let without_scheme = other.trim_start_matches("http:");
        let first = serve(vec![redirect(&format!(
            "{without_scheme}/here?token=secret"
        ))]);
        let (file, told) = fetch(&first.replace("http://", "http://user:secret@"));
        assert_eq!(file.as_deref(), Ok("file"));
        assert_eq!(
            told,
            [
                format!("{first}/"),
                format!("{other}/here"),
                format!("{other}/there")
            ]
        );
    }

    #[test]
    fn redirections_that_lead_nowhere_are_errors() {
        for location in ["ftp://127.0.0.1/m.onnx", "m.onnx", "http://"] {
            let (file, told) = fetch(&serve(vec![redirect(location)]));
            let error = file.unwrap_err();
            assert!(error.contains("expected an address"), "{error}");
            assert_eq!(told.len(), 1);
        }
        let (file, _) = fetch(&serve(vec![
            "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ]));
        assert_eq!(file.unwrap_err(), "302 Found without a Location");
        let (file, told) = fetch(&serve(vec![redirect("/again"); 11]));
        assert_eq!(
            (file.unwrap_err().as_str(), told.len()),
            ("more than 10 redirections", 11)
        );
    }
}
