//! A run: steps, evaluations and checkpoints, from the start or from where a run was cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use shuffledet_core::whole_file;
use shuffledet_image::ImageDecoder;
use tch::{Device, Tensor};

use super::Settings;
use super::average::{Average, mix};
use super::blend::blend;
use super::checkpoint::{self, Tensors};
use super::optimiser::{AdamW, Rates};
use super::plan::{Length, Plan, SLOW_STEPS, TRIAL_STEPS};
use super::progress::{Pace, in_words};
use crate::augment::loader::Source;
use crate::augment::{Batch, Loader, Renderer};
use crate::data::Sample;
use crate::log::{History, Row, RunLog};
use crate::losses;
use crate::measure::{Compared, Evaluator, Figures, Measured, Summary};
use crate::net::Network;
use crate::run_files::RunFiles;
use crate::weights::save;

/// Batches on which the norms of a start are measured.
const NORM_BATCHES: u64 = 8;
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

/// Where a run is. Stored in its checkpoints.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    step: u64,
    plan: Plan,
    /// Seconds so far.
    seconds: f64,
    /// Seconds of one evaluation.
    evaluation: f64,
    start: Summary,
    best: f64,
    best_step: u64,
    /// Evaluations since the best.
    since_best: u32,
    history: History,
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
            measure_norms(&network, &source(settings, data));
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

    fn resume(
        settings: &'a Settings,
        files: &'a RunFiles,
        data: &'a TrainingData,
        mut network: Network,
    ) -> anyhow::Result<Self> {
        let tensors =
            Tensors::read(&files.last()).context("nothing to resume; start without --resume")?;
        let state: State = tensors.value("state")?;
        tensors.copy_into(&network, "network/")?;
        if settings.frozen_backbone {
            network.freeze_backbone();
        }
        let pace = Pace::start(state.seconds);
        let mut run = Self::new(settings, files, data, network, state, pace)?;
        tensors.copy_into(&run.average.network, "average/")?;
        run.optimiser.steps = run.state.step;
        run.optimiser
            .set_moments(|name| tensors.get(name))
            .map_err(|name| {
                tensors.wrong(
                    &name,
                    "a moment of this network".to_owned(),
                    "none".to_owned(),
                )
            })?;
        Ok(run)
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
        let source = Arc::new(source(self.settings, self.data));
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
        } else {
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

    fn save(&mut self) -> anyhow::Result<()> {
        self.state.seconds = self.pace.elapsed();
        let mut tensors = checkpoint::tensors(&self.network, "network/");
        tensors.extend(checkpoint::tensors(&self.average.network, "average/"));
        tensors.extend(self.optimiser.moments());
        tensors.push(checkpoint::json("state", &self.state));
        checkpoint::write(&self.files.last(), &tensors)?;
        self.log.write(&self.state.history)?;
        Ok(())
    }

    /// Measures and keeps the result.
    fn finish(mut self, say: &dyn Fn(&str)) -> anyhow::Result<Figures> {
        let start = checkpoint::read_network(&self.files.start(), self.device)?;
        // a start that no evaluation surpassed is compared with the last weights all the same
        let trained = match self.state.best_step {
            0 => std::mem::replace(
                &mut self.average.network,
                Network::new(&start.description, self.device)?,
            ),
            _ => checkpoint::read_network(&self.files.best(), self.device)?,
        };
        let share = self.settings.blend;
        let blended = blend(&start, &trained, share, self.device)?;
        save(&blended, &self.files.result())?;
        let trained_summary = self.data.val.measure(&trained)?.summary();
        let measured = self.data.val.measure(&blended)?;
        let val = Compared {
            pictures: self.data.val.pictures(),
            start: self.state.start.clone(),
            trained: trained_summary,
            blended: measured.summary(),
        };
        let keep = match &self.data.keep {
            None => None,
            Some(keep) => Some(Compared {
                pictures: keep.pictures(),
                start: keep.measure(&start)?.summary(),
                trained: keep.measure(&trained)?.summary(),
                blended: keep.measure(&blended)?.summary(),
            }),
        };
        let figures = Figures {
            val,
            keep,
            blend: share,
            best_step: match self.state.best_step {
                0 => self.state.step,
                step => step,
            },
            steps: self.state.step,
        };
        whole_file::write(&self.files.figures(), serde_json::to_vec_pretty(&figures)?)
            .with_context(|| self.files.figures().display().to_string())?;
        self.log.write(&self.state.history)?;
        self.page(&figures, &measured)?;
        say(&figures.to_string());
        Ok(figures)
    }

    fn page(&self, figures: &Figures, measured: &Measured) -> anyhow::Result<()> {
        let page =
            crate::log::page::render(&self.state.history, figures, measured, &self.data.val)?;
        whole_file::write(&self.files.page(), page)
            .with_context(|| self.files.page().display().to_string())
    }
}

/// Measures the norms of weights that a file has folded, on the first batches.
pub(super) fn measure_norms(network: &Network, source: &Source) {
    let mut decoder = ImageDecoder::new();
    for step in 0..NORM_BATCHES {
        let images = images(&source.batch(step, &mut decoder), network.vs.device());
        network.measure_norms(&images, 1.0 / (step + 1) as f64);
    }
}

fn source(settings: &Settings, data: &TrainingData) -> Source {
    Source {
        samples: data.train.clone(),
        renderer: Renderer {
            spec: settings.description.input.clone(),
        },
        augmentation: settings.augmentation.clone(),
        batch_size: settings.batch_size,
        seed: settings.seed,
    }
}

/// Returns the pictures of a batch, N x 3 x height x width.
pub(super) fn images(batch: &Batch, device: Device) -> Tensor {
    let (width, height) = batch.size.sides();
    let shape = [
        batch.targets.len() as i64,
        3,
        i64::from(height),
        i64::from(width),
    ];
    Tensor::from_slice(&batch.images)
        .view(shape)
        .to_device(device)
}

impl Figures {
    /// Whether the start has a better AP than the result on the held-out pictures or, by more than rounding, on the
    /// general set.
    pub fn start_is_better(&self) -> bool {
        let keep = self.keep.as_ref();
        self.val.start.ap > self.val.blended.ap
            || keep.is_some_and(|keep| keep.start.ap > keep.blended.ap + 0.005)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = |name: &str, of: &Compared| {
            format!(
                "{name} ({} pictures)  start {:.4}  trained {:.4}  blended {:.4}",
                of.pictures, of.start.ap, of.trained.ap, of.blended.ap
            )
        };
        writeln!(f, "AP")?;
        writeln!(f, "  {}", row("held out", &self.val))?;
        if let Some(keep) = &self.keep {
            writeln!(f, "  {}", row("general ", keep))?;
        }
        writeln!(f, "AP by class, held out: objects, start, trained, blended")?;
        let classes = self
            .val
            .start
            .classes
            .iter()
            .zip(&self.val.trained.classes)
            .zip(&self.val.blended.classes);
        for (((name, start, objects), (_, trained, _)), (_, blended, _)) in classes {
            let [a, b, c] = [start, trained, blended]
                .map(|ap| ap.map_or("-".to_owned(), |ap| format!("{ap:.4}")));
            writeln!(f, "  {name:16} {objects:5}  {a:>7} {b:>7} {c:>7}")?;
        }
        match self.start_is_better() {
            true => write!(
                f,
                "The start is better than the result: use the start, or train with more pictures, longer or with a lower learning rate."
            ),
            false => write!(
                f,
                "The result is {} trained and {} start.",
                self.blend,
                1.0 - self.blend
            ),
        }
    }
}
