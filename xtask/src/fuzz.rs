//! `cargo xtask fuzz`: libFuzzer over the targets of `fuzz/`, on the stable toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Stream, run, run_watched};
use crate::tally::{Row, Stopwatch, Tally};
use crate::workspace::{Workspace, cargo};

/// Runs one target, or all of them, for `seconds` each.
///
/// # Errors
/// A sentence: there is no such target, or the tree cannot be read.
pub(crate) fn fuzz(target: Option<&str>, seconds: u64) -> Result<Tally, String> {
    let workspace = Workspace::load()?;
    let targets = targets(&workspace)?;
    let chosen: Vec<String> = match target {
        None => targets,
        Some(name) if targets.iter().any(|target| target == name) => vec![name.to_owned()],
        Some(name) => {
            let known = targets.join(", ");
            return Err(format!("there is no fuzz target `{name}`: {known} are"));
        }
    };
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    let fuzzer = Fuzzer::prepare(workspace, target);
    let fuzzer = match fuzzer {
        Ok(fuzzer) => fuzzer,
        Err(error) => {
            tally.check("build", Err(error), clock);
            return Ok(tally);
        }
    };
    for target in &chosen {
        tally.push(fuzzer.run(target, seconds));
    }
    Ok(tally)
}

/// Writes the seeds that come from transcripts, and says where.
///
/// # Errors
/// A sentence: they cannot be made.
pub(crate) fn seeds() -> Result<Tally, String> {
    let workspace = Workspace::load()?;
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    tally.check("seeds", write_seeds(&workspace).map(|path| path.display().to_string()), clock);
    Ok(tally)
}

/// Makes a directory of seeds for each target out of the transcripts; returns where they are.
fn write_seeds(workspace: &Workspace) -> Result<PathBuf, String> {
    let directory = workspace.target.join("fuzz-seeds");
    // What an older transcript made goes.
    if directory.exists() {
        fs::remove_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "larder-testkit", "--example", "seeds", "--"]);
    run(command.arg(&directory).current_dir(&workspace.root))?;
    Ok(directory)
}

/// Names of the fuzz targets.
fn targets(workspace: &Workspace) -> Result<Vec<String>, String> {
    let fuzz = Workspace::load_manifest(&workspace.root.join("fuzz/Cargo.toml"))?;
    let members = fuzz.members().flat_map(|member| member.targets.clone());
    Ok(members.filter(|(_, kind)| kind == "bin").map(|(name, _)| name).collect())
}

/// cargo-fuzz, and how it was able to build the targets.
struct Fuzzer {
    workspace: Workspace,
    program: PathBuf,
    /// Seeds that were made of the transcripts.
    seeds: PathBuf,
    sanitizer: &'static str,
}

impl Fuzzer {
    /// Installs cargo-fuzz if it is not there, and builds: with the address sanitizer where that can be had.
    fn prepare(workspace: Workspace, target: Option<&str>) -> Result<Self, String> {
        let tools = workspace.target.join("tools");
        let program = tools.join("bin/cargo-fuzz");
        if !program.exists() {
            let mut install = cargo();
            install.args(["install", "--locked", "cargo-fuzz", "--root"]).arg(&tools);
            run(install.env("CARGO_TARGET_DIR", tools.join("build")))?;
        }
        let seeds = write_seeds(&workspace)?;
        let mut fuzzer = Self { workspace, program, seeds, sanitizer: "address" };
        if let Err(error) = run(fuzzer.command("build").args(target)) {
            println!("{error}: trying without the address sanitizer");
            fuzzer.sanitizer = "none";
            run(fuzzer.command("build").args(target))?;
            println!("the targets run WITHOUT a sanitizer: it cannot be had on this machine");
        }
        Ok(fuzzer)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        // The sanitizer's flag counts as unstable, though the runtime comes with the stable toolchain.
        command.env("RUSTC_BOOTSTRAP", "1").current_dir(&self.workspace.root);
        command.args(["fuzz", verb, "--fuzz-dir", "fuzz", "--sanitizer", self.sanitizer]);
        // Grammar and dictionaries know the words; watching every comparison for them takes a quarter of the time.
        command.arg("--no-trace-compares");
        command.arg("--target-dir").arg(self.workspace.target.join("fuzz"));
        command
    }

    fn run(&self, target: &str, seconds: u64) -> Row {
        let clock = Stopwatch::start();
        let mut statistics = Statistics::default();
        let result = self.corpora(target).and_then(|corpora| {
            let mut command = self.command("run");
            command.arg(target).args(corpora).arg("--").args(self.dictionary(target));
            command.arg(format!("-max_total_time={seconds}")).args(LIMITS);
            // The start replays the corpus, which does not count as time.
            let limit = Duration::from_secs(seconds + 300);
            run_watched(&mut command, Stream::Stderr, limit, |line| {
                if statistics.read(line) {
                    println!("{line}");
                }
            })
        });
        let result = match result {
            Ok(()) if statistics.executions == 0 => Err("nothing was executed".to_owned()),
            other => other,
        };
        let executions = statistics.executions;
        let (passed, failed, note) = match result {
            Ok(()) => (1, 0, format!("{executions} executions, sanitizer {}", self.sanitizer)),
            Err(error) => (0, 1, format!("{error}; {executions} executions")),
        };
        Row { name: target.to_owned(), passed, failed, note, elapsed: clock.elapsed() }
    }

    /// Where inputs are read from: found ones are kept in the first directory, the others are checked in or made.
    fn corpora(&self, target: &str) -> Result<Vec<PathBuf>, String> {
        let directory = |kind: &str| Path::new("fuzz").join(kind).join(target);
        let found = self.workspace.root.join(directory("corpus"));
        fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
        let others = [directory("seeds"), directory("regressions"), self.seeds.join(target)];
        let there = others.into_iter().filter(|dir| self.workspace.root.join(dir).is_dir());
        Ok(std::iter::once(directory("corpus")).chain(there).collect())
    }

    /// The words of a target's protocol, if somebody wrote them down.
    fn dictionary(&self, target: &str) -> Option<String> {
        let path = self.workspace.root.join("fuzz/dictionaries").join(format!("{target}.dict"));
        path.is_file().then(|| format!("-dict={}", path.display()))
    }
}

/// What libFuzzer says at its end.
#[derive(Debug, Default)]
struct Statistics {
    executions: u64,
}

impl Statistics {
    /// Reads a line; whether it is worth showing.
    fn read(&mut self, line: &str) -> bool {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = count.trim().parse().unwrap_or(0);
        }
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        let is_chatter = matches!(words[..], [number, "NEW" | "REDUCE"] if number.starts_with('#'));
        !is_chatter
    }
}

// An input that takes longer or more than this is a finding. A kilobyte crosses every limit of the parsers, and says as
// many requests as a conversation has; longer inputs are only slower.
const LIMITS: [&str; 5] = [
    "-max_len=1024",
    "-timeout=10",
    "-rss_limit_mb=2048",
    "-malloc_limit_mb=512",
    "-print_final_stats=1",
];

pub(crate) const HELP: &str = "\
Runs fuzz targets with libFuzzer, on the stable toolchain, with the address sanitizer where it can be had.

Usage: cargo xtask fuzz [TARGET] [--seconds N] | --seeds

  TARGET         one target; all of them when none is named
  --seconds N    how long each runs (60)
  --seeds        only makes the seeds that come from transcripts, which every run begins with, and says where

cargo-fuzz is installed below the target directory when it is missing. New inputs stay in fuzz/corpus/TARGET,
what broke a property in fuzz/artifacts/TARGET; move that to fuzz/regressions/TARGET, where plain `cargo test`
replays it.
";

#[cfg(test)]
mod tests {
    use super::Statistics;

    #[test]
    fn executions_are_read_and_chatter_is_hidden() {
        let mut statistics = Statistics::default();
        assert!(!statistics.read("#512\tNEW    cov: 100 ft: 200"));
        assert!(!statistics.read("#512\tREDUCE cov: 100 ft: 200"));
        assert!(statistics.read("#1024\tpulse  cov: 100"));
        assert!(statistics.read("==1==ERROR: AddressSanitizer"));
        assert!(statistics.read("stat::number_of_executed_units: 26500"));
        assert_eq!(statistics.executions, 26500);
    }
}
