//! Paths of outputs: what exists is replaced only with `--force`, and inputs and other outputs never.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::bail;

/// A file or folder, whatever its names are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    /// Device and inode: two links to one file are equal.
    Existing(u64, u64),
    /// The path of a file that does not exist yet, in its real folder.
    New(PathBuf),
}

impl Identity {
    fn find(path: &Path) -> Self {
        if let Ok(found) = fs::metadata(path) {
            return Self::Existing(found.dev(), found.ino());
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Self::New(folder.join(path.file_name().unwrap_or_default()))
    }
}

/// Whether two paths lead to one file, by links of any kind too.
pub fn is_same(a: &Path, b: &Path) -> bool {
    Identity::find(a) == Identity::find(b)
}

/// Fails if one of `outputs` (option and path) would overwrite another output or one of `inputs`.
pub fn check_distinct<'a>(
    outputs: impl Iterator<Item = (&'static str, &'a Path)>,
    inputs: impl Iterator<Item = &'a Path>,
) -> anyhow::Result<()> {
    let inputs: Vec<Identity> = inputs.map(Identity::find).collect();
    let mut seen: Vec<Identity> = Vec::new();
    for (option, path) in outputs {
        let identity = Identity::find(path);
        let path = path.display();
        if inputs.contains(&identity) {
            bail!("{option} {path}: would overwrite an input; choose a different path");
        }
        if seen.contains(&identity) {
            bail!("{option} {path}: another output has the same path; choose a different one");
        }
        seen.push(identity);
    }
    Ok(())
}

/// Fails if one of `outputs` (option and path) exists without `force`, is a folder, or would
/// overwrite another output or one of `inputs`.
pub fn check_files<'a>(
    outputs: impl Iterator<Item = (&'static str, &'a Path)> + Clone,
    inputs: impl Iterator<Item = &'a Path>,
    force: bool,
) -> anyhow::Result<()> {
    check_distinct(outputs.clone(), inputs)?;
    for (option, path) in outputs {
        if path.is_dir() {
            bail!(
                "{option} {}: expected a file, found a folder",
                path.display()
            );
        }
        check_file(path, force)?;
    }
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_of_any_kind_are_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "a").unwrap();
        fs::write(path("b"), "a").unwrap();
        fs::hard_link(path("a"), path("hard")).unwrap();
        symlink(path("a"), path("soft")).unwrap();
        for same in ["a", "hard", "soft", "./a"] {
            assert!(is_same(&path("a"), &path(same)), "{same}");
        }
        assert!(!is_same(&path("a"), &path("b")));
        assert!(is_same(&path("new"), &path("./new")));
        assert!(!is_same(&path("new"), &path("newer")));
    }

    #[test]
    fn no_output_overwrites_an_input_or_another_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("model"), "m").unwrap();
        fs::hard_link(path("model"), path("link")).unwrap();
        let check = |outputs: &[(&'static str, &Path)]| {
            let model = path("model");
            check_distinct(outputs.iter().copied(), [model.as_path()].into_iter())
                .map_err(|error| error.to_string())
        };
        let (new, other, link) = (path("new"), path("other"), path("link"));
        assert_eq!(check(&[("--a", &new), ("--b", &other)]), Ok(()));
        let error = check(&[("--a", &new), ("--b", &new)]).unwrap_err();
        assert!(
            error.contains("--b") && error.contains("another output"),
            "{error}"
        );
        let error = check(&[("--a", &link)]).unwrap_err();
        assert!(error.contains("would overwrite an input"), "{error}");
    }
}
