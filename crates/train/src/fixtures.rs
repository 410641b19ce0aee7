//! What several tests need.

use std::path::PathBuf;

/// Returns the path of a file of the test data: `SHUFFLEDET_ASSETS`, otherwise `shared/assets` beside
/// the checkout.
pub fn asset(path: &str) -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/assets");
    let folder = std::env::var_os("SHUFFLEDET_ASSETS").map_or_else(|| beside.into(), PathBuf::from);
    let path = folder.join(path);
    assert!(path.exists(), "{}: test data is missing", path.display());
    path
}
