//! `cargo xtask bench simulate`: what the store misses, copies and sweeps, simulated by `larder-replay` without a server.

use std::process::Command;

use crate::process;
use crate::tally::{Stopwatch, Tally};
use crate::workspace::{Workspace, cargo};

/// Runs the simulator with the words after `bench simulate`; with nothing but `--check`, items that expire unread too.
///
/// # Errors
/// A sentence: something does not build.
pub(crate) fn run(words: &[String]) -> Result<Tally, String> {
    let workspace = Workspace::load()?;
    let mut build = cargo();
    build.current_dir(&workspace.root).args(["build", "--release", "-p", "larder-replay"]);
    process::run(&mut build)?;
    let mut tally = Tally::default();
    let mut play = |name: &str, task: &str| {
        let clock = Stopwatch::start();
        let mut command = Command::new(workspace.target.join("release/larder-replay"));
        // Files that are named lie below the top, where cargo runs this.
        let result = process::run(command.current_dir(&workspace.root).arg(task).args(words));
        tally.check(name, result.map(|()| String::new()), clock);
    };
    play("traces", "simulate");
    if is_whole_check(words) {
        play("expiry", "expire");
    }
    Ok(tally)
}

fn is_whole_check(words: &[String]) -> bool {
    matches!(words, [word] if word == "--check")
}

pub(crate) const HELP: &str = "\
Plays traces against the item store itself, without a server, and beside it against reference policies.

Usage: cargo xtask bench simulate [--check] [TRACE]... [OPTIONS]

  TRACE          names of traces or files; one of each kind when none is named
  --check        fail when the store misses more than 1.03 times what S3-FIFO of whole items does at 24 bytes an item
                 (1.08 with less than 4 MiB), or copies more than half a byte for each byte stored with TTLs; with no
                 other word, also when a million expired items that nobody asks for are not gone after 60 s, or
                 their sweeping takes over 1 % of a core a GiB
  --memory SIZE,...  --caches CACHE,...  --ttl on|off|both  --requests N  --threads N  --json  and others:
                 `larder-replay simulate --help`
";

#[cfg(test)]
mod tests {
    use super::is_whole_check;

    #[test]
    fn only_the_bare_check_is_the_whole_one() {
        let check = |line: &str, expected: bool| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(is_whole_check(&words), expected, "{line}");
        };
        check("--check", true);
        check("", false);
        check("--check zipf1.0", false);
        check("zipf1.0", false);
    }
}
