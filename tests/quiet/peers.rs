//! The Python programs beside shuffledet, and a proof that telemetry would be seen here.

use std::fs;
use std::path::{Path, PathBuf};

use crate::home::Home;
use crate::watch::{Network, Watch};
use shuffledet_testing::python::python;
use shuffledet_testing::repository;

/// Every Python file of the repository's own folders.
fn scripts() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "py") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["benches", "examples", "launch", "scripts", "tests"] {
        collect(&repository(folder), &mut found);
    }
    found
}

/// Packages that report to their makers, and what must stand before their import.
const TALKATIVE: [(&str, &str); 2] = [
    (
        "onnxruntime",
        "os.environ[\"ORT_DISABLE_TELEMETRY\"] = \"1\"",
    ),
    ("ray", "os.environ[\"RAY_USAGE_STATS_ENABLED\"] = \"0\""),
];

#[test]
fn scripts_silence_what_they_import() {
    let mut silenced = 0;
    for script in scripts() {
        let text = fs::read_to_string(&script).unwrap();
        for (package, before) in TALKATIVE {
            let imports = [format!("import {package}"), format!("from {package}")];
            let import = text.lines().position(|line| {
                let line = line.trim_start();
                imports.iter().any(|import| {
                    line == import
                        || line.starts_with(&format!("{import} "))
                        || line.starts_with(&format!("{import}."))
                })
            });
            let Some(import) = import else {
                continue;
            };
            let set = text.lines().position(|line| line == before);
            assert!(
                set.is_some_and(|set| set < import),
                "{}: expected {before} before {package} is imported",
                script.display()
            );
            silenced += 1;
        }
    }
    assert_eq!(silenced, TALKATIVE.len());
}

/// What `code` leaves in a home, and the calls that connect.
fn traces_of(
    test: &str,
    code: &str,
    telemetry: Option<&'static str>,
) -> Option<(Vec<PathBuf>, Vec<String>)> {
    let python = python(test)?;
    let watch = Watch::new(test, Network::CutOff)?;
    if !watch.is_cut_off() {
        eprintln!("skipped: {test}: needs a network namespace (unshare -n)");
        return None;
    }
    let home = Home::new(telemetry);
    let (ended, trace) = watch.run(python.get_program(), &["-c", code], &home);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut changed = trace.changed(&home.path("work"));
    changed.retain(|path| path.starts_with(home.path("")));
    let sockets = trace.named(&["socket"]).into_iter().map(str::to_owned);
    Some((changed, sockets.collect()))
}

#[test]
fn the_reference_is_quiet() {
    let folder = repository("tests/reference");
    let code = format!("import sys; sys.path.insert(0, {folder:?}); from quiet import onnxruntime");
    if let Some(traces) = traces_of("the_reference_is_quiet", &code, Some("0")) {
        assert_eq!(traces, (Vec::new(), Vec::new()));
    }
}

/// The other tests here could not fail otherwise.
#[test]
fn telemetry_would_be_seen() {
    if let Some((changed, _)) = traces_of("telemetry_would_be_seen", "import onnxruntime", None) {
        let database = changed
            .iter()
            .find(|path| path.ends_with("DeveloperTools/.onnxruntime/onnxruntime.db"));
        assert!(database.is_some(), "{changed:?}");
    }
}
