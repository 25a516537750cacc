//! The program: flags into a plan, the report of the search to standard output, an exit code.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's report and complaint")]

use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use larder_differential::{Plan, search};

/// Holds the same conversations with Larder and with memcached and compares what they say
#[derive(Debug, Parser)]
struct Options {
    /// The larder binary
    #[arg(long, value_name = "PATH")]
    larder: PathBuf,
    /// Commands to compare at least
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    commands: u64,
    /// What the conversations grow out of; a new one for each run unless it is given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Only the conversation of this number
    #[arg(long, value_name = "N")]
    only: Option<u64>,
    /// Pairs of servers to talk to at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: u64,
    /// Differences after which to give up
    #[arg(long, value_name = "N", default_value_t = 3)]
    differences: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| RandomState::new().hash_one("seed") >> 16);
    println!("seed {seed}");
    let plan = Plan {
        larder: options.larder,
        commands: options.commands,
        seed,
        only: options.only,
        threads: options.threads,
        differences_max: options.differences,
    };
    match search(&plan) {
        Ok(report) => {
            print!("{report}");
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("larder-differential: {error} (seed {seed})");
            ExitCode::FAILURE
        }
    }
}
