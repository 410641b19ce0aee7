//! A run: steps, evaluations and checkpoints, from the start or from where a run was cut off.

mod result;
mod state;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use tch::Device;

use super::Settings;
use super::average::{Average, mix};
use super::batches::{images, measure_norms, source};
use super::optimiser::{AdamW, Rates};
use super::plan::{Length, Plan, SLOW_STEPS, TRIAL_STEPS};
use super::progress::{Pace, in_words};
use crate::augment::{Batch, Loader};
use crate::data::Sample;
use crate::log::{History, Row, RunLog};
use crate::losses;
use crate::measure::{Evaluator, Figures};
use crate::net::Network;
use crate::run_files::RunFiles;
use crate::weights::save;
use state::State;

/// Time between two checkpoints, besides those of evaluations.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// Time between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Steps between two rows of the log.
const LOG_EVERY: u64 = 5;
const LOADER_THREADS: usize = 2;

/// What a run learns from, and what it is measured on.
pub struct TrainingData {
    pub train: Vec<Sample>,
    pub val: Evaluator,
    /// A general set that shows what is forgotten.
    pub keep: Option<Evaluator>,
}

struct Run<'a> {
    settings: &'a Settings,
    files: &'a RunFiles,
    data: &'a TrainingData,
    device: Device,
    network: Network,
    average: Average,
    optimiser: AdamW,
    state: State,
    pace: Pace,
    log: RunLog,
}

/// Trains `start` as the settings say, or continues the run in `files` if `resume`. Lines of progress go to `say`.
///
/// # Errors
/// A file cannot be written, the checkpoint is of another run, or the loss is not finite.
pub fn train(
    settings: &Settings,
    files: &RunFiles,
    data: &TrainingData,
    start: Network,
    resume: bool,
    say: &dyn Fn(&str),
) -> anyhow::Result<Figures> {
    tch::set_num_threads(settings.threads);
    let mut run = match resume {
        true => Run::resume(settings, files, data, start)?,
        false => Run::begin(settings, files, data, start, say)?,
    };
    run.steps(say)?;
    run.finish(say)
}

impl<'a> Run<'a> {
    fn begin(
        settings: &'a Settings,
        files: &'a RunFiles,
        data: &'a TrainingData,
        mut network: Network,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Self> {
        let pace = Pace::start(0.0);
        let begun = Instant::now();
        let measured = data.val.measure(&network)?;
        let evaluation = begun.elapsed().as_secs_f64();
        say(&format!(
            "start: AP {:.4}, AP50 {:.4} on {} held-out pictures ({})",
            measured.ap(),
            measured.summary().ap50,
            data.val.pictures(),
            in_words(evaluation)
        ));
        if settings.batch_norms {
            measure_norms(&network, &source(settings, &data.train));
        }
        if settings.frozen_backbone {
            network.freeze_backbone();
        }
        save(&network, &files.start())?;
        save(&network, &files.best())?;
        let summary = measured.summary();
        let state = State {
            step: 0,
            plan: Plan::new(settings.length, data.train.len(), settings.batch_size),
            seconds: 0.0,
            evaluation,
            best: summary.ap,
            best_step: 0,
            since_best: 0,
            history: History::new(&summary),
            start: summary,
        };
        Self::new(settings, files, data, network, state, pace)
    }

    fn new(
        settings: &'a Settings,
        files: &'a RunFiles,
        data: &'a TrainingData,
        network: Network,
        state: State,
        pace: Pace,
    ) -> anyhow::Result<Self> {
        let device = network.vs.device();
        let average = Network::new(&network.description, device)?;
        mix(&average, &network, 1.0);
        Ok(Self {
            settings,
            files,
            data,
            device,
            optimiser: AdamW::new(&network, settings.weight_decay),
            average: Average::new(average),
            network,
            log: RunLog::open(files, state.step)?,
            state,
            pace,
        })
    }

    fn steps(&mut self, say: &dyn Fn(&str)) -> anyhow::Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let source = Arc::new(source(self.settings, &self.data.train));
        let mut loader = Loader::start(source, self.state.step..u64::MAX, LOADER_THREADS);
        let (mut saved, mut said) = (Instant::now(), Instant::now());
        while !self.is_over() {
            let begun = Instant::now();
            let Some(batch) = loader.next_batch() else {
                bail!(
                    "the threads that prepare pictures have ended; this is a bug in shuffledet-train"
                );
            };
            for (file, reason) in &batch.unreadable {
                say(&format!("{file}: left out: {reason}"));
            }
            let row = self.step(&batch)?;
            self.pace.add(begun.elapsed());
            if said.elapsed() >= PROGRESS_EVERY || self.state.step == 1 {
                say(&self.line(&row));
                said = Instant::now();
            }
            if self.state.step.is_multiple_of(LOG_EVERY) {
                self.log.add(&row)?;
                self.state.history.rows.push(row);
            }
            if self.state.step == SLOW_STEPS {
                self.pace.forget();
            }
            if self.state.plan.steps.is_none() && self.state.step == TRIAL_STEPS {
                self.fit_plan();
            }
            if self.state.plan.evaluates_after(self.state.step) {
                self.evaluate(say)?;
                self.fit_plan();
                self.save()?;
                saved = Instant::now();
            } else if saved.elapsed() >= CHECKPOINT_EVERY {
                self.save()?;
                saved = Instant::now();
            }
        }
        Ok(())
    }

    fn step(&mut self, batch: &Batch) -> anyhow::Result<Row> {
        let images = images(batch, self.device);
        let output = match self.settings.batch_norms {
            true => self.network.forward(&images, true),
            false => self.network.forward_with_fixed_norms(&images),
        };
        let description = &self.network.description;
        let loss = losses::detection(
            description.head,
            &output,
            &batch.targets,
            batch.size,
            description.input.resolution(),
        );
        let total = loss.total.double_value(&[]);
        if !total.is_finite() {
            bail!(
                "step {}: the loss is {total}; expected a finite number: start again with a lower --learning-rate",
                self.state.step
            );
        }
        self.optimiser.zero_gradients();
        loss.total.backward();
        let factor = self.state.plan.rate(self.state.step);
        let rates = Rates {
            head: self.settings.learning_rate * factor,
            backbone: self.settings.backbone_learning_rate * factor,
        };
        let norm = self.optimiser.step(rates, self.settings.clip);
        if !norm.is_finite() {
            bail!(
                "step {}: the gradients are not finite; start again with a lower --learning-rate",
                self.state.step
            );
        }
        self.state.step += 1;
        self.average.follow(&self.network, self.state.step);
        let parts = loss.parts.iter();
        Ok(Row {
            step: self.state.step,
            epoch: self.state.step as f64 * self.settings.batch_size as f64
                / self.data.train.len() as f64,
            learning_rate: rates.head,
            loss: total,
            parts: parts
                .map(|(name, part)| ((*name).to_owned(), part.double_value(&[])))
                .collect(),
            gradient: norm,
            pictures_per_s: self.pace.per_second(self.settings.batch_size),
        })
    }

    fn evaluate(&mut self, say: &dyn Fn(&str)) -> anyhow::Result<()> {
        let begun = Instant::now();
        let measured = self.data.val.measure(&self.average.network)?;
        self.state.evaluation = begun.elapsed().as_secs_f64();
        let summary = measured.summary();
        let better = summary.ap > self.state.best;
        say(&format!(
            "step {}: AP {:.4} (start {:.4}), AP50 {:.4}{}",
            self.state.step,
            summary.ap,
            self.state.start.ap,
            summary.ap50,
            if better { ", the best so far" } else { "" }
        ));
        if better {
            self.state.best = summary.ap;
            self.state.best_step = self.state.step;
            self.state.since_best = 0;
            save(&self.average.network, &self.files.best())?;
        } else if self.state.plan.is_late(self.state.step) {
            self.state.since_best += 1;
        }
        self.log.evaluated(self.state.step, &summary)?;
        self.state.history.evaluated(self.state.step, summary);
        Ok(())
    }

    /// Whether the plan's steps are done, or the AP has not risen for too long.
    fn is_over(&self) -> bool {
        self.state.plan.ends_after(self.state.step)
            || self.state.since_best >= self.settings.patience
    }

    /// Plans the steps that fit into the time that is left, for a run of a given time.
    fn fit_plan(&mut self) {
        let Length::Minutes(minutes) = self.settings.length else {
            return;
        };
        if self.state.plan.ends_after(self.state.step) {
            return;
        }
        let left = Duration::from_secs_f64((60.0 * minutes - self.pace.elapsed()).max(0.0));
        let pictures = |evaluator: &Evaluator| evaluator.pictures();
        let keep = self.data.keep.as_ref().map_or(0, pictures);
        // at the end: the trained and the blended weights, and all three on the general set
        let last = 2 + (3 * keep).div_ceil(pictures(&self.data.val).max(1)) as u32;
        let evaluation = Duration::from_secs_f64(self.state.evaluation);
        self.state
            .plan
            .fit(self.state.step, left, self.pace.step(), evaluation, last);
    }

    fn line(&self, row: &Row) -> String {
        let parts: Vec<String> = row
            .parts
            .iter()
            .map(|(name, value)| format!("{name} {value:.3}"))
            .collect();
        let (of, left) = match self.state.plan.steps {
            Some(steps) => {
                let left = steps.saturating_sub(row.step) as f64 * self.pace.step().as_secs_f64();
                (format!("/{steps}"), format!(", {} left", in_words(left)))
            }
            None => (String::new(), String::new()),
        };
        format!(
            "step {}{of}, epoch {:.2}: loss {:.3} ({}), {:.1} pictures/s{left}",
            row.step,
            row.epoch,
            row.loss,
            parts.join(", "),
            row.pictures_per_s
        )
    }
}
