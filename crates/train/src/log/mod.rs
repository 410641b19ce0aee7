//! What a run leaves for people: a table, a page and TensorBoard's events.

mod csv;
mod mistakes;
pub mod page;
mod tensorboard;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::measure::Summary;
use crate::run_files::RunFiles;
use tensorboard::Events;

/// A step in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Steps done.
    pub step: u64,
    pub epoch: f64,
    pub learning_rate: f64,
    pub loss: f64,
    /// Parts of the loss by name.
    pub parts: Vec<(String, f64)>,
    /// The norm of the gradients before it was limited.
    pub gradient: f64,
    pub pictures_per_s: f64,
}

/// All rows and evaluations of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    pub rows: Vec<Row>,
    /// Steps done, and what the averaged weights reached. The first is the start.
    pub evaluations: Vec<(u64, Summary)>,
}

impl History {
    pub fn new(start: &Summary) -> Self {
        Self {
            rows: Vec::new(),
            evaluations: vec![(0, start.clone())],
        }
    }

    pub fn evaluated(&mut self, step: u64, summary: Summary) {
        self.evaluations.push((step, summary));
    }
}

/// The open log of a run.
pub struct RunLog {
    files: RunFiles,
    events: Events,
}

impl RunLog {
    /// Opens a new file of events, for the steps after `step`.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn open(files: &RunFiles, step: u64) -> anyhow::Result<Self> {
        Ok(Self {
            files: files.clone(),
            events: Events::create(&files.folder, SystemTime::now(), step)?,
        })
    }

    /// Adds a row to the events.
    pub fn add(&mut self, row: &Row) -> anyhow::Result<()> {
        let parts = row
            .parts
            .iter()
            .map(|(name, value)| (format!("loss/{name}"), *value));
        let mut values: Vec<(String, f64)> = parts.collect();
        values.push(("loss/total".to_owned(), row.loss));
        values.push(("learning_rate".to_owned(), row.learning_rate));
        values.push(("pictures_per_s".to_owned(), row.pictures_per_s));
        values.push(("gradient".to_owned(), row.gradient));
        Ok(self.events.add(SystemTime::now(), row.step, &values)?)
    }

    /// Adds an evaluation to the events.
    pub fn evaluated(&mut self, step: u64, summary: &Summary) -> anyhow::Result<()> {
        let mut values = vec![
            ("AP/all".to_owned(), summary.ap),
            ("AP50/all".to_owned(), summary.ap50),
        ];
        for (class, ap, _) in &summary.classes {
            values.extend(ap.map(|ap| (format!("AP/{class}"), ap)));
        }
        Ok(self.events.add(SystemTime::now(), step, &values)?)
    }

    /// Writes the whole table again.
    pub fn write(&self, history: &History) -> anyhow::Result<()> {
        csv::write(&self.files.log(), history)
    }
}
