//! Input sizes and regions: which network a picture gets, when its session is made, and what becomes of the boxes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opencv::core::{Mat, MatTrait, Rect, Scalar, Size};
use opencv::imgproc;

use shuffledet_core::{BBox, Detection, InputSize, Region, Regions, ResizeMode, Resolution};
use shuffledet_detector::LoadedModel;
use shuffledet_detector::config::Config;
use shuffledet_detector::detect::opener::SizedBackends;
use shuffledet_detector::detect::settings::Thresholds;
use shuffledet_detector::detect::{
    Detector, DetectorSettings, InputChoice, InputUse, NetworkOpener,
};
use shuffledet_detector::model::{Manifest, ModelDescription};
use shuffledet_image::BgrView;
use shuffledet_infer::runner::{Signature, Tensors};
use shuffledet_infer::{
    Backend, Backoff, InferError, Provider, ProviderError, ProviderStatuses, Runner,
    SessionOptions, ShapeMismatch, WhileBuilding,
};
use shuffledet_testing as support;

const NATIVE: Resolution = Resolution {
    width: 352,
    height: 352,
};

/// What happened to a session of which resolution, on which thread.
type Log = Arc<Mutex<Vec<(&'static str, Resolution, String)>>>;

/// Creates sessions of a FastestDet that detects nothing, each in `pause`.
#[derive(Default)]
struct Slow {
    pause: Duration,
    refuses: Option<Resolution>,
    /// The thread's name, when a session is created and when one runs for the first time.
    log: Log,
}

impl SizedBackends for Slow {
    fn backend(&self, resolution: Resolution) -> Result<Arc<dyn Backend>, InferError> {
        if self.refuses == Some(resolution) {
            return Err(InferError::Outputs {
                model: "slow".to_owned(),
                source: ShapeMismatch {
                    family: "none",
                    classes: 0,
                    expected: String::new(),
                    found: String::new(),
                },
            });
        }
        let (pause, log) = (self.pause, Arc::clone(&self.log));
        Ok(Arc::new(SlowAt {
            resolution,
            pause,
            log,
        }))
    }
}

#[derive(Clone)]
struct SlowAt {
    resolution: Resolution,
    pause: Duration,
    log: Log,
}

impl SlowAt {
    fn note(&self, what: &'static str) {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        self.log
            .lock()
            .unwrap()
            .push((what, self.resolution, thread));
    }
}

impl Backend for SlowAt {
    fn build(&self, _: Provider) -> Result<Box<dyn Runner>, ProviderError> {
        self.note("created");
        if self.resolution != NATIVE {
            thread::sleep(self.pause);
        }
        let Resolution { width, height } = self.resolution;
        let cells = [height / 16, width / 16].map(i64::from);
        Ok(Box::new(SlowRunner {
            at: self.clone(),
            ran: false,
            outputs: vec![vec![0.0; (85 * cells[0] * cells[1]) as usize]],
            signature: Signature {
                inputs: vec![vec![1, 3, height.into(), width.into()]],
                described: "slow".to_owned(),
                outputs: vec![[&[1, 85], &cells[..]].concat()],
            },
        }))
    }

    fn tolerance(&self, _: Provider) -> f64 {
        0.0
    }
}

struct SlowRunner {
    at: SlowAt,
    ran: bool,
    outputs: Vec<Vec<f32>>,
    signature: Signature,
}

impl Runner for SlowRunner {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn placement(&self) -> &[shuffledet_core::NodePlacement] {
        &[]
    }

    fn run(&mut self, shape: [usize; 4], _: &[f32]) -> Result<Tensors<'_>, ProviderError> {
        let Resolution { width, height } = self.at.resolution;
        assert_eq!(shape[2..], [height as usize, width as usize]);
        if !std::mem::replace(&mut self.ran, true) {
            self.at.note("first run");
        }
        Ok(Tensors::Plain(&self.outputs))
    }
}

fn model() -> ModelDescription {
    let manifest = Manifest::shipped().unwrap();
    manifest
        .describe(manifest.model("fastestdet_352").unwrap())
        .unwrap()
}

fn opener(backends: Slow, while_building: WhileBuilding) -> Arc<NetworkOpener> {
    Arc::new(NetworkOpener {
        backends: Arc::new(backends),
        description: model(),
        model: "slow".to_owned(),
        options: SessionOptions {
            providers: vec![Provider::Cpu],
            intra_op_threads: 1,
            ..SessionOptions::default()
        },
        while_building,
        backoff: Backoff::default(),
        provider_statuses: Arc::<ProviderStatuses>::default(),
        refused: Arc::default(),
        background: Mutex::default(),
    })
}

fn auto(opener: &Arc<NetworkOpener>) -> Detector {
    let choice = InputChoice {
        size: InputSize::Auto,
        // resolutions in the shape of the picture itself
        resize: ResizeMode::Letterbox,
        ..InputChoice::native(&model().input)
    };
    let settings = DetectorSettings::new(&Thresholds::default(), &model()).unwrap();
    Detector::with_opener(opener, choice, settings).unwrap()
}

/// Detects in a grey picture; returns the input sizes.
fn grey(detector: &mut Detector, (width, height): (u32, u32), regions: &Regions) -> Vec<InputUse> {
    let pixels = vec![114; 3 * width as usize * height as usize];
    let image = BgrView::new(width, height, 3 * width as usize, &pixels).unwrap();
    assert_eq!(detector.detect_in(&image, regions).unwrap(), []);
    detector.inputs().collect()
}

const WIDE: (u32, u32) = (1242, 375);

#[test]
fn live_frames_use_the_first_session_until_another_is_made_in_the_background() {
    let slow = Slow {
        pause: Duration::from_millis(300),
        ..Slow::default()
    };
    let log = Arc::clone(&slow.log);
    let opener = opener(slow, WhileBuilding::ServeMeanwhile);
    let mut detector = auto(&opener);
    let wanted = Resolution::from((640, 192));
    let meanwhile = InputUse {
        used: NATIVE,
        wanted,
    };
    assert_eq!(grey(&mut detector, WIDE, &Regions::WHOLE), [meanwhile]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while grey(&mut detector, WIDE, &Regions::WHOLE) == [meanwhile] {
        assert!(Instant::now() < deadline, "its session never came");
        thread::sleep(Duration::from_millis(5));
    }
    let there = InputUse {
        used: wanted,
        wanted,
    };
    assert_eq!(grey(&mut detector, WIDE, &Regions::WHOLE), [there]);
    let log = log.lock().unwrap();
    let of_wanted: Vec<_> = log
        .iter()
        .filter(|(_, resolution, _)| *resolution == wanted)
        .map(|(what, _, thread)| (*what, thread.as_str()))
        .collect();
    // made and warmed up once, by another thread
    assert_eq!(
        of_wanted,
        [("created", "input-size"), ("first run", "input-size")]
    );
}

#[test]
fn a_detector_that_is_dropped_leaves_the_thread_to_end_by_itself() {
    let slow = Slow {
        pause: Duration::from_millis(200),
        ..Slow::default()
    };
    let opener = opener(slow, WhileBuilding::ServeMeanwhile);
    let mut detector = auto(&opener);
    grey(&mut detector, WIDE, &Regions::WHOLE);
    let began = Instant::now();
    drop(detector);
    assert!(began.elapsed() < Duration::from_millis(150));
    let deadline = Instant::now() + Duration::from_secs(20);
    while Arc::strong_count(&opener) > 1 {
        assert!(Instant::now() < deadline, "the thread holds its opener");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(opener.provider_statuses.statuses().is_empty());
}

#[test]
fn the_sessions_of_the_eight_resolutions_used_last_are_kept() {
    let slow = Slow::default();
    let log = Arc::clone(&slow.log);
    let opener = opener(slow, WhileBuilding::Wait);
    let mut detector = auto(&opener);
    // each gives another resolution
    let heights = [900, 600, 450, 390, 225, 188, 150, 120, 100, 60];
    let pictures = heights.map(|height| (300, height));
    let mut sizes = Vec::new();
    for &picture in &pictures {
        let [input] = grey(&mut detector, picture, &Regions::WHOLE)[..] else {
            panic!("one run");
        };
        assert_eq!(input.used, input.wanted);
        assert!(!sizes.contains(&input.used), "{sizes:?}");
        sizes.push(input.used);
        // the first picture's is always used in between
        grey(&mut detector, pictures[0], &Regions::WHOLE);
    }
    let kept: Vec<_> = detector.resolutions().collect();
    assert_eq!(kept.len(), 9, "{kept:?}");
    assert_eq!(kept[0], NATIVE);
    assert!(kept.contains(&sizes[0]) && !kept.contains(&sizes[1]) && !kept.contains(&sizes[2]));
    let created = |resolution| {
        let log = log.lock().unwrap();
        log.iter()
            .filter(|(what, at, _)| *what == "created" && *at == resolution)
            .count()
    };
    grey(&mut detector, pictures[9], &Regions::WHOLE);
    grey(&mut detector, pictures[1], &Regions::WHOLE);
    assert_eq!([created(sizes[9]), created(sizes[1])], [1, 2]);
}

#[test]
fn a_picture_with_more_resolutions_than_are_kept_makes_each_once() {
    let slow = Slow::default();
    let log = Arc::clone(&slow.log);
    let opener = opener(slow, WhileBuilding::Wait);
    let mut detector = auto(&opener);
    let numbers: Vec<f64> = (1..=12)
        .flat_map(|i| [0.0, 0.0, 0.08 * f64::from(i), 1.0])
        .collect();
    let regions = Regions::new(&numbers).unwrap();
    for _ in 0..3 {
        let inputs = grey(&mut detector, WIDE, &regions);
        assert_eq!(inputs.len(), 12);
        assert!(inputs.iter().all(|input| input.used == input.wanted));
    }
    let mut counts = BTreeMap::new();
    for (what, resolution, _) in log.lock().unwrap().iter() {
        *counts.entry((*what, *resolution)).or_insert(0) += 1;
    }
    assert!(counts.len() > 2 * 9, "{counts:?}");
    assert!(counts.values().all(|&count| count == 1), "{counts:?}");
}

#[test]
fn a_resolution_that_cannot_be_used_gives_way_to_the_first_and_is_named() {
    for while_building in [WhileBuilding::Wait, WhileBuilding::ServeMeanwhile] {
        let wanted = Resolution::from((640, 192));
        let slow = Slow {
            refuses: Some(wanted),
            ..Slow::default()
        };
        let opener = opener(slow, while_building);
        let mut detector = auto(&opener);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let inputs = grey(&mut detector, WIDE, &Regions::WHOLE);
            assert_eq!(
                inputs,
                [InputUse {
                    used: NATIVE,
                    wanted
                }]
            );
            let texts = opener.refused.texts();
            if let [reason] = &texts[..] {
                assert!(reason.starts_with("640x192: "), "{reason}");
                break;
            }
            assert!(Instant::now() < deadline, "{texts:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Three pictures side by side on a wide one, as small as a far camera shows them.
fn far(test: &str) -> Option<Vec<u8>> {
    let folder = support::asset(test, "images")?;
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("coco_")
        })
        .collect();
    names.sort();
    let mut canvas =
        Mat::new_rows_cols_with_default(375, 1242, opencv::core::CV_8UC3, Scalar::all(0.0))
            .unwrap();
    for (slot, path) in (0..).zip(&names[6..9]) {
        let mut decoder = shuffledet_image::ImageDecoder::new();
        let bytes = std::fs::read(path).unwrap();
        let image = decoder.decode_file(&bytes).unwrap();
        let scale = (414.0 / f64::from(image.width())).min(375.0 / f64::from(image.height()));
        let side = |length: u32| ((f64::from(length) * scale) as i32).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        let place = Rect::new(414 * slot, 0, width, height);
        let mut target = canvas.roi_mut(place).unwrap();
        let size = Size::new(width, height);
        let source = image.to_mat().unwrap();
        imgproc::resize(&*source, &mut target, size, 0.0, 0.0, imgproc::INTER_AREA).unwrap();
    }
    Some(BgrView::from_mat(&canvas).unwrap().data().to_vec())
}

fn detector_of(model: &str, settings: &[&str]) -> Detector {
    let settings: Vec<_> = settings.iter().map(|&text| text.to_owned()).collect();
    let config = Config::load(None, Some(model), &settings).unwrap();
    LoadedModel::new(config).unwrap().detector().unwrap()
}

const MODELS: [(&str, &str); 2] = [("fastestdet_352", "544x224"), ("nanodet_m_416", "640x192")];

#[test]
fn a_wide_picture_gets_an_input_of_its_shape() {
    let test = "a_wide_picture_gets_an_input_of_its_shape";
    let Some(pixels) = far(test) else { return };
    let image = BgrView::new(1242, 375, 3 * 1242, &pixels).unwrap();
    for (model, size) in MODELS {
        let mut auto = detector_of(model, &[]);
        let found = auto.detect(&image).unwrap().to_vec();
        let inputs: Vec<_> = auto.inputs().map(|input| input.used.to_string()).collect();
        assert_eq!(inputs, [size]);
        let mut fixed = detector_of(model, &[&format!("model.input_size={size}")]);
        assert_eq!(fixed.detect(&image).unwrap(), found);
        assert_eq!(fixed.resolutions().count(), 1);
        let mut native = detector_of(model, &["model.input_size=native"]);
        let at_native = native.detect(&image).unwrap();
        // what is plain to see is found in both
        let same = |other: &&Detection| {
            other.class_id == found[0].class_id && other.bbox.iou(&found[0].bbox) > 0.6
        };
        assert!(
            at_native.iter().any(|one| same(&one)),
            "{model}: {at_native:?}"
        );
        assert_ne!(at_native, found);
    }
}

#[test]
fn a_region_is_searched_as_a_picture_of_its_own() {
    let test = "a_region_is_searched_as_a_picture_of_its_own";
    let Some(pixels) = far(test) else { return };
    let image = BgrView::new(1242, 375, 3 * 1242, &pixels).unwrap();
    let region = Region::new([0.3, 0.0, 1.0, 1.0]).unwrap();
    let part = region.pixels((1242, 375));
    let regions = Regions::new(&region.sides()).unwrap();
    for (model, _) in MODELS {
        let mut detector = detector_of(model, &[]);
        let alone = detector
            .detect(&image.part(part).unwrap())
            .unwrap()
            .to_vec();
        let found = detector.detect_in(&image, &regions).unwrap();
        let left = part.left as f32;
        let shifted = |one: &Detection| Detection {
            bbox: BBox {
                x1: one.bbox.x1 + left,
                x2: one.bbox.x2 + left,
                ..one.bbox
            },
            ..*one
        };
        let whole: Vec<_> = alone
            .iter()
            .filter(|one| one.bbox.x1 > 20.0)
            .map(shifted)
            .collect();
        assert!(!whole.is_empty(), "{model}: {alone:?}");
        for one in whole {
            let near = |other: &&Detection| {
                other.class_id == one.class_id
                    && other.score == one.score
                    && other.bbox.iou(&one.bbox) > 0.999
            };
            assert_eq!(
                found.iter().filter(near).count(),
                1,
                "{model}: {one:?} in {found:?}"
            );
        }
    }
}

#[test]
fn halves_beside_the_whole_find_what_the_whole_finds_once() {
    let test = "halves_beside_the_whole_find_what_the_whole_finds_once";
    let Some(pixels) = far(test) else { return };
    let image = BgrView::new(1242, 375, 3 * 1242, &pixels).unwrap();
    let halves = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.6, 1.0, 0.4, 0.0, 1.0, 1.0];
    let halves = Regions::new(&halves).unwrap();
    for (model, _) in MODELS {
        let mut detector = detector_of(model, &[]);
        let whole = detector.detect(&image).unwrap().to_vec();
        let found = detector.detect_in(&image, &halves).unwrap();
        assert!(found.len() >= whole.len(), "{model}");
        for (index, one) in found.iter().enumerate() {
            let twin = found[..index]
                .iter()
                .find(|other| other.class_id == one.class_id && other.bbox.iou(&one.bbox) > 0.7);
            assert!(twin.is_none(), "{model}: {one:?} and {twin:?}");
        }
        assert_eq!(detector.inputs().count(), 3);
    }
}
