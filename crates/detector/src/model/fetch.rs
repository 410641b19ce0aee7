//! Fetches files of known sha256: from a mirror or from upstream.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::download::download;
use super::manifest::RemoteFile;
use shuffledet_core::sha256::{copy_hashed, file_sha256};
use shuffledet_core::whole_file::{beside, keep};

/// A source that may have the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder with the file in it, or in its `models/` or `video/`.
    Folder(PathBuf),
    /// The address of the file.
    Url(String),
}

impl Source {
    /// Returns the source of `file` in `place`, a folder or its address.
    pub fn mirror(place: &str, file: &RemoteFile) -> Self {
        if place.starts_with("http://") || place.starts_with("https://") {
            Source::Url(format!("{}/{}", place.trim_end_matches('/'), file.name))
        } else {
            Source::Folder(PathBuf::from(place))
        }
    }
}

/// Why a file could not be fetched or checked.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error("{name}: no source has a file with sha256 {sha256}:\n{tried}")]
    NoSource {
        name: String,
        sha256: String,
        tried: String,
    },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
}

/// The result of [`fetch`].
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    AlreadyThere,
    From(String),
}

/// Puts `file` into `folder` from the first of `sources` that has it with the right sha256. Content
/// with another sha256 is refused and never stored under the file's name. An existing file with
/// another sha256 is replaced. Calls `contact` with each address before contacting it.
pub fn fetch(
    file: &RemoteFile,
    folder: &Path,
    sources: &[Source],
    contact: &dyn Fn(&str),
) -> Result<(PathBuf, Fetched), FetchError> {
    let target = folder.join(&file.name);
    let read_error = |source| FetchError::Read {
        path: target.clone(),
        source,
    };
    if target.is_file() && file_sha256(&target).map_err(read_error)? == file.sha256 {
        return Ok((target, Fetched::AlreadyThere));
    }
    let write_error = |source| FetchError::Write {
        path: target.clone(),
        source,
    };
    let mut tried = Vec::new();
    for source in sources {
        let mut partial = beside(&target).map_err(write_error)?;
        match copy(source, file, partial.as_file_mut(), contact) {
            Ok((origin, sha256)) if sha256 == file.sha256 => {
                keep(partial, &target).map_err(write_error)?;
                return Ok((target, Fetched::From(origin)));
            }
            Ok((origin, sha256)) => {
                tried.push(format!("  {origin}: refused, found sha256 {sha256}"))
            }
            Err((origin, problem)) => tried.push(format!("  {origin}: {problem}")),
        }
    }
    let (name, sha256) = (file.name.clone(), file.sha256.clone());
    Err(FetchError::NoSource {
        name,
        sha256,
        tried: tried.join("\n"),
    })
}

/// Copies the file from `source`. Returns its origin and sha256, or the origin and the reason for
/// failure.
fn copy(
    source: &Source,
    file: &RemoteFile,
    to: &mut File,
    contact: &dyn Fn(&str),
) -> Result<(String, String), (String, String)> {
    let (origin, reader): (String, Box<dyn Read>) = match source {
        Source::Folder(folder) => {
            let places = ["", "models", "video"].map(|below| folder.join(below).join(&file.name));
            let Some(path) = places.into_iter().find(|path| path.is_file()) else {
                return Err((
                    folder.display().to_string(),
                    format!("has no {}", file.name),
                ));
            };
            let origin = path.display().to_string();
            let reader = File::open(&path).map_err(|error| (origin.clone(), error.to_string()))?;
            (origin, Box::new(reader))
        }
        Source::Url(url) => {
            let reader = download(url, contact).map_err(|error| (url.clone(), error))?;
            (url.clone(), Box::new(reader))
        }
    };
    // one byte above the expected size is enough to detect a wrong file
    let reader = reader.take(file.size_bytes + 1);
    let sha256 = copy_hashed(reader, to).map_err(|error| (origin.clone(), error.to_string()))?;
    Ok((origin, sha256))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shuffledet_core::sha256;
    use std::fs;
    use std::io::Write;
    use std::net::TcpListener;

    const CONTENT: &[u8] = b"weights";

    fn remote() -> RemoteFile {
        RemoteFile {
            name: "m.onnx".into(),
            url: String::new(),
            sha256: sha256(CONTENT),
            size_bytes: CONTENT.len() as u64,
            licence: String::new(),
            source: String::new(),
        }
    }

    fn folder_with(content: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        fs::write(folder.path().join("models/m.onnx"), content).unwrap();
        folder
    }

    /// Serves one request on loopback with `content`.
    fn serve(content: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                content.len()
            );
            stream
                .write_all(&[head.as_bytes(), content].concat())
                .unwrap();
        });
        format!("http://{address}")
    }

    #[test]
    fn the_first_source_with_the_right_bytes_serves() {
        let (wrong, right) = (folder_with(b"not it"), folder_with(CONTENT));
        let target = tempfile::tempdir().unwrap();
        let sources = [&wrong, &right].map(|f| Source::Folder(f.path().to_owned()));
        let (path, fetched) = fetch(&remote(), target.path(), &sources, &|_| ()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), CONTENT);
        let origin = right.path().join("models/m.onnx").display().to_string();
        assert_eq!(fetched, Fetched::From(origin));
        assert_eq!(
            fetch(&remote(), target.path(), &[], &|_| ()).unwrap(),
            (path, Fetched::AlreadyThere)
        );
    }

    #[test]
    fn wrong_bytes_are_refused_named_and_not_left_in_place() {
        let wrong = folder_with(b"not it");
        let target = tempfile::tempdir().unwrap();
        let sources = [Source::Folder(wrong.path().to_owned())];
        let error = fetch(&remote(), target.path(), &sources, &|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("m.onnx") && error.contains("refused"),
            "{error}"
        );
        assert!(error.contains(&sha256(b"not it")), "{error}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_mirror_may_be_an_address() {
        let target = tempfile::tempdir().unwrap();
        let source = Source::mirror(&serve(CONTENT), &remote());
        let (path, _) = fetch(&remote(), target.path(), &[source], &|_| ()).unwrap();
        assert_eq!(fs::read(path).unwrap(), CONTENT);
        let source = Source::mirror(&serve(b"weights and more than that"), &remote());
        assert!(fetch(&remote(), &target.path().join("other"), &[source], &|_| ()).is_err());
    }

    #[test]
    fn a_damaged_file_in_place_is_replaced() {
        let (right, target) = (folder_with(CONTENT), tempfile::tempdir().unwrap());
        fs::write(target.path().join("m.onnx"), b"half").unwrap();
        let sources = [Source::Folder(right.path().to_owned())];
        let (path, _) = fetch(&remote(), target.path(), &sources, &|_| ()).unwrap();
        assert_eq!(fs::read(path).unwrap(), CONTENT);
    }
}
