//! The search itself, on servers that agree because they are the same, and on one that lies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use larder_differential::{Difference, Plan, Report, Verdict, search};
use larder_testkit::transcript::parse;

fn run(larder: &Path, commands: u64) -> Report {
    let plan = Plan {
        larder: larder.to_owned(),
        commands,
        seed: 7,
        only: None,
        threads: 1,
        differences_max: 1,
    };
    search(&plan).unwrap()
}

/// A program that is memcached with one switch more than it was given.
struct Liar(PathBuf);

impl Liar {
    /// Each test needs its own name.
    fn new(name: &str) -> Self {
        let name = format!("larder-liar-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Without CAS numbers replies to `gets` say 0.
        fs::write(&path, "#!/bin/sh\nexec memcached \"$@\" -C\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_server_that_answers_otherwise_is_found_and_the_conversation_made_small() {
    let liar = Liar::new("found");
    let report = run(&liar.0, 5000);
    let [difference] = &report.differences[..] else { panic!("{report}") };
    let text = difference.to_string();
    assert!(text.lines().count() < 60, "{text}");
    // It can be checked in.
    let draft = parse(&text[text.find("\n== ").unwrap()..]).unwrap();
    assert!(draft[0].exchanges() > 0, "{text}");
    assert!(draft[0].expectations().any(|expected| expected.debian.is_some()), "{text}");
}

#[test]
fn the_same_seed_holds_the_same_conversations() {
    let liar = Liar::new("twice");
    let numbers = |report: Report| {
        report.differences.iter().map(|difference| difference.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(run(&liar.0, 500)), numbers(run(&liar.0, 500)));
}

#[test]
fn one_difference_that_does_not_repeat_fails_a_run() {
    let problem = "curr_items grew by 0 in larder, by -1 in memcached";
    let verdict = Verdict { difference: Some(problem.to_owned()), ..Verdict::default() };
    let unsteady = vec![Difference { number: 943, args: &["-X"], verdict }];
    let report = Report { commands: 5_000_000, unsteady, ..Report::default() };
    assert!(!report.is_clean());
    let text = report.to_string();
    for expected in ["conversation 943", problem, "@args -X", "1 differences"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(Report::default().is_clean());
}
