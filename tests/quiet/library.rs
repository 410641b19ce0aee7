//! Whoever links the library: here the test itself, as another process.

use std::env;

use shuffledet_infer::Runtime;

use crate::home::Home;
use crate::trace::{Trace, is_of_lttng};
use crate::watch::{Network, Watch};
use shuffledet_testing::ended::Ended;

/// Set in that process.
const CHILD: &str = "SHUFFLEDET_QUIET_CHILD";

#[test]
fn whoever_links_the_library_is_quiet() {
    let test = "whoever_links_the_library_is_quiet";
    if env::var_os(CHILD).is_some() {
        Runtime::load().unwrap();
        return;
    }
    let Some(watch) = Watch::new(test, Network::CutOff) else {
        return;
    };
    let home = Home::new(Some("0"));
    let (mut command, trace) = watch.command(env::current_exe().unwrap(), &home);
    command
        .args(["--exact", &format!("library::{test}")])
        .env(CHILD, "1");
    let ended = Ended::from(command.output().unwrap());
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("1 passed"), "{}", ended.stdout);
    let trace = Trace::read(&trace);
    let mut changed = trace.changed(&home.path("work"));
    changed.retain(|path| !path.starts_with("/proc") && !is_of_lttng(&path.to_string_lossy()));
    assert!(changed.is_empty(), "{changed:?}");
    let connections = trace.named(&["connect", "bind"]);
    assert!(
        connections.iter().all(|call| is_of_lttng(call)),
        "{connections:?}"
    );
    home.assert_is_empty();
}
