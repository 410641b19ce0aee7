//! Writes files completely or not at all: first under a temporary name, then renamed.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// Creates a temporary file in the folder of `path`, so that the rename stays within one file
/// system. Creates missing folders. The file is removed if it is dropped without [`keep`].
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // a temporary file would be readable by its owner only; the user's umask applies as for any
    // other file
    let rights = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new()
        .permissions(rights)
        .tempfile_in(folder)
}

/// Renames a finished file to `path` and replaces a file of that name.
pub fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Writes a whole file at once.
pub fn write(path: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let file = beside(path)?;
    fs::write(file.path(), contents)?;
    keep(file, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_is_there_when_it_is_kept_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/for/it.txt");
        let mut file = beside(&path).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!path.exists());
        keep(file, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        drop(beside(&path).unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
