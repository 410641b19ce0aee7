use proptest::prelude::*;

use super::*;
use shuffledet_core::{DropReason, Failure, StampAnomaly, Trace};

const MS: Duration = Duration::from_millis(1);
const LATE: Duration = Duration::from_millis(100);

fn failed() -> Outcome {
    Outcome::Failed(Failure {
        reason: "unknown_encoding",
        message: "".into(),
    })
}

/// Records a frame received at `at`: published `latency` later, or dropped or failed then.
fn record(window: &mut Window, at: Instant, latency: Duration, outcome: &Outcome) {
    let mut frame = Frame::new();
    frame.trace = Trace::default();
    frame.trace.mark_at(Mark::Received, at);
    let end = match outcome {
        Outcome::Published => Mark::Published,
        _ => Mark::Ordered,
    };
    frame.trace.mark_at(end, at + latency);
    window.record(&frame, outcome);
}

fn window(start: Instant) -> Window {
    Window::new(Duration::from_secs(10), None, start)
}

#[test]
fn counts_are_of_the_window_and_totals_of_all() {
    let start = Instant::now();
    let mut window = window(start);
    for i in 0..200 {
        let outcome = match i % 4 {
            0 => Outcome::Dropped(DropReason::Superseded),
            1 if i > 100 => failed(),
            _ => Outcome::Published,
        };
        record(&mut window, start + 100 * i * MS, MS, &outcome);
    }
    let view = window.view(start + 20_000 * MS, LATE);
    assert_eq!(view.span, Duration::from_secs(10));
    assert_eq!(view.recent.frames.received, 100);
    assert_eq!(view.recent.frames.dropped["superseded"], 25);
    assert_eq!(view.recent.frames.failed["unknown_encoding"], 25);
    assert_eq!((view.rate_in_hz, view.rate_out_hz), (10.0, 5.0));
    assert_eq!(view.since_start.frames.received, 200);
    assert_eq!(view.silent_for, Some(100 * MS));
}

#[test]
fn a_young_window_takes_its_rate_over_its_age_and_a_full_one_over_what_it_holds() {
    let start = Instant::now();
    let mut young = window(start);
    assert_eq!(young.view(start, LATE).rate_in_hz, 0.0);
    assert_eq!(young.view(start, LATE).silent_for, None);
    for i in 0..20 {
        record(&mut young, start + 100 * i * MS, MS, &Outcome::Published);
    }
    let view = young.view(start + 2000 * MS, LATE);
    assert_eq!((view.span, view.rate_in_hz), (2000 * MS, 10.0));

    let mut full = window(start);
    let every = Duration::from_micros(100);
    for i in 0..30_000 {
        record(
            &mut full,
            start + every * i,
            Duration::ZERO,
            &Outcome::Published,
        );
    }
    let view = full.view(start + every * 30_000, LATE);
    assert_eq!(view.recent.frames.received, Window::MOST_SAMPLES as u64);
    assert!(
        (view.rate_in_hz / 10_000.0 - 1.0).abs() < 1e-3,
        "{}",
        view.rate_in_hz
    );
    assert_eq!(view.since_start.frames.received, 30_000);
}

#[test]
fn late_frames_count_from_the_last_one_in_time() {
    let start = Instant::now();
    let mut window = window(start);
    for (i, latency) in [150, 90, 150, 200].into_iter().enumerate() {
        let at = start + i as u32 * 500 * MS;
        record(&mut window, at, latency * MS, &Outcome::Published);
        record(
            &mut window,
            at,
            MS,
            &Outcome::Dropped(DropReason::Superseded),
        );
    }
    let now = start + 3000 * MS;
    assert_eq!(window.view(now, LATE).late_in_a_row, 2);
    assert_eq!(window.view(now, 180 * MS).late_in_a_row, 1);
    assert_eq!(window.view(now, 200 * MS).late_in_a_row, 0);
}

#[test]
fn deadlines_and_silence_count_from_reception() {
    let start = Instant::now();
    let mut window = Window::new(Duration::from_secs(10), Some(100 * MS), start);
    for at in [0, 50, 150, 251, 300, 9000] {
        window.received(start + at * MS);
    }
    // slow frames end long after later frames were received
    record(&mut window, start + 50 * MS, 9000 * MS, &Outcome::Published);
    let view = window.view(start + 10_200 * MS, LATE);
    assert_eq!(view.silent_for, Some(1200 * MS));
    assert_eq!(view.recent.missed_deadlines, 2);
    let view = window.view(start + 15_000 * MS, LATE);
    assert_eq!(view.recent.missed_deadlines, 1);
    assert_eq!(view.since_start.missed_deadlines, 2);
}

#[test]
fn odd_stamps_count_by_position() {
    for (i, anomaly) in StampAnomaly::ALL.into_iter().enumerate() {
        assert_eq!(anomaly as usize, i);
    }
    let start = Instant::now();
    let mut window = window(start);
    let mut frame = Frame::new();
    frame.trace.mark_at(Mark::Received, start);
    frame.anomaly = Some(StampAnomaly::Duplicate);
    window.record(
        &frame,
        &Outcome::Dropped(DropReason::Stamp(StampAnomaly::Duplicate)),
    );
    let recent = window.view(start, LATE).recent;
    assert_eq!(recent.anomalies, [0, 0, 0, 1, 0, 0]);
    assert_eq!(recent.frames.dropped["stamp_duplicate"], 1);
}

#[test]
fn a_stamp_that_was_old_on_receipt_is_told_from_a_wait() {
    let start = Instant::now();
    let mut window = window(start);
    for (age, lag_ms, waited) in [(300, 300, 10), (0, -5000, 500), (100, 100, 150)] {
        let mut frame = Frame::new();
        frame.age_on_receipt = age * MS;
        frame.stamp_lag_ns = Some(lag_ms * 1_000_000);
        frame.trace.mark_at(Mark::Received, start);
        frame.trace.mark_at(Mark::Ordered, start + waited * MS);
        window.record(&frame, &Outcome::Dropped(DropReason::TooOld));
    }
    let view = window.view(start + 1000 * MS, LATE);
    assert_eq!(view.recent.frames.dropped["too_old"], 3);
    assert_eq!(view.recent.came_old, 1);
    assert_eq!(view.stamp_lag_ms, Some(100.0));
}

#[test]
fn how_frames_arrive_is_told_from_the_last_pause_on() {
    let (start, pause) = (Instant::now(), Duration::from_secs(2));
    let mut window = window(start);
    assert_eq!(window.arriving(start, pause), None);
    for i in 0..30 {
        record(&mut window, start + 100 * i * MS, MS, &Outcome::Published);
    }
    let found = window.arriving(start + 3000 * MS, pause).unwrap();
    assert_eq!((found.intervals, found.span), (29, 2900 * MS));
    // the camera comes back after five seconds, faster
    let back = start + 8000 * MS;
    record(&mut window, back, MS, &Outcome::Published);
    assert_eq!(window.arriving(back, pause), None);
    for i in 1..200 {
        record(&mut window, back + 50 * i * MS, MS, &Outcome::Published);
    }
    let now = back + 9950 * MS;
    let found = window.arriving(now, pause).unwrap();
    assert_eq!((found.intervals, found.span), (199, 9950 * MS));
    let found = window.arriving(now + 5000 * MS, pause).unwrap();
    assert_eq!(found.span, 5000 * MS);
}

#[test]
fn a_frame_that_was_never_received_and_one_that_took_hours_do_no_harm() {
    let start = Instant::now();
    let mut window = window(start);
    window.record(&Frame::new(), &Outcome::Published);
    assert_eq!(window.view(start, LATE).since_start, Totals::default());
    let hours = Duration::from_secs(36_000);
    record(&mut window, start, hours, &Outcome::Published);
    let view = window.view(start + hours, LATE);
    assert_eq!(view.stages_ms[0].1.max, 4_294_967.294);
}

proptest! {
    #[test]
    fn totals_add_up_and_quantiles_are_those_of_a_sorted_list(
        frames in prop::collection::vec((0u64..3000, 0u64..5_000_000, 0usize..3), 1..300),
        length_ms in 1000u64..20_000,
    ) {
        let start = Instant::now();
        let length = Duration::from_millis(length_ms);
        let mut window = Window::new(length, None, start);
        let (mut now, mut ends) = (start, Vec::new());
        for &(wait_ms, latency_us, outcome) in &frames {
            now += Duration::from_millis(wait_ms);
            let received = now.checked_sub(Duration::from_micros(latency_us)).unwrap_or(now);
            let outcome = match outcome {
                0 => Outcome::Published,
                1 => Outcome::Dropped(DropReason::TooOld),
                _ => failed(),
            };
            if outcome == Outcome::Published {
                ends.push((now, now - received));
            }
            record(&mut window, received, now - received, &outcome);
        }
        let view = window.view(now, LATE);
        for totals in [&view.recent, &view.since_start] {
            let counts = &totals.frames;
            let ended = counts.published + counts.dropped.values().sum::<u64>()
                + counts.failed.values().sum::<u64>();
            prop_assert_eq!(counts.received, ended);
        }
        prop_assert_eq!(view.since_start.frames.received, frames.len() as u64);

        let mut expected: Vec<f64> = ends.iter()
            .filter(|(end, _)| now - *end <= length && *end >= start)
            .map(|(_, latency)| latency.as_micros() as f64 / 1000.0)
            .collect();
        expected.sort_by(f64::total_cmp);
        let latency = view.stages_ms.iter().find(|(stage, _)| *stage == Stage::Latency);
        prop_assert_eq!(latency.is_some(), !expected.is_empty());
        if let Some((_, q)) = latency {
            // the smallest value that at least that share of the values does not exceed
            let reference = |share: f64| expected.iter().copied().find(|&value| {
                let below = expected.iter().filter(|&&other| other <= value).count();
                below as f64 >= share * expected.len() as f64 - 1e-9
            });
            for (share, found) in [(0.5, q.p50), (0.9, q.p90), (0.99, q.p99), (1.0, q.max)] {
                prop_assert_eq!(reference(share), Some(found));
            }
            prop_assert_eq!(q.min, expected[0]);
        }
    }
}
