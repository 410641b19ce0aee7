//! A thinned source of frames.

use shuffledet_detector::pipeline::{Frame, Source};

/// Yields every Nth frame of each camera, beginning with the first.
pub struct EveryNth<S> {
    source: S,
    n: u64,
    /// The number of frames so far, per camera.
    seen: Vec<u64>,
}

impl<S> EveryNth<S> {
    /// Thins the frames of a source with that number of cameras; `n` is at least 1.
    pub fn new(source: S, n: u64, cameras: usize) -> Self {
        Self {
            source,
            n,
            seen: vec![0; cameras],
        }
    }

    /// Returns the source of all frames.
    pub fn source(&self) -> &S {
        &self.source
    }
}

impl<S: Source> Source for EveryNth<S> {
    type Error = S::Error;

    fn next_into(&mut self, frame: &mut Frame) -> Result<bool, S::Error> {
        while self.source.next_into(frame)? {
            let seen = &mut self.seen[frame.camera];
            *seen += 1;
            if (*seen - 1).is_multiple_of(self.n) {
                return Ok(true);
            }
            frame.message.clear();
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of two cameras by turns, each with its number.
    struct Turns(u8);

    impl Source for Turns {
        type Error = ();

        fn next_into(&mut self, frame: &mut Frame) -> Result<bool, ()> {
            self.0 += 1;
            frame.camera = usize::from(self.0 % 2);
            frame.message.push(self.0);
            Ok(self.0 < 10)
        }
    }

    #[test]
    fn each_camera_is_thinned_by_itself() {
        let mut source = EveryNth::new(Turns(0), 3, 2);
        let (mut frame, mut found) = (Frame::new(), Vec::new());
        while source.next_into(&mut frame).unwrap() {
            found.push(std::mem::take(&mut frame.message));
        }
        assert_eq!(found, [[1], [2], [7], [8]]);
    }
}
