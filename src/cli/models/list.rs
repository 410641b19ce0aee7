//! `shuffledet models list`: the models and samples of the manifest.

use std::io::Write;
use std::path::Path;

use crate::cli::Status;
use crate::cli::terminal;
use shuffledet_core::locations;
use shuffledet_detector::model::manifest::ModelEntry;
use shuffledet_detector::model::manifest_file::ManifestFile;
use shuffledet_detector::model::{self, Manifest};

pub fn run(manifest: &Manifest) -> anyhow::Result<Status> {
    let folder = locations::model_folder();
    let first = model::resolve(manifest, model::AUTO);
    let mut out = terminal::stdout();
    writeln!(
        out,
        "{:<18}  {:<12}  {:>7}  {:>10}  {:>13}  {:>7}  {:>7}  {:>7}  {:<12}  state",
        "model",
        "family",
        "input",
        "parameters",
        "multiply-adds",
        "COCO AP",
        "road AP",
        "size",
        "licence"
    )?;
    for model in &manifest.models {
        let used = if first == model.name {
            ", used by default"
        } else {
            ""
        };
        writeln!(out, "{}{used}", row(model, &folder))?;
    }
    writeln!(out)?;
    for sample in &manifest.samples {
        let ManifestFile { licence, .. } = &sample.file;
        let (size, state) = (size(&sample.file), state(&sample.file, &folder));
        writeln!(
            out,
            "{:<18}  {size:>7}  {licence:<12}  {state}",
            sample.name
        )?;
    }
    writeln!(
        out,
        "\nCOCO AP: on 64 images of train2017, at the input size shown; road AP: over the classes of `road`"
    )?;
    writeln!(out, "folder: {}", folder.display())?;
    Ok(Status::Success)
}

fn row(model: &ModelEntry, folder: &Path) -> String {
    let ModelEntry {
        name,
        file,
        figures,
        input,
        ..
    } = model;
    format!(
        "{name:<18}  {:<12}  {:>7}  {:>10}  {:>13}  {:>7}  {:>7}  {:>7}  {:<12}  {}",
        model.family.name(),
        format!("{}x{}", input.width, input.height),
        format!("{:.2} M", figures.parameters as f64 / 1e6),
        format!("{:.0} M", figures.multiply_adds as f64 / 1e6),
        fraction(figures.coco_ap),
        fraction(figures.road_ap),
        size(file),
        file.licence,
        state(file, folder),
    )
}

fn fraction(ap: Option<f64>) -> String {
    ap.map_or_else(|| "–".to_owned(), |ap| format!("{ap:.3}"))
}

fn size(file: &ManifestFile) -> String {
    format!("{:.1} MB", file.size_bytes as f64 / 1e6)
}

pub(super) fn state(file: &ManifestFile, folder: &Path) -> &'static str {
    if file.built_in().is_some() {
        "built in"
    } else if folder.join(&file.name).is_file() {
        "fetched"
    } else {
        "not fetched"
    }
}
