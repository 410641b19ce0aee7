//! Outputs that exist already: replaced only with `--force`.

use std::fs;
use std::path::Path;

use anyhow::bail;

/// Fails if the file exists and `--force` was not given.
pub fn check_file(path: &Path, force: bool) -> anyhow::Result<()> {
    if path.exists() && !force {
        bail!("{} exists; use --force to overwrite it", path.display());
    }
    Ok(())
}

/// Fails if the folder of `option` holds anything and `--force` was not given.
pub fn check_folder(option: &str, folder: &Path, force: bool) -> anyhow::Result<()> {
    let filled = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if filled && !force {
        bail!(
            "{option} {}: the folder is not empty; use --force to write to it",
            folder.display()
        );
    }
    Ok(())
}
