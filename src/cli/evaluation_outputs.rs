//! The outputs of `eval` and `merge`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;

use super::{Status, output_paths};
use crate::cli::terminal::{self, shows_colour};
use shuffledet_core::whole_file;
use shuffledet_eval::budget::Verdict;
use shuffledet_eval::{Budget, Evaluation};
use shuffledet_harness::images::Images;
use shuffledet_harness::pictures::draw;
use shuffledet_report::evaluation::{EvaluationReport, render};
use shuffledet_report::evaluation_table::{EvaluationTable, VerdictLines};
use shuffledet_report::mistakes::pictures;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct EvaluationOutputArgs {
    /// Write the complete evaluation: figures, and the objects and detections of each image
    #[arg(long, value_name = "OUT.json")]
    pub output: Option<PathBuf>,

    /// Write a report: one HTML file with figures, curves and pictures of the worst errors
    #[arg(long, value_name = "OUT.html")]
    report: Option<PathBuf>,

    /// YAML file with a list of conditions, such as `- map50 >= 0.31`; exit code 3 if one is not
    /// met
    #[arg(long, value_name = "FILE")]
    budget: Option<PathBuf>,

    /// Overwrite existing outputs
    #[arg(long)]
    pub force: bool,

    /// Print only the JSON object that --output writes on standard output
    #[arg(long)]
    json: bool,

    /// Print only warnings, errors and budget conditions that are not met
    #[arg(long, short)]
    pub quiet: bool,
}

impl EvaluationOutputArgs {
    /// Fails if an output exists without `--force`, or would overwrite one of `inputs` or another
    /// output. `more` is an output that not every command has.
    pub fn check<'a>(
        &'a self,
        inputs: impl Iterator<Item = &'a Path>,
        more: Option<(&'static str, &'a Path)>,
    ) -> anyhow::Result<()> {
        let own = [("--output", &self.output), ("--report", &self.report)];
        let own = own
            .into_iter()
            .filter_map(|(option, path)| Some((option, path.as_deref()?)));
        let inputs = inputs.chain(self.budget.as_deref());
        output_paths::check_files(own.chain(more), inputs, self.force)
    }

    /// Reads the budget and returns it with its path.
    pub fn budget(&self) -> anyhow::Result<Option<(Budget, &Path)>> {
        let path = self.budget.as_deref();
        path.map(|path| Ok((Budget::read(path)?, path))).transpose()
    }

    /// Writes and prints an evaluation of `images` with the verdicts of the budget. `written` lists
    /// files that are already written.
    pub fn finish(
        &self,
        evaluation: &Evaluation,
        images: Option<&Images>,
        budget: Option<&Budget>,
        mut written: Vec<PathBuf>,
    ) -> anyhow::Result<Status> {
        let verdicts = budget
            .map(|budget| budget.judge(evaluation))
            .unwrap_or_default();
        if let Some(path) = &self.output {
            evaluation.write(path)?;
            written.insert(0, path.clone());
        }
        if let Some(path) = &self.report {
            self.write_report(path, evaluation, images, &verdicts)
                .with_context(|| format!("--report {}", path.display()))?;
            written.push(path.clone());
        }
        self.print(evaluation, &verdicts, &written)?;
        Ok(if verdicts.iter().any(|verdict| !verdict.passed) {
            Status::OverBudget
        } else if evaluation.any_failed() {
            Status::SomeFailed
        } else {
            Status::Success
        })
    }

    fn write_report(
        &self,
        path: &Path,
        evaluation: &Evaluation,
        images: Option<&Images>,
        verdicts: &[Verdict],
    ) -> anyhow::Result<()> {
        let page = render(&EvaluationReport {
            evaluation,
            verdicts,
            mistakes: &pictures(evaluation, |wanted| draw(wanted, images))?,
            generated_at: SystemTime::now(),
        })?;
        Ok(whole_file::write(path, page)?)
    }

    fn print(
        &self,
        evaluation: &Evaluation,
        verdicts: &[Verdict],
        written: &[PathBuf],
    ) -> anyhow::Result<()> {
        if self.json {
            let mut out = BufWriter::new(terminal::stdout());
            evaluation.write_lines(&mut out)?;
            out.flush()?;
        } else if !self.quiet {
            let mut out = terminal::stdout();
            let colour = shows_colour(&io::stdout());
            write!(out, "{}", EvaluationTable { evaluation, colour })?;
            if !written.is_empty() {
                writeln!(out, "\nwritten")?;
            }
            for path in written {
                writeln!(out, "  {}", path.display())?;
            }
            if !verdicts.is_empty() {
                write!(out, "\n{}", VerdictLines { verdicts, colour })?;
            }
            return Ok(());
        }
        // the warnings that the table would contain
        for (problem, occurrences) in evaluation.problems.iter().filter(|(p, _)| !p.is_ordinary()) {
            let first = occurrences.first.join("; ");
            tracing::warn!("{}: {first}", problem.counted(occurrences.count));
        }
        let verdicts: Vec<Verdict> = verdicts.iter().filter(|v| !v.passed).cloned().collect();
        if !verdicts.is_empty() {
            let verdicts = &verdicts;
            let mut err = io::stderr().lock();
            let colour = shows_colour(&err);
            write!(err, "{}", VerdictLines { verdicts, colour })?;
        }
        Ok(())
    }
}
