//! Notices that a model's file changes while a command runs.

use std::time::{Duration, Instant};

use shuffledet_detector::LoadedModel;
use shuffledet_detector::model::FileChanged;

/// Looks at the files of the models of a run, once a second at most.
pub struct ModelWatch<'a> {
    models: Vec<&'a LoadedModel>,
    latest: Instant,
    /// What was found; a file that changes back does not make results whole.
    found: Option<String>,
}

impl<'a> ModelWatch<'a> {
    pub fn new(models: impl IntoIterator<Item = &'a LoadedModel>) -> Self {
        Self {
            models: models.into_iter().collect(),
            latest: Instant::now(),
            found: None,
        }
    }

    /// Looks at the files if a second has passed since the last look.
    ///
    /// # Errors
    /// A file has changed.
    pub fn look(&mut self) -> anyhow::Result<()> {
        const PERIOD: Duration = Duration::from_secs(1);
        if self.latest.elapsed() < PERIOD {
            return Ok(());
        }
        self.latest = Instant::now();
        self.finish()
    }

    /// Looks at the files at the end of the run, before results are kept.
    ///
    /// # Errors
    /// A file has changed since the run began.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        if self.found.is_none() {
            let changed = self
                .models
                .iter()
                .find_map(|model| model.check_files().err());
            self.found = changed.as_ref().map(FileChanged::to_string);
        }
        match &self.found {
            Some(found) => Err(anyhow::anyhow!("{found}; no results were kept")),
            None => Ok(()),
        }
    }
}
