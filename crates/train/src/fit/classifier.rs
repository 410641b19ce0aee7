//! Trains a classifier.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::ClassifierSettings;
use super::average::{Average, mix};
use super::batches::{images, measure_norms};
use super::optimiser::{AdamW, Rates};
use super::plan::{Length, Plan, SLOW_STEPS, TRIAL_STEPS};
use super::progress::{Pace, in_words};
use crate::augment::loader::Source;
use crate::augment::{Augmentation, Loader, Renderer, order};
use crate::data::folders::ClassFolders;
use crate::losses;
use crate::net::Network;
use crate::weights::Start;

const LOADER_THREADS: usize = 2;
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
const WEIGHT_DECAY: f64 = 0.01;
const CLIP: f64 = 10.0;

/// Trains the network of `start` and returns the averaged weights.
///
/// # Errors
/// The loss is not finite.
pub fn train(
    start: &Start,
    data: &ClassFolders,
    settings: &ClassifierSettings,
    say: &dyn Fn(&str),
) -> anyhow::Result<Network> {
    let network = &start.network;
    tch::set_num_threads(settings.threads);
    let device = network.vs.device();
    let input = network.description.input.resolution();
    let source = Arc::new(Source {
        samples: data
            .train
            .iter()
            .map(|(sample, _)| sample.clone())
            .collect(),
        renderer: Renderer {
            spec: network.description.input.clone(),
        },
        augmentation: Augmentation {
            zoom: [0.7, 1.1],
            ..Augmentation::new(vec![input])
        },
        batch_size: settings.batch_size,
        seed: settings.seed,
    });
    if start.folded {
        measure_norms(network, &source);
    }
    let average = Network::new(&network.description, device)?;
    mix(&average, network, 1.0);
    let mut average = Average::new(average);
    let mut optimiser = AdamW::new(network, WEIGHT_DECAY);
    let mut plan = Plan::new(settings.length, data.train.len(), settings.batch_size);
    let mut loader = Loader::start(Arc::clone(&source), 0..u64::MAX, LOADER_THREADS);
    let mut pace = Pace::start(0.0);
    let (mut step, mut said) = (0u64, Instant::now());
    while !plan.ends_after(step) {
        let begun = Instant::now();
        let Some(batch) = loader.next_batch() else {
            bail!(
                "the threads that prepare pictures have ended; this is a bug in shuffledet-train"
            );
        };
        let samples = order::batch(data.train.len(), settings.batch_size, settings.seed, step);
        let classes: Vec<i64> = samples.iter().map(|&at| data.train[at].1).collect();
        let output = network.forward(&images(&batch, device), true);
        let loss = losses::classification(&output.main, &classes);
        let value = loss.total.double_value(&[]);
        if !value.is_finite() {
            bail!(
                "step {step}: the loss is {value}; expected a finite number: lower --learning-rate"
            );
        }
        optimiser.zero_gradients();
        loss.total.backward();
        let rate = settings.learning_rate * plan.rate(step);
        optimiser.step(
            Rates {
                head: rate,
                backbone: rate / 10.0,
            },
            CLIP,
        );
        step += 1;
        average.follow(network, step);
        pace.add(begun.elapsed());
        if step == SLOW_STEPS {
            pace.forget();
        }
        if let (Length::Minutes(minutes), None, TRIAL_STEPS) = (settings.length, plan.steps, step) {
            let left = Duration::from_secs_f64((60.0 * minutes - pace.elapsed()).max(0.0));
            plan.fit(step, left, pace.step(), Duration::ZERO, 0);
        }
        if said.elapsed() >= PROGRESS_EVERY {
            let left =
                plan.steps.unwrap_or(step).saturating_sub(step) as f64 * pace.step().as_secs_f64();
            let speed = pace.per_second(settings.batch_size);
            say(&format!(
                "step {step}: loss {value:.3}, {speed:.1} pictures/s, {} left",
                in_words(left)
            ));
            said = Instant::now();
        }
    }
    Ok(average.network)
}
