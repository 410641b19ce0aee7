//! Figures of tracks, as TrackEval names and computes them.

use std::fmt;
use std::ops::Index;

use serde::{Deserialize, Serialize};

use super::counts::{ALPHAS, Counts};

/// A figure of tracks: a share, or a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TrackFigure {
    /// Higher order tracking accuracy: the mean over 19 overlaps, as the seven after it.
    #[serde(rename = "HOTA")]
    Hota,
    /// How well the boxes are found.
    DetA,
    /// How well boxes of one object are joined to one track.
    AssA,
    /// How much matched boxes overlap.
    LocA,
    DetRe,
    DetPr,
    AssRe,
    AssPr,
    /// Boxes found, less false ones and switches, as a share of the truth; may be negative.
    #[serde(rename = "MOTA")]
    Mota,
    /// The mean overlap of boxes that match at 0.5.
    #[serde(rename = "MOTP")]
    Motp,
    #[serde(rename = "IDF1")]
    Idf1,
    #[serde(rename = "IDP")]
    Idp,
    #[serde(rename = "IDR")]
    Idr,
    /// Boxes of the truth that CLEAR MOT finds no match for.
    #[serde(rename = "FN")]
    Missed,
    /// Boxes of the tracker that CLEAR MOT finds no match for.
    #[serde(rename = "FP")]
    False,
    /// Identity switches.
    #[serde(rename = "IDSW")]
    Switches,
    #[serde(rename = "Frag")]
    Fragments,
    /// Mostly tracked objects.
    #[serde(rename = "MT")]
    MostlyTracked,
    /// Partly tracked objects.
    #[serde(rename = "PT")]
    PartlyTracked,
    /// Mostly lost objects.
    #[serde(rename = "ML")]
    MostlyLost,
}

impl TrackFigure {
    pub const ALL: [TrackFigure; 20] = {
        use TrackFigure::*;
        [
            Hota,
            DetA,
            AssA,
            LocA,
            DetRe,
            DetPr,
            AssRe,
            AssPr,
            Mota,
            Motp,
            Idf1,
            Idp,
            Idr,
            Missed,
            False,
            Switches,
            Fragments,
            MostlyTracked,
            PartlyTracked,
            MostlyLost,
        ]
    };

    /// Those of which more is better, and which do not grow with the number of frames.
    pub const SHARES: &'static [TrackFigure] = Self::ALL.split_at(13).0;
    /// The others.
    pub const COUNTS: &'static [TrackFigure] = Self::ALL.split_at(13).1;

    /// Its name in TrackEval, such as `HOTA`.
    pub const fn name(self) -> &'static str {
        match self {
            TrackFigure::Hota => "HOTA",
            TrackFigure::DetA => "DetA",
            TrackFigure::AssA => "AssA",
            TrackFigure::LocA => "LocA",
            TrackFigure::DetRe => "DetRe",
            TrackFigure::DetPr => "DetPr",
            TrackFigure::AssRe => "AssRe",
            TrackFigure::AssPr => "AssPr",
            TrackFigure::Mota => "MOTA",
            TrackFigure::Motp => "MOTP",
            TrackFigure::Idf1 => "IDF1",
            TrackFigure::Idp => "IDP",
            TrackFigure::Idr => "IDR",
            TrackFigure::Missed => "FN",
            TrackFigure::False => "FP",
            TrackFigure::Switches => "IDSW",
            TrackFigure::Fragments => "Frag",
            TrackFigure::MostlyTracked => "MT",
            TrackFigure::PartlyTracked => "PT",
            TrackFigure::MostlyLost => "ML",
        }
    }

    /// Returns whether it counts something, rather than being a share of one.
    pub fn is_count(self) -> bool {
        !Self::SHARES.contains(&self)
    }
}

impl fmt::Display for TrackFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // keeps the width of a column
        f.pad(self.name())
    }
}

/// A value of each figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackFigures([f64; TrackFigure::ALL.len()]);

impl Index<TrackFigure> for TrackFigures {
    type Output = f64;

    fn index(&self, figure: TrackFigure) -> &f64 {
        &self.0[figure as usize]
    }
}

impl TrackFigures {
    /// The figures of what was counted.
    pub fn new(counts: &Counts) -> Self {
        let curves = Curves::new(counts);
        let (truth, tracks) = (counts.truth_boxes as f64, counts.track_boxes as f64);
        let (matched, id_matched) = (counts.matched as f64, counts.id_matched as f64);
        let share = |part: f64, whole: f64| part / whole.max(1.0);
        let lost = counts.objects - counts.mostly_tracked - counts.partly_tracked;
        let (missed, false_boxes) = (truth - matched, tracks - matched);
        let value = |figure| match figure {
            TrackFigure::Hota => mean(&curves.hota),
            TrackFigure::DetA => mean(&curves.det_a),
            TrackFigure::AssA => mean(&curves.ass_a),
            TrackFigure::LocA => mean(&curves.loc_a),
            TrackFigure::DetRe => mean(&curves.det_re),
            TrackFigure::DetPr => mean(&curves.det_pr),
            TrackFigure::AssRe => mean(&curves.ass_re),
            TrackFigure::AssPr => mean(&curves.ass_pr),
            TrackFigure::Mota => share(matched - false_boxes - counts.switches as f64, truth),
            TrackFigure::Motp => share(counts.overlap, matched),
            TrackFigure::Idf1 => share(id_matched, (truth + tracks) / 2.0),
            TrackFigure::Idp => share(id_matched, tracks),
            TrackFigure::Idr => share(id_matched, truth),
            TrackFigure::Missed => missed,
            TrackFigure::False => false_boxes,
            TrackFigure::Switches => counts.switches as f64,
            TrackFigure::Fragments => counts.fragments as f64,
            TrackFigure::MostlyTracked => counts.mostly_tracked as f64,
            TrackFigure::PartlyTracked => counts.partly_tracked as f64,
            TrackFigure::MostlyLost => lost as f64,
        };
        Self(TrackFigure::ALL.map(value))
    }

    /// The mean of each share over classes, and the sum of each count; 0 for no class.
    pub fn average(classes: &[TrackFigures]) -> Self {
        let count = classes.len().max(1) as f64;
        Self(TrackFigure::ALL.map(|figure| {
            let sum: f64 = classes.iter().map(|class| class[figure]).sum();
            if figure.is_count() { sum } else { sum / count }
        }))
    }

    /// Each figure with its value.
    pub fn iter(&self) -> impl Iterator<Item = (TrackFigure, f64)> + '_ {
        TrackFigure::ALL.into_iter().zip(self.0)
    }
}

/// What HOTA is the mean of: the values at each alpha.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    #[serde(rename = "HOTA")]
    pub hota: [f64; ALPHAS],
    #[serde(rename = "DetA")]
    pub det_a: [f64; ALPHAS],
    #[serde(rename = "AssA")]
    pub ass_a: [f64; ALPHAS],
    #[serde(rename = "LocA")]
    pub loc_a: [f64; ALPHAS],
    #[serde(rename = "DetRe")]
    pub det_re: [f64; ALPHAS],
    #[serde(rename = "DetPr")]
    pub det_pr: [f64; ALPHAS],
    #[serde(rename = "AssRe")]
    pub ass_re: [f64; ALPHAS],
    #[serde(rename = "AssPr")]
    pub ass_pr: [f64; ALPHAS],
}

impl Curves {
    pub fn new(counts: &Counts) -> Self {
        let hota = &counts.hota;
        let (truth, tracks) = (counts.truth_boxes as f64, counts.track_boxes as f64);
        let curve = |value: &dyn Fn(usize) -> f64| std::array::from_fn(value);
        let matched = |at: usize| hota.matched[at] as f64;
        // at least 1, so that nothing is divided by 0
        let of_matched = |sums: &[f64; ALPHAS]| curve(&|at| sums[at] / matched(at).max(1.0));
        let det_a = curve(&|at| matched(at) / (truth + tracks - matched(at)).max(1.0));
        let ass_a = of_matched(&hota.association);
        Self {
            hota: curve(&|at| (det_a[at] * ass_a[at]).sqrt()),
            det_a,
            ass_a,
            // 1 where nothing is matched
            loc_a: curve(&|at| hota.overlap[at].max(1e-10) / matched(at).max(1e-10)),
            det_re: curve(&|at| matched(at) / truth.max(1.0)),
            det_pr: curve(&|at| matched(at) / tracks.max(1.0)),
            ass_re: of_matched(&hota.association_recall),
            ass_pr: of_matched(&hota.association_precision),
        }
    }
}

fn mean(curve: &[f64; ALPHAS]) -> f64 {
    curve.iter().sum::<f64>() / ALPHAS as f64
}

impl Serialize for TrackFigures {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(figure, value)| (figure.name(), value)))
    }
}

impl<'de> Deserialize<'de> for TrackFigures {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = std::collections::BTreeMap::<TrackFigure, f64>::deserialize(deserializer)?;
        let mut figures = [0.0; TrackFigure::ALL.len()];
        for figure in TrackFigure::ALL {
            figures[figure as usize] = *values
                .get(&figure)
                .ok_or_else(|| serde::de::Error::missing_field(figure.name()))?;
        }
        Ok(Self(figures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_its_name_in_json() {
        let figures = TrackFigures::new(&Counts::default());
        let json = serde_json::to_value(figures).unwrap();
        assert_eq!(json["LocA"], 1.0);
        for figure in TrackFigure::ALL {
            assert_eq!(serde_json::to_value(figure).unwrap(), figure.name());
            assert_eq!(TrackFigure::ALL[figure as usize], figure);
        }
        assert_eq!(
            serde_json::from_value::<TrackFigures>(json.clone()).unwrap(),
            figures
        );
        let mut lacking = json;
        lacking.as_object_mut().unwrap().remove("MOTA");
        let error = serde_json::from_value::<TrackFigures>(lacking).unwrap_err();
        assert!(
            error.to_string().contains("missing field `MOTA`"),
            "{error}"
        );
        assert_eq!(TrackFigure::SHARES.last(), Some(&TrackFigure::Idr));
    }
}
