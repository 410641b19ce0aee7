//! A budget decides over the exit code.

use std::fs;

use tempfile::tempdir;

use crate::eval::program::{coco, ends, eval, refusal};

#[test]
fn a_condition_that_does_not_hold_is_exit_code_3_and_the_last_line() {
    let Some(coco) = coco("a_condition_that_does_not_hold_is_exit_code_3_and_the_last_line") else {
        return;
    };
    let folder = tempdir().unwrap();
    let budget = folder.path().join("b.yaml");
    let with = |conditions: &str| {
        fs::write(&budget, conditions).unwrap();
        let mut command = eval(&coco);
        command.args(["--model", "nanodet_plus_m_416"]);
        command.arg("--budget").arg(&budget);
        command
    };
    let holds = "- map50 >= 0.31\n- p99.total_ms <= 100000\n- dropped == 0\n- failed == 0\n- fps > 0\n\
        - class.person.ap50 >= 0.3\n";
    let ended = ends(&mut with(holds), 0);
    assert_eq!(ended.stdout.matches("\nholds ").count(), 6, "{ended:?}");

    let fails = format!("- map >= 0.9\n{holds}- class.bear.ap >= 0.0\n");
    let ended = ends(&mut with(&fails), 3);
    let lines: Vec<&str> = ended.stdout.lines().rev().take(3).collect();
    assert!(
        lines[0].starts_with("FAILS       class.bear.ap >= 0.0"),
        "{ended:?}"
    );
    assert!(lines[0].contains("undefined"), "{ended:?}");
    assert!(lines[1].starts_with("FAILS       map >= 0.9"), "{ended:?}");
    assert!(lines[2].starts_with("holds "), "{ended:?}");
    let ended = ends(with(&fails).arg("--json"), 3);
    assert!(
        ended.stderr.lines().last().unwrap().starts_with("FAILS "),
        "{ended:?}"
    );

    let error = refusal(&mut with("- map50 >= 0.31\n- map50 => 0.31\n"));
    assert!(
        error.contains("line 2: \"map50 => 0.31\": expected one of"),
        "{error}"
    );
    let error = refusal(&mut with("- class.tram.ap >= 0.31\n"));
    assert!(
        error.contains("no category \"tram\"; its categories are: person, bicycle"),
        "{error}"
    );
}
