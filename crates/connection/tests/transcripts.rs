//! The transcripts of the server, played on machines with a model behind them: no socket, no thread, a clock of our own.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use larder_connection::{Connection, Limits};
use larder_testkit::model::{Model, Rules};
use larder_testkit::transcript::{Judge, Player, Stage, Transcript, parse_directory};

/// Machines that share a model.
struct Machines {
    model: Rc<RefCell<Model>>,
    limits: Limits,
    /// Bytes that arrive at once.
    read_len: usize,
    /// Part of a second that went by.
    passed: Duration,
}

/// A machine where a socket is expected.
struct Wire {
    connection: Connection<Model>,
    model: Rc<RefCell<Model>>,
    read_len: usize,
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.read_len);
        let model = &mut self.model.borrow_mut();
        if len.is_multiple_of(2) {
            self.connection.receive(&bytes[..len], model);
            return Ok(len);
        }
        let (mut scratch, mut taken) = (vec![0; len], 0);
        for slice in self.connection.read_into(&mut scratch) {
            let step = slice.len().min(bytes.len() - taken);
            slice[..step].copy_from_slice(&bytes[taken..][..step]);
            taken += step;
        }
        self.connection.read_done(taken, &scratch, model);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.connection.has_work() {
            self.connection.receive(&[], &mut self.model.borrow_mut());
        }
        if self.connection.is_finished() {
            return Ok(0);
        }
        let mut chunks = self.connection.output().chunks();
        let Some(chunk) = chunks.next() else { return Err(io::ErrorKind::WouldBlock.into()) };
        let len = chunk.len().min(buffer.len());
        buffer[..len].copy_from_slice(&chunk[..len]);
        self.connection.output().advance(len);
        Ok(len)
    }
}

impl Stage for Machines {
    type Wire = Wire;

    fn connect(&mut self) -> io::Result<Wire> {
        let connection = Connection::new(self.limits);
        Ok(Wire { connection, model: Rc::clone(&self.model), read_len: self.read_len })
    }

    fn end(&mut self, wire: &mut Wire) -> io::Result<()> {
        wire.connection.receive_end(&mut self.model.borrow_mut());
        Ok(())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.model.borrow().now()).unwrap()
    }

    fn wait(&mut self, pause: Duration) {
        self.passed += pause;
        let mut model = self.model.borrow_mut();
        while let Some(rest) = self.passed.checked_sub(Duration::from_secs(1)) {
            let now = model.now();
            model.set_now(now + 1);
            self.passed = rest;
        }
    }
}

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
    let stage =
        Machines { model: Rc::clone(&model), limits, read_len, passed: Duration::default() };
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
