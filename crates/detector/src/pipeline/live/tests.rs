use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::pipeline::RuntimeSettings;
use crate::pipeline::settings::tests::tuned;
use proptest::prelude::*;

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Pass,
    /// Its worker panics when it enters this stage.
    Panic(Stage),
    /// Its worker hangs at this stage until the test ends.
    Hang(Stage),
    ReadingPanics,
    PublishingPanics,
    /// Publishing lasts until the publisher is given up.
    PublishingHangs,
}

impl Deed {
    /// Returns the outcome that the frame must have: its reason if it fails.
    fn outcome(self) -> Option<&'static str> {
        match self {
            Deed::Pass => None,
            Deed::Panic(_) | Deed::ReadingPanics | Deed::PublishingPanics => Some("panic"),
            Deed::Hang(_) | Deed::PublishingHangs => Some("stuck"),
        }
    }
}

/// Yields one frame for each deed, each after the frame before it has its outcome.
struct Script {
    deeds: VecDeque<Deed>,
    counted: Receiver<()>,
    first: bool,
}

impl Source for Script {
    type Error = Infallible;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
        if !std::mem::take(&mut self.first) {
            self.counted.recv().unwrap();
        }
        let Some(deed) = self.deeds.pop_front() else {
            return Ok(false);
        };
        frame.stamp.sec = frame.sequence as i32;
        frame.message = vec![code(deed)];
        assert!(deed != Deed::ReadingPanics, "reading");
        Ok(true)
    }
}

/// Carries a deed in a message.
fn code(deed: Deed) -> u8 {
    match deed {
        Deed::Panic(stage) => 100 + stage as u8,
        Deed::Hang(stage) => 200 + stage as u8,
        Deed::Pass => 0,
        Deed::ReadingPanics => 1,
        Deed::PublishingPanics => 2,
        Deed::PublishingHangs => 3,
    }
}

/// Does what the frame says.
struct Actor {
    released: Arc<Mutex<Receiver<()>>>,
    /// The number of hangs so far.
    hangs: Arc<AtomicUsize>,
    /// Whether it has hung, and must not get another frame.
    hung: bool,
}

impl FrameWorker for Actor {
    fn process(&mut self, frame: &mut Frame) -> Outcome {
        assert!(!self.hung, "a worker that was given up got a frame");
        match frame.message[0] {
            code @ 200.. => {
                frame.enter(Stage::ALL[usize::from(code) - 200]);
                self.hung = true;
                self.hangs.fetch_add(1, Ordering::SeqCst);
                // until the sender is gone
                let _ = lock(&self.released).recv();
            }
            code @ 100.. => {
                frame.enter(Stage::ALL[usize::from(code) - 100]);
                panic!("at {code}");
            }
            _ => frame.enter(Stage::Infer),
        }
        Outcome::Published
    }
}

/// Gives up turns that do not move for some looks, as the watchdog does, until `end` is closed. A part
/// that is only slow, because the machine is, is not given up.
fn guard(progress: &LiveProgress, hangs: &AtomicUsize, end: &Receiver<()>) -> Vec<Option<Stage>> {
    let mut found = Vec::new();
    let parts = progress.workers.iter().chain([&progress.publisher]);
    let mut seen: Vec<_> = parts.map(|part| (part, None, 0)).collect();
    while end.recv_timeout(Duration::from_millis(2))
        == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
    {
        for (part, at, looks) in &mut seen {
            let activity = part.look();
            let now = activity.map(|activity| (activity.turn, activity.steps));
            if now != *at {
                (*at, *looks) = (now, 0);
                continue;
            }
            *looks += 1;
            if let Some(activity) = activity.filter(|activity| activity.frame.is_some())
                && *looks > 5
                && hangs.load(Ordering::SeqCst) > found.len()
                && part.give_up(activity.turn)
            {
                found.push(activity.stage);
            }
        }
    }
    found
}

/// Runs the deeds, and returns the outcome of each frame and the stages at which parts were stuck.
fn run_deeds(
    deeds: &[Deed],
    workers: usize,
) -> (BTreeMap<u64, Option<&'static str>>, Vec<Option<Stage>>) {
    let tuning = Arc::new(SharedSettings::new(tuned(&[1.0])));
    let (release, released): (Sender<()>, _) = channel();
    let released = Arc::new(Mutex::new(released));
    let (made, hangs) = (Arc::new(AtomicUsize::new(0)), Arc::<AtomicUsize>::default());
    let make = {
        let (made, released) = (Arc::clone(&made), Arc::clone(&released));
        let hangs = Arc::clone(&hangs);
        move || {
            made.fetch_add(1, Ordering::SeqCst);
            let (released, hangs) = (Arc::clone(&released), Arc::clone(&hangs));
            Ok(Actor {
                released,
                hangs,
                hung: false,
            })
        }
    };
    let first = (0..workers).map(|_| make().unwrap()).collect();
    let progress = Arc::new(LiveProgress::new(workers));
    let crew = Crew::new(0, first, Arc::new(make), Arc::clone(&progress));
    let crew = Arc::new(crew);
    let (count, counted) = channel();
    let mut source = Script {
        deeds: deeds.iter().copied().collect(),
        counted,
        first: true,
    };
    let (mut outcomes, mut found) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let (end, ended) = channel();
        let guarding = scope.spawn(|| {
            let ended = ended;
            guard(&progress, &hangs, &ended)
        });
        let publish = |frame: &mut Frame, _: &Outcome| {
            let message = frame.message.first().copied();
            if message == Some(code(Deed::PublishingHangs)) {
                hangs.fetch_add(1, Ordering::SeqCst);
                while !progress.publisher.is_given_up() {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(message != Some(code(Deed::PublishingPanics)), "publishing");
            Ok::<_, Infallible>(())
        };
        let stop = AtomicBool::new(false);
        let ran = run_live(
            &mut source,
            &tuning,
            &crew,
            &stop,
            publish,
            |frame, outcome| {
                let reason = match outcome {
                    Outcome::Published => None,
                    Outcome::Failed(failure) => Some(failure.reason),
                    Outcome::Dropped(reason) => Some(reason.name()),
                };
                outcomes.push((frame.sequence, reason));
                count.send(()).unwrap();
            },
        );
        ran.unwrap();
        drop(end);
        found = guarding.join().unwrap();
    });
    let hung = deeds.iter().filter(|deed| matches!(deed, Deed::Hang(_)));
    assert_eq!(made.load(Ordering::SeqCst), workers + hung.count());
    // the workers that hung come back, and are gone
    drop(release);
    assert!((0..workers).all(|place| !crew.worker(0, place).unwrap().hung));
    let count = outcomes.len();
    let outcomes: BTreeMap<_, _> = outcomes.into_iter().collect();
    assert_eq!(outcomes.len(), count, "a frame has two outcomes");
    (outcomes, found)
}

#[test]
fn a_worker_that_hangs_is_replaced_and_its_frame_has_failed() {
    let deeds = [
        Deed::Pass,
        Deed::Hang(Stage::Infer),
        Deed::Pass,
        Deed::Hang(Stage::Decode),
        Deed::Pass,
    ];
    for workers in [1, 3] {
        let (outcomes, found) = run_deeds(&deeds, workers);
        let outcomes: Vec<_> = outcomes.into_values().collect();
        assert_eq!(outcomes, deeds.map(Deed::outcome));
        assert_eq!(found, [Some(Stage::Infer), Some(Stage::Decode)]);
    }
}

#[test]
fn a_panic_in_any_stage_fails_one_frame() {
    let stages = [
        Stage::Queue,
        Stage::Decode,
        Stage::Letterbox,
        Stage::Infer,
        Stage::Boxes,
        Stage::Nms,
        Stage::Classify,
        Stage::Draw,
    ];
    let mut deeds: Vec<_> = stages
        .into_iter()
        .flat_map(|stage| [Deed::Panic(stage), Deed::Pass])
        .collect();
    deeds.extend([
        Deed::ReadingPanics,
        Deed::Pass,
        Deed::PublishingPanics,
        Deed::Pass,
    ]);
    let (outcomes, found) = run_deeds(&deeds, 2);
    let expected: Vec<_> = deeds.iter().map(|deed| deed.outcome()).collect();
    assert_eq!(outcomes.into_values().collect::<Vec<_>>(), expected);
    assert_eq!(found, []);
}

#[test]
fn a_frame_whose_publishing_took_too_long_counts_once() {
    let deeds = [Deed::Pass, Deed::PublishingHangs, Deed::Pass];
    let (outcomes, found) = run_deeds(&deeds, 1);
    assert_eq!(
        outcomes.into_values().collect::<Vec<_>>(),
        deeds.map(Deed::outcome)
    );
    assert_eq!(found, [Some(Stage::Publish)]);
}

#[test]
fn a_run_ends_although_every_worker_hangs_and_none_can_be_made() {
    let tuning = Arc::new(SharedSettings::new(tuned(&[1.0])));
    let (release, released) = channel();
    let released = Arc::new(Mutex::new(released));
    let progress = Arc::new(LiveProgress::new(1));
    let hangs = Arc::<AtomicUsize>::default();
    let actor = Actor {
        released,
        hangs: Arc::clone(&hangs),
        hung: false,
    };
    let make = || Err("no memory".to_owned());
    let crew = Crew::new(0, vec![actor], Arc::new(make), Arc::clone(&progress));
    let crew = Arc::new(crew);
    let (count, counted) = channel();
    let mut source = Script {
        deeds: VecDeque::from([Deed::Hang(Stage::Infer)]),
        counted,
        first: true,
    };
    let mut outcomes = Vec::new();
    thread::scope(|scope| {
        let (end, ended) = channel();
        scope.spawn(|| {
            let ended = ended;
            guard(&progress, &hangs, &ended);
        });
        let stop = AtomicBool::new(false);
        let publish = |_: &mut Frame, _: &Outcome| Ok::<_, Infallible>(());
        run_live(&mut source, &tuning, &crew, &stop, publish, |_, outcome| {
            outcomes.push(outcome.clone());
            count.send(()).unwrap();
        })
        .unwrap();
        drop(end);
    });
    assert_eq!(outcomes, [stuck("worker")]);
    // there is no worker, and the next run tries again
    assert_eq!(crew.worker(0, 0).err().as_deref(), Some("no memory"));
    drop(release);
}

/// A worker of one model, which counts itself.
struct OfModel {
    model: u64,
    alive: Arc<AtomicUsize>,
}

impl OfModel {
    fn new(model: u64, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        let alive = Arc::clone(alive);
        Self { model, alive }
    }

    fn many(model: u64, alive: &Arc<AtomicUsize>) -> Vec<Self> {
        (0..3).map(|_| Self::new(model, alive)).collect()
    }
}

impl Drop for OfModel {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl FrameWorker for OfModel {
    fn process(&mut self, frame: &mut Frame) -> Outcome {
        assert_eq!(frame.model_number, self.model);
        thread::sleep(Duration::from_micros(200));
        Outcome::Published
    }
}

/// Yields frames until the run is stopped.
struct Endless;

impl Source for Endless {
    type Error = Infallible;

    fn next_into(&mut self, _: &mut Frame) -> Result<bool, Infallible> {
        thread::sleep(Duration::from_micros(100));
        Ok(true)
    }
}

fn set_model(tuning: &SharedSettings, model: u64) {
    let settings = RuntimeSettings::clone(&tuning.get());
    tuning.set(RuntimeSettings { model, ..settings });
}

#[test]
fn models_change_between_frames_without_losing_one() {
    let tuning = Arc::new(SharedSettings::new(tuned(&[1.0])));
    let alive = Arc::<AtomicUsize>::default();
    let make = || Err("no other worker is needed".to_owned());
    let progress = Arc::new(LiveProgress::new(3));
    let crew = Crew::new(0, OfModel::many(0, &alive), Arc::new(make), progress);
    let crew = Arc::new(crew);
    let stop = AtomicBool::new(false);
    let mut models = Vec::new();
    let mut counted = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            for model in 1..20 {
                crew.add(model, OfModel::many(model, &alive), Arc::new(make));
                set_model(&tuning, model);
                crew.tell_model();
                thread::sleep(Duration::from_millis(5));
                if model % 4 == 0 {
                    // there and back
                    for model in [model - 1, model] {
                        set_model(&tuning, model);
                        crew.tell_model();
                        thread::sleep(Duration::from_millis(5));
                    }
                }
                crew.remove(model - 1);
            }
            thread::sleep(Duration::from_millis(20));
            // idle threads too have left the workers of earlier models
            assert!(alive.load(Ordering::SeqCst) <= 3);
            stop.store(true, Ordering::SeqCst);
        });
        let publish = |frame: &mut Frame, _: &Outcome| {
            if frame.ticket.is_some() {
                models.push(frame.model_number);
            }
            Ok::<_, Infallible>(())
        };
        let count = |frame: &Frame, outcome: &Outcome| {
            counted.push(frame.sequence);
            assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
        };
        run_live(&mut Endless, &tuning, &crew, &stop, publish, count).unwrap();
    });
    models.dedup();
    assert!(models.len() > 15, "{models:?}");
    // a model returns only where the settings did
    let back = models.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(back <= 4, "{models:?}");
    counted.sort_unstable();
    assert_eq!(counted, (0..counted.len() as u64).collect::<Vec<_>>());
    assert_eq!(alive.load(Ordering::SeqCst), 3);
}

fn deed() -> impl Strategy<Value = Deed> {
    let stage = || prop::sample::select(&[Stage::Decode, Stage::Infer, Stage::Draw][..]);
    prop_oneof![
        4 => Just(Deed::Pass),
        1 => stage().prop_map(Deed::Panic),
        1 => stage().prop_map(Deed::Hang),
        1 => Just(Deed::ReadingPanics),
        1 => Just(Deed::PublishingPanics),
        1 => Just(Deed::PublishingHangs),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_frame_has_one_outcome(deeds in prop::collection::vec(deed(), 1..12), workers in 1usize..4) {
        let (outcomes, _) = run_deeds(&deeds, workers);
        let expected: BTreeMap<_, _> = (0..).zip(deeds.iter().map(|deed| deed.outcome())).collect();
        prop_assert_eq!(outcomes, expected);
    }
}
