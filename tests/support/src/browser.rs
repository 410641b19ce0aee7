//! Pages in a headless Chromium.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::await_end;

/// The document and the log after the page is laid out.
pub fn browse(chromium: &Path, page: &Path, folder: &Path, dark: bool) -> (String, String) {
    let profile = tempfile::tempdir_in(folder).unwrap();
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        // it would look its maker's names up all the same
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .env("HOME", profile.path())
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
        ])
        .args(["--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--window-size=1400,900", "--allow-file-access-from-files"])
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            u8::from(!dark)
        ))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), log)
}

/// What the page wrote to `data-measured` of its document element.
pub fn measurements(dom: &str) -> Value {
    let start = dom.find("data-measured=\"").expect("the script has run") + 15;
    let end = start + dom[start..].find('"').unwrap();
    serde_json::from_str(&dom[start..end].replace("&quot;", "\"")).unwrap()
}

/// `None` where there is none.
pub fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SHUFFLEDET_CHROMIUM") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// A page in a headless Chromium, driven over the pipes of the DevTools protocol.
pub struct Tab {
    process: Child,
    orders: File,
    answers: Receiver<Value>,
    session: String,
    last_id: u64,
    /// What the page and the browser complained about.
    pub complaints: Vec<String>,
    _folder: TempDir,
}

impl Tab {
    /// Opens `url` in a window of this width and height.
    pub fn open(chromium: &Path, url: &str, size: (u32, u32)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            let made = Command::new("mkfifo").arg(&path).status().unwrap();
            assert!(made.success());
            path
        };
        let (orders, answers) = (pipe("orders"), pipe("answers"));
        let process = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<"$ORDERS" 4>"$ANSWERS""#])
            .arg(chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--hide-scrollbars",
            ])
            .args(["--disable-component-update", "--disable-sync"])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .args(["--remote-debugging-pipe", "about:blank"])
            .env("ORDERS", &orders)
            .env("ANSWERS", &answers)
            .env("HOME", folder.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let orders = File::options().write(true).open(orders).unwrap();
        let (send, receive) = channel();
        thread::spawn(move || {
            for message in BufReader::new(File::open(answers).unwrap()).split(0) {
                let message = serde_json::from_slice(&message.unwrap()).unwrap();
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let mut tab = Self {
            process,
            orders,
            answers: receive,
            session: String::new(),
            last_id: 0,
            complaints: Vec::new(),
            _folder: folder,
        };
        let target = tab.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = tab.call(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        );
        tab.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            tab.call(domain, json!({}));
        }
        tab.look(size, false);
        tab.call("Page.navigate", json!({ "url": url }));
        tab
    }

    /// Gives the window a width and a height, and the colour scheme.
    pub fn look(&mut self, (width, height): (u32, u32), dark: bool) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 }),
        );
        let scheme = if dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        );
    }

    /// Returns the value of an expression, or of its promise.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let found = self.call(
            "Runtime.evaluate",
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true }),
        );
        assert!(
            found.get("exceptionDetails").is_none(),
            "{expression}: {found}"
        );
        found["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait_until(&mut self, expression: &str) {
        let limit = Instant::now() + Self::PATIENCE;
        while self.evaluate(expression) != true {
            assert!(Instant::now() < limit, "never true: {expression}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns a picture of the whole page as PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        let taken = self.call(
            "Page.captureScreenshot",
            json!({ "format": "png", "captureBeyondViewport": true }),
        );
        let data = taken["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(data)
            .unwrap()
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut order = json!({ "id": self.last_id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            order["sessionId"] = json!(self.session);
        }
        self.orders
            .write_all(format!("{order}\0").as_bytes())
            .unwrap();
        loop {
            let message = self.answers.recv_timeout(Self::PATIENCE);
            let message = message.unwrap_or_else(|_| panic!("{method}: no answer from Chromium"));
            if message["id"] == self.last_id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            let parameters = &message["params"];
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.complaints.push(parameters.to_string()),
                Some("Log.entryAdded") => self.complaints.push(parameters["entry"].to_string()),
                Some("Runtime.consoleAPICalled") => self.complaints.push(parameters.to_string()),
                _ => {}
            }
        }
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // the browser may be gone
        let _ = self
            .orders
            .write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        await_end(&mut self.process);
    }
}
