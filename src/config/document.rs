//! The table of `docs/parameters.md`, from the schema: what a parameter is called, takes and means is written once.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

const INTRODUCTION: &str = "\
# Parameters

Made from `config/shuffledet.schema.json` by `SHUFFLEDET_UPDATE=1 cargo test --lib the_shipped_table`; do not edit.

A parameter comes from the defaults below, then the file of `--config` (a ROS 2 parameter file for the node
`shuffledet`, as `config/shuffledet.yaml`), then `--model` (which is `model.name`), then each `--set KEY=VALUE`; the
last one wins. In a file `detector.classes: [car]` and `detector: {classes: [car]}` are the same. Each source is checked
by itself: an unknown name or a value out of range is refused before anything is opened. A `--set` value is read as
YAML: `--set 'detector.classes=[car, bus]'`.

| name | type | default | range | meaning |
| --- | --- | --- | --- | --- |
";

/// The whole file.
fn parameters_markdown() -> String {
    let schema = super::schema();
    let mut text = INTRODUCTION.to_owned();
    for (section, property) in properties(&schema) {
        for (name, parameter) in properties(resolve(&schema, property)) {
            let kind = kind(&schema, parameter);
            let default = match &parameter["default"] {
                Value::Null => "unset".to_owned(),
                default => format!("`{default}`"),
            };
            let range = range(&schema, parameter);
            let meaning = parameter["description"]
                .as_str()
                .unwrap_or_default()
                .replace('\n', " ");
            // writing to a String cannot fail
            let _ = writeln!(
                text,
                "| `{section}.{name}` | {kind} | {default} | {range} | {meaning} |"
            );
        }
    }
    text
}

fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object["properties"].as_object().into_iter().flatten()
}

/// The definition that `schema` refers to, or `schema` itself.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix('#'));
    pointer
        .and_then(|pointer| root.pointer(pointer))
        .unwrap_or(schema)
}

/// What the bounds of a list or mapping are stated for: its elements; the parameter itself where it has none.
fn element<'a>(root: &'a Value, parameter: &'a Value) -> &'a Value {
    let inner = parameter
        .get("items")
        .or(parameter.get("additionalProperties"));
    resolve(root, inner.unwrap_or(parameter))
}

fn kind(root: &Value, parameter: &Value) -> String {
    let name = |schema: &Value| match &schema["type"] {
        // a type or nothing: the parameter may be left out
        Value::Array(either) => either[0].as_str().unwrap_or_default().to_owned(),
        one => one.as_str().unwrap_or_default().to_owned(),
    };
    match name(parameter).as_str() {
        "array" => format!("list of {}", name(element(root, parameter))),
        "object" => format!("name to {}", name(element(root, parameter))),
        simple => simple.to_owned(),
    }
}

fn range(root: &Value, parameter: &Value) -> String {
    let inner = element(root, parameter);
    let mut range = Vec::new();
    if parameter
        .get("minLength")
        .or(parameter.get("minItems"))
        .is_some()
    {
        range.push("not empty".to_owned());
    }
    if let Some(choices) = inner["enum"].as_array() {
        let choices: Vec<_> = choices.iter().filter_map(Value::as_str).collect();
        range.push(choices.join(", "));
    }
    if let (Some(least), Some(most)) = (inner["minimum"].as_f64(), inner["maximum"].as_f64()) {
        range.push(format!("{least} to {most}"));
    }
    range.join("; ")
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
