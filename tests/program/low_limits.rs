//! A machine that gives little: a run ends as usual, or with one error and exit code 1.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use shuffledet_core::locations;
use shuffledet_image::FileFormat;
use shuffledet_testing::ended::Ended;
use tempfile::TempDir;

use crate::replay::recordings::{self, raw};

/// A picture and a recording that every user can read.
struct Inputs {
    folder: TempDir,
    picture: PathBuf,
    bag: PathBuf,
}

impl Inputs {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let picture = folder.path().join("a.png");
        fs::write(&picture, FileFormat::Png.sample().unwrap()).unwrap();
        let bag = recordings::write(
            folder.path(),
            &[raw(1_700_000_000_000_000_000, "bgr8", 192)],
        );
        Self {
            folder,
            picture,
            bag,
        }
    }

    /// The subcommands that open, start and load most, with eight threads for each frame.
    fn commands(&self) -> [Vec<&Path>; 3] {
        let road = ["--model", "road"].map(Path::new);
        let threads = ["--set", "runtime.intra_op_threads=8"].map(Path::new);
        let workers = ["--set", "runtime.workers=2"].map(Path::new);
        [
            [&[Path::new("detect"), &self.picture][..], &road, &threads].concat(),
            [
                &[Path::new("replay"), &self.bag][..],
                &road,
                &threads,
                &workers,
            ]
            .concat(),
            ["models", "list"].map(Path::new).to_vec(),
        ]
    }
}

/// Runs the program under `limit`, a command such as `prlimit`. A run that hangs ends with 124.
fn run(limit: &[&str], arguments: &[&Path]) -> Output {
    let mut program = Command::new("timeout");
    program.arg("120").args(limit);
    program
        .arg(env!("CARGO_BIN_EXE_shuffledet"))
        .args(arguments);
    program.output().unwrap()
}

/// Checks that the run ended as usual, or with one error.
#[track_caller]
fn assert_in_order(limit: &[&str], arguments: &[&Path]) -> Ended {
    let ended = Ended::from(run(limit, arguments));
    match ended.code {
        Some(0) => {}
        Some(1) => {
            let errors = ended
                .stderr
                .lines()
                .filter(|line| line.starts_with("error: "));
            assert_eq!(errors.count(), 1, "{limit:?} {arguments:?}: {ended:?}");
        }
        _ => panic!("{limit:?} {arguments:?}: {ended:?}"),
    }
    ended
}

fn has_prlimit(test: &str) -> bool {
    let found = Command::new("prlimit").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {test}: needs prlimit (util-linux)");
    }
    found
}

#[test]
fn with_few_open_files_tokio_panicked() {
    if !has_prlimit("with_few_open_files_tokio_panicked") {
        return;
    }
    let inputs = Inputs::new();
    for arguments in inputs.commands() {
        let ended: Vec<_> = (5..=16)
            .map(|files| assert_in_order(&["prlimit", &format!("--nofile={files}")], &arguments))
            .collect();
        let refused = ended.iter().find(|ended| ended.code == Some(1));
        assert!(
            refused
                .is_none_or(|ended| ended.stderr.contains("ulimit -n")
                    || ended.stderr.contains("open files")),
            "{refused:?}"
        );
    }
}

#[test]
fn with_few_threads_onnx_runtime_waited_without_end() {
    let test = "with_few_threads_onnx_runtime_waited_without_end";
    if !has_prlimit(test) {
        return;
    }
    let inputs = Inputs::new();
    // the limit is one of a user, and does not hold for root
    let user = ["setpriv", "--reuid=64777", "--clear-groups"];
    let [detect, replay, list] = inputs.commands();
    if Ended::from(run(&user, &detect)).code != Some(0) {
        eprintln!("skipped: {test}: needs root, and another user who can run the program");
        return;
    }
    for threads in [1, 2, 3, 5, 8, 13, 21] {
        let limit = format!("--nproc={threads}");
        let limit = [&user[..], &["prlimit", &limit]].concat();
        let ended = assert_in_order(&limit, &detect);
        // in between, it depends on the threads that the libraries start
        if !(6..21).contains(&threads) {
            assert_eq!(ended.code == Some(0), threads == 21, "{threads}: {ended:?}");
        }
        assert_in_order(&limit, &replay);
        assert_in_order(&limit, &list);
    }
}

#[test]
fn a_cut_library_of_onnx_runtime_killed_the_run_by_sigbus() {
    let inputs = Inputs::new();
    let whole = fs::read(locations::onnx_runtime()).unwrap();
    let library = inputs.folder.path().join("libonnxruntime.so");
    let [detect, replay, _] = inputs.commands();
    for percent in [0, 1, 30, 60, 95] {
        fs::write(&library, &whole[..whole.len() / 100 * percent]).unwrap();
        for arguments in [&detect, &replay] {
            let with_library = format!("ORT_DYLIB_PATH={}", library.display());
            let ended = assert_in_order(&["env", &with_library], arguments);
            assert_eq!(ended.code, Some(1), "{percent}");
            let told = if percent == 0 {
                "1.24 or newer"
            } else {
                "is cut off"
            };
            assert!(ended.stderr.contains(told), "{percent}: {ended:?}");
        }
    }
}
