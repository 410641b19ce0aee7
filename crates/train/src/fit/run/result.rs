//! The end of a run: its result, and what it reached.

use anyhow::Context;
use shuffledet_core::whole_file;

use super::Run;
use crate::fit::blend::blend;
use crate::fit::checkpoint;
use crate::log::page;
use crate::measure::{Compared, Figures, Measured};
use crate::net::Network;
use crate::weights::save;

impl Run<'_> {
    /// Measures and keeps the result.
    pub fn finish(mut self, say: &dyn Fn(&str)) -> anyhow::Result<Figures> {
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
        let page = page::render(&self.state.history, figures, measured, &self.data.val)?;
        whole_file::write(&self.files.page(), page)
            .with_context(|| self.files.page().display().to_string())
    }
}
