//! Default locations of files without an argument: models, ONNX Runtime, the local mirror of
//! downloads.

use std::env;
use std::path::{Path, PathBuf};

/// Returns the checkout that this executable was built in, if it was set up there (`make demo`
/// creates its `.deps`).
fn checkout() -> Option<PathBuf> {
    let executable = env::current_exe().ok()?;
    let set_up =
        |folder: &&Path| folder.join(".deps").is_dir() && folder.join("Cargo.toml").is_file();
    executable.ancestors().find(set_up).map(Path::to_owned)
}

fn from_environment(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Returns the folder of fetched models: `SHUFFLEDET_MODEL_DIR`, otherwise the checkout's
/// `.deps/models`, otherwise the user's cache.
pub fn model_folder() -> PathBuf {
    from_environment("SHUFFLEDET_MODEL_DIR")
        .or_else(|| Some(checkout()?.join(".deps/models")))
        .unwrap_or_else(|| user_cache().join("models"))
}

/// Returns the cache folder: `XDG_CACHE_HOME/shuffledet`, otherwise `~/.cache/shuffledet`.
pub fn user_cache() -> PathBuf {
    from_environment("XDG_CACHE_HOME")
        .or_else(|| Some(from_environment("HOME")?.join(".cache")))
        .unwrap_or_else(env::temp_dir)
        .join("shuffledet")
}

/// Returns `lib/shuffledet` of the installation of `executable`, whose `bin` or `lib/shuffledet` holds
/// it. No other place is looked at: somebody else may be able to write there.
fn installed_libraries(executable: &Path) -> Option<PathBuf> {
    let folder = executable.parent()?;
    if folder.ends_with("lib/shuffledet") {
        return Some(folder.to_owned());
    }
    let prefix = folder.parent().filter(|_| folder.ends_with("bin"))?;
    Some(prefix.join("lib/shuffledet"))
}

/// Returns the ONNX Runtime library: `ORT_DYLIB_PATH`, otherwise the checkout's, otherwise that of the
/// installation, otherwise the bare name for the system's loader.
pub fn onnx_runtime() -> PathBuf {
    const NAME: &str = "libonnxruntime.so";
    from_environment("ORT_DYLIB_PATH")
        .or_else(|| Some(checkout()?.join(".deps/onnxruntime").join(NAME)).filter(|p| p.is_file()))
        .or_else(|| {
            let folder = installed_libraries(&env::current_exe().ok()?)?;
            Some(folder.join(NAME)).filter(|path| path.is_file())
        })
        .unwrap_or_else(|| PathBuf::from(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_only_looked_up_in_an_installation() {
        let folder = |path: &str| installed_libraries(Path::new(path));
        let usr = Some(PathBuf::from("/usr/lib/shuffledet"));
        assert_eq!(folder("/usr/bin/shuffledet"), usr);
        assert_eq!(folder("/usr/lib/shuffledet/shuffledet_node"), usr);
        for elsewhere in ["/tmp/shuffledet", "/tmp/download/shuffledet", "/shuffledet"] {
            assert_eq!(folder(elsewhere), None, "{elsewhere}");
        }
    }
}
