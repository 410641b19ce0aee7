//! The summary as a table of at most 80 columns for a terminal.

use std::fmt;

use super::columns::{BOLD, RED, Style, VALUE_COLUMN, YELLOW, shortened};
use super::format::{count, counted, figure, printable};
use super::track_lengths::by_ids;
use super::{input_sizes, sum};
use shuffledet_core::Summary;
use shuffledet_core::by_count;
use shuffledet_msg::stamp;

const FAILURES_SHOWN: usize = 5;
/// Leaves room for the figures of tracks.
const LONGEST_TRACKED: usize = 38;

/// Displays a summary for people.
///
/// Text that came from the recording or the model is shown with its control characters escaped.
pub struct SummaryTable<'a> {
    pub summary: &'a Summary,
    /// Whether to emphasise with ANSI colours.
    pub colour: bool,
}

impl fmt::Display for SummaryTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.facts(f)?;
        self.stages(f)?;
        self.detections(f)?;
        self.tracks(f)?;
        self.warnings(f)?;
        self.failures(f)
    }
}

impl SummaryTable<'_> {
    fn style(&self) -> Style {
        Style {
            colour: self.colour,
        }
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.summary;
        let frames = &summary.frames;
        let dropped = sum(&frames.dropped);
        let failed = sum(&frames.failed);
        self.style().fact(f, "recording", &summary.recording)?;
        for (i, topic) in summary.topics.iter().enumerate() {
            self.style()
                .fact(f, if i == 0 { "topics" } else { "" }, topic)?;
        }
        let balance = format!(
            "{} received = {} published + {} dropped + {} failed",
            count(frames.received),
            count(frames.published),
            count(dropped),
            count(failed)
        );
        self.style().fact(f, "frames", &balance)?;
        for (name, colour, reasons) in [
            ("  dropped", YELLOW, &frames.dropped),
            ("  failed", RED, &frames.failed),
        ] {
            for (reason, &n) in reasons {
                let line = format!("{} {reason}", count(n));
                self.style().coloured_fact(f, name, colour, &line)?;
            }
        }
        let rate = format!(
            "{} frames/s, {}, {} s",
            figure(summary.fps),
            counted(summary.workers as u64, "worker"),
            figure(summary.wall_s)
        );
        self.style().fact(f, "rate", &rate)?;
        let sha256 = summary.model.short_sha256();
        let model = format!("{} (sha256 {sha256}…)", summary.model.name);
        self.style().fact(f, "model", &model)?;
        let kind = summary.model.kind();
        if !kind.is_empty() {
            self.style().fact(f, "  family", &kind)?;
        }
        for (topic, sizes) in &summary.input_sizes {
            let of_topic = match summary.input_sizes.len() {
                1 => input_sizes(sizes),
                _ => format!("{topic}: {}", input_sizes(sizes)),
            };
            self.style().fact(f, "  input", &of_topic)?;
        }
        for problem in &summary.input_problems {
            self.style()
                .coloured_fact(f, "  not resized", YELLOW, problem)?;
        }
        self.style().fact(f, "provider", &summary.provider)?;
        for status in &summary.providers {
            for placed in &status.placement {
                self.style().fact(f, "", &placed.to_string())?;
            }
            if status.failures > 0 {
                let times = counted(status.failures, "time");
                let line = format!("{}: {times} while it ran", status.provider);
                self.style().coloured_fact(f, "  failed", RED, &line)?;
            }
            if let Some(reason) = status.reason.as_deref() {
                let line = format!("{}: {reason}", status.provider);
                self.style().coloured_fact(f, "  not used", YELLOW, &line)?;
            }
        }
        Ok(())
    }

    fn stages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = self.summary.stages_ms.iter();
        self.style().stages(f, stages.map(|(stage, q)| (*stage, q)))
    }

    fn detections(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = by_count(&self.summary.detections);
        let total: u64 = labels.iter().map(|(_, n)| n).sum();
        let labels: Vec<_> = labels
            .into_iter()
            .map(|(label, n)| (shortened(&printable(label)), n))
            .collect();
        let longest = labels.iter().map(|(label, _)| label.chars().count()).max();
        let width = longest.unwrap_or(0).max(VALUE_COLUMN);
        let head = format!("{:<width$} {:>10}", "detections", count(total));
        writeln!(f, "\n{}", self.style().paint(BOLD, &head))?;
        for (label, n) in labels {
            writeln!(f, "{label:<width$} {:>10}", count(n))?;
        }
        Ok(())
    }

    fn tracks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tracks) = &self.summary.tracks else {
            return Ok(());
        };
        let rows: Vec<_> = by_ids(tracks)
            .into_iter()
            .map(|(label, figures)| (printable(label), figures))
            .collect();
        let longest = rows.iter().map(|(label, _)| label.chars().count()).max();
        let width = longest.unwrap_or(0).clamp(VALUE_COLUMN, LONGEST_TRACKED);
        let head = format!(
            "{:<width$} {:>10}{:>9}{:>11}{:>11}",
            "tracks", "ids", "breaks", "median s", "longest s"
        );
        writeln!(f, "\n{}", self.style().paint(BOLD, &head))?;
        for (label, figures) in rows {
            let label: String = label.chars().take(width).collect();
            let [ids, breaks] = [figures.ids, figures.breaks].map(count);
            let (median, longest) = (figures.median_s, figures.longest_s);
            writeln!(
                f,
                "{label:<width$} {ids:>10}{breaks:>9}{median:>11.2}{longest:>11.2}"
            )?;
        }
        Ok(())
    }

    fn warnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, warning) in self.summary.warnings.iter().enumerate() {
            if i == 0 {
                writeln!(f)?;
            }
            self.style().coloured_fact(f, "warning", YELLOW, warning)?;
        }
        Ok(())
    }

    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failures = &self.summary.failures;
        for (i, failure) in failures.iter().take(FAILURES_SHOWN).enumerate() {
            if i == 0 {
                writeln!(f)?;
            }
            let line = format!(
                "{} at {}: {}",
                failure.topic,
                stamp(failure.stamp_ns),
                failure.reason
            );
            self.style().coloured_fact(f, "failure", RED, &line)?;
        }
        let failed = sum(&self.summary.frames.failed);
        let shown = failures.len().min(FAILURES_SHOWN) as u64;
        if failed > shown && shown > 0 {
            self.style()
                .fact(f, "", &format!("… and {} more", count(failed - shown)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::COLUMNS;
    use shuffledet_core::Stage;
    use shuffledet_core::{
        FailureNote, FrameCounts, ModelIdentity, ProviderStatus, Quantiles, TrackFigures,
    };

    const CARS: TrackFigures = TrackFigures {
        ids: 12,
        breaks: 1,
        median_s: 2.345,
        longest_s: 12.7,
        median_frames: 60.5,
        longest_frames: 311,
    };

    fn summary() -> Summary {
        let q = |p50: f64| Quantiles {
            min: p50 / 2.0,
            p50,
            p90: p50 * 1.5,
            p99: p50 * 2.0,
            max: p50 * 300.0,
        };
        Summary {
            frames: FrameCounts {
                received: 1228,
                published: 1217,
                dropped: [("older than 200 ms".to_owned(), 3)].into(),
                failed: [("decode".to_owned(), 8)].into(),
            },
            fps: 96.26,
            wall_s: 12.7,
            stages_ms: vec![(Stage::Infer, q(19.1)), (Stage::Nms, q(0.02))],
            provider: "CPUExecutionProvider".to_owned(),
            providers: vec![
                ProviderStatus {
                    provider: "cuda".to_owned(),
                    used: false,
                    reason: Some("the library was built without it; install a CUDA build of ONNX Runtime and name it by ORT_DYLIB_PATH".to_owned()),
                    ..ProviderStatus::default()
                },
                ProviderStatus { provider: "cpu".to_owned(), used: true, ..ProviderStatus::default() },
            ],
            workers: 2,
            model: ModelIdentity {
                name: "nanodet_m_416".to_owned(),
                sha256: "4b82da9944b88577175ee23a459dce2e".to_owned(),
..ModelIdentity::default()
},
            input_sizes: [("/camera/front/image_raw".to_owned(), [((704, 224).into(), 1216), ((416, 416).into(), 1)].into())].into(),
            input_problems: Vec::new(),
            detections: [("car".to_owned(), 1500), ("traffic light".to_owned(), 9), ("truck".to_owned(), 20)].into(),
            tracks: Some([("car".to_owned(), CARS), ("person".to_owned(), TrackFigures { ids: 1204, ..CARS })].into()),
            recording: "bags/dashcam".to_owned(),
            topics: vec!["/camera/front/image_raw".to_owned(), "/camera/rear\x1b[31m/image_raw".to_owned()],
            warnings: vec!["the file ends in the middle of a chunk".to_owned()],
            failures: vec![
                FailureNote {
                    topic: "/camera/front/image_raw".to_owned(),
                    stamp_ns: 1_700_000_000_000_000_005,
                    reason: "the JPEG ends before its end-of-image marker".to_owned(),
                };
                6
            ],
            versions: Default::default(),
        }
    }

    fn shown(summary: &Summary, colour: bool) -> String {
        SummaryTable { summary, colour }.to_string()
    }

    #[test]
    fn the_table_reads_as_meant() {
        let expected = "\
recording   bags/dashcam
topics      /camera/front/image_raw
            /camera/rear\\u{1b}[31m/image_raw
frames      1,228 received = 1,217 published + 3 dropped + 8 failed
  dropped   3 older than 200 ms
  failed    8 decode
rate        96.3 frames/s, 2 workers, 12.7 s
model       nanodet_m_416 (sha256 4b82da9944b8…)
  input     704x224 (1,216 runs), 416x416 (1 run)
provider    CPUExecutionProvider
  not used  cuda: the library was built without it; install a CUDA build of ONNX
            Runtime and name it by ORT_DYLIB_PATH

stage, ms           min        p50        p90        p99        max
infer             9.550     19.100     28.650     38.200   5730.000
nms               0.010      0.020      0.030      0.040      6.000

detections         1,529
car                1,500
truck                 20
traffic light          9

tracks              ids   breaks   median s  longest s
person            1,204        1       2.35      12.70
car                  12        1       2.35      12.70

warning     the file ends in the middle of a chunk

failure     /camera/front/image_raw at 1700000000.000000005: the JPEG ends
            before its end-of-image marker
failure     /camera/front/image_raw at 1700000000.000000005: the JPEG ends
            before its end-of-image marker
failure     /camera/front/image_raw at 1700000000.000000005: the JPEG ends
            before its end-of-image marker
failure     /camera/front/image_raw at 1700000000.000000005: the JPEG ends
            before its end-of-image marker
failure     /camera/front/image_raw at 1700000000.000000005: the JPEG ends
            before its end-of-image marker
            … and 3 more
";
        assert_eq!(shown(&summary(), false), expected);
    }

    #[test]
    fn colour_changes_nothing_but_the_colour() {
        let coloured = shown(&summary(), true);
        assert!(coloured.contains("\x1b[31m"));
        let mut plain = coloured;
        for code in [BOLD, RED, YELLOW, "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, shown(&summary(), false));
    }

    #[test]
    fn long_text_stays_within_80_columns() {
        let mut summary = summary();
        let long = "word ".repeat(30) + &"x".repeat(300);
        summary.recording = long.clone();
        summary.provider = long.clone();
        summary.model.name = long.clone();
        summary.topics.push(long.clone());
        summary.warnings.push(long.clone());
        summary.failures[0].reason = long.clone();
        summary.detections = [(long.clone(), 1 << 60)].into();
        summary.frames.dropped.insert(long.clone(), 1);
        summary.tracks = Some(
            [(
                long,
                TrackFigures {
                    longest_s: 1e6,
                    ..CARS
                },
            )]
            .into(),
        );
        for line in shown(&summary, false).lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
    }

    #[test]
    fn an_empty_run_has_a_table() {
        let empty = Summary {
            frames: FrameCounts::default(),
            stages_ms: Vec::new(),
            detections: Default::default(),
            failures: Vec::new(),
            ..summary()
        };
        let table = shown(&empty, false);
        assert!(table.contains("0 received = 0 published + 0 dropped + 0 failed"));
    }
}
