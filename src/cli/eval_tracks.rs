//! `shuffledet eval-tracks`: scores tracks against the truth.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};

use super::{Status, output_paths};
use crate::cli::terminal::{self, shows_colour};
use shuffledet_core::bounded_file::{self, DATA_LIMIT};
use shuffledet_core::sha256::sha256;
use shuffledet_core::whole_file;
use shuffledet_eval::ClassMap;
use shuffledet_eval::budget::{Budget, TrackMetric, Verdict};
use shuffledet_eval::tracks::read::{
    FrameList, Reading, SequenceFiles, TrackFormat, read_tracks, read_truth, tracks_file,
    truth_files,
};
use shuffledet_eval::tracks::{ClassNames, Protocol, SequencePair, TrackDataset, TrackEvaluation};
use shuffledet_report::evaluation_table::VerdictLines;
use shuffledet_report::tracks::{TracksReport, render};
use shuffledet_report::tracks_table::TracksTable;

#[derive(Debug, Args)]
#[command(after_help = "\
The figures equal those of TrackEval: HOTA, DetA, AssA, LocA, MOTA, MOTP, IDF1, switches, fragments.
Compare two outputs with `shuffledet compare A.json B.json`.
Exit code: 0 on success, 3 if a condition of the budget is not met, 1 on an error.")]
pub struct EvalTracksArgs {
    /// Truth: a file of one sequence, or a folder with NAME/gt/gt.txt, label_02/NAME.txt or NAME.txt
    #[arg(long, value_name = "FILE|DIR", help_heading = "Data")]
    truth: PathBuf,

    /// Tracks: a file of one sequence, or a folder with NAME.txt (MOT or KITTI) or NAME.json (`shuffledet track`)
    #[arg(long, value_name = "FILE|DIR", help_heading = "Data")]
    tracks: PathBuf,

    /// Format of the truth [default: detected from the files]
    #[arg(long, value_name = "FORMAT", help_heading = "Data")]
    format: Option<Format>,

    /// Rules for the boxes that count: plain, mot15, mot17 (also for MOT16), mot20 or kitti [default: kitti for KITTI's
    /// format, plain for the MOT format]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    protocol: Option<Protocol>,

    /// YAML file that maps classes of the tracks (`model`) and of the truth (`truth`) to the classes to be scored
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    class_map: Option<PathBuf>,

    /// JSON array of {"topic", "stamp_ns"} with all frames; numbers the frames of JSON tracks [default: by image_id]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    frames: Option<PathBuf>,

    /// Topic of the camera, if JSON tracks have several
    #[arg(long, value_name = "TOPIC", help_heading = "Data")]
    topic: Option<String>,

    /// Write the complete evaluation, which `compare` reads
    #[arg(long, value_name = "OUT.json", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Write a report: one HTML file with every figure
    #[arg(long, value_name = "OUT.html", help_heading = "Output")]
    report: Option<PathBuf>,

    /// YAML file with a list of conditions, such as `- hota >= 0.6`; exit code 3 if one is not met
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    budget: Option<PathBuf>,

    /// Overwrite existing outputs
    #[arg(long, help_heading = "Output")]
    force: bool,

    /// Print only the JSON object that --output writes on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Print only warnings, errors and budget conditions that are not met
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
}

/// As on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Mot,
    Kitti,
}

pub fn run(args: &EvalTracksArgs) -> anyhow::Result<Status> {
    let outputs = [("--output", &args.output), ("--report", &args.report)];
    let outputs = outputs
        .into_iter()
        .filter_map(|(option, path)| Some((option, path.as_deref()?)));
    let inputs = [
        Some(&args.truth),
        Some(&args.tracks),
        args.budget.as_ref(),
        args.class_map.as_ref(),
        args.frames.as_ref(),
    ];
    output_paths::check_files(
        outputs,
        inputs.into_iter().flatten().map(PathBuf::as_path),
        args.force,
    )?;
    let budget = args
        .budget
        .as_deref()
        .map(Budget::<TrackMetric>::read)
        .transpose()?;

    let evaluation = evaluate(args)?;
    if let (Some(budget), Some(path)) = (&budget, &args.budget) {
        let classes: Vec<_> = evaluation
            .per_class
            .iter()
            .map(|class| class.name.as_str())
            .collect();
        budget.check_class_names(path, &classes)?;
    }
    let verdicts = budget
        .map(|budget| budget.judge(&evaluation))
        .unwrap_or_default();
    if let Some(path) = &args.output {
        evaluation.write(path)?;
    }
    if let Some(path) = &args.report {
        let page = render(&TracksReport {
            evaluation: &evaluation,
            verdicts: &verdicts,
            generated_at: SystemTime::now(),
        })?;
        whole_file::write(path, page).with_context(|| format!("--report {}", path.display()))?;
    }
    print(args, &evaluation, &verdicts)?;
    Ok(if verdicts.iter().any(|verdict| !verdict.passed) {
        Status::OverBudget
    } else {
        Status::Success
    })
}

fn evaluate(args: &EvalTracksArgs) -> anyhow::Result<TrackEvaluation> {
    let sequences = truth_files(&args.truth)?;
    let format = match args.format {
        Some(Format::Mot) => TrackFormat::Mot,
        Some(Format::Kitti) => TrackFormat::Kitti,
        None => recognised(&sequences)?,
    };
    let protocol = args.protocol.unwrap_or(match format {
        TrackFormat::Mot => Protocol::Plain,
        TrackFormat::Kitti => Protocol::Kitti,
    });
    let class_map = args
        .class_map
        .as_deref()
        .map(ClassMap::read_for_any_model)
        .transpose()?;
    let class_map = class_map.unwrap_or_default();
    let frames = args.frames.as_deref().map(FrameList::read).transpose()?;
    let reading = Reading {
        protocol,
        class_map: &class_map,
        frames: frames.as_ref(),
        topic: args.topic.as_deref(),
    };
    let mut names = ClassNames::default();
    let mut pairs = Vec::with_capacity(sequences.len());
    let mut hashes = String::new();
    for files in &sequences {
        let bytes = bounded_file::read(&files.truth, DATA_LIMIT)
            .with_context(|| files.truth.display().to_string())?;
        hashes += &sha256(&bytes);
        let tracks = tracks_file(&args.tracks, &files.name, sequences.len())?;
        pairs.push(SequencePair {
            truth: read_truth(files, format, &reading, &mut names)?,
            tracks: read_tracks(&tracks, files, &reading, &mut names)?,
        });
    }
    let dataset = TrackDataset {
        truth: args.truth.display().to_string(),
        format: format.name().to_owned(),
        sha256: sha256(hashes.as_bytes()),
        tracks: args.tracks.display().to_string(),
        protocol,
    };
    Ok(TrackEvaluation::new(dataset, names, pairs)?)
}

/// The format of the first sequence that has a line.
fn recognised(sequences: &[SequenceFiles]) -> anyhow::Result<TrackFormat> {
    for SequenceFiles { truth, .. } in sequences {
        let bytes = bounded_file::read(truth, DATA_LIMIT);
        let bytes = bytes.with_context(|| truth.display().to_string())?;
        if !bytes.trim_ascii().is_empty() {
            return Ok(TrackFormat::guess(truth)?);
        }
    }
    bail!("--truth: every file is empty; expected a box in at least one")
}

fn print(
    args: &EvalTracksArgs,
    evaluation: &TrackEvaluation,
    verdicts: &[Verdict],
) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(evaluation)?)?;
    } else if !args.quiet {
        let colour = shows_colour(&io::stdout());
        write!(out, "{}", TracksTable { evaluation, colour })?;
        let written: Vec<_> = [&args.output, &args.report].into_iter().flatten().collect();
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
    evaluation
        .notes
        .iter()
        .for_each(|note| tracing::warn!("{note}"));
    let failed: Vec<Verdict> = verdicts
        .iter()
        .filter(|verdict| !verdict.passed)
        .cloned()
        .collect();
    if !failed.is_empty() {
        let mut err = io::stderr().lock();
        let colour = shows_colour(&err);
        write!(
            err,
            "{}",
            VerdictLines {
                verdicts: &failed,
                colour
            }
        )?;
    }
    Ok(())
}
