//! The transcripts of the server, played on machines with a model behind them: no socket, no thread, a clock of our own.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use larder_connection::Limits;
use larder_testkit::machines::Machines;
use larder_testkit::model::{Model, Rules};
use larder_testkit::transcript::{Judge, Player, Transcript, parse_directory};

/// The rules that a server's arguments come to.
fn rules(args: &[String]) -> Rules {
    let mut rules = Rules::default();
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "-A" => rules.can_shut_down = true,
            "-C" => rules.has_cas = false,
            "-F" => rules.can_flush = false,
            "-I" => rules.item_len_max = size(args.next().unwrap()),
            other => panic!("{other} means nothing to a machine: say @server"),
        }
    }
    rules
}

fn size(text: &str) -> usize {
    let unit = match text.as_bytes() {
        [.., b'm'] => 1 << 20,
        [.., b'k'] => 1 << 10,
        _ => 1,
    };
    text.trim_end_matches(['k', 'm']).parse::<usize>().unwrap() * unit
}

/// What was wrong with one transcript, if anything.
fn play(transcript: &Transcript, output_len: usize, read_len: usize) -> Option<String> {
    let model = Rc::new(RefCell::new(Model::new(rules(&transcript.args))));
    let limits = Limits { output_len, ..Limits::default() };
    let stage = Machines::new(Rc::clone(&model), limits, read_len);
    let mut player = Player::new(stage, Judge::Reference);
    let problem = player.play(transcript).err().map(|mismatch| mismatch.to_string());
    let model = model.borrow();
    assert_eq!((model.live_values(), model.live_drafts()), (0, 0), "{}", transcript.name);
    problem.map(|problem| format!("{problem} (output of {output_len}, reads of {read_len})"))
}

#[track_caller]
fn check(output_len: usize, read_len: usize) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/transcripts");
    let files = parse_directory(&directory).unwrap();
    let (mut problems, mut played) = (Vec::new(), 0);
    for (file, transcripts) in &files {
        let is_ours = |transcript: &&Transcript| !transcript.needs_server;
        for transcript in transcripts.iter().filter(is_ours) {
            let problem = play(transcript, output_len, read_len);
            problems.extend(problem.map(|problem| format!("{file}, {problem}")));
            played += transcript.exchanges();
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(played >= 200, "only {played} exchanges need no server");
}

#[test]
fn machines_answer_as_the_transcripts_say() {
    check(Limits::default().output_len, 16_384);
}

#[test]
fn machines_with_a_small_output_answer_the_same() {
    check(10, 4095);
}

#[test]
fn machines_that_read_little_answer_the_same() {
    check(Limits::default().output_len, 3);
}
