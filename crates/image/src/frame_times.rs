//! The times of a video's frames: from the file, or from its rate if both agree.
//!
//! A rate is a fraction and does not drift; the times in a file are rounded, in Matroska to a
//! millisecond. Therefore frames of a constant rate get the times of the rate. From the first frame
//! that differs, the file's times apply.
//!
//! OpenCV 4.6 returns no times for the last frames, which the decoder holds back until the end. An
//! MP4 file has them in its index; in other files, the last interval is repeated.

use super::FrameRate;

/// The maximum difference between a file's time and the rate's: files round both ends to a
/// millisecond.
const TOLERANCE_NS: u64 = 1_000_000;
const NS_PER_MS: f64 = 1e6;

/// Returns the time of each frame, one after another.
#[derive(Debug, Clone)]
pub struct FrameTimes {
    rate: FrameRate,
    /// From the file's index, if it has one: nanoseconds from the first frame, in order.
    index_ns: Vec<u64>,
    frames: u64,
    /// The file's time of the first frame, adjusted when its times restart.
    start_ms: Option<f64>,
    /// The file's time of the last frame that had one.
    last_ms: Option<f64>,
    /// By the file's times, from the first frame on.
    last_own_ns: u64,
    /// The interval between the last two frames with times.
    last_step_ns: Option<u64>,
    last_ns: u64,
    /// Whether the file's times apply instead of its rate.
    is_own: bool,
    /// The shortest and the longest interval between two frames.
    steps_ns: Option<(u64, u64)>,
}

impl FrameTimes {
    /// Creates the times for a file with `rate` and, if it has an index, `index_ns`.
    pub fn new(rate: FrameRate, index_ns: &[u64]) -> Self {
        Self {
            rate,
            index_ns: index_ns.to_vec(),
            frames: 0,
            start_ms: None,
            last_ms: None,
            last_own_ns: 0,
            last_step_ns: None,
            last_ns: 0,
            is_own: false,
            steps_ns: None,
        }
    }

    /// Returns the nanoseconds from the first frame to the next one, which is at `position_ms` by
    /// the file. Times always increase: if the file has none, or one not later than the last, the
    /// rate gives the time.
    pub fn next_ns(&mut self, position_ms: Option<f64>) -> u64 {
        let index = self.frames;
        self.frames += 1;
        let position = position_ms.filter(|position| position.is_finite());
        if index == 0 {
            (self.start_ms, self.last_ms) = (position, position);
            return 0;
        }
        let own = self.own_ns(index, position);
        self.last_ms = position.or(self.last_ms);
        self.last_own_ns = own;
        let by_rate = self.rate.time_ns(index);
        self.is_own |= own.abs_diff(by_rate) > TOLERANCE_NS;
        let time = if self.is_own { own } else { by_rate };
        let time = time.max(self.last_ns.saturating_add(1));
        let step = time - self.last_ns;
        let (shortest, longest) = self.steps_ns.unwrap_or((step, step));
        self.steps_ns = Some((shortest.min(step), longest.max(step)));
        self.last_ns = time;
        time
    }

    fn own_ns(&mut self, index: u64, position: Option<f64>) -> u64 {
        let counted_on = self.counted_on(index);
        let (Some(position), Some(start), Some(last)) = (position, self.start_ms, self.last_ms)
        else {
            // the first known time is the origin of the file's times
            if let (Some(position), None) = (position, self.start_ms) {
                self.start_ms = Some(position - counted_on as f64 / NS_PER_MS);
            }
            return counted_on;
        };
        if position <= last {
            return counted_on;
        }
        let mut own = ((position - start) * NS_PER_MS).round();
        if own <= self.last_own_ns as f64 {
            // restarted times count from the last frame on
            own = self.last_own_ns as f64 + ((position - last) * NS_PER_MS).round();
            self.start_ms = Some(position - own / NS_PER_MS);
        }
        self.last_step_ns = Some((own as u64).saturating_sub(self.last_own_ns));
        own as u64
    }

    /// Returns the time of a frame without a time in the file: the next one in the index, otherwise
    /// one period after the last or, with a variable rate, the last interval after it.
    fn counted_on(&self, index: u64) -> u64 {
        let later = |time: &u64| *time <= self.last_own_ns.saturating_add(TOLERANCE_NS / 2);
        let next = self.index_ns.partition_point(later);
        if let Some(&next) = self.index_ns.get(next) {
            return next;
        }
        let period = self.rate.time_ns(index) - self.rate.time_ns(index - 1);
        let step = self.last_step_ns.filter(|_| self.is_own).unwrap_or(period);
        self.last_own_ns.saturating_add(step)
    }

    /// Returns the constant rate of the frames so far; `None` if their intervals vary. A file may
    /// state a rate that its times do not have: MPEG-4 in a transport stream states 90000.
    pub fn constant_rate(&self) -> Option<FrameRate> {
        if !self.is_own {
            return Some(self.rate);
        }
        // rounded times of a constant rate differ by a unit of the rounding
        let (shortest, longest) = self.steps_ns?;
        let is_constant = longest - shortest <= TOLERANCE_NS && longest < 2 * shortest;
        let steps = (self.frames - 1) as f64;
        is_constant.then(|| FrameRate::near(steps * 1e9 / self.last_ns as f64))?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times(fps: f64, positions: &[f64]) -> (Vec<u64>, bool) {
        let mut times = FrameTimes::new(FrameRate::from_fps(fps).unwrap(), &[]);
        let ns = (positions.iter())
            .map(|&position| times.next_ns(Some(position)))
            .collect();
        (ns, times.constant_rate().is_none())
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn a_constant_rate_is_exact_whatever_the_file_rounds_to() {
        let rounded = [0.0, 33.0, 67.0, 100.0, 133.0, 167.0];
        let (ns, varies) = times(30000.0 / 1001.0, &rounded);
        assert_eq!(ns[1..3], [33_366_667, 66_733_333]);
        assert!(!varies);
        // from any origin of the file's times
        let later = rounded.map(|ms| ms + 80_000.0);
        assert_eq!(times(30000.0 / 1001.0, &later), (ns, false));
    }

    #[test]
    fn times_of_a_rate_that_varies_are_the_files_own() {
        let fast = (0..20).map(|index| 40.0 * f64::from(index));
        let slow = (0..20).map(|index| 800.0 + 200.0 * f64::from(index));
        let own: Vec<f64> = fast.chain(slow).collect();
        for fps in [25.0, 250.0 / 27.0] {
            let (ns, varies) = times(fps, &own);
            let expected: Vec<u64> = own.iter().map(|ms| *ms as u64 * MS).collect();
            assert_eq!((ns, varies), (expected, true), "{fps}");
        }
    }

    #[test]
    fn a_constant_rate_is_known_by_its_times_if_the_file_states_another() {
        for (own_fps, text) in [
            (25.0, "25"),
            (30000.0 / 1001.0, "30000/1001"),
            (7.3, "73/10"),
        ] {
            let mut times = FrameTimes::new(FrameRate::from_fps(90_000.0).unwrap(), &[]);
            for index in 0..60 {
                times.next_ns(Some((f64::from(index) * 1e3 / own_fps).round()));
            }
            let found = times.constant_rate().unwrap().to_string();
            assert_eq!(found, text);
        }
    }

    #[test]
    fn where_the_file_has_no_times_the_rate_counts_on() {
        assert_eq!(
            times(25.0, &[0.0; 4]),
            (vec![0, 40 * MS, 80 * MS, 120 * MS], false)
        );
        assert_eq!(
            times(25.0, &[f64::NAN; 3]),
            (vec![0, 40 * MS, 80 * MS], false)
        );
        // five frames without, one of the decoder's order, and then the file's own
        let (ns, varies) = times(25.0, &[0.0, 0.0, 0.0, 0.0, 0.0, -40.0, 0.0, 40.0, 80.0]);
        assert_eq!(ns, (0..9).map(|index| 40 * MS * index).collect::<Vec<_>>());
        assert!(!varies);
        // a time that steps back is ignored
        let (ns, _) = times(25.0, &[0.0, 40.0, 30.0, 120.0, 160.0]);
        assert_eq!(ns, (0..5).map(|index| 40 * MS * index).collect::<Vec<_>>());
    }

    #[test]
    fn the_last_frames_which_the_decoder_held_back_have_their_times() {
        // as from OpenCV 4.6: 0 for the last two
        let positions = [0.0, 40.0, 240.0, 440.0, 640.0, 0.0, 0.0];
        let (ns, varies) = times(25.0, &positions);
        assert_eq!(
            (ns[4..].to_vec(), varies),
            (vec![640 * MS, 840 * MS, 1040 * MS], true)
        );
        let index = [0, 40, 240, 440, 640, 700, 1500].map(|ms| ms * MS);
        let mut times = FrameTimes::new(FrameRate::from_fps(25.0).unwrap(), &index);
        let ns = positions.map(|position| times.next_ns(Some(position)));
        assert_eq!(ns, index);
        // a constant rate stays exact
        let index = [0, 33_333_333, 66_666_667, 100_000_000];
        let mut times = FrameTimes::new(FrameRate::from_fps(30.0).unwrap(), &index);
        let ns = [0.0, 33.3333, 0.0, 0.0].map(|position| times.next_ns(Some(position)));
        assert_eq!((ns, times.constant_rate().is_none()), (index, false));
    }

    proptest! {
        #[test]
        fn times_increase(positions in prop::collection::vec(prop::option::of(prop_oneof![any::<f64>(), -1e4..1e7_f64, Just(0.0)]), 1..60), index in prop::collection::vec(any::<u64>(), 0..9), fps in 0.1..1000.0_f64) {
            let mut times = FrameTimes::new(FrameRate::from_fps(fps).unwrap(), &index);
            let ns: Vec<u64> = positions.into_iter().map(|position| times.next_ns(position)).collect();
            prop_assert!(ns[0] == 0 && ns.windows(2).all(|pair| pair[0] < pair[1] || pair[1] == u64::MAX));
        }
    }
}
