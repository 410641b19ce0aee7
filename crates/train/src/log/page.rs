//! The page of a run: one HTML file that holds all it shows and has no script.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use minijinja::{Environment, context};
use shuffledet_report::chart::{Axis, Svg};

use super::History;
use super::mistakes::{MistakePicture, worst};
use crate::measure::{Compared, Evaluator, Figures, Measured};

const TEMPLATE: &str = include_str!("page.html");
/// That of the product's reports.
const STYLE: &str = include_str!("../../../report/src/style.css");
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 260.0;

/// Renders the page.
///
/// # Errors
/// The template fails, which is a bug.
pub fn render(
    history: &History,
    figures: &Figures,
    measured: &Measured,
    evaluator: &Evaluator,
) -> anyhow::Result<String> {
    let [false_positives, misses] = worst(measured, evaluator);
    let mut templates = Environment::new();
    templates.add_template("page.html", TEMPLATE)?;
    let loss = history.rows.iter().map(|row| (row.step as f64, row.loss));
    let ap = history
        .evaluations
        .iter()
        .map(|(step, summary)| (*step as f64, summary.ap));
    let sets = [
        ("held out", Some(&figures.val)),
        ("general", figures.keep.as_ref()),
    ];
    let sets: Vec<_> = sets
        .into_iter()
        .filter_map(|(name, set)| Some(set_of(name, set?)))
        .collect();
    let page = context! {
        style => STYLE,
        steps => figures.steps,
        best_step => figures.best_step,
        blend => figures.blend,
        start_is_better => figures.start_is_better(),
        start => ap_text(figures.val.start.ap),
        trained => ap_text(figures.val.trained.ap),
        blended => ap_text(figures.val.blended.ap),
        pictures => figures.val.pictures,
        sets,
        loss_svg => curve("loss", &smooth(&loss.collect::<Vec<_>>()), figures.steps),
        ap_svg => curve("AP on the held-out pictures", &ap.collect::<Vec<_>>(), figures.steps),
        false_positives => pictures(&false_positives),
        misses => pictures(&misses),
    };
    Ok(templates.get_template("page.html")?.render(page)?)
}

fn set_of(name: &str, set: &Compared) -> minijinja::Value {
    let classes = set
        .start
        .classes
        .iter()
        .zip(&set.trained.classes)
        .zip(&set.blended.classes);
    let text = |ap: Option<f64>| ap.map_or("-".to_owned(), ap_text);
    let rows: Vec<_> = classes
        .map(
            |(((class, start, objects), (_, trained, _)), (_, blended, _))| {
                context! {
                    class, objects,
                    start => text(*start), trained => text(*trained), blended => text(*blended),
                }
            },
        )
        .collect();
    context! {
        name, pictures => set.pictures, rows,
        start => ap_text(set.start.ap), trained => ap_text(set.trained.ap), blended => ap_text(set.blended.ap),
    }
}

fn ap_text(ap: f64) -> String {
    format!("{ap:.4}")
}

fn pictures(of: &[MistakePicture]) -> Vec<minijinja::Value> {
    let uri = |jpeg: &[u8]| format!("data:image/jpeg;base64,{}", BASE64.encode(jpeg));
    let place = |[left, top, width, height]: [f64; 4]| {
        format!("left:{left:.1}%;top:{top:.1}%;width:{width:.1}%;height:{height:.1}%")
    };
    of.iter()
        .map(|mistake| {
            context! {
                caption => &mistake.caption, uri => uri(&mistake.jpeg), place => place(mistake.place),
            }
        })
        .collect()
}

/// Returns means over the latest points of each, so that the noise of single batches does not hide the trend.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const WINDOW: usize = 9;
    let mean = |(at, (x, _)): (usize, &(f64, f64))| {
        let latest = &points[(at + 1).saturating_sub(WINDOW)..=at];
        (
            *x,
            latest.iter().map(|(_, y)| y).sum::<f64>() / latest.len() as f64,
        )
    };
    points.iter().enumerate().map(mean).collect()
}

/// Draws values by step, over all `steps` of the run.
fn curve(name: &str, points: &[(f64, f64)], steps: u64) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let (low, high) = bounds(&mut points.iter().map(|(_, y)| *y));
    if points.is_empty() {
        return svg.finish("plot", name, "There are no values.");
    }
    let margin = ((high - low) * 0.08).max(1e-4);
    let x = Axis {
        low: 0.0,
        high: steps.max(1) as f64,
        from_px: 60.0,
        to_px: WIDTH - 12.0,
    };
    let y = Axis {
        low: low - margin,
        high: high + margin,
        from_px: HEIGHT - 36.0,
        to_px: 12.0,
    };
    for tick in x.ticks(8) {
        svg.line("grid", (tick.px, y.from_px), (tick.px, y.to_px));
        svg.text("middle", (tick.px, HEIGHT - 18.0), &tick.label);
    }
    for tick in y.ticks(5) {
        svg.line("grid", (x.from_px, tick.px), (x.to_px, tick.px));
        svg.text("end", (x.from_px - 6.0, tick.px + 4.0), &tick.label);
    }
    let mut path = String::new();
    for (at, (px, py)) in points.iter().map(|&(a, b)| (x.px(a), y.px(b))).enumerate() {
        let _ = write!(path, "{}{px:.1},{py:.1}", if at == 0 { "M" } else { "L" });
    }
    svg.path("curve all", &path);
    svg.text(
        "middle",
        ((x.from_px + x.to_px) / 2.0, HEIGHT - 2.0),
        "step",
    );
    svg.finish("plot", name, &format!("{name} by step."))
}
