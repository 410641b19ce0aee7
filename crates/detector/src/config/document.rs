//! The table of `docs/parameters.md`, from the schema: what a parameter is called, takes and means is written once.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::schema::{Definition, Kind, Range, definitions};

const INTRODUCTION: &str = "\
# Parameters

Made from `config/shuffledet.schema.json` by `SHUFFLEDET_UPDATE=1 cargo test --lib the_shipped_table`; do not edit.

A parameter comes from the defaults below, then the file of `--config` (a ROS 2 parameter file for the node
`shuffledet`, as `config/shuffledet.yaml`), then `--model` (which is `model.name`), then each `--set KEY=VALUE`; the
last one wins. In a file `detector.classes: [car]` and `detector: {classes: [car]}` are the same. Each source is checked
by itself: an unknown name or a value out of range is refused before anything is opened. A `--set` value is read as
YAML: `--set 'detector.classes=[car, bus]'`.

The node takes its parameters from ROS (`--params-file`, `-p`) and shows them to ROS, where those marked \"set\" can be
set while it runs (`ros2 param set /shuffledet detector.score_threshold 0.4`); they apply from the next frame on. Those
marked \"fixed\" are what it was started with. NAME stands for each camera that `cameras` names, CLASS for the name of a
class of the model, TOPIC for the full name of a topic.

| name | type | default | range | while running | meaning |
| --- | --- | --- | --- | --- | --- |
";

/// The whole file.
fn parameters_markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    let placeholder = |mapping: &str| match mapping {
        "camera" => vec!["NAME".to_owned()],
        "qos_overrides" => vec!["TOPIC".to_owned()],
        _ => vec!["CLASS".to_owned()],
    };
    for parameter in definitions(placeholder) {
        let (name, kind) = (&parameter.name, kind(parameter.kind));
        let default = match &parameter.default {
            None => "unset".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let range = range(&parameter);
        let settable = if parameter.read_only { "fixed" } else { "set" };
        let meaning = &parameter.description;
        // writing to a String cannot fail
        let _ = writeln!(
            text,
            "| `{name}` | {kind} | {default} | {range} | {settable} | {meaning} |"
        );
    }
    text
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "boolean",
        Kind::Integer => "integer",
        Kind::Double => "number",
        Kind::String => "string",
        Kind::StringArray => "list of string",
    }
}

fn range(parameter: &Definition) -> String {
    match parameter.range {
        None => parameter.constraints(),
        Some(Range::Integer { from, to: i64::MAX }) => format!("{from} or more"),
        Some(Range::Integer { from, to }) => format!("{from} to {to}"),
        Some(Range::Double { from, to }) => format!("{from} to {to}"),
    }
}

#[test]
fn the_shipped_table_is_that_of_the_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parameters.md");
    if std::env::var_os("SHUFFLEDET_UPDATE").is_some() {
        fs::write(&path, parameters_markdown()).unwrap();
    }
    let shipped = fs::read_to_string(path).unwrap_or_default();
    assert!(
        shipped == parameters_markdown(),
        "docs/parameters.md is stale: SHUFFLEDET_UPDATE=1 cargo test --lib the_shipped_table"
    );
}
