//! The contents of `/diagnostics`: one status per camera and one for the detector. They follow the
//! conventions of `diagnostic_updater`, so that `rqt_runtime_monitor` and aggregators can read
//! them.

mod camera;
mod detector;
mod notices;

use std::borrow::Cow;
use std::fmt::Display;

use shuffledet_core::printable::printable;
use shuffledet_msg::cdr::CdrError;
use shuffledet_msg::{DiagnosticStatus, HeaderView, Level, Stamp, write_diagnostics};

pub use camera::{CameraFacts, RangingFacts, camera_status, notices};
pub use detector::{DetectorFacts, detector_status, resident_bytes};
pub use notices::Told;

/// The status of one part of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub level: Level,
    /// `NODE: camera`, `NODE: camera NAME` or `NODE: detector`. Aggregators match it, so it never
    /// changes.
    pub name: String,
    /// The problems with their fixes, the worst first; or a short line if there are none.
    pub message: String,
    pub hardware_id: String,
    /// Keys and values; a key ends with its unit, if it has one.
    pub values: Vec<(String, String)>,
}

/// Writes the array of `statuses` with the stamp `stamp` to `out`. Fails if a text is too long for
/// CDR.
pub fn write(out: &mut Vec<u8>, stamp: Stamp, statuses: &[Status]) -> Result<(), CdrError> {
    let values: Vec<Vec<(&str, &str)>> = statuses
        .iter()
        .map(|status| {
            let values = status.values.iter();
            values
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect()
        })
        .collect();
    let statuses: Vec<_> = statuses
        .iter()
        .zip(&values)
        .map(|(status, values)| DiagnosticStatus {
            level: status.level,
            name: &status.name,
            message: &status.message,
            hardware_id: &status.hardware_id,
            values: Cow::Borrowed(values),
        })
        .collect();
    let header = HeaderView {
        stamp,
        frame_id: "",
    };
    write_diagnostics(out, header, &statuses)
}

/// The problems of a part.
#[derive(Debug, Default)]
struct Problems(Vec<(Level, String)>);

impl Problems {
    fn add(&mut self, level: Level, problem: String) {
        self.0.push((level, printable(&problem).into_owned()));
    }

    fn extend(&mut self, problem: Option<(Level, String)>) {
        if let Some((level, problem)) = problem {
            self.add(level, problem);
        }
    }

    /// Returns the worst level and every problem, the worst first; `fine` if there is none.
    fn conclude(mut self, fine: &str) -> (Level, String) {
        // stable: problems of one level keep their order
        self.0.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
        let Some(&(worst, _)) = self.0.first() else {
            return (Level::Ok, fine.to_owned());
        };
        let texts: Vec<_> = self.0.into_iter().map(|(_, text)| text).collect();
        (worst, texts.join("; "))
    }
}

#[derive(Debug, Default)]
struct Values(Vec<(String, String)>);

impl Values {
    fn add(&mut self, key: impl Into<String>, value: impl Display) {
        let printed = |text: String| printable(&text).into_owned();
        self.0
            .push((printed(key.into()), printed(value.to_string())));
    }

    fn number(&mut self, key: impl Into<String>, value: f64) {
        self.add(key, format_args!("{value:.3}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_msg::DiagnosticArray;

    #[test]
    fn statuses_are_written_as_they_are_read() {
        let status = Status {
            level: Level::Warn,
            name: "shuffledet: camera front".to_owned(),
            message: "slow".to_owned(),
            hardware_id: "/front/image_raw".to_owned(),
            values: vec![("rate in (Hz)".to_owned(), "25.000".to_owned())],
        };
        let mut out = vec![1, 2, 3];
        let stamp = Stamp { sec: 7, nanosec: 8 };
        write(&mut out, stamp, &[status.clone(), status.clone()]).unwrap();
        let array = DiagnosticArray::parse(&out).unwrap();
        assert_eq!((array.header.stamp, array.status.len()), (stamp, 2));
        let read = &array.status[1];
        assert_eq!((read.level, read.name), (Level::Warn, &*status.name));
        assert_eq!(*read.values, [("rate in (Hz)", "25.000")]);
    }

    #[test]
    fn the_worst_problem_comes_first() {
        let mut problems = Problems::default();
        problems.add(Level::Warn, "slow".to_owned());
        problems.add(Level::Error, "broken".to_owned());
        problems.add(Level::Warn, "odd".to_owned());
        let concluded = problems.conclude("fine");
        assert_eq!(concluded, (Level::Error, "broken; slow; odd".to_owned()));
        assert_eq!(
            Problems::default().conclude("fine"),
            (Level::Ok, "fine".to_owned())
        );
    }
}
