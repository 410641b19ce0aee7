//! Times training steps of FastestDet on pictures of noise, without reading and changing pictures: network, loss, gradients,
//! AdamW and the average of the weights. `benches/peers/training.py` compares it with the same in PyTorch.
//!
//! Arguments: threads, pictures in a step, steps. Prints JSON: pictures a second, the peak of memory in MiB, and the number
//! of weights.

use std::time::Instant;

use shuffledet_core::{BBox, Resolution};
use shuffledet_train::augment::{Target, Targets};
use shuffledet_train::fit::average::{Average, mix};
use shuffledet_train::fit::optimiser::{AdamW, Rates};
use shuffledet_train::losses;
use shuffledet_train::net::{Description, Head, Network, Width};
use tch::{Device, Kind, Tensor};

const SIDE: u32 = 352;
const CLASSES: usize = 5;
const WARM_UP: usize = 3;

fn main() {
    let arguments = std::env::args().skip(1);
    let numbers: Vec<usize> = arguments.filter_map(|a| a.parse().ok()).collect();
    let [threads, pictures, steps] = numbers[..] else {
        eprintln!("expected THREADS PICTURES STEPS");
        return;
    };
    tch::set_num_threads(threads as i32);
    tch::manual_seed(1);
    let side = Resolution {
        width: SIDE,
        height: SIDE,
    };
    let classes = (0..CLASSES).map(|class| format!("class {class}"));
    let description = Description::new(Head::FastestDet, Width::X0_5, classes.collect(), side);
    let new = || Network::new(&description, Device::Cpu).expect("a valid description");
    let (network, average) = (new(), new());
    mix(&average, &network, 1.0);
    let mut average = Average::new(average);
    let mut optimiser = AdamW::new(&network, 0.05);
    let sides = [pictures as i64, 3, i64::from(SIDE), i64::from(SIDE)];
    let images = Tensor::rand(sides, (Kind::Float, Device::Cpu));
    let targets: Vec<Targets> = (0..pictures).map(objects).collect();
    let mut begun = Instant::now();
    for step in 0..WARM_UP + steps {
        if step == WARM_UP {
            begun = Instant::now();
        }
        let output = network.forward(&images, true);
        let loss = losses::detection(Head::FastestDet, &output, &targets, side, side);
        optimiser.zero_gradients();
        loss.total.backward();
        let rates = Rates {
            head: 1e-4,
            backbone: 5e-5,
        };
        optimiser.step(rates, 10.0);
        average.follow(&network, step as u64 + 1);
    }
    let speed = (pictures * steps) as f64 / begun.elapsed().as_secs_f64();
    let weights: usize = (network.vs.trainable_variables().iter())
        .map(Tensor::numel)
        .sum();
    println!(
        "{{\"pictures_per_s\": {speed:.2}, \"peak_mib\": {}, \"weights\": {weights}}}",
        peak_mib().unwrap_or(0)
    );
}

/// Returns three boxes that differ from picture to picture.
fn objects(picture: usize) -> Targets {
    let target = |object: usize| {
        let left = (37 * (picture + 3 * object) % 200) as f32;
        let top = (53 * (picture + 5 * object) % 200) as f32;
        Target {
            class: (picture + object) % CLASSES,
            bbox: BBox {
                x1: left,
                y1: top,
                x2: left + 40.0 + 30.0 * object as f32,
                y2: top + 60.0,
            },
            weight: 1.0,
            ignored: false,
        }
    };
    Targets {
        objects: (0..3).map(target).collect(),
        annotated: vec![true; CLASSES],
    }
}

/// Returns the most memory that the process has held, as Linux counts it.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}
