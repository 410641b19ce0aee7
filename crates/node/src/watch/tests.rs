use super::*;
use proptest::prelude::*;
use shuffledet_detector::pipeline::Frame;

const LIMIT: Duration = Duration::from_secs(2);

/// Parts, and a watch that looks at them every [`PERIOD`].
struct Node {
    parts: Vec<WatchedPart>,
    watch: Watch,
    times: StageTimes,
    now: Instant,
}

impl Node {
    fn new(parts: &[Part]) -> Self {
        let watched = |&part: &Part| WatchedPart {
            part,
            progress: Arc::default(),
        };
        Self {
            parts: parts.iter().map(watched).collect(),
            watch: Watch::default(),
            times: StageTimes::default(),
            now: Instant::now(),
        }
    }

    fn look_after(&mut self, gap: Duration) -> Vec<Finding> {
        self.now += gap;
        let limits = Limits {
            stuck_after: LIMIT,
            times: &self.times,
        };
        self.watch.look(self.now, &self.parts, &limits)
    }

    /// Looks until something is found, and returns after how long.
    fn first_finding(&mut self, within: Duration) -> Option<(Duration, Vec<Finding>)> {
        let began = self.now;
        while self.now - began < within {
            let findings = self.look_after(PERIOD);
            if !findings.is_empty() {
                return Some((self.now - began, findings));
            }
        }
        None
    }
}

fn frame(camera: usize) -> Frame {
    Frame {
        camera,
        stamp: Stamp {
            sec: 12,
            nanosec: 5,
        },
        ..Frame::default()
    }
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_hung_worker_was_not_noticed() {
    let mut node = Node::new(&[Part::Worker(0), Part::Worker(1)]);
    let progress = Arc::clone(&node.parts[1].progress);
    let turn = progress.begin(&frame(1));
    progress.enter(turn, Stage::Infer);
    let (after, findings) = node.first_finding(LONG).unwrap();
    assert!(after >= LIMIT && after <= LIMIT + 2 * PERIOD, "{after:?}");
    let [Finding::Stuck(stuck)] = &findings[..] else {
        panic!("{findings:?}")
    };
    let cameras = ["front", "left"].map(str::to_owned);
    assert_eq!(
        stuck.text(&cameras),
        "worker 1 has been at infer for 2.0 s, with the frame of camera left with stamp 12.000000005; \
         it is replaced (1 of at most 3 within 60 s)"
    );
    // its frame has failed already
    assert!(!progress.end(turn) && progress.is_given_up());
    assert_eq!(node.first_finding(LONG), None);
}

#[test]
fn a_worker_that_moves_or_rests_is_not_stuck() {
    let mut node = Node::new(&[Part::Worker(0)]);
    let progress = Arc::clone(&node.parts[0].progress);
    for _ in 0..20 {
        let turn = progress.begin(&frame(0));
        for stage in [Stage::Decode, Stage::Infer, Stage::Infer] {
            progress.enter(turn, stage);
            assert_eq!(node.first_finding(LIMIT - PERIOD), None);
        }
        assert!(progress.end(turn));
    }
    assert_eq!(node.first_finding(LONG), None);
}

#[test]
fn a_slow_stage_has_ten_times_its_p99() {
    let mut node = Node::new(&[Part::Worker(0)]);
    for _ in 0..100 {
        node.times.record(Stage::Infer, Duration::from_millis(800));
    }
    let progress = Arc::clone(&node.parts[0].progress);
    let turn = progress.begin(&frame(0));
    progress.enter(turn, Stage::Infer);
    let (after, _) = node.first_finding(LONG).unwrap();
    assert!(
        after >= Duration::from_secs(8) && after < Duration::from_secs(10),
        "{after:?}"
    );
    // a stage for which nothing is known has the parameter
    let turn = progress.begin(&frame(0));
    progress.enter(turn, Stage::Decode);
    let (after, _) = node.first_finding(LONG).unwrap();
    assert!(after <= LIMIT + 2 * PERIOD, "{after:?}");
}

#[test]
fn the_fourth_worker_within_a_minute_ends_the_process() {
    let mut node = Node::new(&[Part::Worker(0)]);
    let progress = Arc::clone(&node.parts[0].progress);
    let hang = |node: &mut Node| {
        progress.begin(&frame(0));
        node.first_finding(LONG).unwrap().1
    };
    for nth in 1..=MOST_REPLACED {
        let [Finding::Stuck(stuck)] = &hang(&mut node)[..] else {
            panic!()
        };
        assert_eq!(stuck.then, Consequence::Replaced(nth));
    }
    let [Finding::Stuck(stuck), Finding::End { code, because_of }] = &hang(&mut node)[..] else {
        panic!()
    };
    assert_eq!(stuck.then, Consequence::Ends);
    assert_eq!((*code, &because_of[..]), (75, &[Part::Worker(0)][..]));
    // a minute later the count has started over
    node.parts[0].progress.rest();
    assert_eq!(node.first_finding(WINDOW), None);
    let [Finding::Stuck(stuck)] = &hang(&mut node)[..] else {
        panic!()
    };
    assert_eq!(stuck.then, Consequence::Replaced(1));
}

#[test]
fn a_part_that_cannot_be_replaced_ends_the_process_in_three_times_the_time() {
    for part in [
        Part::Reader,
        Part::Publisher,
        Part::Intake,
        Part::Executor,
        Part::Health,
        Part::Control,
    ] {
        let mut node = Node::new(&[part]);
        let progress = Arc::clone(&node.parts[0].progress);
        let turn = progress.begin(&frame(0));
        let limit = match part {
            Part::Reader | Part::Health | Part::Control => LEAST_OF_BEATING,
            _ => LIMIT,
        };
        let (stuck_after, findings) = node.first_finding(LONG).unwrap();
        assert!(matches!(&findings[..], [Finding::Stuck(stuck)] if stuck.part == part));
        assert_eq!(progress.end(turn), part != Part::Publisher);
        // it went on
        progress.beat();
        assert_eq!(node.look_after(PERIOD), [Finding::Moves(part)]);
        progress.beat();
        node.first_finding(LONG).unwrap();
        let (then, findings) = node.first_finding(LONG).unwrap();
        let because_of = vec![part];
        assert_eq!(
            findings,
            [Finding::End {
                code: 75,
                because_of
            }],
            "{part}"
        );
        assert!(
            stuck_after + then < limit * 3 + 4 * PERIOD && stuck_after + then >= limit * 3 - PERIOD
        );
    }
}

#[test]
fn a_publisher_that_holds_a_frame_and_never_returns_ends_the_process() {
    let mut node = Node::new(&[Part::Publisher]);
    node.parts[0].progress.begin(&frame(0));
    node.first_finding(LONG).unwrap();
    let (_, findings) = node.first_finding(LONG).unwrap();
    assert!(matches!(findings[..], [Finding::End { code: 75, .. }]));
}

#[test]
fn a_stopped_process_is_not_stuck_when_it_goes_on() {
    let mut node = Node::new(&[Part::Worker(0), Part::Executor]);
    for watched in &node.parts {
        watched.progress.begin(&frame(0));
    }
    node.look_after(PERIOD);
    // SIGSTOP, then SIGCONT; and a machine on which everything is slow
    assert_eq!(node.look_after(Duration::from_secs(3600)), []);
    for _ in 0..5 {
        assert_eq!(node.look_after(Duration::from_secs(3)), []);
    }
}

#[test]
fn a_signal_ends_the_process_within_a_second_whatever_hangs() {
    let mut node = Node::new(&[Part::Worker(0), Part::Executor, Part::Health, Part::Control]);
    let executor = Arc::clone(&node.parts[1].progress);
    executor.beat();
    node.look_after(PERIOD);
    node.watch.begin_end(0);
    node.watch.begin_end(75);
    let (after, findings) = node.first_finding(LONG).unwrap();
    assert!(after <= GRACE + 2 * PERIOD, "{after:?}");
    let because_of = vec![Part::Executor];
    assert_eq!(
        findings,
        [Finding::End {
            code: 0,
            because_of
        }]
    );
    // before there are any parts
    let mut node = Node::new(&[]);
    node.watch.begin_end(1);
    let (after, _) = node.first_finding(LONG).unwrap();
    assert!(after <= GRACE + 2 * PERIOD, "{after:?}");
}

#[test]
fn frames_in_hand_may_take_longer_but_not_forever() {
    let mut node = Node::new(&[Part::Worker(0)]);
    let progress = Arc::clone(&node.parts[0].progress);
    node.watch.begin_end(0);
    let began = node.now;
    loop {
        progress.beat();
        if !node.look_after(PERIOD).is_empty() {
            break;
        }
    }
    let took = node.now - began;
    assert!(
        took >= LONGEST_END && took < LONGEST_END + 4 * PERIOD,
        "{took:?}"
    );
}

#[test]
fn diagnostics_keep_what_was_replaced_for_a_while() {
    let (mut notes, now) = (StuckNotes::default(), Instant::now());
    let stuck = |part, then| Stuck {
        part,
        stage: None,
        frame: None,
        since: LIMIT,
        then,
    };
    notes.add(now, &stuck(Part::Worker(0), Consequence::Replaced(1)), &[]);
    notes.add(
        now,
        &stuck(Part::Health, Consequence::EndsAfter(LIMIT)),
        &[],
    );
    assert_eq!(notes.texts(now).len(), 2);
    notes.moves(Part::Worker(0));
    notes.moves(Part::Health);
    assert_eq!(notes.texts(now).len(), 1);
    assert_eq!(notes.texts(now + StuckNotes::KEPT).len(), 0);
}

/// What happens to a part between two looks.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Begin,
    Enter(Stage),
    End,
    /// Nothing for this many periods.
    Hang(u32),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        Just(Deed::Begin),
        prop::sample::select(&Stage::ALL[..]).prop_map(Deed::Enter),
        Just(Deed::End),
        (1u32..120).prop_map(Deed::Hang),
    ];
    prop::collection::vec(deed, 1..60)
}

proptest! {
    /// Each turn of a worker ends once, by itself or given up, and it is given up only after it has
    /// not moved for the limit.
    #[test]
    fn every_turn_has_one_end(deeds in deeds()) {
        let mut node = Node::new(&[Part::Worker(0)]);
        let progress = Arc::clone(&node.parts[0].progress);
        let (mut turn, mut begun, mut ended, mut given_up) = (None, 0, 0, 0);
        let mut still = Duration::ZERO;
        for deed in deeds {
            let periods = match deed {
                Deed::Hang(periods) => periods,
                _ => 1,
            };
            match deed {
                Deed::Begin if turn.is_none() => {
                    turn = Some(progress.begin(&frame(0)));
                    begun += 1;
                    still = Duration::ZERO;
                }
                Deed::Enter(stage) => if let Some(turn) = turn {
                    progress.enter(turn, stage);
                    still = Duration::ZERO;
                },
                Deed::End => if let Some(turn) = turn.take() {
                    ended += u32::from(progress.end(turn));
                },
                _ => (),
            }
            for _ in 0..periods {
                still += PERIOD;
                for finding in node.look_after(PERIOD) {
                    if let Finding::Stuck(stuck) = finding {
                        given_up += 1;
                        prop_assert!(turn.is_some() && stuck.since >= LIMIT && still >= LIMIT);
                    }
                }
            }
            if progress.is_given_up() {
                // the thread comes back late
                let late = turn.take();
                prop_assert!(late.is_some_and(|turn| !progress.end(turn)));
                progress.forgive();
            }
        }
        ended += turn.map_or(0, |turn| u32::from(progress.end(turn)));
        prop_assert_eq!(begun, ended + given_up);
    }

    /// However irregularly the watchdog runs, it needs at least the limit to call a part stuck, and
    /// with regular looks little more.
    #[test]
    fn gaps_never_make_a_part_stuck_early(gaps in prop::collection::vec(0u64..10_000, 1..200)) {
        let mut node = Node::new(&[Part::Executor]);
        node.parts[0].progress.beat();
        let mut counted = Duration::ZERO;
        node.look_after(PERIOD);
        for gap in gaps {
            let gap = Duration::from_millis(gap);
            counted += gap.min(clock::WatchClock::MOST);
            let found = !node.look_after(gap).is_empty();
            prop_assert_eq!(found, counted >= LIMIT);
            if found {
                break;
            }
        }
    }
}
