//! The format of transcripts: what is read, what is refused, what matches, and that a player
//! notices every kind of wrong reply.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use larder_testkit::transcript::{
    Judge, Match, Pattern, Player, Stage, Step, Transcript, Values, parse,
};

/// The only transcript of `text`.
fn one(text: &str) -> Transcript {
    let mut transcripts = parse(&format!("== test\n{text}\n")).unwrap();
    assert_eq!(transcripts.len(), 1);
    transcripts.remove(0)
}

/// What the first step, a line of a client, sends.
fn sent(line: &str) -> Vec<u8> {
    let transcript = one(line);
    let Step::Send { bytes, .. } = &transcript.steps[0] else { panic!("{transcript:?}") };
    bytes.bytes(&Values::from([("X".into(), 7)]), 1_000).unwrap()
}

/// What the first step, a line of a server, looks for.
fn awaited(line: &str) -> Pattern {
    let transcript = one(line);
    let Step::Expect { expectation, .. } = &transcript.steps[0] else { panic!("{transcript:?}") };
    expectation.reference.clone()
}

#[test]
fn text_becomes_bytes() {
    let check = |line: &str, expected: &[u8]| {
        assert_eq!(sent(line), expected, "{line}");
    };
    check("C: get k", b"get k\r\n");
    check("C:get k", b"get k\r\n");
    check("C:", b"\r\n");
    check("C:  get k", b" get k\r\n");
    check("C: get k\\", b"get k");
    check("C: get k\\n\\", b"get k\n");
    check("C: back\\\\", b"back\\\r\n");
    check(r"C: \r\n\t\0\\\x7b\xff", b"\r\n\t\0\\{\xff\r\n");
    check(r"C: \{3*ab}c", b"abababc\r\n");
    check(r"C: \{2*a\r\n}\", b"a\r\na\r\n");
    check(r"C: \{0*a}", b"\r\n");
    check("C: cas k 0 0 1 {X}", b"cas k 0 0 1 7\r\n");
    check("C: touch k {now+2}", b"touch k 1002\r\n");
    check("C: touch k {now-2}", b"touch k 998\r\n");
    check("C: one\nC: two", b"one\r\ntwo\r\n");
    check("C: one\n@cut\nC: two", b"one\r\n");
}

#[test]
fn malformed_lines_are_refused() {
    let check = |text: &str, expected: &str| match parse(text) {
        Ok(transcripts) => panic!("{text:?} was read: {transcripts:?}"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    };
    check("C: get k", "line 1: no `== NAME`");
    check("== a", "nothing happens");
    check("== a\nC: get k\x20", "line 2: a blank at the end");
    check("== a\nX: get k", "neither");
    check("== a\nC: a\\q", "unknown escape");
    check("== a\nC: a\\xg0", "hex");
    check("== a\nC: \\{a*b}", "not a number: a");
    check("== a\nS: {nothing}", "unknown pattern");
    check("== a\nS: {u64", "without its }");
    check("== a\nC: {u64}", "cannot be sent");
    check("== a\nC0: a", "not a connection");
    check("== a\n@later", "unknown directive");
    check("== a\nC: a\n@args -M", "begun already");
    check("== a\nM: b", "above it");
    check("== a\nS: a\nM2: b", "above it");
    check("== a\nS: a\nM: b", "must be followed");
    check("== a\nS: a\nM: b\n\n# because x: late", "must be followed");
    check("== a\nS: a\nM: b\n# because of that", "# because NAME");
    check("== a\nS: a\nM: a\n# because x: y", "say what the S line says");
    check("== a\nS: a\n# because x: y", "nothing to excuse");
    check("== a\n@until 3\nC: a\n", "one exchange");
    check("== a\n@until 3\nC: a\nS2: b\n", "one exchange");
    check("== a\n@until soon\nC: a\nS: b\n", "not a number: soon");
}

#[test]
fn patterns_match() {
    let check = |line: &str, received: &[u8], expected: Option<usize>| {
        let values = Values::from([("K".into(), 42)]);
        let found = match awaited(line).matches(received, &values) {
            Match::Whole(len, _) => Some(len),
            Match::Partial => None,
            Match::Not => Some(usize::MAX),
        };
        assert_eq!(found, expected, "{line} and {received:?}");
    };
    let (not, partial) = (Some(usize::MAX), None);
    check("S: END", b"END\r\nmore", Some(5));
    check("S: END", b"EN", partial);
    check("S: END", b"", partial);
    check("S: END", b"ENT", not);
    check("S: \\", b"", Some(0));
    check("S: pid {u64}", b"pid 12\r\n", Some(8));
    check("S: pid {u64}", b"pid 12", partial);
    check("S: pid {u64}", b"pid \r\n", not);
    check("S: pid {u64}", b"pid -1\r\n", not);
    check("S: {u64}", b"18446744073709551615\r\n", Some(22));
    check("S: {u64}", b"18446744073709551616\r\n", not);
    check("S: {u64}", b"111111111111111111111", not);
    check("S: k {K}", b"k 42\r\n", Some(6));
    check("S: k {K}", b"k 43\r\n", not);
    check("S: k {L}", b"k 42\r\n", not);
    check("S: a {any} z", b"a b c z\r\n", Some(9));
    check("S: a {any}", b"a \r\n", Some(4));
    check("S: a {any}z", b"a b\r\nz", not);
    check("S: {lines}END", b"END\r\n", Some(5));
    check("S: {lines}END", b"a\r\nb\r\nEND\r\n", Some(11));
    check("S: {lines}END", b"a\r\nb\r\nEN", partial);
    check("S: {lines}z", b"a\r\nb\r\n", partial);
    check("S: {lines}z", b"a\r\nEND\r\n", not);
    check("S: {lines}b", b"ab\r\nb\r\n", Some(7));
    check("S: {cas=A} {A}", b"5 5\r\n", Some(5));
    check("S: {cas=A} {A}", b"5 6\r\n", not);
}

#[test]
fn the_right_replies_pass_and_every_wrong_one_fails() {
    let script = "C: set a 0 0 1\nC: x\nS: STORED\nC: gets a\nS: VALUE a 0 1 {cas=A}\nS: x\nS: END\n\
                  C: cas a 0 0 1 {A}\nC: y\nS: STORED\nC: bad\nS: ERROR\nM: CLIENT_ERROR\n\
                  # because test: to see it\n@end\n@closed";
    let replies = ["STORED\r\n", "VALUE a 0 1 12\r\nx\r\nEND\r\n", "STORED\r\n", "ERROR\r\n"];
    let play = |replies: &[&str], judge| Player::new(Actor::new(replies), judge).play(&one(script));
    play(&replies, Judge::Reference).unwrap();
    let debian = ["STORED\r\n", replies[1], "STORED\r\n", "CLIENT_ERROR\r\n"];
    play(&debian, Judge::Debian).unwrap();

    for (index, reply) in replies.iter().enumerate() {
        for wrong in [&reply[..reply.len() - 1], &format!("{reply}!"), "NO\r\n", ""] {
            let mut replies = replies;
            replies[index] = wrong;
            let error = play(&replies, Judge::Reference).unwrap_err();
            assert!(error.line > 1, "{error}");
        }
    }
    let error = play(&replies, Judge::Debian).unwrap_err().to_string();
    assert!(error.starts_with("line 13, in \"test\": expected \"CLIENT_ERROR"), "{error}");
}

#[test]
fn a_number_is_sent_back() {
    let actor = Actor::new(&["VALUE a 0 1 12\r\n", "STORED\r\n"]);
    let sent = Rc::clone(&actor.sent);
    let script = "C: gets a\nS: VALUE a 0 1 {cas=A}\nC: cas a 0 0 1 {A}\nS: STORED";
    Player::new(actor, Judge::Reference).play(&one(script)).unwrap();
    assert_eq!(sent.borrow().as_slice(), b"gets a\r\ncas a 0 0 1 12\r\n");
}

#[test]
fn an_exchange_is_said_again_until_its_time_is_over() {
    let script = "@until 1\nC: get a\nS: END";
    let late = ["VALUE a 0 1\r\nx\r\nEND\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n", "END\r\n"];
    Player::new(Actor::new(&late), Judge::Reference).play(&one(script)).unwrap();
    let never = ["VALUE a 0 1\r\nx\r\nEND\r\n"; 1_000];
    let error = Player::new(Actor::new(&never), Judge::Reference).play(&one(script)).unwrap_err();
    assert!(error.to_string().contains("VALUE"), "{error}");
}

#[test]
fn exchanges_are_counted() {
    let check = |script: &str, expected| assert_eq!(one(script).exchanges(), expected, "{script}");
    check("C: a\nS: b", 1);
    check("C: a\nC: a\nS: b\nS: c", 1);
    check("C: a\n@cut\nC: a\nS: b\nC2: a\nS2: b", 2);
    check("C: a\nS: b\n@until 1\nC: a\nS: b", 2);
    check("C: quit\n@closed", 1);
}

/// A server that gives one prepared reply to each write, and closes when its client is done.
struct Actor {
    replies: Rc<RefCell<VecDeque<Vec<u8>>>>,
    sent: Rc<RefCell<Vec<u8>>>,
    millis: u64,
}

struct Line {
    replies: Rc<RefCell<VecDeque<Vec<u8>>>>,
    sent: Rc<RefCell<Vec<u8>>>,
    output: VecDeque<u8>,
    ended: bool,
}

impl Actor {
    fn new(replies: &[&str]) -> Self {
        let replies = replies.iter().map(|reply| reply.as_bytes().to_vec()).collect();
        Self { replies: Rc::new(RefCell::new(replies)), sent: Rc::default(), millis: 0 }
    }
}

impl Stage for Actor {
    type Wire = Line;

    fn connect(&mut self) -> io::Result<Line> {
        let (replies, sent) = (Rc::clone(&self.replies), Rc::clone(&self.sent));
        Ok(Line { replies, sent, output: VecDeque::new(), ended: false })
    }

    fn end(&mut self, line: &mut Line) -> io::Result<()> {
        line.ended = true;
        Ok(())
    }

    fn now(&self) -> u64 {
        self.millis / 1_000
    }

    fn wait(&mut self, pause: Duration) {
        self.millis += u64::try_from(pause.as_millis()).unwrap();
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.borrow_mut().extend_from_slice(bytes);
        self.output.extend(self.replies.borrow_mut().pop_front().unwrap_or_default());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Line {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self.output.read(space)? {
            0 if self.ended => Ok(0),
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}
