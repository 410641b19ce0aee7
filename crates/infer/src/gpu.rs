//! Finds the NVIDIA GPUs, the driver and TensorRT without CUDA, from the driver's files in `/proc`.

use std::fs;
use std::path::Path;

/// The GPUs of the machine and their driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nvidia {
    /// In the order of their PCI addresses, for example `NVIDIA H100`.
    pub gpus: Vec<String>,
    /// For example `580.95.05`.
    pub driver: String,
}

impl Nvidia {
    /// Reads the machine's files below `root`; `None` if no NVIDIA driver is loaded.
    pub fn find(root: &Path) -> Option<Self> {
        let text = fs::read_to_string(root.join("proc/driver/nvidia/version")).ok()?;
        let driver = driver_version(&text)?.to_owned();
        let folders = fs::read_dir(root.join("proc/driver/nvidia/gpus"));
        let mut folders: Vec<_> = folders
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        folders.sort();
        let information = folders.iter().filter_map(|folder| {
            let text = fs::read_to_string(folder.join("information")).ok()?;
            model(&text).map(str::to_owned)
        });
        Some(Self {
            gpus: information.collect(),
            driver,
        })
    }
}

/// Parses `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue ...`: returns the first
/// word of digits and dots.
fn driver_version(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .find(|line| line.starts_with("NVRM version:"))?;
    let is_version =
        |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    line.split_whitespace().find(is_version)
}

/// Parses `Model: NVIDIA GeForce RTX 4090`, with tabs in between.
fn model(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("Model:"));
    line.map(str::trim).filter(|model| !model.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_files_are_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Nvidia::find(root.path()), None);
        let proc = root.path().join("proc/driver/nvidia");
        for (address, name) in [
            ("0000:02:00.0", "NVIDIA A2"),
            ("0000:01:00.0", "Orin (nvgpu)"),
        ] {
            let folder = proc.join("gpus").join(address);
            fs::create_dir_all(&folder).unwrap();
            let text = format!("Model: \t\t {name}\nIRQ:   \t\t 90\n");
            fs::write(folder.join("information"), text).unwrap();
        }
        for (line, driver) in [
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 2023\nGCC version: 12.2.0",
                "535.129.03",
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",
                "580.95.05",
            ),
        ] {
            fs::write(proc.join("version"), line).unwrap();
            let found = Nvidia::find(root.path()).unwrap();
            assert_eq!((&*found.driver, found.gpus.len()), (driver, 2));
            assert_eq!(found.gpus[0], "Orin (nvgpu)");
        }
        fs::write(proc.join("version"), "something else").unwrap();
        assert_eq!(Nvidia::find(root.path()), None);
    }
}
