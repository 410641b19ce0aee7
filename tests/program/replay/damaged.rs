//! Damage costs the frames that it hits and no others, and is told.

use std::fs;
use std::path::Path;

use serde_json::json;
use shuffledet_msg::DiagnosticArray;
use tempfile::tempdir;

use crate::replay::program::{MODELS, end, replay, summary};
use crate::replay::recordings::{self, COMPRESSED_FRAMES, Message, compressed, images, on, raw};
use shuffledet_msg::CompressedImageView;

/// Good and bad messages by turns: the bad ones with the reason that they fail for.
fn good_and_bad(dashcam: &Path) -> Vec<(Message, Option<&'static str>)> {
    let frame = images(dashcam).swap_remove(0).data;
    let jpeg = CompressedImageView::parse(&frame).unwrap().data;
    let at = |number: u64| 1_700_000_000_000_000_000 + number * 40_000_000;
    let mut cut = compressed(at(8), jpeg);
    cut.data.truncate(1000);
    let mut nonsense = raw(at(10), "bgr8", 192);
    nonsense.data = b"no CDR at all".to_vec();
    vec![
        (compressed(at(0), jpeg), None),
        (
            compressed(at(1), &jpeg[..jpeg.len() / 2]),
            Some("damaged_image"),
        ),
        (raw(at(2), "bgr8", 192), None),
        (raw(at(3), "32FC1", 256), Some("unknown_encoding")),
        (compressed(at(4), jpeg), None),
        (
            compressed(at(5), b"GIF89a and so on"),
            Some("unknown_format"),
        ),
        (raw(at(6), "bgr8", 191), Some("wrong_size")),
        (raw(at(7), "rgb8", 192), None),
        (cut, Some("malformed_message")),
        (compressed(at(9), jpeg), None),
        (nonsense, Some("malformed_message")),
        (compressed(at(11), &[]), Some("unknown_format")),
    ]
}

#[test]
fn bad_frames_fail_by_name_and_the_others_are_published() {
    let Some(dashcam) = recordings::dashcam("bad_frames_fail_by_name_and_the_others_are_published")
    else {
        return;
    };
    let cases = good_and_bad(&dashcam);
    for model in MODELS {
        let folder = tempdir().unwrap();
        let bag = recordings::write(folder.path(), cases.iter().map(|(message, _)| message));
        let output = folder.path().join("out");
        let mut command = replay(&bag);
        let summary = summary(command.args(["--model", model, "--output"]).arg(&output), 2);
        assert_eq!(summary["frames"]["received"], 12);
        assert_eq!(summary["frames"]["published"], 5);
        let failed = json!({"damaged_image": 1, "malformed_message": 2, "unknown_encoding": 1, "unknown_format": 2, "wrong_size": 1});
        assert_eq!(summary["frames"]["failed"], failed);
        let bad: Vec<_> = cases
            .iter()
            .filter(|(_, reason)| reason.is_some())
            .collect();
        let notes = summary["failures"].as_array().unwrap();
        assert_eq!(notes.len(), bad.len());
        for (note, (message, _)) in notes.iter().zip(&bad) {
            assert_eq!(note["topic"], message.topic.as_str());
            assert_eq!(note["stamp_ns"], message.log_time_ns, "{note}");
        }
        let written = recordings::read(&output);
        for (message, reason) in &cases {
            let results_on = |kind: &str| {
                let mut results = on(&written, &format!("{}/{kind}", message.topic));
                results.retain(|result| result.log_time_ns == message.log_time_ns);
                results
            };
            assert_eq!(
                results_on("detections").len(),
                usize::from(reason.is_none())
            );
            let latency = results_on("latency");
            assert_eq!(latency.len(), 1);
            let latency = DiagnosticArray::parse(&latency[0].data).unwrap();
            let told = latency.status[0].message;
            match reason {
                None => assert_eq!(told, "published"),
                Some(reason) => assert!(told.starts_with(&format!("failed: {reason}: ")), "{told}"),
            }
        }
    }
}

#[test]
fn the_table_says_which_frames_failed_and_why() {
    let Some(dashcam) = recordings::dashcam("the_table_says_which_frames_failed_and_why") else {
        return;
    };
    let cases = good_and_bad(&dashcam);
    let folder = tempdir().unwrap();
    let bag = recordings::write(folder.path(), cases.iter().map(|(message, _)| message));
    let ended = end(&mut replay(&bag));
    assert_eq!(ended.code, Some(2));
    for text in [
        "unknown_encoding",
        "\"32FC1\"",
        "malformed_message",
        "/cam/raw",
        "/cam/compressed",
        "192 bytes",
    ] {
        assert!(
            ended.stdout.contains(text),
            "{text} is not in:\n{}",
            ended.stdout
        );
    }
}

#[test]
fn a_truncated_mcap_gives_its_readable_part_and_a_warning() {
    let test = "a_truncated_mcap_gives_its_readable_part_and_a_warning";
    let Some(dashcam) = recordings::dashcam(test) else {
        return;
    };
    let folder = tempdir().unwrap();
    let cut = folder.path().join("cut.mcap");
    let whole = fs::read(dashcam.join("dashcam_compressed_mcap.mcap")).unwrap();
    fs::write(&cut, &whole[..whole.len() * 6 / 10]).unwrap();
    let output = folder.path().join("out/out.mcap");
    let ended = end(replay(&cut).args(["--json", "--output"]).arg(&output));
    let summary = ended.summary(0);
    let published = summary["frames"]["published"].as_u64().unwrap();
    assert!(
        (COMPRESSED_FRAMES / 2..COMPRESSED_FRAMES).contains(&published),
        "{published}"
    );
    let warnings = summary["warnings"].to_string();
    assert!(
        warnings.contains("cut.mcap") && warnings.contains("cut off by the end of the file"),
        "{warnings}"
    );
    assert!(ended.stderr.contains("cut.mcap"), "{}", ended.stderr);
    assert_eq!(
        on(&recordings::read(&output), "/detections").len() as u64,
        published
    );
}
