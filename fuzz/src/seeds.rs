//! Writes the seeds of every target to `FOLDER/TARGET/`.

use std::path::Path;
use std::{env, fs, io};

use shuffledet_targets::TARGETS;

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).unwrap_or_else(|| "corpus".into());
    for target in TARGETS {
        let folder = Path::new(&folder).join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
        println!("{}", target.name);
    }
    Ok(())
}
