//! Shards, joined, are what one run gives.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use crate::eval::program::{coco, ends, eval, refusal, shuffledet, without_times};

fn merge(shards: &[&Path]) -> std::process::Command {
    let mut command = shuffledet("merge");
    command.args(shards);
    command
}

#[test]
fn joined_shards_are_what_one_run_gives() {
    let Some(coco) = coco("joined_shards_are_what_one_run_gives") else {
        return;
    };
    let folder = tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let run = |name: &str, more: &[&str]| {
        let mut command = eval(&coco);
        command.arg("--output").arg(path(name)).arg("--quiet");
        ends(command.args(more), 0);
    };
    run("whole.json", &["--set", "runtime.workers=2"]);
    run("1.json", &["--shard", "1/3", "--set", "runtime.workers=1"]);
    run("2.json", &["--shard", "2/3", "--set", "runtime.workers=3"]);
    run("3.json", &["--shard", "3/3"]);
    let [first, second, third] = ["1.json", "2.json", "3.json"].map(path);

    let mut command = merge(&[&third, &first, &second]);
    command.arg("--output").arg(path("merged.json"));
    command
        .arg("--report")
        .arg(path("merged.html"))
        .arg("--quiet");
    ends(&mut command, 0);
    assert_eq!(
        without_times(&path("merged.json")),
        without_times(&path("whole.json"))
    );
    let pictures = fs::read_to_string(path("merged.html")).unwrap();
    assert_eq!(pictures.matches("<img src=\"data:image/jpeg").count(), 24);

    let error = refusal(&mut merge(&[&first, &third]));
    assert!(
        error.contains("1 of the shards are missing, 2/3 first"),
        "{error}"
    );
    fs::copy(&first, path("copy.json")).unwrap();
    let error = refusal(&mut merge(&[&first, &second, &path("copy.json"), &third]));
    assert!(
        error.contains("1.json and") && error.contains("copy.json: are both shard 1/3"),
        "{error}"
    );
    run(
        "other.json",
        &[
            "--shard",
            "2/3",
            "--model",
            "fastestdet_352",
            "--limit",
            "9",
        ],
    );
    let error = refusal(&mut merge(&[&first, &path("other.json"), &third]));
    for told in [
        "other.json: belongs to a different run than",
        "model.sha256: ",
        "annotations.images: 64 there, 9 here",
    ] {
        assert!(error.contains(told), "{error}");
    }
    let error = refusal(&mut merge(&[&path("whole.json")]));
    assert!(error.contains("expected a shard"), "{error}");
}

#[test]
fn what_is_no_share_is_refused() {
    let Some(coco) = coco("what_is_no_share_is_refused") else {
        return;
    };
    let error = refusal(eval(&coco).args(["--shard", "4/3"]));
    assert!(error.contains("expected I/N with I from 1 to N"), "{error}");
}
