//! What every plot is made of: axes with round ticks, and SVG text.
//!
//! Colours and fonts come from the page's style sheet by class, so that one SVG serves light and dark.

use std::fmt::Write;

use super::format::printable;

/// A linear scale from values to pixels.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    pub low: f64,
    /// Above `low`.
    pub high: f64,
    /// Where `low` lies.
    pub from_px: f64,
    /// Where `high` lies; left of or above `from_px` where the axis runs that way.
    pub to_px: f64,
}

/// A value worth a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub px: f64,
    pub label: String,
}

impl Axis {
    pub fn px(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from_px + share * (self.to_px - self.from_px)
    }

    /// About `wanted` ticks at multiples of 1, 2 or 5 times a power of ten; at most twice as many.
    pub fn ticks(&self, wanted: usize) -> Vec<Tick> {
        let step = round_step((self.high - self.low) / wanted.max(1) as f64);
        if !step.is_finite() || step <= 0.0 {
            return Vec::new();
        }
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        // a tick that misses an end by a rounding error belongs to it
        let first = (self.low / step - 1e-6).ceil();
        let last = (self.high / step + 1e-6).floor();
        let count = (last - first + 1.0).max(0.0) as usize;
        (0..count)
            .map(|i| {
                let value = (first + i as f64) * step;
                Tick {
                    px: self.px(value),
                    label: format!("{value:.decimals$}"),
                }
            })
            .collect()
    }
}

/// The nearest of 1, 2, 5 times a power of ten at or above `least`, give or take a fifth.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let digit = least / power;
    let rounded = [1.0, 2.0, 5.0].into_iter().find(|&d| digit <= d * 1.2);
    rounded.unwrap_or(10.0) * power
}

/// An SVG document being written.
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    /// Of that many pixels before the page scales it.
    pub fn new(width: f64, height: f64) -> Svg {
        Svg {
            width,
            height,
            body: String::new(),
        }
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// `corner` is the upper left one; `title`, where not empty, is shown under the pointer.
    pub fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), title: &str) {
        let ((x, y), (width, height)) = (corner, (size.0.max(0.0), size.1.max(0.0)));
        self.push(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}""#
        ));
        if title.is_empty() {
            self.body.push_str("/>");
        } else {
            self.push(format_args!("><title>{}</title></rect>", escaped(title)));
        }
    }

    /// `path` is the attribute `d`.
    pub fn path(&mut self, class: &str, path: &str) {
        self.push(format_args!(r#"<path class="{class}" d="{path}"/>"#));
    }

    /// The classes `start`, `middle` and `end` anchor the text.
    pub fn text(&mut self, class: &str, at: (f64, f64), text: &str) {
        let ((x, y), text) = (at, escaped(text));
        self.push(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#
        ));
    }

    /// The element `<svg>`: `title` names it and `description` says in words what it shows.
    pub fn finish(self, class: &str, title: &str, description: &str) -> String {
        let (width, height, body) = (self.width, self.height, self.body);
        let (title, description) = (escaped(title), escaped(description));
        format!(
            r#"<svg class="{class}" role="img" viewBox="0 0 {width} {height}"><title>{title}</title><desc>{description}</desc>{body}</svg>"#
        )
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // writing to a String cannot fail
        let _ = self.body.write_fmt(element);
    }
}

/// Foreign text as the content of an element or attribute; line breaks are kept.
pub fn escaped(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    lines
        .join("\n")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(low: f64, high: f64, wanted: usize) -> Vec<String> {
        let axis = Axis {
            low,
            high,
            from_px: 0.0,
            to_px: 100.0,
        };
        axis.ticks(wanted).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(0.0, 8.84, 5), ["0", "2", "4", "6", "8"]);
        assert_eq!(labels(0.0, 0.03, 3), ["0.00", "0.01", "0.02", "0.03"]);
        assert_eq!(labels(17.9, 31.0, 3), ["20", "25", "30"]);
        assert_eq!(labels(0.0, 1200.0, 3), ["0", "500", "1000"]);
        assert_eq!(labels(3.0, 3.0, 3), [""; 0]);
    }

    #[test]
    fn foreign_text_stays_text() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("t", (0.0, 0.0), "</text><script>\"&\u{1}");
        let svg = svg.finish("c", "a<b", "");
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&quot;&amp;\\u{1}</text>"));
        assert!(svg.contains("<title>a&lt;b</title>"));
    }

    proptest! {
        #[test]
        fn ticks_lie_on_the_axis(low in -1e6f64..1e6, span in 1e-3f64..1e6, wanted in 1usize..12) {
            let axis = Axis { low, high: low + span, from_px: 0.0, to_px: 100.0 };
            let ticks = axis.ticks(wanted);
            prop_assert!(ticks.len() <= 2 * wanted + 1);
            for tick in &ticks {
                prop_assert!((-0.1..=100.1).contains(&tick.px), "{tick:?}");
            }
        }
    }
}
