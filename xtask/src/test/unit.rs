//! Tests that cargo runs: of the workspace, of its examples, and the loom models.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::process::{Stream, run_watched};
use crate::tally::{Row, Stopwatch, Tally, parse_counts};
use crate::workspace::{Package, Workspace, cargo, source_root};

/// `cargo test` over the whole workspace, documentation included.
pub(super) fn workspace(tally: &mut Tally) {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    tally.push(counted("cargo test", command));
    // No member asks for this feature: cargo would give it to the server too.
    let mut command = cargo();
    command.args(["test", "--package=larder-store", "--features=hold-times", "--no-fail-fast"]);
    tally.push(counted("cargo test with hold-times", command));
}

/// Every example of every crate runs to its end.
pub(super) fn examples(workspace: &Workspace, tally: &mut Tally) {
    for member in workspace.members() {
        for (name, _) in member.targets.iter().filter(|(_, kind)| kind == "example") {
            let clock = Stopwatch::start();
            let mut command = cargo();
            command.current_dir(source_root());
            command.args(["run", "--quiet", "-p", &member.name, "--example", name]);
            let result = run_watched(&mut command, Stream::Stdout, EXAMPLE_TIME_MAX, |line| {
                println!("{line}");
            });
            tally.check(
                &format!("example {name} of {}", member.name),
                result.map(|()| String::new()),
                clock,
            );
        }
    }
}

/// The tests that are models: those whose text asks for `cfg(loom)`.
pub(super) fn loom(workspace: &Workspace, tally: &mut Tally) {
    let mut models = 0;
    for member in workspace.members() {
        for test in models_of(member) {
            models += 1;
            let mut command = cargo();
            // A build of its own: the flag changes every crate.
            command.env("CARGO_TARGET_DIR", workspace.target.join("loom"));
            let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
            command.env("RUSTFLAGS", format!("{flags} --cfg loom").trim_start());
            command.args(["test", "--release", "-p", &member.name, "--test", &test]);
            tally.push(counted(&format!("loom: {test} of {}", member.name), command));
        }
    }
    if models == 0 {
        let none = Err("no test of any crate is a loom model".to_owned());
        tally.check("loom", none, Stopwatch::start());
    }
}

fn models_of(member: &Package) -> Vec<String> {
    let tests = source_root().join(&member.dir).join("tests");
    let is_model = |name: &str| {
        fs::read_to_string(tests.join(format!("{name}.rs"))).is_ok_and(|text| asks_for_loom(&text))
    };
    let tests = member.targets.iter().filter(|(_, kind)| kind == "test").map(|(name, _)| name);
    tests.filter(|name| is_model(name)).cloned().collect()
}

/// Whether a test is empty unless built with `--cfg loom`.
fn asks_for_loom(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "#![cfg(loom)]")
}

/// Runs a `cargo test` and counts what it says.
fn counted(name: &str, mut command: Command) -> Row {
    let clock = Stopwatch::start();
    let mut counts = Counts::default();
    command.current_dir(source_root());
    let result = run_watched(&mut command, Stream::Stdout, TEST_TIME_MAX, |line| {
        println!("{line}");
        counts.read(line);
    });
    let (passed, failed, note) = counts.verdict(result);
    Row { name: name.to_owned(), passed, failed, note, elapsed: clock.elapsed() }
}

/// What the lines `test result: …` add up to.
#[derive(Debug, Default)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    fn read(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result:") else { return };
        let (passed, failed) = parse_counts(counts).unwrap_or((0, 0));
        self.passed += passed;
        self.failed += failed;
        let mut words = counts.split_whitespace().collect::<Vec<_>>().into_iter().rev();
        if words.any(|word| word.starts_with("ignored")) {
            self.ignored += words.next().and_then(|count| count.parse().ok()).unwrap_or(0);
        }
    }

    /// Passed, failed and a note. A build that failed and a test left out are failures too.
    fn verdict(&self, result: Result<(), String>) -> (u64, u64, String) {
        let failed = self.failed + self.ignored;
        let mut notes = Vec::new();
        if self.ignored > 0 {
            notes.push(format!("{} ignored, which counts as failed", self.ignored));
        }
        let result = match result {
            Ok(()) if self.passed == 0 => Err("nothing was tested".to_owned()),
            other => other,
        };
        match result {
            Ok(()) => (self.passed, failed, notes.join("; ")),
            Err(error) => {
                notes.push(error);
                (self.passed, failed.max(1), notes.join("; "))
            }
        }
    }
}

const TEST_TIME_MAX: Duration = Duration::from_secs(1800);
const EXAMPLE_TIME_MAX: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::{Counts, asks_for_loom};

    fn verdict(lines: &[&str], result: Result<(), String>) -> (u64, u64) {
        let mut counts = Counts::default();
        lines.iter().for_each(|line| counts.read(line));
        let (passed, failed, _) = counts.verdict(result);
        (passed, failed)
    }

    const FINE: &str = "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";

    #[test]
    fn results_add_up() {
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(verdict(&[FINE, "test a ... ok", FINE], Ok(())), (8, 0));
        assert_eq!(verdict(&[FINE, bad], Err("status 101".to_owned())), (7, 2));
    }

    #[test]
    fn what_did_not_run_is_a_failure() {
        let ignored = "test result: ok. 4 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out";
        assert_eq!(verdict(&[ignored], Ok(())), (4, 3));
        assert_eq!(verdict(&[], Ok(())), (0, 1), "nothing ran");
        assert_eq!(verdict(&[FINE], Err("did not compile".to_owned())), (4, 1));
    }

    #[test]
    fn models_are_told_by_their_attribute() {
        assert!(asks_for_loom("//! A model.\n#![cfg(loom)]\n"));
        assert!(!asks_for_loom("//! Speaks of `#![cfg(loom)]` only.\n"));
    }
}
