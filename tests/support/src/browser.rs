//! Pages in a headless Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

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
