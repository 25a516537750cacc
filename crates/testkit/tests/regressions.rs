//! What fuzzing starts from, and what it found once: every such input holds every property.

#![allow(clippy::print_stdout, reason = "a failing test shows which input it was at")]

use std::fs;
use std::path::Path;

use larder_testkit::properties;
use larder_testkit::seeds::{INPUT_LEN_MAX, Seed, seeds};
use larder_testkit::transcript::parse_directory;

/// Runs the property of a target over its inputs of one kind.
fn replay(kind: &str, target: &str, property: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let Ok(files) = fs::read_dir(root.join(kind).join(target)) else { return };
    for file in files {
        let path = file.expect("the directory can be read").path();
        let input = fs::read(&path).expect("the input can be read");
        println!("{}", path.display());
        property(&input);
    }
}

#[track_caller]
fn check(target: &str, property: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/transcripts");
    let transcripts = parse_directory(&directory).expect("the transcripts can be read");
    let seeds: Vec<Seed> =
        seeds(&transcripts).into_iter().filter(|seed| seed.target == target).collect();
    assert!((10..100).contains(&seeds.len()), "{} seeds", seeds.len());
    for seed in &seeds {
        println!("{}", seed.name);
        assert!(seed.input.len() <= INPUT_LEN_MAX);
        property(&seed.input);
    }
    replay("seeds", target, property);
    replay("regressions", target, property);
}

#[test]
fn inputs_of_frames() {
    check("binary", properties::binary);
}

#[test]
fn inputs_of_the_connection() {
    check("connection", |input| {
        for property in [
            properties::connection,
            properties::machine_agrees,
            properties::cuts_do_not_matter,
            properties::memory_is_bounded,
            properties::quiet_is_quiet,
            properties::quiet_meta_hides_the_ordinary,
            properties::quiet_frames_hide_the_ordinary,
            properties::closing_is_final,
            properties::every_pin_is_dropped,
            properties::reset_is_new,
            properties::watching_is_bounded,
        ] {
            property(input);
        }
    });
}

#[test]
fn inputs_of_meta_commands() {
    check("meta", properties::meta);
}

#[test]
fn inputs_of_the_parser() {
    check("parser", properties::parser);
}

#[test]
fn inputs_of_the_store() {
    check("store", |input| {
        properties::store_is_a_map(input);
        properties::slices_change_nothing(input);
    });
}

#[test]
fn inputs_of_datagrams() {
    check("udp", properties::udp);
}
