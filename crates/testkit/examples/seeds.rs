//! Writes what fuzzing starts from, made of the transcripts, below the directory that is named: a directory a target.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use larder_testkit::seeds::seeds;
use larder_testkit::transcript::parse_directory;

fn main() -> io::Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("which directory?"));
    };
    let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/transcripts");
    for seed in seeds(&parse_directory(&transcripts)?) {
        let target = directory.join(seed.target);
        fs::create_dir_all(&target)?;
        fs::write(target.join(seed.name), seed.input)?;
    }
    Ok(())
}
