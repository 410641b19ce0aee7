//! Checks that the models are fetched, have the expected sha256 and pass the self-test.

use super::check::{Check, Report};
use shuffledet_detector::model::family::FamilyName;
use shuffledet_detector::model::{self, Manifest, Model, ModelError};
use shuffledet_infer::backend::Profiled;
use shuffledet_infer::self_test::{self, Probe};
use shuffledet_infer::{Backend, OrtBackend, Provider, Runtime, SessionOptions};

/// The expected root mean square of each output on the test card, from
/// `tests/reference/test_card.py`.
const EXPECTED: [(&str, &[f64]); 4] = [
    ("road", &[2.0483162]),
    ("nanodet_plus_m_416", &[1.28321491]),
    ("fastestdet_352", &[0.299146918]),
    (
        "nanodet_m_416",
        &[
            0.00559386960,
            0.0111418838,
            0.0251180802,
            0.992187986,
            1.28656279,
            1.32767854,
        ],
    ),
];

/// Relative tolerance of a root mean square: other processors round in a different order.
const TOLERANCE: f64 = 1e-3;

/// Checks every model of the manifest and `chosen`, the one that the parameters name. Returns that
/// one if it is usable.
pub(super) fn check(
    runtime: Option<&Runtime>,
    chosen: Option<&str>,
    report: &mut Report,
) -> Option<Model> {
    let manifest = match Manifest::shipped() {
        Ok(manifest) => manifest,
        Err(error) => {
            report.add(Check::fail(
                "models",
                error.to_string(),
                "this is an error in shuffledet; please report it",
            ));
            return None;
        }
    };
    let chosen = chosen.map(|name| model::resolve(&manifest, name));
    let detectors = manifest.models.iter();
    let detectors = detectors.filter(|model| model.family != FamilyName::Classifier);
    let mut names: Vec<&str> = detectors.map(|model| model.name.as_str()).collect();
    names.extend(chosen.filter(|chosen| !names.contains(chosen)));
    let mut usable = None;
    for name in names {
        let title = format!("model {name}");
        match Model::load(name) {
            Ok(model) => {
                report.add(try_out(title, runtime, &model));
                if Some(name) == chosen {
                    usable = Some(model);
                }
            }
            Err(error @ ModelError::NotFetched { .. }) if Some(name) != chosen => {
                let fix = format!("optional; get it with: shuffledet models fetch {name}");
                let found = error.to_string();
                let found = found.split(';').next().unwrap_or_default().to_owned();
                report.add(Check::ok(title, format!("{found} ({fix})")));
            }
            Err(error) => {
                let fix = format!("run shuffledet models fetch {name}, or correct model.name");
                report.add(Check::fail(title, error.to_string(), fix));
            }
        }
    }
    usable
}

/// Runs the self-test: the model on the test card.
fn try_out(title: String, runtime: Option<&Runtime>, model: &Model) -> Check {
    let sha256: String = model.sha256.chars().take(12).collect();
    let Some(runtime) = runtime else {
        let found = format!("sha256 {sha256}…; not tested because ONNX Runtime is missing");
        return Check::warn(title, found, "fix the ONNX Runtime check first");
    };
    let options = SessionOptions {
        providers: vec![Provider::Cpu],
        intra_op_threads: 1,
        ..SessionOptions::default()
    };
    let probe = Probe::new(&model.description.input);
    let tried = OrtBackend::new(runtime, model.file(), &options, Profiled::Accelerated)
        .map_err(|error| error.to_string())
        .and_then(|backend| {
            let mut runner = backend.build(Provider::Cpu).map_err(|e| e.to_string())?;
            let outputs = self_test::outputs(&mut *runner, &probe).map_err(|e| e.to_string())?;
            Ok((outputs, channels(&backend)))
        });
    let fix = format!("shuffledet models fetch {}", model.description.name);
    let (outputs, channels) = match tried {
        Ok(tried) => tried,
        Err(error) => return Check::fail(title, format!("cannot run: {error}"), fix),
    };
    let sizes = input_sizes(model);
    match compare(&model.description.name, &outputs) {
        Ok(how) => Check::ok(
            title,
            format!("sha256 {sha256}…; {how}; {sizes}; {channels}"),
        ),
        Err(problem) => Check::fail(title, format!("self-test failed: {problem}"), fix),
    }
}

/// Describes whether the model runs at other input sizes, or why not.
fn input_sizes(model: &Model) -> String {
    let native = model.description.input.resolution();
    match model.not_resized(native) {
        None => "input in the picture's shape".to_owned(),
        Some(error) => format!("input {native} only: {error}"),
    }
}

/// Describes whether the model's channels are arranged for speed, or why not.
fn channels(backend: &OrtBackend) -> String {
    match backend.not_arranged() {
        None => "channels arranged".to_owned(),
        Some(reason) => {
            format!("channels not arranged, inference may be slower: {reason}")
        }
    }
}

fn compare(name: &str, outputs: &[Vec<f32>]) -> Result<String, String> {
    let found: Vec<f64> = outputs
        .iter()
        .map(|values| root_mean_square(values))
        .collect();
    if !found.iter().all(|rms| rms.is_finite()) {
        return Err("the output for the test card has values that are not finite".to_owned());
    }
    let known = EXPECTED.iter().find(|(known, _)| *known == name);
    let Some((_, expected)) = known else {
        return Ok("runs on the test card; no expected output is known".to_owned());
    };
    let near = |(found, expected): (&f64, &f64)| (found - expected).abs() <= TOLERANCE * expected;
    if found.len() == expected.len() && found.iter().zip(*expected).all(near) {
        return Ok("self-test passed".to_owned());
    }
    Err(format!(
        "root mean square of the outputs: expected {expected:?}, found {found:?}"
    ))
}

fn root_mean_square(values: &[f32]) -> f64 {
    let squares: f64 = values.iter().map(|&value| f64::from(value).powi(2)).sum();
    (squares / values.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_held_against_what_is_known() {
        let (name, expected) = EXPECTED[0];
        let right = vec![vec![expected[0] as f32; 4]];
        assert!(compare(name, &right).unwrap().contains("passed"));
        let wrong = vec![vec![1.01 * expected[0] as f32; 4]];
        assert!(compare(name, &wrong).unwrap_err().contains("expected"));
        assert!(compare(name, &[]).is_err());
        assert!(
            compare("my_own", &right)
                .unwrap()
                .contains("no expected output")
        );
        assert!(compare("my_own", &[vec![f32::NAN]]).is_err());
    }
}
