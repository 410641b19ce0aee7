//! Generates the table of `docs/parameters.md` from the JSON schema.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::schema::{Kind, definitions};

const INTRODUCTION: &str = "\
# Parameters

Generated from `config/shuffledet.schema.json` by
`SHUFFLEDET_UPDATE=1 cargo test -p shuffledet-detector the_shipped_table`. Do not edit.

shuffledet takes parameters from these sources; a later source overrides an earlier one: the defaults below, the file
of `--config`, `--model` (which sets `model.name`), and each `--set KEY=VALUE`. The file is a ROS 2 parameter file for
the node `shuffledet`; `config/shuffledet.yaml` is an example. In a file, `detector.classes: [car]` and
`detector: {classes: [car]}` mean the same. shuffledet checks each source before it opens anything else, and refuses
unknown names and values out of range. It reads the value of `--set` as YAML: `--set 'detector.classes=[car, bus]'`.

The node takes its parameters from ROS (`--params-file`, `-p`) and declares them in ROS. Those marked \"set\" can change
while the node runs (`ros2 param set /shuffledet detector.score_threshold 0.4`); a change applies from the next frame,
under `model` and `runtime` as soon as the other model has been tested ([node.md](node.md#changing-the-model)). Those
marked \"fixed\" keep the value from startup. NAME stands for each camera in `cameras`, CLASS for the name of a class of
the model, and TOPIC for the full name of a topic.

| name | type | default | range | while running | meaning |
| --- | --- | --- | --- | --- | --- |
";

/// Returns the whole file.
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
        let range = parameter.limits();
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
        Kind::DoubleArray => "list of number",
        Kind::StringArray => "list of string",
    }
}

#[test]
fn the_shipped_table_is_that_of_the_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join("docs/parameters.md");
    if std::env::var_os("SHUFFLEDET_UPDATE").is_some() {
        fs::write(&path, parameters_markdown()).unwrap();
    }
    let shipped = fs::read_to_string(path).unwrap_or_default();
    assert!(
        shipped == parameters_markdown(),
        "docs/parameters.md is stale: SHUFFLEDET_UPDATE=1 cargo test -p shuffledet-detector the_shipped_table"
    );
}
