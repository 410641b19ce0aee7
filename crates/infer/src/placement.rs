//! Reads from ONNX Runtime's profile which provider runs the nodes of a session.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use shuffledet_core::NodePlacement;

/// One event of the profile; most events have no provider.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    /// In microseconds.
    #[serde(default)]
    dur: f64,
    #[serde(default)]
    args: Arguments,
}

#[derive(Default, Deserialize)]
struct Arguments {
    #[serde(default)]
    provider: Option<String>,
}

/// Returns the providers of a profile, the busiest first. Each node's first run is ignored, because
/// it takes much longer than the others.
///
/// # Errors
/// The text is not a valid profile.
pub(super) fn from_profile(json: &str) -> serde_json::Result<Vec<NodePlacement>> {
    let events: Vec<Event> = serde_json::from_str(json)?;
    let mut nodes: HashSet<&str> = HashSet::new();
    let mut by_provider: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    for event in &events {
        let Some(provider) = event.args.provider.as_deref() else {
            continue;
        };
        if event.cat != "Node" || !event.name.ends_with("_kernel_time") {
            continue;
        }
        let (count, time) = by_provider.entry(provider).or_default();
        if nodes.insert(&event.name) {
            *count += 1;
        } else {
            *time += event.dur;
        }
    }
    let total: f64 = by_provider.values().map(|(_, time)| time).sum();
    let mut placed: Vec<NodePlacement> = by_provider
        .into_iter()
        .map(|(provider, (nodes, time))| NodePlacement {
            provider: short_name(provider).to_owned(),
            nodes,
            time_share: if total > 0.0 { time / total } else { 0.0 },
        })
        .collect();
    placed.sort_by(|a, b| b.time_share.total_cmp(&a.time_share));
    Ok(placed)
}

fn short_name(onnx_runtime_name: &str) -> &str {
    super::Provider::ALL
        .iter()
        .find(|provider| provider.onnx_runtime_name() == onnx_runtime_name)
        .map_or(onnx_runtime_name, |provider| provider.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, provider: &str, dur: u32) -> String {
        format!(
            r#"{{"cat":"Node","pid":1,"tid":1,"dur":{dur},"ts":7,"ph":"X","name":"{name}_kernel_time",
                "args":{{"op_name":"Conv","provider":"{provider}","node_index":"3"}}}}"#
        )
    }

    #[test]
    fn nodes_are_counted_once_and_first_runs_not_timed() {
        let session = r#"{"cat":"Session","dur":9,"ts":1,"ph":"X","name":"model_run","args":{}}"#;
        let (cuda, cpu) = ("CUDAExecutionProvider", "CPUExecutionProvider");
        let events = [
            session.to_owned(),
            event("a", cuda, 90_000),
            event("b", cuda, 90_000),
            event("c", cpu, 5),
            event("a", cuda, 20),
            event("b", cuda, 40),
            event("c", cpu, 20),
        ];
        let placed = from_profile(&format!("[{}]", events.join(","))).unwrap();
        let [first, second] = placed.as_slice() else {
            panic!("{placed:?}")
        };
        assert_eq!(
            (&*first.provider, first.nodes, first.time_share),
            ("cuda", 2, 0.75)
        );
        assert_eq!(
            (&*second.provider, second.nodes, second.time_share),
            ("cpu", 1, 0.25)
        );
    }

    #[test]
    fn what_is_no_profile_is_refused_and_an_empty_one_is_nothing() {
        assert!(from_profile("{}").is_err());
        assert!(from_profile("[]").unwrap().is_empty());
        let unknown = from_profile(&format!("[{}]", event("a", "AzureExecutionProvider", 1)));
        assert_eq!(unknown.unwrap()[0].provider, "AzureExecutionProvider");
    }
}
