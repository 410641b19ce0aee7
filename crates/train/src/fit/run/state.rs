//! The state of a run, which a checkpoint keeps.

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{Run, TrainingData};
use crate::fit::Settings;
use crate::fit::checkpoint::{self, Tensors};
use crate::fit::plan::Plan;
use crate::fit::progress::Pace;
use crate::log::History;
use crate::measure::Summary;
use crate::net::Network;
use crate::run_files::RunFiles;

/// Where a run is. Stored in its checkpoints.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub step: u64,
    pub plan: Plan,
    /// Seconds so far.
    pub seconds: f64,
    /// Seconds of one evaluation.
    pub evaluation: f64,
    pub start: Summary,
    pub best: f64,
    pub best_step: u64,
    /// Evaluations since the best.
    pub since_best: u32,
    pub history: History,
}

impl<'a> Run<'a> {
    /// Continues the run in `files`. `network` gets the weights of its checkpoint.
    pub fn resume(
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

    /// Writes a checkpoint, and the log so far.
    pub fn save(&mut self) -> anyhow::Result<()> {
        self.state.seconds = self.pace.elapsed();
        let mut tensors = checkpoint::tensors(&self.network, "network/");
        tensors.extend(checkpoint::tensors(&self.average.network, "average/"));
        tensors.extend(self.optimiser.moments());
        tensors.push(checkpoint::json("state", &self.state));
        checkpoint::write(&self.files.last(), &tensors)?;
        self.log.write(&self.state.history)?;
        Ok(())
    }
}
