//! Paths that stand in data: the files of a recording's metadata, of annotations, of a manifest.
//!
//! Data may come from anybody, so such a path never leads out of the folder of the data. A path
//! that a user gives on the command line may lead anywhere.

use std::path::{Component, Path, PathBuf};

use thiserror::Error;

/// A path in data that leads out of its folder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{name:?} leads out of the folder {}: expected a path inside it; copy the file into the \
     folder, or give a folder that holds both", folder.display()
)]
pub struct OutsideFolder {
    pub name: String,
    pub folder: PathBuf,
}

/// Joins `folder` and `name`, a relative path that stands in data. The file need not exist.
///
/// # Errors
/// `name` is absolute, has a part `..` or a drive letter, or leads out of the folder by a link.
pub fn join(folder: &Path, name: &str) -> Result<PathBuf, OutsideFolder> {
    let outside = || OutsideFolder {
        name: name.to_owned(),
        folder: folder.to_owned(),
    };
    let is_drive = name.as_bytes().get(1) == Some(&b':');
    let leads_up = name.split(['/', '\\']).any(|part| part == "..");
    if name.starts_with(['/', '\\']) || is_drive || leads_up {
        return Err(outside());
    }
    let path = folder.join(name);
    // a link shows where it leads only once it is resolved; what does not exist leads nowhere
    if has_link(folder, name)
        && let (Ok(folder), Ok(target)) = (folder.canonicalize(), path.canonicalize())
        && !target.starts_with(folder)
    {
        return Err(outside());
    }
    Ok(path)
}

/// Whether a part of `name` below `folder` is a link. Without one, no path needs to be resolved.
fn has_link(folder: &Path, name: &str) -> bool {
    let mut path = folder.to_owned();
    Path::new(name).components().any(|part| {
        let Component::Normal(part) = part else {
            return false;
        };
        path.push(part);
        path.is_symlink()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_stays_in_its_folder() {
        let folder = Path::new("/data");
        for name in [
            "a.jpg", "b/a.jpg", "./a.jpg", "a..jpg", "...", "b\\a.jpg", "ä:b",
        ] {
            assert_eq!(join(folder, name).unwrap(), folder.join(name), "{name}");
        }
        for name in [
            "/etc/passwd",
            "../a",
            "b/../../a",
            "..\\a",
            "\\a",
            "C:\\a",
            "c:a",
            "..",
        ] {
            let error = join(folder, name).unwrap_err().to_string();
            assert!(
                error.contains("leads out of the folder /data"),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn a_link_may_lead_inside_and_not_outside() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("data");
        fs::create_dir_all(folder.join("real")).unwrap();
        fs::write(root.path().join("secret"), "1").unwrap();
        fs::write(folder.join("real/a"), "1").unwrap();
        symlink(root.path().join("secret"), folder.join("out")).unwrap();
        symlink("real", folder.join("in")).unwrap();
        symlink(root.path(), folder.join("up")).unwrap();
        assert!(join(&folder, "in/a").is_ok());
        assert!(join(&folder, "out").is_err());
        assert!(join(&folder, "up/secret").is_err());
        assert!(join(&folder, "missing").is_ok());

        // the folder itself may be a link
        let link = root.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(join(&link, "in/a").is_ok());
        assert!(join(&link, "out").is_err());
    }
}
