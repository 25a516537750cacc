//! Writes what fuzzing starts from, made of the transcripts, below the directory that is named: a directory a target. Without
//! a name it says how many there are for each.

#![allow(clippy::print_stdout, reason = "saying how many there are is what it is asked for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use larder_testkit::seeds::seeds;
use larder_testkit::transcript::parse_directory;

fn main() -> io::Result<()> {
    let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/transcripts");
    let seeds = seeds(&parse_directory(&transcripts)?);
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        let mut counts = BTreeMap::<_, usize>::new();
        for seed in &seeds {
            *counts.entry(seed.target).or_default() += 1;
        }
        counts.iter().for_each(|(target, count)| println!("{target}: {count} seeds"));
        return Ok(());
    };
    for seed in seeds {
        let target = directory.join(seed.target);
        fs::create_dir_all(&target)?;
        fs::write(target.join(seed.name), seed.input)?;
    }
    Ok(())
}
