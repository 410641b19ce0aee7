//! Prints what judging a picture costs: `cargo run --release -p shuffledet-sight --example cost`.

use std::time::Instant;

use shuffledet_sight::{Area, Settings, View, Watch};

fn main() {
    println!("input; microseconds to copy a picture, and to judge it (ten times a second)");
    for (width, height) in [(352, 352), (416, 256), (640, 256), (832, 256)] {
        let plane: Vec<f32> = (0..width * height)
            .map(|index| ((index * 7919) % 251) as f32)
            .collect();
        let area = Area {
            left: 0,
            top: 0,
            width,
            height,
            enlargement: 1,
        };
        let (mut view, mut watch) = (View::default(), Watch::default());
        let mut times = [Vec::new(), Vec::new()];
        for frame in 0..1000 {
            let begun = Instant::now();
            view.fill(&plane, width, area, |value| 0.5 * value + 10.0);
            times[0].push(begun.elapsed().as_secs_f64() * 1e6);
            let begun = Instant::now();
            watch.update(frame * 100_000_000, &view, &Settings::default());
            times[1].push(begun.elapsed().as_secs_f64() * 1e6);
        }
        let [copied, judged] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        println!("{width}x{height}, {copied:.1}, {judged:.1}");
    }
}
