//! The section on the lengths of tracks in the replay report.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::format::{count, counted, figure, jpeg_uri};
use shuffledet_core::{Summary, TrackFigures, TrackStrip};
use shuffledet_msg::stamp;

/// What the section shows.
#[derive(Serialize)]
pub(super) struct TrackLengths<'a> {
    classes: Vec<ClassRow<'a>>,
    strips: Vec<StripView<'a>>,
}

#[derive(Serialize)]
struct ClassRow<'a> {
    label: &'a str,
    cells: [String; 6],
}

#[derive(Serialize)]
struct StripView<'a> {
    /// `car 12`
    name: String,
    length: String,
    start: String,
    /// Empty if there is one topic.
    topic: &'a str,
    pictures: Vec<PictureView>,
}

#[derive(Serialize)]
struct PictureView {
    uri: String,
    width: u32,
    height: u32,
    at: String,
}

impl<'a> TrackLengths<'a> {
    /// Returns `None` if objects are not tracked.
    pub fn new(summary: &'a Summary, strips: &'a [TrackStrip]) -> Option<Self> {
        let tracks = summary.tracks.as_ref()?;
        let topics: BTreeSet<&str> = strips.iter().map(|strip| strip.topic.as_str()).collect();
        let classes = by_ids(tracks).into_iter();
        Some(Self {
            classes: classes
                .map(|(label, figures)| ClassRow::new(label, figures))
                .collect(),
            strips: strips
                .iter()
                .map(|strip| StripView::new(strip, topics.len() > 1))
                .collect(),
        })
    }
}

/// Returns the figures of each class, those with the most tracks first.
pub(super) fn by_ids(tracks: &BTreeMap<String, TrackFigures>) -> Vec<(&str, &TrackFigures)> {
    let mut classes: Vec<_> = tracks
        .iter()
        .map(|(label, figures)| (label.as_str(), figures))
        .collect();
    classes.sort_by_key(|&(label, figures)| (std::cmp::Reverse(figures.ids), label));
    classes
}

impl<'a> ClassRow<'a> {
    fn new(label: &'a str, figures: &TrackFigures) -> Self {
        Self {
            label,
            cells: [
                count(figures.ids),
                count(figures.breaks),
                format!("{:.2}", figures.median_s),
                format!("{:.2}", figures.longest_s),
                // a mean of two counts at most
                figures.median_frames.to_string(),
                count(figures.longest_frames),
            ],
        }
    }
}

impl<'a> StripView<'a> {
    fn new(strip: &'a TrackStrip, names_topic: bool) -> Self {
        let pictures = strip.pictures.iter().map(|picture| PictureView {
            uri: jpeg_uri(&picture.jpeg),
            width: picture.width,
            height: picture.height,
            at: format!("{:.1}", picture.at_s),
        });
        Self {
            name: format!("{} {}", strip.label, strip.id),
            length: format!(
                "{} s, {}",
                figure(strip.length_s),
                counted(strip.frames, "frame")
            ),
            start: stamp(strip.start_ns),
            topic: if names_topic { &strip.topic } else { "" },
            pictures: pictures.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use crate::html::tests::summary;
    use crate::html::{ReplayReport, render};
    use shuffledet_core::{StageHistograms, StripPicture, Timeline, TrackFigures, TrackStrip};

    const HOSTILE: &str = "<img src=x onerror=alert(1)>";

    fn strip(topic: &str, id: u64) -> TrackStrip {
        TrackStrip {
            topic: topic.to_owned(),
            id,
            label: HOSTILE.to_owned(),
            start_ns: 1_700_000_000_500_000_000,
            length_s: 7.345,
            frames: 1_204,
            pictures: vec![StripPicture {
                at_s: 0.25,
                jpeg: vec![0xff, 0xd8],
                width: 144,
                height: 100,
            }],
        }
    }

    fn page(ids: &[(&str, u64)], strips: &[TrackStrip]) -> String {
        let figures = |ids| TrackFigures {
            ids,
            breaks: 2,
            median_s: 1.5,
            longest_s: 7.345,
            median_frames: 20.5,
            longest_frames: 1_204,
        };
        let classes = ids
            .iter()
            .map(|&(label, ids)| (label.to_owned(), figures(ids)));
        let mut summary = summary();
        summary.tracks = Some(classes.collect());
        render(&ReplayReport {
            summary: &summary,
            histograms: &StageHistograms::default(),
            timeline: &Timeline::default(),
            previews: &[],
            strips,
            configuration_yaml: "",
            generated_at: UNIX_EPOCH,
        })
        .unwrap()
    }

    #[test]
    fn classes_and_the_longest_tracks_are_shown() {
        let page = page(&[("car", 3), (HOSTILE, 1_000)], &[strip("/a", 7)]);
        let escaped = "&lt;img src=x onerror=alert(1)&gt;";
        assert!(page.contains("<b>1,003</b> <span>tracks</span>"));
        let [first, second] = [escaped, "car"].map(|label| {
            page.find(&format!("<th scope=\"row\">{label}</th>"))
                .unwrap()
        });
        assert!(first < second);
        for cell in ["1.50", "7.34", "20.5", "1,204"] {
            assert!(
                page.contains(&format!("<td class=\"n\">{cell}</td>")),
                "{cell}"
            );
        }
        assert!(page.contains(&format!("<b>{escaped} 7</b> 7.34 s, 1,204 frames")));
        assert!(page.contains("src=\"data:image/jpeg;base64,/9g=\""));
        assert!(page.contains("after 0.2 s") && !page.contains("<img src=x"));
        assert!(!page.contains("/<wbr>a<"));
    }

    #[test]
    fn a_run_without_tracks_says_so_and_one_without_tracking_nothing() {
        assert!(page(&[], &[]).contains("No object was tracked."));
        let of_two = page(&[("car", 2)], &[strip("/a", 7), strip("/b", 9)]);
        assert!(of_two.contains("/<wbr>b"));
        let summary = summary();
        let untracked = render(&ReplayReport {
            summary: &summary,
            histograms: &StageHistograms::default(),
            timeline: &Timeline::default(),
            previews: &[],
            strips: &[],
            configuration_yaml: "",
            generated_at: UNIX_EPOCH,
        });
        assert!(!untracked.unwrap().contains("id=\"tracks\""));
    }
}
