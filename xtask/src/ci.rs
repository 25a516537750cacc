//! `cargo xtask ci`: everything, in the order in which it tells most soonest.

use std::process::ExitCode;

use crate::tally::{Stopwatch, Tally};
use crate::{bench, fuzz, load, replay, simulate, test, tidy};

/// Runs every task and goes on after failures, so that one run shows them all.
pub(crate) fn ci() -> Tally {
    let mut all = Tally::default();
    announce("tidy");
    all.absorb("tidy", tidy::tidy());
    announce("test");
    absorb(&mut all, "test", || test::test(None, None, &test::Conversations::default()));
    announce("fuzz");
    absorb(&mut all, "fuzz", || fuzz::fuzz(None, FUZZ_SECONDS));
    announce("bench");
    absorb(&mut all, "bench", || bench::bench(None, true));
    announce("bench load");
    let clock = Stopwatch::start();
    let result = match load::run(&["--quick".to_owned()]) {
        ExitCode::SUCCESS => Ok(String::new()),
        _ => Err("the load bench failed: see its output".to_owned()),
    };
    all.check("bench load", result, clock);
    announce("bench replay");
    absorb(&mut all, "bench replay", || replay::run(&["--quick".to_owned()]));
    announce("bench simulate");
    absorb(&mut all, "bench simulate", || simulate::run(&["--check".to_owned()]));
    announce("summary");
    all
}

fn announce(task: &str) {
    println!("\n=== {task} ===");
}

/// Adds what a task counted, or that it could not even begin.
fn absorb(all: &mut Tally, task: &str, run: impl FnOnce() -> Result<Tally, String>) {
    let clock = Stopwatch::start();
    match run() {
        Ok(tally) => all.absorb(task, tally),
        Err(error) => all.check(task, Err(error), clock),
    }
}

const FUZZ_SECONDS: u64 = 10;

pub(crate) const HELP: &str = "\
Runs everything that the continuous integration runs: tidy, test, every fuzz target for ten seconds, every
bench once, a short load run, a short replay, the store's misses against their bounds. Goes on after a failure and
prints a table at the end.

Usage: cargo xtask ci

On a Debian machine with Rust, run as root, it installs what it needs.
";
