//! The command line.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use larder_pressure::inside::{filling, holds, lookups};
use larder_pressure::{Error, Program, Report, bytes, rss};

/// Puts larder, and memcached beside it, under memory pressure, and holds what comes out against goals.
///
/// It starts the servers itself, on free ports of the loopback, and ends them.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// The larder to measure [default: the one beside this program]
    #[arg(long, global = true, value_name = "FILE")]
    larder: Option<PathBuf>,
    /// The memcached to measure beside it
    #[arg(long, global = true, value_name = "FILE", default_value = "memcached")]
    memcached: PathBuf,
    /// Measure larder alone
    #[arg(long, global = true)]
    alone: bool,
    /// Small limits and short runs: enough to see that it works, for a continuous integration
    #[arg(long, global = true)]
    quick: bool,
    /// Write the report here too, as JSON if the name ends in .json, else as Markdown; may be given twice
    #[arg(long, global = true, value_name = "FILE")]
    output: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Items until the first eviction, and memory of the process, for five laws of value lengths
    Bytes {
        /// Limit in MiB [default: 1024; with --quick 64]
        #[arg(short, value_name = "MIB")]
        mebibytes: Option<u64>,
    },
    /// Memory of the process at every moment, while values change their sizes
    Rss {
        /// Limits in MiB [default: 16,64,1024,8192; with --quick 16,64]
        #[arg(short, value_name = "MIB,MIB", value_delimiter = ',')]
        mebibytes: Vec<u64>,
    },
    /// CPU time in the store itself: batches against single lookups, evicting sets against gets, the worst set
    Time {
        /// Items that are looked up, a million each [default: 8; with --quick 1]
        #[arg(long, value_name = "MILLIONS")]
        lookups: Option<u64>,
        /// Items that a store is filled with, a million each [default: 10; with --quick 1]
        #[arg(long, value_name = "MILLIONS")]
        filling: Option<u64>,
    },
    /// How long locks of the store are held, by place, under a mix of everything
    Holds {
        /// Operations of a run, a million each [default: 10; with --quick 1]
        #[arg(long, value_name = "MILLIONS")]
        operations: Option<u64>,
        /// Limit in MiB [default: 256; with --quick 64]
        #[arg(short, value_name = "MIB")]
        mebibytes: Option<u64>,
    },
}

impl Options {
    /// # Errors
    /// A sentence: something did not start, answer, or could not be written.
    pub(crate) fn run(&self) -> Result<Report, Error> {
        let report = self.measure()?;
        for path in &self.common.output {
            let is_json = path.extension().is_some_and(|extension| extension == "json");
            let text = if is_json { format!("{:#}\n", report.json()) } else { report.markdown() };
            fs::write(path, text)
                .map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
        }
        Ok(report)
    }

    fn measure(&self) -> Result<Report, Error> {
        let is_quick = self.common.quick;
        match &self.command {
            Command::Bytes { mebibytes } => {
                let (servers, report) = self.begin()?;
                let mebibytes = mebibytes.unwrap_or(if is_quick { 64 } else { 1024 });
                bytes::run(&bytes::Plan { servers, mebibytes }, report)
            }
            Command::Rss { mebibytes } => {
                let (servers, report) = self.begin()?;
                let all: &[u64] = if is_quick { &[16, 64] } else { &[16, 64, 1024, 8192] };
                let limits = if mebibytes.is_empty() { all.to_vec() } else { mebibytes.clone() };
                rss::run(&rss::Plan { servers, limits }, report)
            }
            Command::Time { lookups, filling } => {
                let mut report = Report::new(&shown(), &[]);
                let plan = lookups_plan(*lookups, is_quick);
                lookups::run(&plan, &mut report)?;
                let items = millions(filling.unwrap_or(if is_quick { 1 } else { 10 }));
                filling::run(&filling::Plan { items, repeats: REPEATS }, &mut report)?;
                Ok(report)
            }
            Command::Holds { operations, mebibytes } => {
                let operations = millions(operations.unwrap_or(if is_quick { 1 } else { 10 }));
                let mebibytes = mebibytes.unwrap_or(if is_quick { 64 } else { 256 });
                let plan = holds::Plan { operations, mebibytes, repeats: REPEATS };
                holds::run(&plan, Report::new(&shown(), &[]))
            }
        }
    }

    /// The servers, and a report about them.
    fn begin(&self) -> Result<(Vec<Program>, Report), Error> {
        let servers = self.common.servers()?;
        let report = Report::new(&shown(), &servers);
        Ok((servers, report))
    }
}

fn lookups_plan(items: Option<u64>, is_quick: bool) -> lookups::Plan {
    let (items_default, mebibytes, rounds, operations) =
        if is_quick { (1, 64, 5, 100_000) } else { (8, 512, 15, 400_000) };
    let items = millions(items.unwrap_or(items_default));
    lookups::Plan { items, mebibytes, rounds, operations }
}

fn millions(count: u64) -> u64 {
    count.saturating_mul(1_000_000)
}

/// Runs of which the fastest counts, operation by operation.
const REPEATS: usize = 3;

impl Common {
    fn servers(&self) -> Result<Vec<Program>, Error> {
        let beside = |own: PathBuf| own.parent().map(|dir| dir.join("larder"));
        let larder = match &self.larder {
            Some(path) => path.clone(),
            None => beside(std::env::current_exe()?)
                .filter(|path| path.exists())
                .ok_or_else(|| Error::new("there is no larder beside this program: --larder"))?,
        };
        let mut servers = vec![Program::larder(larder)];
        if !self.alone {
            servers.push(Program::memcached(self.memcached.clone()));
        }
        Ok(servers)
    }
}

/// The command as it is repeated, without the paths of this machine.
fn shown() -> String {
    let mut words = vec!["cargo xtask bench store".to_owned()];
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        if ["--larder", "--memcached", "--output"].contains(&word.as_str()) {
            given.next();
        } else if !Path::new(&word).is_absolute() && !word.contains("=/") {
            words.push(word);
        }
    }
    words.join(" ")
}
