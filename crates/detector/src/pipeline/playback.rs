//! Plays a recording at a speed that somebody chooses, with pauses, steps and jumps.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Frame, Source};
use shuffledet_core::Mark;

/// How a recording is played. Shared by the reader and by those who control it.
#[derive(Debug)]
pub struct Playback {
    state: Mutex<State>,
    changed: Condvar,
    /// The log time of second 0, if it is known before the first frame.
    zero_ns: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    paused: bool,
    /// Frames to let through while paused.
    steps: u32,
    /// A multiple of real time; `None`: without waiting.
    speed: Option<f64>,
    /// Where to go next, as an offset from second 0.
    seek: Option<Duration>,
    zero_ns: Option<u64>,
    position: Duration,
    at_end: bool,
    /// A log time and when it was due, from which the next frames are timed.
    anchor: Option<(u64, Instant)>,
}

/// The state of a playback.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaybackView {
    pub paused: bool,
    pub speed: Option<f64>,
    /// The offset of the last frame from second 0.
    pub position: Duration,
    pub at_end: bool,
}

/// A frame that is later than this is not caught up with.
const LATE: Duration = Duration::from_millis(200);
/// How often the stop flag is looked at.
const NAP: Duration = Duration::from_millis(50);

impl Playback {
    /// Starts at `speed`, a multiple of real time above 0; `None`: as fast as frames are processed.
    /// `zero_ns` is the log time from which positions count, if the recording states it.
    pub fn new(speed: Option<f64>, zero_ns: Option<u64>) -> Self {
        let state = State {
            speed,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            zero_ns,
        }
    }

    pub fn view(&self) -> PlaybackView {
        let state = self.lock();
        PlaybackView {
            paused: state.paused,
            speed: state.speed,
            position: state.position,
            at_end: state.at_end,
        }
    }

    pub fn pause(&self) {
        self.change(|state| state.paused = true);
    }

    pub fn resume(&self) {
        self.change(|state| state.paused = false);
    }

    /// Lets the next frame through and pauses.
    pub fn step(&self) {
        self.change(|state| {
            state.paused = true;
            state.steps = state.steps.saturating_add(1);
        });
    }

    /// Goes to the frames from this offset on. While paused, the first of them is let through.
    pub fn seek(&self, to: Duration) {
        self.change(|state| {
            state.seek = Some(to);
            state.at_end = false;
            state.steps = u32::from(state.paused);
        });
    }

    /// Sets the speed, a multiple of real time above 0; `None`: as fast as frames are processed.
    pub fn set_speed(&self, speed: Option<f64>) {
        self.change(|state| state.speed = speed);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.anchor = None;
        self.changed.notify_all();
    }

    /// Waits until a frame may be processed.
    fn wait_turn(&self, log_time_ns: u64, stop: &AtomicBool) -> Turn {
        let mut state = self.lock();
        loop {
            if stop.load(Ordering::Relaxed) {
                return Turn::Stop;
            }
            if state.seek.is_some() {
                return Turn::Seek;
            }
            let wait = state.wait(log_time_ns, Instant::now());
            if wait.is_zero() {
                let zero_ns = self.zero_ns.or(state.zero_ns).unwrap_or(log_time_ns);
                state.zero_ns = Some(zero_ns);
                state.position = Duration::from_nanos(log_time_ns.saturating_sub(zero_ns));
                return Turn::Go;
            }
            state = self.nap(state, wait);
        }
    }

    /// Waits at the end of the recording for a jump. Returns false if the run is stopped.
    fn wait_at_end(&self, stop: &AtomicBool) -> bool {
        let mut state = self.lock();
        loop {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            if state.seek.is_some() {
                return true;
            }
            state.at_end = true;
            state = self.nap(state, NAP);
        }
    }

    fn nap<'a>(&self, state: MutexGuard<'a, State>, wait: Duration) -> MutexGuard<'a, State> {
        let napped = self.changed.wait_timeout(state, wait.min(NAP));
        napped.unwrap_or_else(PoisonError::into_inner).0
    }

    fn take_seek(&self) -> Option<Duration> {
        self.lock().seek.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns how long the frame of this log time has to wait at `now`.
    fn wait(&mut self, log_time_ns: u64, now: Instant) -> Duration {
        if self.paused {
            let Some(left) = self.steps.checked_sub(1) else {
                return NAP;
            };
            self.steps = left;
            return Duration::ZERO;
        }
        let Some(speed) = self.speed else {
            return Duration::ZERO;
        };
        let due = self.anchor.and_then(|(anchor_ns, at)| {
            let offset_s = log_time_ns.checked_sub(anchor_ns)? as f64 / 1e9 / speed;
            at.checked_add(Duration::try_from_secs_f64(offset_s).ok()?)
        });
        match due {
            Some(due) if now < due => due - now,
            Some(due) if now - due < LATE => Duration::ZERO,
            // the first frame, one before it, or a run that is slower than the speed
            _ => {
                self.anchor = Some((log_time_ns, now));
                Duration::ZERO
            }
        }
    }
}

enum Turn {
    Go,
    Seek,
    Stop,
}

/// What follows the last frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// The run ends.
    #[default]
    End,
    /// The run waits for a jump.
    Wait,
    /// The recording begins again.
    Repeat,
}

/// Yields the frames of a source when a [`Playback`] lets them through. `open` opens the source at an
/// offset from second 0.
pub struct PlayedSource<'a, S, O> {
    source: S,
    open: O,
    playback: &'a Playback,
    at_end: AtEnd,
    /// The offset at which the recording begins again.
    start: Duration,
    stop: &'a AtomicBool,
}

impl<'a, S, O> PlayedSource<'a, S, O> {
    /// Plays `source`, which is open at `start`, until `stop` is set.
    pub fn new(
        source: S,
        open: O,
        playback: &'a Playback,
        (start, at_end): (Duration, AtEnd),
        stop: &'a AtomicBool,
    ) -> Self {
        Self {
            source,
            open,
            playback,
            at_end,
            start,
            stop,
        }
    }

    /// Returns the source that is being read.
    pub fn source(&self) -> &S {
        &self.source
    }
}

impl<S, O, E> Source for PlayedSource<'_, S, O>
where
    S: Source,
    O: FnMut(Duration) -> Result<S, E> + Send,
    E: fmt::Display,
{
    type Error = S::Error;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, S::Error> {
        loop {
            if let Some(to) = self.playback.take_seek() {
                match (self.open)(to) {
                    Ok(source) => self.source = source,
                    Err(error) => {
                        tracing::warn!("cannot go to second {:.3}: {error}", to.as_secs_f64());
                        // it would be tried again and again
                        self.at_end = AtEnd::End;
                    }
                }
            }
            let began = Instant::now();
            if !self.source.next_into(frame)? {
                frame.reset();
                match self.at_end {
                    AtEnd::End => return Ok(false),
                    AtEnd::Wait => {}
                    AtEnd::Repeat if self.stop.load(Ordering::Relaxed) => return Ok(false),
                    AtEnd::Repeat => self.playback.seek(self.start),
                }
                if !self.playback.wait_at_end(self.stop) {
                    return Ok(false);
                }
                continue;
            }
            let reading = began.elapsed();
            match self.playback.wait_turn(frame.log_time_ns, self.stop) {
                Turn::Go => {
                    // the time spent waiting is not reading time
                    let now = Instant::now();
                    let began = now.checked_sub(reading).unwrap_or(now);
                    frame.trace.mark_at(Mark::ReadStarted, began);
                    return Ok(true);
                }
                Turn::Seek => frame.reset(),
                Turn::Stop => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    const PERIOD_NS: u64 = 40_000_000;

    /// Frames of 25 Hz from a position to the hundredth.
    struct Frames(u64);

    impl Source for Frames {
        type Error = Infallible;

        fn next_into(&mut self, frame: &mut Frame) -> Result<bool, Infallible> {
            frame.log_time_ns = 1_000_000_000 + self.0 * PERIOD_NS;
            frame.message.push(0);
            self.0 += 1;
            Ok(self.0 <= 100)
        }
    }

    fn open(to: Duration) -> Result<Frames, Infallible> {
        Ok(Frames(to.as_nanos() as u64 / PERIOD_NS))
    }

    fn index(frame: &Frame) -> u64 {
        (frame.log_time_ns - 1_000_000_000) / PERIOD_NS
    }

    /// Plays on a thread, and passes the numbers of the frames on.
    fn play<T>(playback: &Playback, at_end: AtEnd, look: impl FnOnce(&Receiver<u64>) -> T) -> T {
        let (stop, (send, receive)) = (AtomicBool::new(false), channel());
        thread::scope(|scope| {
            let stop = &stop;
            scope.spawn(move || {
                let start = (Duration::ZERO, at_end);
                let mut source = PlayedSource::new(Frames(0), open, playback, start, stop);
                let mut frame = Frame::new();
                while source.next_into(&mut frame).unwrap() {
                    assert_eq!(frame.message.len(), 1);
                    if send.send(index(&frame)).is_err() {
                        return;
                    }
                    frame.reset();
                }
            });
            let looked = look(&receive);
            stop.store(true, Ordering::Relaxed);
            looked
        })
    }

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn while_paused_each_step_shows_one_frame() {
        let playback = Playback::new(None, Some(1_000_000_000));
        playback.pause();
        play(&playback, AtEnd::End, |frames| {
            assert!(frames.recv_timeout(Duration::from_millis(150)).is_err());
            playback.step();
            playback.step();
            assert_eq!(frames.recv_timeout(SOON), Ok(0));
            assert_eq!(frames.recv_timeout(SOON), Ok(1));
            assert!(frames.recv_timeout(Duration::from_millis(150)).is_err());
            assert_eq!(playback.view().position, Duration::from_millis(40));
            playback.seek(Duration::from_secs(2));
            assert_eq!(frames.recv_timeout(SOON), Ok(50));
            assert!(frames.recv_timeout(Duration::from_millis(150)).is_err());
            playback.resume();
            assert_eq!(
                frames.iter().collect::<Vec<_>>(),
                (51..100).collect::<Vec<_>>()
            );
        });
    }

    #[test]
    fn at_the_end_it_waits_for_a_jump() {
        let playback = Playback::new(None, None);
        play(&playback, AtEnd::Wait, |frames| {
            for expected in 0..100 {
                assert_eq!(frames.recv_timeout(SOON), Ok(expected));
            }
            while !playback.view().at_end {
                thread::sleep(NAP);
            }
            playback.seek(Duration::from_millis(3960));
            assert_eq!(frames.recv_timeout(SOON), Ok(99));
        });
    }

    #[test]
    fn a_repeated_recording_begins_at_its_start() {
        let playback = Playback::new(None, None);
        let all = play(&playback, AtEnd::Repeat, |frames| {
            frames.iter().take(150).collect::<Vec<_>>()
        });
        assert_eq!(all[98..103], [98, 99, 0, 1, 2]);
    }

    #[test]
    fn frames_are_due_by_their_log_times_and_the_speed() {
        let (now, mut state) = (Instant::now(), State::default());
        state.speed = Some(2.0);
        let at = |ms| now + Duration::from_millis(ms);
        assert_eq!(state.wait(0, at(0)), Duration::ZERO);
        assert_eq!(state.wait(PERIOD_NS, at(5)), Duration::from_millis(15));
        assert_eq!(state.wait(PERIOD_NS, at(21)), Duration::ZERO);
        // a second late: it goes on from there, without a burst
        assert_eq!(state.wait(2 * PERIOD_NS, at(1040)), Duration::ZERO);
        assert_eq!(
            state.wait(3 * PERIOD_NS, at(1040)),
            Duration::from_millis(20)
        );
        // an earlier frame
        assert_eq!(state.wait(0, at(1041)), Duration::ZERO);
    }
}
