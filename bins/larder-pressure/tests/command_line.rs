//! The program itself: its exit codes, its sentences.

use std::process::{Command, Output};

fn larder_pressure(flags: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder-pressure"))
        .args(flags.split(' '))
        .output()
        .expect("it was built")
}

/// A wrong flag ends with code 2, a server that is not there with code 1; each says why.
fn check(flags: &str, code: i32, sentence: &str) {
    let output = larder_pressure(flags);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{flags}: {said}");
    assert!(said.contains(sentence), "{flags}: {said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_cannot_be_done_is_refused_with_a_sentence() {
    check("frobnicate", 2, "unrecognized subcommand 'frobnicate'");
    check("bytes -m many", 2, "invalid value 'many'");
    check("bytes --alone --larder /does/not/exist", 1, "/does/not/exist");
}

#[test]
fn help_names_every_command() {
    let help = String::from_utf8(larder_pressure("--help").stdout).unwrap();
    for word in [
        "bytes",
        "rss",
        "time",
        "holds",
        "expiry",
        "mix",
        "limits",
        "--larder",
        "--memcached",
        "--alone",
        "--quick",
        "--output",
    ] {
        assert!(help.contains(word), "{word}");
    }
}
