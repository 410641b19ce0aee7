//! torchvision's weights for ImageNet (BSD-3-Clause), fetched by address and sha256.

use std::io::Read;
use std::path::{Path, PathBuf};

use shuffledet_core::{locations, sha256, whole_file};
use thiserror::Error;

const FOLDER: &str = "https://download.pytorch.org/models";

/// The names of torchvision, and the files. Their names end with the first digits of their sha256,
/// which is what PyTorch checks, too.
const FILES: [(&str, &str); 4] = [
    ("shufflenet_v2_x0_5", "shufflenetv2_x0.5-f707e7126e.pth"),
    ("shufflenet_v2_x1_0", "shufflenetv2_x1-5666bf0f80.pth"),
    ("shufflenet_v2_x1_5", "shufflenetv2_x1_5-3c479a10.pth"),
    ("shufflenet_v2_x2_0", "shufflenetv2_x2_0-8be3c8ee.pth"),
];

/// The most bytes of a file; the largest has 30 MB.
const MOST_BYTES: u64 = 64 << 20;

/// Weights cannot be fetched.
#[derive(Debug, Error)]
pub enum PublishedError {
    #[error(
        "{file}: no source has it: {tried}; put the file into a folder and set SHUFFLEDET_MODEL_MIRROR to that"
    )]
    NoSource { file: String, tried: String },
    #[error("{}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Returns the path of the weights that torchvision calls `name`: in the cache, else copied from the
/// mirror folder, else downloaded. None if torchvision has no such weights. Calls `contact` with an
/// address before contacting it.
///
/// # Errors
/// No source has the file with the right sha256.
pub fn fetch(
    name: &str,
    mirror: Option<&str>,
    contact: &dyn Fn(&str),
) -> Option<Result<PathBuf, PublishedError>> {
    let (_, file) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(fetch_file(
        file,
        &locations::user_cache().join("weights"),
        mirror,
        contact,
    ))
}

fn fetch_file(
    file: &str,
    cache: &Path,
    mirror: Option<&str>,
    contact: &dyn Fn(&str),
) -> Result<PathBuf, PublishedError> {
    let target = cache.join(file);
    let is_right = |bytes: &[u8]| sha256(bytes).starts_with(digits(file));
    if std::fs::read(&target).is_ok_and(|bytes| is_right(&bytes)) {
        return Ok(target);
    }
    let mut tried = Vec::new();
    let mut sources: Vec<String> = mirror
        .map(|mirror| format!("{}/{file}", mirror.trim_end_matches('/')))
        .into_iter()
        .collect();
    sources.push(format!("{FOLDER}/{file}"));
    for source in sources {
        let content = if source.starts_with("http://") || source.starts_with("https://") {
            contact(&source);
            download(&source)
        } else {
            std::fs::read(&source).map_err(|error| error.to_string())
        };
        match content {
            Ok(bytes) if is_right(&bytes) => {
                whole_file::write(&target, bytes).map_err(|source| PublishedError::Write {
                    path: target.clone(),
                    source,
                })?;
                return Ok(target);
            }
            Ok(bytes) => tried.push(format!(
                "{source} has sha256 {}, expected one that begins with {}",
                sha256(&bytes),
                digits(file)
            )),
            Err(error) => tried.push(format!("{source}: {error}")),
        }
    }
    Err(PublishedError::NoSource {
        file: file.to_owned(),
        tried: tried.join("; "),
    })
}

/// Returns the digits of the sha256 in the name of a file.
fn digits(file: &str) -> &str {
    let stem = file.trim_end_matches(".pth");
    stem.rsplit_once('-').map_or(stem, |(_, digits)| digits)
}

fn download(url: &str) -> Result<Vec<u8>, String> {
    let response = ureq::get(url).call().map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let reader = response.into_body().into_reader().take(MOST_BYTES);
    { reader }
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_from_the_mirror_if_its_sha256_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let (mirror, cache) = (folder.path().join("mirror"), folder.path().join("cache"));
        let content = b"weights";
        let right = format!("net-{}.pth", &sha256(content)[..10]);
        let none = |address: &str| panic!("contacts {address}");
        for name in [right.as_str(), "net-0123456789.pth"] {
            whole_file::write(&mirror.join(name), content).unwrap();
        }
        let mirror = mirror.display().to_string();
        let path = fetch_file(&right, &cache, Some(&mirror), &none).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), content);
        // out of the cache
        assert_eq!(fetch_file(&right, &cache, None, &none).unwrap(), path);
        assert!(fetch("other", None, &none).is_none());
        assert_eq!(digits("shufflenetv2_x1_5-3c479a10.pth"), "3c479a10");
    }
}
