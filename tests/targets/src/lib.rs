//! Everything that reads bytes from elsewhere, as functions of bytes: fuzzers and tests call the same ones.
//!
//! A [`Target`] must end without a panic for any bytes. It returns whether they passed the first check of the reader,
//! so that a fuzzer can say which share of its runs got that far.

mod data_sets;
#[cfg(feature = "opencv")]
mod detector;
mod draw;
pub mod messages;
mod networks;
#[cfg(feature = "opencv")]
mod pictures;
mod recordings;
mod scratch;
mod tracks;

/// A reader under test.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    /// Reads bytes, and returns whether they passed the first check.
    pub run: fn(&[u8]) -> bool,
    /// Returns valid inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($(#[$attribute:meta])* $module:ident :: $name:ident;)*) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[$(
            $(#[$attribute])*
            Target {
                name: stringify!($name),
                run: $module::$name,
                seeds: $module::seeds::$name,
            },
        )*];
    };
}

targets! {
    messages::cdr;
    recordings::mcap;
    recordings::sqlite;
    recordings::bag_metadata;
    networks::onnx_reader;
    networks::import_ncnn;
    data_sets::annotations;
    data_sets::class_map;
    tracks::tracker;
    #[cfg(feature = "opencv")]
    pictures::image_message;
    #[cfg(feature = "opencv")]
    pictures::compressed_image;
    #[cfg(feature = "opencv")]
    detector::parameter_yaml;
    #[cfg(feature = "opencv")]
    detector::manifest;
    #[cfg(feature = "opencv")]
    detector::sidecar;
    #[cfg(feature = "opencv")]
    detector::outputs_to_boxes;
}

/// Returns the target of that name.
///
/// # Panics
/// There is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("no target is named {name}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Seeds pass the first check, also those of which every byte was changed once end without a panic.
    #[test]
    fn every_seed_passes_and_every_changed_seed_ends() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{}", target.name);
            for (number, seed) in seeds.iter().enumerate() {
                assert!(
                    (target.run)(seed),
                    "{}: seed {number} fails its first check",
                    target.name
                );
                // about 200 of each kind
                let step = seed.len() / 200 + 1;
                for at in (0..seed.len()).step_by(step) {
                    let mut changed = seed.clone();
                    changed[at] ^= 0xff;
                    (target.run)(&changed);
                    (target.run)(&seed[..at]);
                }
            }
        }
    }

    /// Inputs that once failed, in `fuzz/regressions/TARGET/`.
    #[test]
    fn inputs_that_once_failed_end_without_a_panic() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
        for target in TARGETS {
            let Ok(entries) = std::fs::read_dir(folder.join(target.name)) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                (target.run)(&std::fs::read(path).unwrap());
            }
        }
    }

    /// Time that grows with the square of the depth would be minutes here.
    #[test]
    fn nesting_a_hundred_thousand_deep_ends_at_once_in_every_reader() {
        const DEPTH: usize = 100_000;
        let began = std::time::Instant::now();
        for target in TARGETS {
            for text in ["[", "{\"a\":", "{a: ", "- ", "? ", "(", "a:\n [", "\n#"] {
                let deep = text.repeat(DEPTH);
                (target.run)(deep.as_bytes());
                // the first byte selects a format in these
                let kinds = match target.name {
                    "annotations" => 5,
                    "cdr" => 18,
                    _ => 0,
                };
                for kind in 0..kinds {
                    (target.run)(&[&[kind], deep.as_bytes()].concat());
                }
            }
        }
        let seconds = began.elapsed().as_secs();
        assert!(seconds < 300, "{seconds} s");
    }
}
