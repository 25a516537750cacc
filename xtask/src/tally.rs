//! What ran, how much of it passed, and how long it took.
//!
//! Every task ends in a [`Tally`]; `ci` prints the rows of several as one table. The last line of a task is
//! always `N passed, M failed`, alone, so that a script can read it.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Counts of one task, with a row for each thing that it ran.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: Vec<Row>,
}

/// One thing that ran: a rule, a test command, a client suite, a fuzz target.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// What the counts do not say: executions, skipped platforms, the reason of a failure.
    pub(crate) note: String,
    pub(crate) elapsed: Duration,
}

impl Tally {
    pub(crate) fn push(&mut self, row: Row) {
        println!("  -> {}", row.line());
        self.rows.push(row);
    }

    /// Adds a row that is a single check.
    pub(crate) fn check(&mut self, name: &str, result: Result<String, String>, clock: Stopwatch) {
        let (passed, failed, note) = match result {
            Ok(note) => (1, 0, note),
            Err(note) => (0, 1, note),
        };
        self.push(Row { name: name.to_owned(), passed, failed, note, elapsed: clock.elapsed() });
    }

    /// Takes over the rows of another task, their names prefixed with the task's.
    pub(crate) fn absorb(&mut self, task: &str, other: Self) {
        for mut row in other.rows {
            row.name = format!("{task}: {}", row.name);
            self.rows.push(row);
        }
    }

    pub(crate) fn passed(&self) -> u64 {
        self.rows.iter().map(|row| row.passed).sum()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.rows.iter().map(|row| row.failed).sum()
    }

    /// The table of everything that ran, without the last line.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.line());
        }
        text
    }

    /// Prints the table and the last line. A run that checked nothing is a failure too.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("\n{}{} passed, {} failed", self.table(), self.passed(), self.failed());
        if self.failed() == 0 && self.passed() > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl Row {
    fn line(&self) -> String {
        let verdict = if self.failed == 0 { "ok" } else { "FAILED" };
        let line = format!(
            "{:<48} {:>6} passed {:>4} failed {:>7.1} s  {verdict}  {}",
            self.name,
            self.passed,
            self.failed,
            self.elapsed.as_secs_f64(),
            self.note
        );
        line.trim_end().to_owned()
    }
}

/// When something began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(
        clippy::disallowed_methods,
        reason = "a task runner measures its own steps; it has no turn and no clock to ask"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Reads `N passed; M failed` of libtest or `N passed, M failed` of a client suite out of a line.
pub(crate) fn parse_counts(line: &str) -> Option<(u64, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let counts = |window: &[&str]| {
        let [passed, passed_word, failed, failed_word] = window else { return None };
        let is_count = passed_word.trim_end_matches([',', ';']) == "passed"
            && failed_word.trim_end_matches([',', ';', '.']) == "failed";
        if !is_count {
            return None;
        }
        Some((passed.parse().ok()?, failed.parse().ok()?))
    };
    words.windows(4).find_map(counts)
}

#[cfg(test)]
mod tests {
    use super::{Row, Stopwatch, Tally, parse_counts};
    use std::process::ExitCode;
    use std::time::Duration;

    #[test]
    fn counts_are_read_from_both_kinds_of_lines() {
        let check = |line: &str, expected| assert_eq!(parse_counts(line), expected, "{line}");
        check("test result: ok. 12 passed; 0 failed; 0 ignored; finished in 0.1s", Some((12, 0)));
        check("pymemcache: 31 passed, 2 failed", Some((31, 2)));
        check("31 passed, 2 failed", Some((31, 2)));
        check("all passed", None);
        check("x passed, y failed", None);
        check("", None);
    }

    #[test]
    fn a_failure_or_an_empty_run_fails() {
        let mut tally = Tally::default();
        assert_eq!(tally.finish(), ExitCode::FAILURE, "nothing ran");
        tally.check("one", Ok(String::new()), Stopwatch::start());
        assert_eq!(tally.finish(), ExitCode::SUCCESS);
        tally.check("two", Err("broken".to_owned()), Stopwatch::start());
        assert_eq!(tally.finish(), ExitCode::FAILURE);
        assert_eq!((tally.passed(), tally.failed()), (1, 1));
    }

    #[test]
    fn absorbed_rows_keep_their_counts_and_say_whose_they_are() {
        let mut inner = Tally::default();
        let row = |name: &str, passed, failed| Row {
            name: name.to_owned(),
            passed,
            failed,
            note: String::new(),
            elapsed: Duration::ZERO,
        };
        inner.push(row("suite", 5, 2));
        let mut outer = Tally::default();
        outer.absorb("test", inner);
        assert_eq!((outer.passed(), outer.failed()), (5, 2));
        assert!(outer.table().contains("test: suite"), "{}", outer.table());
    }
}
