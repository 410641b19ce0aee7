//! Finds the files of `metadata.yaml` in the bag folder.
//!
//! Versions of rosbag2 write names differently: with the bag folder's name in front (version 4), or
//! without the suffix of the compression. The bag folder may also have been renamed. A name is
//! therefore searched as given and then by its last part alone, but never outside the bag folder.

use std::path::{Path, PathBuf};

use shuffledet_core::data_path;

use super::error::BagError;

const PACKED: &str = ".zstd";

/// Returns the file in `folder` for `name`, if it exists; `metadata` is the file with the name.
///
/// # Errors
/// The name is absolute or leads out of the folder, also by a link.
pub(super) fn existing(
    folder: &Path,
    name: &str,
    metadata: &Path,
) -> Result<Option<PathBuf>, BagError> {
    let outside = |_| BagError::Outside {
        path: metadata.to_owned(),
        name: name.to_owned(),
    };
    data_path::join(folder, name).map_err(outside)?;
    let whole: PathBuf = parts(name).collect();
    let candidates = [whole, PathBuf::from(last(name))];
    let with_and_without_suffix = candidates.into_iter().flat_map(|path| {
        let mut packed = path.clone().into_os_string();
        packed.push(PACKED);
        let text = path.to_string_lossy();
        let plain = text.strip_suffix(PACKED).map(PathBuf::from);
        [Some(path), Some(packed.into()), plain]
    });
    for path in with_and_without_suffix.flatten() {
        // a name of only separators is the folder itself
        if folder.join(&path).is_file() {
            let path = data_path::join(folder, &path.to_string_lossy());
            return path.map(Some).map_err(outside);
        }
    }
    Ok(None)
}

/// Whether two names refer to the same file: compares the last parts without the suffix of the
/// compression.
pub(super) fn same_file(a: &str, b: &str) -> bool {
    let plain = |name| {
        let last: &str = last(name);
        last.strip_suffix(PACKED).unwrap_or(last).to_owned()
    };
    plain(a) == plain(b)
}

/// Splits at separators, including those of Windows.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".")
}

fn last(name: &str) -> &str {
    parts(name).last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_found_as_rosbag2_has_written_them() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::create_dir(folder.join("part")).unwrap();
        for file in ["a_0.mcap.zstd", "b_0.db3", "part/c_0.mcap"] {
            fs::write(folder.join(file), "").unwrap();
        }
        let found = |name| existing(folder, name, Path::new("metadata.yaml")).unwrap();
        for name in [
            "a_0.mcap.zstd",
            "a_0.mcap",
            "drive/a_0.mcap.zstd",
            "drive/a_0.mcap",
            "./a_0.mcap",
            "old name\\a_0.mcap",
        ] {
            assert_eq!(found(name), Some(folder.join("a_0.mcap.zstd")), "{name}");
        }
        assert_eq!(found("x/b_0.db3.zstd"), Some(folder.join("b_0.db3")));
        assert_eq!(found("part/c_0.mcap"), Some(folder.join("part/c_0.mcap")));
        assert_eq!(found("part\\c_0.mcap"), Some(folder.join("part/c_0.mcap")));
        for name in ["c_0.mcap", "part", ".", "", "d.mcap"] {
            assert_eq!(found(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.mcap"), "").unwrap();
        let inner = folder.path().join("bag");
        fs::create_dir(&inner).unwrap();
        for name in [
            "../x.mcap",
            "bag/../../x.mcap",
            "..\\x.mcap",
            "/etc/passwd",
            "\\x.mcap",
            "C:\\x.mcap",
            "..",
        ] {
            let error = existing(&inner, name, Path::new("bag/metadata.yaml")).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("bag/metadata.yaml"), "{error}");
            assert!(error.contains("outside the bag folder"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_found_is_in_the_folder(name in "([./\\\\ax:]|\\PC){0,12}") {
            let folder = tempfile::tempdir().unwrap();
            let inner = folder.path().join("bag");
            fs::create_dir(&inner).unwrap();
            for file in ["a", "x", "bag/a", "bag/x"] {
                fs::write(folder.path().join(file), "").unwrap();
            }
            if let Ok(Some(found)) = existing(&inner, &name, Path::new("m")) {
                prop_assert!(found.canonicalize().unwrap().starts_with(inner.canonicalize().unwrap()));
            }
        }
    }
}
