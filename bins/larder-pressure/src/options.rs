//! The command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use larder_pressure::inside::{filling, holds, lookups};
use larder_pressure::{Error, Program, Report, bytes, expiry, limits, mix, rss};

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
    /// Write the report here too, as JSON if the name ends in .json, its picture if in .svg, else as Markdown; may
    /// be given more than once
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
    /// Expired items that nobody reads: when their memory is free, what the sweeper costs
    Expiry,
    /// Hit ratio while the sizes of values change with time, as a table and a curve
    Mix {
        /// Limit in MiB [default: 64; with --quick 16]
        #[arg(short, value_name = "MIB")]
        mebibytes: Option<u64>,
    },
    /// Values of every size, -m 2, limits that change under load, -M, flush_all of a full server
    Limits,
    /// How long locks of the store are held, by place, under a mix of everything
    Holds {
        /// Operations of a run, a million each [default: 10; with --quick 1]
        #[arg(long, value_name = "MILLIONS")]
        operations: Option<u64>,
        /// Limit in MiB [default: 128; with --quick 32]
        #[arg(short, value_name = "MIB")]
        mebibytes: Option<u64>,
    },
}

impl Options {
    /// # Errors
    /// A sentence: something did not start, answer, or could not be written.
    pub(crate) fn run(&self) -> Result<Report, Error> {
        // Before minutes of measuring are lost for want of a directory.
        for dir in self.common.output.iter().filter_map(|path| path.parent()) {
            fs::create_dir_all(dir)
                .map_err(|error| Error::new(format!("{}: {error}", dir.display())))?;
        }
        let report = self.measure()?;
        for path in &self.common.output {
            let text = match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => format!("{:#}\n", report.json()),
                Some("svg") => report.svg().ok_or_else(|| Error::new("there is no picture"))?,
                _ => report.markdown(),
            };
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
            Command::Expiry => {
                let (servers, report) = self.begin()?;
                let (expiring, mebibytes, swept_mebibytes, life, watched) = if is_quick {
                    (100_000, 64, 64, 8, 10)
                } else {
                    (1_000_000, 512, 1024, 30, 60)
                };
                let (life, watched) = (Duration::from_secs(life), Duration::from_secs(watched));
                let plan =
                    expiry::Plan { servers, expiring, life, mebibytes, swept_mebibytes, watched };
                expiry::run(&plan, report)
            }
            Command::Mix { mebibytes } => {
                let (servers, report) = self.begin()?;
                let (default, shorten) = if is_quick { (16, 8) } else { (64, 1) };
                let mebibytes = mebibytes.unwrap_or(default);
                mix::run(&mix::Plan { servers, mebibytes, shorten }, report)
            }
            Command::Limits => {
                let (servers, report) = self.begin()?;
                limits::run(&limits_plan(servers, is_quick), report)
            }
            Command::Holds { operations, mebibytes } => {
                let operations = millions(operations.unwrap_or(if is_quick { 1 } else { 10 }));
                let mebibytes = mebibytes.unwrap_or(if is_quick { 32 } else { 128 });
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

fn limits_plan(servers: Vec<Program>, is_quick: bool) -> limits::Plan {
    let (sizes_mebibytes, value_mebibytes, moving_mebibytes, flushed_mebibytes) =
        if is_quick { (128, 8, 64, 64) } else { (1024, 64, 256, 1024) };
    limits::Plan { servers, sizes_mebibytes, value_mebibytes, moving_mebibytes, flushed_mebibytes }
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
