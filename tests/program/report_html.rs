//! The replay report in a real browser: it fits wide and narrow windows, follows the colour scheme, shows
//! its pictures, and writes nothing to the console. `SHUFFLEDET_KEEP_REPORT=FILE` keeps the page for looking at.

use shuffledet_testing::browser;
use std::time::{Duration, Instant, UNIX_EPOCH};

use browser::{browse, chromium, measurements};
use shuffledet_core::{
    FailureNote, FrameCounts, ModelIdentity, OutcomeKind, ProviderStatus, StageHistograms, Summary,
    Timeline, TrackFigures,
};
use shuffledet_core::{Mark, Trace};
use shuffledet_core::{Preview, StripPicture, TrackStrip};
use shuffledet_report::html::{ReplayReport, render};

const START_NS: i64 = 1_700_000_000_000_000_000;
const FRAMES: u64 = 442;
const LABELS: [&str; 8] = [
    "car",
    "truck",
    "person",
    "traffic light",
    "</script><script>alert(1)</script>",
    "bus",
    "stop sign",
    "a label that somebody made very long and_did_not_even_put_a_space_into_where_one_would_help",
];

/// A page that shows the report in a frame of the wanted width, since a window cannot be as narrow as a
/// phone, and writes what it measures there to where `--dump-dom` shows it.
const GAUGE: &str = r#"<!doctype html><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">
<iframe src="report.html" style="border:0;width:WIDTHpx;height:900px"></iframe>
<script>
addEventListener("load", () => {
  const view = frames[0], page = view.document;
  page.querySelectorAll("details").forEach(details => { details.open = true; });
  document.documentElement.dataset.measured = JSON.stringify({
    width: view.innerWidth,
    scroll: page.documentElement.scrollWidth,
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    paper: view.getComputedStyle(page.body).backgroundColor,
    images: [...page.images].filter(image => image.naturalWidth > 0).length,
    plots: [...page.querySelectorAll("svg.plot")].filter(svg => svg.checkVisibility()).length,
    headings: [...page.querySelectorAll("h1,h2,h3")].map(h => h.tagName).join(" "),
    scripts: page.scripts.length,
    received: JSON.parse(page.getElementById("data").textContent).summary.frames.received,
  });
});
</script>"#;

#[test]
fn the_report_fits_every_window_and_is_silent() {
    let Some(chromium) = chromium() else {
        eprintln!("skipped: the_report_fits_every_window_and_is_silent: needs Chromium");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = sample_report();
    std::fs::write(folder.path().join("report.html"), &page).unwrap();
    if let Some(keep) = std::env::var_os("SHUFFLEDET_KEEP_REPORT") {
        std::fs::write(keep, &page).unwrap();
    }

    let mut papers = Vec::new();
    for width in [1280, 375] {
        let gauge = folder.path().join("gauge.html");
        std::fs::write(&gauge, GAUGE.replace("WIDTH", &width.to_string())).unwrap();
        for dark in [false, true] {
            let (dom, log) = browse(&chromium, &gauge, folder.path(), dark);
            assert!(!log.contains("CONSOLE"), "{log}");
            let found = measurements(&dom);
            assert_eq!(found["width"], width, "{found}");
            assert_eq!(found["dark"], dark, "{found}");
            assert!(found["scroll"].as_u64() <= Some(width), "{found}");
            // twelve frames, and eight pictures of each of six tracks
            assert_eq!(found["images"], 60, "{found}");
            assert_eq!(found["plots"], 2, "{found}");
            assert_eq!(found["scripts"], 1, "{found}");
            assert_eq!(found["received"], FRAMES, "{found}");
            let headings = found["headings"].as_str().unwrap();
            assert!(headings.starts_with("H1 H2 "), "{found}");
            assert_eq!(headings.matches("H1").count(), 1, "{found}");
            papers.push(found["paper"].to_string());
        }
    }
    assert_ne!(papers[0], papers[1]);
}

/// A run as a dashcam gives it, with a drop, failures, and names that nobody would choose.
fn sample_report() -> String {
    let mut random = Random(7);
    let mut histograms = StageHistograms::default();
    let mut timeline = Timeline::default();
    let mut frames = FrameCounts::default();
    let mut detections = std::collections::BTreeMap::new();
    let mut failures = Vec::new();
    for i in 0..FRAMES {
        let at = START_NS + i as i64 * 40_000_000;
        frames.received += 1;
        let (trace, outcome) = match i {
            97 | 98 | 300 => (Trace::default(), OutcomeKind::Dropped),
            211 => (Trace::default(), OutcomeKind::Failed),
            _ => (frame(&mut random, i), OutcomeKind::Published),
        };
        let mut seen = Vec::new();
        match outcome {
            OutcomeKind::Published => {
                frames.published += 1;
                let wave = 1.0 + (i as f64 / 60.0).sin();
                for (rank, label) in LABELS.into_iter().enumerate() {
                    let rate = wave * 4.0 / (1.0 + rank as f64).powf(1.4);
                    seen.push((label, (rate * random.next() * 2.0) as u64));
                }
            }
            OutcomeKind::Dropped => {
                *frames
                    .dropped
                    .entry("older than 200 ms".to_owned())
                    .or_default() += 1;
            }
            OutcomeKind::Failed => {
                let reason =
                    "decode: the JPEG ends after 18 231 bytes, before its end-of-image marker";
                *frames.failed.entry("decode".to_owned()).or_default() += 1;
                failures.push(FailureNote {
                    topic: "/camera/front/image_raw/compressed".to_owned(),
                    stamp_ns: at,
                    reason: reason.to_owned(),
                });
            }
        }
        for &(label, n) in &seen {
            *detections.entry(label.to_owned()).or_default() += n;
        }
        histograms.record(&trace);
        timeline.record(at, outcome, &trace, seen);
    }
    let summary = Summary {
        frames,
        fps: 95.83,
        wall_s: 4.57,
        stages_ms: histograms.quantiles(),
        provider: "CPUExecutionProvider".to_owned(),
        providers: vec![
            fate(
                "cuda",
                Some(
                    "CUDA is not in this build of ONNX Runtime; install a CUDA build and name it by ORT_DYLIB_PATH",
                ),
            ),
            fate("cpu", None),
        ],
        workers: 2,
        model: ModelIdentity {
            name: "nanodet_m_416".to_owned(),
            sha256: "4b82da9944b88577175ee23a459dce2e26e6e4be573def65b1055dc2d9720186".to_owned(),
            ..ModelIdentity::default()
        },
        input_sizes: [(
            "/camera/front/image_raw/compressed".to_owned(),
            [((544, 320).into(), 438)].into(),
        )]
        .into(),
        input_problems: Vec::new(),
        detections,
        tracks: Some((0..).zip(LABELS).map(tracked).collect()),
        recording: "rosbags/dashcam_compressed_mcap".to_owned(),
        topics: vec!["/camera/front/image_raw/compressed".to_owned()],
        warnings: vec!["dashcam_0.mcap has no index: it was read from front to back".to_owned()],
        failures,
        versions: [
            ("shuffledet", "0.1.0"),
            ("onnxruntime", "1.32.0"),
            ("opencv", "4.6.0"),
        ]
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .into(),
    };
    let previews: Vec<Preview> = (0..12).map(preview).collect();
    let strips: Vec<TrackStrip> = (0..6).map(strip).collect();
    let configuration_yaml = "/**:\n  ros__parameters:\n    model:\n      name: nanodet_m_416\n    \
        detector:\n      score_threshold: 0.35  # <b>not bold</b>\n      nms_iou_threshold: 0.6\n    \
        runtime:\n      providers: [cuda, cpu]\n      workers: 2\n";
    render(&ReplayReport {
        summary: &summary,
        histograms: &histograms,
        timeline: &timeline,
        previews: &previews,
        strips: &strips,
        configuration_yaml,
        generated_at: UNIX_EPOCH + Duration::from_secs(1_795_499_448),
    })
    .unwrap()
}

fn fate(provider: &str, reason: Option<&str>) -> ProviderStatus {
    ProviderStatus {
        provider: provider.to_owned(),
        used: reason.is_none(),
        reason: reason.map(str::to_owned),
        ..ProviderStatus::default()
    }
}

/// A published frame's trace: the first one waits for the session to warm up.
fn frame(random: &mut Random, index: u64) -> Trace {
    let warm_up = if index < 2 { 6.0 } else { 1.0 };
    let stages = [
        (Mark::ReadStarted, 0.0),
        (Mark::Received, 0.08),
        (Mark::Dequeued, 14.0),
        (Mark::Decoded, 3.1),
        (Mark::Prepared, 0.63),
        (Mark::Inferred, 19.2 * warm_up),
        (Mark::Boxed, 0.09),
        (Mark::Suppressed, 0.012),
        (Mark::Ordered, 4.0),
        (Mark::Published, 0.06),
    ];
    let mut at = Instant::now();
    let mut trace = Trace::default();
    for (mark, typical_ms) in stages {
        let slow = if random.next() > 0.985 { 1.8 } else { 1.0 };
        let around = 0.9 + 0.1 * (random.next() + random.next() + random.next() * random.next());
        at += Duration::from_secs_f64(typical_ms * slow * around / 1e3);
        trace.mark_at(mark, at);
    }
    trace
}

/// The tracks of a class; the first class has the most.
fn tracked((rank, label): (u64, &str)) -> (String, TrackFigures) {
    let figures = TrackFigures {
        ids: 120 - 12 * rank,
        breaks: rank,
        median_s: 1.84 / (rank + 1) as f64,
        longest_s: 17.64 / (rank + 1) as f64,
        median_frames: 46.5,
        longest_frames: 441,
    };
    (label.to_owned(), figures)
}

fn strip(index: usize) -> TrackStrip {
    let picture = |place: usize| StripPicture {
        at_s: 2.52 * place as f64,
        jpeg: jpeg(144, 144 - 12 * index, 20 * place),
        width: 144,
        height: 144 - 12 * index as u32,
    };
    TrackStrip {
        topic: "/camera/front/image_raw/compressed".to_owned(),
        id: 3 + 40 * index as u64,
        label: LABELS[index].to_owned(),
        start_ns: START_NS + index as i64 * 40_000_000,
        length_s: 17.64 - index as f64,
        frames: 441 - 25 * index as u64,
        pictures: (0..8).map(picture).collect(),
    }
}

fn jpeg(width: usize, height: usize, blue: usize) -> Vec<u8> {
    let pixels: Vec<u8> = (0..width * height)
        .flat_map(|i| [(i % width) as u8, (i / width) as u8, blue as u8])
        .collect();
    let image = turbojpeg::Image {
        pixels: pixels.as_slice(),
        width,
        pitch: width * 3,
        height,
        format: turbojpeg::PixelFormat::RGB,
    };
    turbojpeg::compress(image, 85, turbojpeg::Subsamp::Sub2x2)
        .unwrap()
        .to_vec()
}

fn preview(index: usize) -> Preview {
    let (width, height) = (320, 180);
    Preview {
        topic: "/camera/front/image_raw/compressed".to_owned(),
        stamp_ns: START_NS + index as i64 * 1_473_000_000,
        jpeg: jpeg(width, height, index * 20),
        width: width as u32,
        height: height as u32,
        detections: index % 5,
        caption: [
            "",
            "1 car",
            "2 car",
            "2 car, 1 truck",
            "3 car, 1 \"person\"",
        ][index % 5]
            .to_owned(),
    }
}

/// Numbers in [0, 1) that look random and are the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as f64 / (1u64 << 31) as f64
    }
}
