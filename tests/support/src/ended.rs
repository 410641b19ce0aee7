//! A run of the program, as its user sees its end.

use std::process::Output;

use serde_json::Value;

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(!stderr.contains("panicked"), "{stderr}");
        Self {
            code: output.status.code(),
            stdout,
            stderr,
        }
    }
}

impl Ended {
    /// The one JSON object that `--json` prints, of a run that ended with `code`.
    pub fn summary(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self:?}");
        let summary: Value = serde_json::from_str(&self.stdout).unwrap();
        let frames = &summary["frames"];
        let sum = |counts: &Value| -> u64 {
            counts
                .as_object()
                .unwrap()
                .values()
                .map(|count| count.as_u64().unwrap())
                .sum()
        };
        let accounted = frames["published"].as_u64().unwrap()
            + sum(&frames["dropped"])
            + sum(&frames["failed"]);
        assert_eq!(frames["received"], accounted, "{summary}");
        summary
    }
}
