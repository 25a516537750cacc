//! What fuzzing starts from, and what it found once: every input that is checked in holds every property.

#![allow(clippy::print_stdout, reason = "a failing test shows which input it was at")]

use std::fs;
use std::path::Path;

use larder_testkit::properties;

/// Runs the property of a target over its inputs of one kind; returns how many there are.
fn replay(kind: &str, target: &str, property: fn(&[u8])) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let Ok(files) = fs::read_dir(root.join(kind).join(target)) else { return 0 };
    let mut count = 0;
    for file in files {
        let path = file.expect("the directory can be read").path();
        let input = fs::read(&path).expect("the input can be read");
        println!("{}", path.display());
        property(&input);
        count += 1;
    }
    count
}

#[track_caller]
fn check(target: &str, property: fn(&[u8])) {
    let seeds = replay("seeds", target, property);
    assert!((10..100).contains(&seeds), "{seeds} seeds");
    replay("regressions", target, property);
}

#[test]
fn inputs_of_the_parser() {
    check("parser", properties::parser);
}

#[test]
fn inputs_of_the_connection() {
    check("connection", properties::connection);
}
