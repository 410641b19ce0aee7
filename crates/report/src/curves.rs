//! Precision against recall.

use std::fmt::Write;

use super::chart::{Axis, Svg};
use super::format::fraction;
use shuffledet_eval::{ClassAccuracy, Figure};

/// Classes with a colour of their own in [`precision_recall`].
pub const CLASSES_SHOWN: usize = 6;

/// The mean over `classes` as a strong line, the first few of them as thin ones. `width` is that of the drawing.
pub fn precision_recall(classes: &[&ClassAccuracy], width: f64) -> String {
    const HEIGHT: f64 = 320.0;
    let mut svg = Svg::new(width, HEIGHT);
    let (x, y) = axes(&mut svg, (44.0, width - 12.0), (HEIGHT - 40.0, 24.0), 5);
    svg.text(
        "middle",
        ((x.from_px + x.to_px) / 2.0, HEIGHT - 6.0),
        "recall",
    );
    svg.text("start", (0.0, y.to_px - 12.0), "precision");
    for (i, class) in classes.iter().take(CLASSES_SHOWN).enumerate() {
        svg.path(&format!("curve k{i}"), &line(&class.curve, &x, &y));
    }
    svg.path("curve all", &line(&mean_curve(classes), &x, &y));
    let description = "Precision at each recall, the mean over all classes that have objects and \
        the most frequent of them. The table of classes has the figures.";
    svg.finish("plot", "Precision against recall", description)
}

/// The curve of one class, small enough to stand beside others, with a dot at the best F1.
pub fn small_curve(class: &ClassAccuracy) -> String {
    const WIDTH: f64 = 180.0;
    const HEIGHT: f64 = 120.0;
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let (x, y) = axes(&mut svg, (24.0, WIDTH - 6.0), (HEIGHT - 20.0, 6.0), 2);
    let curve = line(&class.curve, &x, &y);
    if !curve.is_empty() {
        let (left, right, base) = (x.from_px, x.to_px, y.from_px);
        let area = format!("{curve}L{right:.1},{base:.1}L{left:.1},{base:.1}z");
        svg.path("area total", &area);
        svg.path("curve one", &curve);
    }
    if class.f1 > Some(0.0)
        && let (Some(recall), Some(precision)) = (class.recall, class.precision)
    {
        let (at, height) = (x.px(recall), y.px(precision));
        svg.path("dot", &format!("M{at:.1},{height:.1}h0"));
    }
    let title = format!(
        "{}: AP50 {}, best F1 {} at a score of {}",
        class.name,
        fraction(class.figures[Figure::Ap50]),
        fraction(class.f1),
        fraction(class.best_threshold)
    );
    svg.finish("small-curve", &title, "Precision against recall.")
}

/// Both axes from 0 to 1, with a grid.
pub(super) fn axes(svg: &mut Svg, x: (f64, f64), y: (f64, f64), ticks: usize) -> (Axis, Axis) {
    let axis = |(from_px, to_px)| Axis {
        low: 0.0,
        high: 1.0,
        from_px,
        to_px,
    };
    let (x, y) = (axis(x), axis(y));
    for tick in y.ticks(ticks) {
        svg.line("grid", (x.from_px, tick.px), (x.to_px, tick.px));
        svg.text("end", (x.from_px - 5.0, tick.px + 4.0), &tick.label);
    }
    for tick in x.ticks(ticks) {
        svg.line("axis", (tick.px, y.from_px), (tick.px, y.from_px + 3.0));
        let anchor = if tick.px > x.to_px - 8.0 {
            "end"
        } else {
            "middle"
        };
        let at = if anchor == "end" {
            x.to_px + 6.0
        } else {
            tick.px
        };
        svg.text(anchor, (at, y.from_px + 15.0), &tick.label);
    }
    svg.line("axis", (x.from_px, y.from_px), (x.to_px, y.from_px));
    (x, y)
}

fn mean_curve(classes: &[&ClassAccuracy]) -> Vec<f64> {
    let points = classes
        .iter()
        .map(|class| class.curve.len())
        .max()
        .unwrap_or(0);
    let at = |i: usize| classes.iter().filter_map(move |class| class.curve.get(i));
    (0..points)
        .map(|i| at(i).sum::<f64>() / at(i).count().max(1) as f64)
        .collect()
}

/// Points spread evenly over the recalls; empty for none.
pub(super) fn line(curve: &[f64], x: &Axis, y: &Axis) -> String {
    let last = curve.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    for (i, &precision) in curve.iter().enumerate() {
        let command = if i == 0 { 'M' } else { 'L' };
        let (x, y) = (x.px(i as f64 / last), y.px(precision.clamp(0.0, 1.0)));
        // writing to a String cannot fail
        let _ = write!(path, "{command}{x:.1},{y:.1}");
    }
    path
}
