//! Checks the CPU governor and the kernel's clock source.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::check::{Check, Report};

/// Checks `sys` below `root`.
pub(super) fn check(root: &Path, report: &mut Report) {
    report.add(governor(&governors(root)));
    let path = "sys/devices/system/clocksource/clocksource0/current_clocksource";
    let source = fs::read_to_string(root.join(path)).unwrap_or_default();
    report.add(clock_source(source.trim()));
}

/// Counts the cores of each governor.
fn governors(root: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let cores = fs::read_dir(root.join("sys/devices/system/cpu"));
    for core in cores.into_iter().flatten().flatten() {
        if let Ok(governor) = fs::read_to_string(core.path().join("cpufreq/scaling_governor")) {
            *found.entry(governor.trim().to_owned()).or_default() += 1;
        }
    }
    found
}

fn governor(governors: &BTreeMap<String, usize>) -> Check {
    const NAME: &str = "CPU governor";
    if governors.is_empty() {
        return Check::ok(
            NAME,
            "none: the CPU frequency is fixed, or this system cannot set it",
        );
    }
    let total: usize = governors.values().sum();
    let cores = governors.iter();
    let found: Vec<_> = cores
        .map(|(name, n)| format!("{name} on {n} of {total} cores"))
        .collect();
    let found = found.join(", ");
    if governors.keys().all(|governor| governor == "performance") {
        return Check::ok(NAME, found);
    }
    let found = format!("{found}; the CPU frequency drops between frames, so latency varies");
    Check::warn(
        NAME,
        found,
        "sudo cpupower frequency-set --governor performance",
    )
}

fn clock_source(source: &str) -> Check {
    const NAME: &str = "clock source";
    // read in user space, without a system call
    const FAST: [&str; 4] = [
        "tsc",
        "kvm-clock",
        "arch_sys_counter",
        "hyperv_clocksource_tsc_page",
    ];
    if FAST.contains(&source) {
        Check::ok(NAME, source)
    } else if source.is_empty() {
        let fix = "mount /sys in this container";
        Check::warn(NAME, "unknown: /sys has no value", fix)
    } else {
        let found = format!("{source}: every reading of the clock costs a system call");
        Check::warn(
            NAME,
            found,
            "boot with clocksource=tsc tsc=reliable if dmesg reports no TSC problem",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Level;
    use super::*;

    #[test]
    fn governors_are_counted_by_core() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(governor(&governors(root.path())).level, Level::Ok);
        let set = |core: &str, governor: &str| {
            let folder = root
                .path()
                .join("sys/devices/system/cpu")
                .join(core)
                .join("cpufreq");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("scaling_governor"), format!("{governor}\n")).unwrap();
        };
        set("cpu0", "performance");
        set("cpu1", "performance");
        fs::create_dir_all(root.path().join("sys/devices/system/cpu/cpuidle")).unwrap();
        let fine = governor(&governors(root.path()));
        assert_eq!(
            (fine.level, &*fine.found),
            (Level::Ok, "performance on 2 of 2 cores")
        );
        set("cpu1", "powersave");
        let slow = governor(&governors(root.path()));
        assert_eq!(slow.level, Level::Warn);
        assert!(
            slow.found
                .starts_with("performance on 1 of 2 cores, powersave on 1 of 2 cores;")
        );
    }

    #[test]
    fn slow_clocks_are_warned_of() {
        assert_eq!(clock_source("tsc").level, Level::Ok);
        assert_eq!(clock_source("hpet").level, Level::Warn);
        assert_eq!(clock_source("").level, Level::Warn);
    }
}
