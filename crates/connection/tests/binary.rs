//! What the machine does with frames beyond what transcripts can tell: what it keeps, pins and copies, and when it stops.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use larder_connection::{Connection, Limits, PIN_LEN_MIN, Phase, Protocols, Unfinished};
use larder_protocol::binary::{Frame, HEAD_LEN, Opcode, Status};
use larder_testkit::model::{Model, Rules};

/// One client before a model.
struct Client {
    connection: Connection<Model>,
    model: Model,
}

impl Client {
    fn new(limits: Limits, rules: Rules) -> Self {
        Self { connection: Connection::new(limits), model: Model::new(rules) }
    }

    fn says(&mut self, bytes: &[u8]) {
        self.connection.receive(bytes, &mut self.model);
    }

    fn waiting(&mut self) -> Vec<u8> {
        self.connection.output().chunks().flatten().copied().collect()
    }

    /// Takes what waits and lets the machine go on, once.
    fn takes(&mut self) -> Vec<u8> {
        let waiting = self.waiting();
        self.connection.output().advance(waiting.len());
        self.says(b"");
        waiting
    }
}

fn bytes(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.push(&mut bytes);
    bytes
}

fn asked(opcode: Opcode) -> Frame<'static> {
    Frame::request(opcode as u8, 7)
}

fn answered(opcode: Opcode) -> Frame<'static> {
    Frame::response(opcode as u8, 7)
}

fn refused(opcode: Opcode, status: Status) -> Vec<u8> {
    bytes(&Frame::outcome(opcode as u8, 7, status))
}

fn set(key: &[u8], value: &[u8]) -> Vec<u8> {
    bytes(&Frame { key, extras: &[0; 8], value, ..asked(Opcode::SetQ) })
}

fn get(key: &[u8]) -> Vec<u8> {
    bytes(&Frame { key, ..asked(Opcode::Get) })
}

fn hit(cas: u64, value: &[u8]) -> Vec<u8> {
    bytes(&Frame { cas, extras: &[0; 4], value, ..answered(Opcode::Get) })
}

#[test]
fn long_values_are_pinned_and_short_ones_copied() {
    for (len, pinned) in [(0, 0), (PIN_LEN_MIN - 1, 0), (PIN_LEN_MIN, 1), (70_000, 1)] {
        let mut client = Client::new(Limits::default(), Rules::default());
        let value = vec![b'v'; len];
        client.says(&[set(b"k", &value), get(b"k")].concat());
        assert_eq!(client.model.live_values(), pinned, "{len}");
        let copied = if pinned == 1 { HEAD_LEN + 4 } else { HEAD_LEN + 4 + len };
        assert_eq!(client.connection.output().copied(), copied, "{len}");
        assert_eq!(client.connection.output().unsent(), HEAD_LEN + 4 + len);
        assert_eq!(client.takes(), hit(1, &value), "{len}");
        assert_eq!(client.model.live_values(), 0, "{len}");
    }
}

#[test]
fn a_touch_neither_pins_nor_copies() {
    let mut client = Client::new(Limits::default(), Rules::default());
    client.says(&set(b"k", &[b'v'; 70_000]));
    client.says(&bytes(&Frame { key: b"k", extras: &[0; 4], ..asked(Opcode::Touch) }));
    assert_eq!((client.model.live_values(), client.connection.output().unsent()), (0, 28));
}

#[test]
fn a_value_is_read_to_where_it_stays_but_for_its_line_end() {
    let rules = Rules { chunk_len: 1000, ..Rules::default() };
    let mut client = Client::new(Limits::default(), rules);
    let frame = set(b"k", &[b'v'; 1500]);
    client.says(&frame[..frame.len() - 1500]);
    assert_eq!(client.connection.phase(), Phase::Value);
    let mut scratch = [0; 64];
    // More of it follows the first space, so that the scratch buffer is not offered.
    let lens = client.connection.read_into(&mut scratch).map(|slice| slice.len());
    assert_eq!(lens, [1000, 0]);
    client.connection.read_done(1000, &scratch, &mut client.model);
    let lens = client.connection.read_into(&mut scratch).map(|slice| slice.len());
    assert_eq!(lens, [500, 64]);
    for slice in client.connection.read_into(&mut scratch) {
        slice.fill(b'x');
    }
    scratch[..25].copy_from_slice(&get(b"k"));
    client.connection.read_done(525, &scratch, &mut client.model);
    assert_eq!(client.connection.phase(), Phase::Reply);
    let sent = client.takes();
    assert_eq!(sent.len(), 28 + 1500);
    assert!(sent.ends_with(&[b'x'; 500]));
}

#[test]
fn no_more_is_kept_than_head_extras_and_key() {
    let key = [b'k'; 250];
    let frame = bytes(&Frame { key: &key, extras: &[0; 20], ..asked(Opcode::Increment) });
    let mut client = Client::new(Limits::default(), Rules::default());
    for (index, byte) in frame.iter().enumerate() {
        assert_eq!(client.connection.unfinished().command_bytes, index);
        assert_eq!(client.connection.is_half_way(), index > 0);
        client.says(&[*byte]);
    }
    assert_eq!(client.connection.unfinished().command_bytes, 0);
    assert_eq!(client.takes().len(), HEAD_LEN + 8);
    // A head that cannot be is refused as soon as it is there, whatever it announces.
    let frame = Frame { extras: &[b'e'; 255], ..asked(Opcode::Get) };
    client.says(&bytes(&frame)[..HEAD_LEN]);
    assert_eq!(client.waiting(), refused(Opcode::Get, Status::InvalidArguments));
    assert_eq!(client.connection.unfinished().command_bytes, 0);
    client.takes();
    assert!(client.connection.is_finished());
    assert_eq!(client.connection.unfinished(), Unfinished::default());
}

#[test]
fn a_full_output_stops_between_requests() {
    let limits = Limits { output_len: 100, ..Limits::default() };
    let mut client = Client::new(limits, Rules::default());
    client.says(&[set(b"k", &[b'v'; 90]), get(b"k").repeat(3)].concat());
    for rest in [2, 1, 0] {
        assert_eq!(client.connection.unfinished().command_bytes, rest * get(b"k").len());
        assert!(!client.connection.wants_read());
        assert_eq!(client.takes(), hit(1, &[b'v'; 90]));
    }
    assert!(client.connection.wants_read() && !client.connection.wants_write());
}

#[test]
fn statistics_end_a_turn() {
    let mut client = Client::new(Limits::default(), Rules::default());
    client.says(&bytes(&asked(Opcode::Stat)).repeat(2));
    let one = client.waiting();
    assert!(one.ends_with(&bytes(&answered(Opcode::Stat))));
    assert!(client.connection.has_work(), "others get their turn");
    client.says(b"");
    assert_eq!(client.waiting(), one.repeat(2));
    assert!(!client.connection.has_work());
}

#[test]
fn memory_may_run_out_at_any_byte_of_a_value() {
    for value_len in 7..=12 {
        let rules = Rules { draft_len_max: 10, chunk_len: 1, ..Rules::default() };
        let mut client = Client::new(Limits::default(), rules);
        let noop = bytes(&asked(Opcode::Noop));
        client.says(&[set(b"k", &vec![b'v'; value_len]), noop].concat());
        // The line end that is not sent takes two bytes as well.
        let refused = refused(Opcode::SetQ, Status::OutOfMemory);
        let expected = if value_len <= 8 { Vec::new() } else { refused };
        let sent = client.takes();
        assert_eq!(sent, [expected, bytes(&answered(Opcode::Noop))].concat(), "{value_len}");
        assert_eq!(client.model.live_drafts(), 0);
    }
}

#[test]
fn exptimes_have_32_bits_and_no_sign() {
    let never = u32::MAX.to_be_bytes();
    let last = (u32::MAX - 1).to_be_bytes();
    let with = |opcode, extras: &[&[u8]]| {
        bytes(&Frame { key: b"1", extras: &extras.concat(), ..asked(opcode) })
    };
    for (frame, expiry) in [
        (with(Opcode::Set, &[&[0; 4], &never]), u32::MAX),
        (with(Opcode::Touch, &[&last]), u32::MAX - 1),
        (with(Opcode::GatQ, &[&never]), u32::MAX),
        (with(Opcode::Increment, &[&[0; 16], &last]), u32::MAX - 1),
    ] {
        let mut client = Client::new(Limits::default(), Rules::default());
        if frame[1] != Opcode::Increment as u8 {
            client.says(&set(b"1", b"1"));
        }
        client.says(&frame);
        let expiry = Some(i64::from(expiry));
        assert_eq!(client.model.items()[&b"1"[..]].expiry, expiry, "{}", frame.escape_ascii());
    }
}

#[test]
fn the_first_byte_decides_where_it_may() {
    let noop = bytes(&asked(Opcode::Noop));
    let done = bytes(&answered(Opcode::Noop));
    let text: &[u8] = b"verbosity 1\r\n";
    // The opcode of a version is no line end.
    let version = [&bytes(&asked(Opcode::Version))[..], b"\r\n"].concat();
    for (protocols, input, expected, closes) in [
        (Protocols::Auto, &noop[..], &done[..], false),
        (Protocols::Auto, text, b"OK\r\n", false),
        (Protocols::Binary, &noop, &done, false),
        (Protocols::Binary, text, b"", true),
        (Protocols::Text, &version, b"ERROR\r\n", false),
        (Protocols::Text, text, b"OK\r\n", false),
    ] {
        let mut model = Model::new(Rules::default());
        let mut connection = Connection::speaking(protocols, Limits::default());
        // It decides anew for the next client.
        for _ in 0..2 {
            connection.receive(input, &mut model);
            let sent: Vec<u8> = connection.output().chunks().flatten().copied().collect();
            assert_eq!(sent, expected, "{protocols:?}, {}", input.escape_ascii());
            assert_eq!(connection.is_finished(), closes, "{protocols:?}");
            connection.reset();
        }
    }
}
