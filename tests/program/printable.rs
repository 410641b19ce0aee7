//! Names that would control a terminal are shown as escapes.

use std::fs;
use std::process::Command;

#[test]
fn a_file_name_cleared_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder
        .path()
        .join("\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gpj.jpg");
    fs::write(&path, "no picture").unwrap();
    for arguments in [
        &["detect"][..],
        &["detect", "--json"],
        &["replay"],
        &["inspect"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_shuffledet"))
            .args(arguments)
            .arg(&path)
            .output()
            .unwrap();
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8(stream).unwrap();
            assert!(
                !text.contains(['\u{1b}', '\u{7}', '\u{202e}']),
                "{arguments:?}: {text:?}"
            );
        }
    }
}
