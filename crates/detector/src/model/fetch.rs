//! Fetches files of known sha256 from a mirror or from upstream, and makes a model from them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::download::download;
use super::manifest_file::{ManifestFile, NcnnNetwork, Origin, RemoteFile};
use shuffledet_core::sha256::{copy_hashed, file_sha256, sha256};
use shuffledet_core::whole_file::{self, beside, keep};
use shuffledet_onnx::ncnn::{self, ImportError, InputSize};

/// A source that may have the file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A folder with the file in it, or in its `models/` or `video/`.
    Folder(PathBuf),
    /// The address of the file.
    Url(String),
}

impl Source {
    /// Returns the source of `file` in `place`, a folder or its address.
    fn mirror(place: &str, file: &RemoteFile) -> Self {
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
    #[error(
        "{name}: no source has a file with sha256 {sha256}:\n{tried}\n  \
         get the file where one of them can be reached, and give its folder with --from FOLDER; or set \
         SHUFFLEDET_MODEL_MIRROR to a folder or an address that has it"
    )]
    NoSource {
        name: String,
        sha256: String,
        tried: String,
    },
    #[error("{name}: cannot be made from its network of ncnn: {source}")]
    Import { name: String, source: ImportError },
    #[error(
        "{name}: the file made from its network of ncnn has another sha256: expected {expected}, found {found}; this is an error in shuffledet; please report it"
    )]
    Made {
        name: String,
        expected: String,
        found: String,
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
    /// The file was made from files of these origins.
    MadeFrom([String; 2]),
    /// The file was written from the program.
    BuiltIn,
}

/// Puts `file` into `folder`, from `mirror` (a folder, or its address) or else from its own source.
/// A file that is built into the program comes from there, and one that is made from others is made from those. Content with another sha256 is refused and
/// never stored under the file's name. An existing file with another sha256 is replaced. Calls
/// `contact` with the name of a file and each address before contacting it.
pub fn fetch(
    file: &ManifestFile,
    folder: &Path,
    mirror: Option<&str>,
    contact: &dyn Fn(&str, &str),
) -> Result<(PathBuf, Fetched), FetchError> {
    let target = folder.join(&file.name);
    let read_error = |source| FetchError::Read {
        path: target.clone(),
        source,
    };
    let write_error = |source| FetchError::Write {
        path: target.clone(),
        source,
    };
    if target.is_file() && file_sha256(&target).map_err(read_error)? == file.sha256 {
        return Ok((target, Fetched::AlreadyThere));
    }
    let fetched = match &file.origin {
        Origin::Url(url) => {
            let remote = RemoteFile {
                name: file.name.clone(),
                url: url.clone(),
                sha256: file.sha256.clone(),
                size_bytes: file.size_bytes,
            };
            let partial = || beside(&target).map_err(write_error);
            let (partial, origin) = first_right(&remote, mirror, contact, partial)?;
            keep(partial, &target).map_err(write_error)?;
            Fetched::From(origin)
        }
        Origin::Ncnn(network) => {
            let (onnx, origins) = make(file, network, mirror, contact)?;
            whole_file::write(&target, onnx).map_err(write_error)?;
            Fetched::MadeFrom(origins)
        }
        Origin::BuiltIn(content) => {
            whole_file::write(&target, content).map_err(write_error)?;
            Fetched::BuiltIn
        }
    };
    Ok((target, fetched))
}

/// Returns the ONNX model that is made from a network of ncnn, and the origins of the network's
/// files.
fn make(
    file: &ManifestFile,
    network: &NcnnNetwork,
    mirror: Option<&str>,
    contact: &dyn Fn(&str, &str),
) -> Result<(Vec<u8>, [String; 2]), FetchError> {
    let content = |part| first_right(part, mirror, contact, || Ok(Vec::new()));
    let (param, param_origin) = content(&network.param)?;
    let (bin, bin_origin) = content(&network.bin)?;
    let size = InputSize {
        width: network.input_width,
        height: network.input_height,
    };
    let name = || file.name.clone();
    let onnx = ncnn::import(&param, &bin, Some(size));
    let onnx = onnx.map_err(|source| FetchError::Import {
        name: name(),
        source,
    })?;
    let found = sha256(&onnx);
    if found != file.sha256 {
        return Err(FetchError::Made {
            name: name(),
            expected: file.sha256.clone(),
            found,
        });
    }
    Ok((onnx, [param_origin, bin_origin]))
}

/// Copies `file` from the mirror or its own source, whichever is the first that has it with the
/// right sha256, to what `start` gives for each. Returns that, and the origin.
fn first_right<W: Write>(
    file: &RemoteFile,
    mirror: Option<&str>,
    contact: &dyn Fn(&str, &str),
    start: impl Fn() -> Result<W, FetchError>,
) -> Result<(W, String), FetchError> {
    let mirror = mirror.map(|place| Source::mirror(place, file));
    let upstream = Source::Url(file.url.clone());
    let contact = |address: &str| contact(&file.name, address);
    let mut tried = Vec::new();
    for source in mirror.into_iter().chain([upstream]) {
        let mut written = start()?;
        match copy(&source, file, &mut written, &contact) {
            Ok((origin, sha256)) if sha256 == file.sha256 => return Ok((written, origin)),
            Ok((origin, sha256)) => {
                tried.push(format!("  {origin}: refused, found sha256 {sha256}"));
            }
            Err((origin, problem)) => tried.push(format!("  {origin}: {problem}")),
        }
    }
    Err(FetchError::NoSource {
        name: file.name.clone(),
        sha256: file.sha256.clone(),
        tried: tried.join("\n"),
    })
}

/// Copies the file from `source`. Returns its origin and sha256, or the origin and the reason for
/// failure.
fn copy(
    source: &Source,
    file: &RemoteFile,
    to: &mut impl Write,
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
    use std::cell::RefCell;
    use std::fs;
    use std::net::TcpListener;

    const CONTENT: &[u8] = b"weights";

    fn remote(name: &str, content: &[u8]) -> RemoteFile {
        RemoteFile {
            name: name.into(),
            // nothing listens there
            url: "http://127.0.0.1:9/m".into(),
            sha256: sha256(content),
            size_bytes: content.len() as u64,
        }
    }

    fn file(content: &[u8], origin: Origin) -> ManifestFile {
        ManifestFile {
            name: "m.onnx".into(),
            sha256: sha256(content),
            size_bytes: content.len() as u64,
            licence: String::new(),
            source: String::new(),
            origin,
        }
    }

    fn plain() -> ManifestFile {
        file(CONTENT, Origin::Url(remote("m.onnx", CONTENT).url))
    }

    fn folder_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        for (name, content) in files {
            fs::write(folder.path().join("models").join(name), content).unwrap();
        }
        folder
    }

    fn from(
        file: &ManifestFile,
        target: &Path,
        mirror: &str,
    ) -> Result<(PathBuf, Fetched), FetchError> {
        fetch(file, target, Some(mirror), &|_, _| ())
    }

    fn path(folder: &tempfile::TempDir) -> &str {
        folder.path().to_str().unwrap()
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
        let wrong = folder_with(&[("m.onnx", b"not it")]);
        let target = tempfile::tempdir().unwrap();
        let upstream = serve(CONTENT);
        let known = file(CONTENT, Origin::Url(upstream.clone()));
        let told = RefCell::new(Vec::new());
        let contact = |name: &str, address: &str| {
            told.borrow_mut().push(format!("{name} {address}"));
        };
        let fetched = fetch(&known, target.path(), Some(path(&wrong)), &contact);
        let (there, fetched) = fetched.unwrap();
        assert_eq!(fs::read(&there).unwrap(), CONTENT);
        assert_eq!(fetched, Fetched::From(upstream.clone()));
        assert_eq!(told.into_inner(), [format!("m.onnx {upstream}/")]);
        assert_eq!(
            from(&known, target.path(), "nowhere").unwrap(),
            (there, Fetched::AlreadyThere)
        );
    }

    #[test]
    fn wrong_bytes_are_refused_named_and_not_left_in_place() {
        let wrong = folder_with(&[("m.onnx", b"not it")]);
        let target = tempfile::tempdir().unwrap();
        let error = from(&plain(), target.path(), path(&wrong)).unwrap_err();
        let error = error.to_string();
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
        let (there, _) = from(&plain(), target.path(), &serve(CONTENT)).unwrap();
        assert_eq!(fs::read(there).unwrap(), CONTENT);
        let other = target.path().join("other");
        assert!(from(&plain(), &other, &serve(b"weights and more than that")).is_err());
    }

    #[test]
    fn a_damaged_file_in_place_is_replaced() {
        let right = folder_with(&[("m.onnx", CONTENT)]);
        let target = tempfile::tempdir().unwrap();
        fs::write(target.path().join("m.onnx"), b"half").unwrap();
        let (there, _) = from(&plain(), target.path(), path(&right)).unwrap();
        assert_eq!(fs::read(there).unwrap(), CONTENT);
    }

    const PARAM: &[u8] = b"7767517\n2 2\nInput in 0 1 in\nScale s 1 1 in out 0=3\n";
    const BIN: &[u8] = &[0; 12];

    fn made(onnx: &[u8]) -> ManifestFile {
        let network = NcnnNetwork {
            param: remote("m.param", PARAM),
            bin: remote("m.bin", BIN),
            input_width: 32,
            input_height: 64,
        };
        file(onnx, Origin::Ncnn(network))
    }

    #[test]
    fn a_model_is_made_from_its_network_and_nothing_else_is_kept() {
        let size = InputSize {
            width: 32,
            height: 64,
        };
        let onnx = ncnn::import(PARAM, BIN, Some(size)).unwrap();
        let mirror = folder_with(&[("m.param", PARAM), ("m.bin", BIN)]);
        let target = tempfile::tempdir().unwrap();
        let (there, fetched) = from(&made(&onnx), target.path(), path(&mirror)).unwrap();
        assert_eq!(fs::read(&there).unwrap(), onnx);
        let origin = |name| {
            let path = mirror.path().join("models").join(name);
            path.display().to_string()
        };
        assert_eq!(
            fetched,
            Fetched::MadeFrom([origin("m.param"), origin("m.bin")])
        );
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 1);
        let again = from(&made(&onnx), target.path(), "nowhere").unwrap();
        assert_eq!(again, (there, Fetched::AlreadyThere));
    }

    #[test]
    fn a_network_with_other_bytes_makes_no_model() {
        let mirror = folder_with(&[("m.param", PARAM), ("m.bin", b"other bytes!")]);
        let target = tempfile::tempdir().unwrap();
        let wrong = from(&made(CONTENT), target.path(), path(&mirror));
        assert!(matches!(wrong, Err(FetchError::NoSource { name, .. }) if name == "m.bin"));
        let mirror = folder_with(&[("m.param", PARAM), ("m.bin", BIN)]);
        let other = from(&made(CONTENT), target.path(), path(&mirror));
        assert!(matches!(other, Err(FetchError::Made { .. })), "{other:?}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
    }
}
