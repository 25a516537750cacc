//! What the machine does, byte for byte: conversations with the model behind it, each in one piece, byte by byte, and
//! read straight into its values.

use larder_connection::{Connection, Limits, Phase, Unfinished};
use larder_testkit::model::{Model, Rules};

/// One client before a model.
struct Client {
    connection: Connection<Model>,
    model: Model,
    received: Vec<u8>,
}

impl Client {
    fn new(limits: Limits, rules: Rules) -> Self {
        let connection = Connection::new(limits);
        Self { connection, model: Model::new(rules), received: Vec::new() }
    }

    fn says(&mut self, bytes: &[u8]) {
        self.connection.receive(bytes, &mut self.model);
    }

    /// What waits to be sent; it goes on waiting.
    fn waiting(&mut self) -> Vec<u8> {
        self.connection.output().chunks().flatten().copied().collect()
    }

    /// Takes up to `len` bytes of what waits, without telling the machine to go on.
    fn takes(&mut self, len: usize) {
        let waiting = self.waiting();
        self.received.extend_from_slice(&waiting[..len.min(waiting.len())]);
        self.connection.output().advance(len);
    }

    /// Takes everything, and all that comes because of it.
    fn takes_all(&mut self) {
        while self.connection.wants_write() || self.connection.has_work() {
            assert_eq!(self.waiting().is_empty(), !self.connection.wants_write());
            self.takes(usize::MAX);
            self.says(b"");
            assert!(!self.connection.has_work(), "it stopped without a cause");
        }
    }

    /// Reads as a driver does: into the value first, then into a scratch buffer.
    fn reads(&mut self, mut bytes: &[u8], len: usize) {
        let mut scratch = vec![0; len];
        while !bytes.is_empty() && self.connection.phase() != Phase::Closing {
            if !self.connection.wants_read() {
                self.takes_all();
            }
            let mut taken = 0;
            for slice in self.connection.read_into(&mut scratch) {
                let step = slice.len().min(bytes.len()).min(len - taken);
                slice[..step].copy_from_slice(&bytes[..step]);
                bytes = &bytes[step..];
                taken += step;
            }
            assert!(taken > 0, "there was nowhere to read to");
            self.connection.read_done(taken, &scratch, &mut self.model);
        }
    }
}

fn small() -> Limits {
    Limits { line_len: 64, unfinished_line_len: 64, output_len: 10 }
}

/// Plays a conversation in three ways; `expected` ends in `<closed>` if the connection does.
#[track_caller]
fn check(input: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    check_under(Limits::default(), Rules::default(), input.as_ref(), expected.as_ref());
}

#[track_caller]
fn check_under(limits: Limits, rules: Rules, input: &[u8], expected: &[u8]) {
    let (expected, closes) = match expected.strip_suffix(b"<closed>") {
        Some(expected) => (expected, true),
        None => (expected, false),
    };
    for way in ["whole", "bytes", "reads"] {
        let mut client = Client::new(limits, rules);
        match way {
            "whole" => client.says(input),
            "bytes" => input.chunks(1).for_each(|byte| {
                client.says(byte);
                client.takes_all();
            }),
            _ => input.chunks(700).for_each(|bytes| {
                client.reads(bytes, 7);
                client.takes_all();
            }),
        }
        client.takes_all();
        let same = client.received.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let excerpt = |bytes: &[u8]| {
            bytes[same.min(bytes.len())..].iter().take(80).copied().collect::<Vec<u8>>()
        };
        let (received, expected) = (excerpt(&client.received), excerpt(expected));
        assert_eq!(
            received.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{way}, after {same} equal bytes"
        );
        assert_eq!(client.connection.is_finished(), closes, "{way}: finished");
        assert_eq!(client.connection.wants_read(), !closes, "{way}: reads on");
    }
}

#[test]
fn requests_are_answered_in_order() {
    check("", "");
    check("get k\r\n", "END\r\n");
    check("set k 7 0 3\r\nabc\r\nget k\r\n", "STORED\r\nVALUE k 7 3\r\nabc\r\nEND\r\n");
    check("set k 7 0 3\nabc\r\ngets a k k\n", {
        "STORED\r\nVALUE k 7 3 1\r\nabc\r\nVALUE k 7 3 1\r\nabc\r\nEND\r\n"
    });
    check("set n 0 0 2 noreply\r\n10\r\ndecr n 1\r\nget n\r\nincr n x\r\nincr m 1\r\n", {
        "9\r\nVALUE n 0 2\r\n9 \r\nEND\r\nCLIENT_ERROR invalid numeric delta argument\r\n\
         NOT_FOUND\r\n"
    });
    check("set k 0 0 0\r\n\r\nappend k 9 9 1\r\nb\r\nprepend k 9 9 1\r\na\r\ngat 0 k\r\n", {
        "STORED\r\nSTORED\r\nSTORED\r\nVALUE k 0 2\r\nab\r\nEND\r\n"
    });
    check("version\r\nverbosity 1\r\nstats reset\r\nshutdown\r\nnonsense\r\n", {
        "VERSION 1.6.45\r\nOK\r\nRESET\r\nSERVER_ERROR: shutdown not enabled\r\nERROR\r\n"
    });
    check("touch k 0\r\nflush_all\r\ndelete k\r\n", "NOT_FOUND\r\nOK\r\nNOT_FOUND\r\n");
}

#[test]
fn a_long_value_is_pinned_between_its_neighbours() {
    let long = "long".repeat(2500);
    check(
        format!("set k 0 0 10000\r\n{long}\r\nset s 0 0 1\r\nx\r\nget s k s k\r\nversion\r\n"),
        {
            format!(
                "STORED\r\nSTORED\r\nVALUE s 0 1\r\nx\r\nVALUE k 0 10000\r\n{long}\r\n\
             VALUE s 0 1\r\nx\r\nVALUE k 0 10000\r\n{long}\r\nEND\r\nVERSION 1.6.45\r\n"
            )
        },
    );
}

#[test]
fn a_refused_data_block_is_thrown_away() {
    let bad = "CLIENT_ERROR bad command line format\r\n";
    let large = "SERVER_ERROR object too large for cache\r\n";
    check("set k -1 0 7\r\nget k\r\n\r\nget k\r\n", format!("{bad}END\r\n"));
    check("set k 0 x 7 noreply\r\nget k\r\n\r\nget k\r\n", "END\r\n");
    check("set k 0 0 -1\r\nget k\r\n", format!("{bad}END\r\n"));
    check(format!("set {} 0 0 2\r\nab\r\nget k\r\n", "k".repeat(251)), format!("{bad}END\r\n"));
    let block = "get k\r\n".repeat(200_000);
    check(format!("set k 0 0 1\r\nx\r\nset k 0 0 1400000\r\n{block}\r\nget k\r\n"), {
        format!("STORED\r\n{large}END\r\n")
    });
    check(format!("add k 0 0 1400000 noreply\r\n{block}\r\nversion\r\n"), "VERSION 1.6.45\r\n");
}

#[test]
fn a_bad_data_chunk_takes_exactly_its_length_and_two() {
    let bad = "CLIENT_ERROR bad data chunk\r\n";
    check("set k 0 0 3\r\nabcde\r\nget k\r\n", {
        format!("{bad}CLIENT_ERROR bad command line format\r\nEND\r\n")
    });
    check("set k 0 0 3\r\nabcdeversion\r\nget k\r\n", format!("{bad}VERSION 1.6.45\r\nEND\r\n"));
    check("set k 0 0 3 noreply\r\nabcdeversion\r\nget k\r\n", "VERSION 1.6.45\r\nEND\r\n");
    check("set k 0 0 3\r\na\r\nbget k\r\n", format!("{bad}END\r\n").replace("END", "ERROR"));
}

#[test]
fn memory_that_runs_out_in_a_value_is_answered_and_the_rest_thrown_away() {
    let rules = Rules { draft_len_max: 2500, ..Rules::default() };
    let block = "get k\r\n".repeat(1000);
    let input = format!("set k 0 0 2498\r\n{}\r\nset j 0 0 7000\r\n{block}\r\n", "x".repeat(2498));
    let input = format!("{input}set j 0 0 7000 noreply\r\n{block}\r\nget j\r\n");
    let expected = "STORED\r\nSERVER_ERROR Out of memory during read\r\nEND\r\n";
    check_under(Limits::default(), rules, input.as_bytes(), expected.as_bytes());
}

#[test]
fn what_closes_a_connection() {
    check("version\r\nquit\r\nversion\r\nset k 0 0 1\r\n", "VERSION 1.6.45\r\n<closed>");
    check("quit noreply\n", "<closed>");
    check("version\r\nGET / HTTP/1.1\r\nHost: x\r\n", "VERSION 1.6.45\r\n<closed>");
    // Its first byte says that it speaks the binary protocol: then it may speak nothing else.
    check([NOOP, b"version\r\n"].concat(), [NOOP_DONE, b"<closed>"].concat());
    check(b"version\r\n\x80\x00\x00\x01\r\n", "VERSION 1.6.45\r\nERROR\r\n");
    let rules = Rules { can_shut_down: true, ..Rules::default() };
    let input = "shutdown now\r\nshutdown graceful\r\nversion\r\n";
    let expected = "CLIENT_ERROR invalid shutdown mode\r\n<closed>";
    check_under(Limits::default(), rules, input.as_bytes(), expected.as_bytes());
}

#[test]
fn a_line_too_long_closes_after_what_came_before() {
    let limits = Limits { unfinished_line_len: 16 * 1024, ..Limits::default() };
    let check = |input: String, expected: &str| {
        check_under(limits, Rules::default(), input.as_bytes(), expected.as_bytes());
    };
    let longest = "x".repeat(16 * 1024);
    check(format!("version\r\n{longest}\nget k\r\n"), "VERSION 1.6.45\r\nERROR\r\nEND\r\n");
    check(format!("version\r\n{longest}x"), "VERSION 1.6.45\r\n<closed>");
    check(format!("version\r\n{longest}x\nversion\r\n"), "VERSION 1.6.45\r\n<closed>");
    check(format!("version\r\nset k 0 0 1 {longest}\r\na\r\n"), "VERSION 1.6.45\r\n<closed>");
    // Blanks where the exptime of a retrieval should be are no retrieval, however they arrive.
    check(format!("gat {} 1 k\r\n", " ".repeat(16 * 1024)), "<closed>");
}

#[test]
fn of_an_unfinished_line_less_is_kept_than_is_answered_whole() {
    let says = |pieces: &[&str]| {
        let mut client = Client::new(Limits::default(), Rules::default());
        pieces.iter().for_each(|piece| client.says(piece.as_bytes()));
        client.takes_all();
        (String::from_utf8(client.received.clone()).unwrap(), client.connection.is_finished())
    };
    let (kept, more) = ("x".repeat(2048), "x".repeat(2049));
    assert_eq!(says(&[&kept]), (String::new(), false));
    assert_eq!(says(&[&kept, "\nversion\r\n"]), ("ERROR\r\nVERSION 1.6.45\r\n".into(), false));
    assert_eq!(says(&[&more]), (String::new(), true));
    assert_eq!(says(&[&kept, "x\n"]), ("ERROR\r\n".into(), false), "its end came with it");
    assert_eq!(says(&["version\r\n", &kept, "x", "\n"]), ("VERSION 1.6.45\r\n".into(), true));
    let line = format!("set {} 0 0 1\r\na\r\n", "k".repeat(3000));
    let refused = "CLIENT_ERROR bad command line format\r\n";
    assert_eq!(
        says(&[&line]),
        (refused.into(), false),
        "whole in one piece, as memcached takes it"
    );
}

#[test]
fn a_retrieval_too_long_is_answered_as_it_arrives() {
    let (stored, value) = ("set k 0 0 1\r\nx\r\n", "VALUE k 0 1\r\nx\r\n");
    let keys = " k".repeat(20_000);
    check(format!("{stored}get{keys}\r\nversion\r\n"), {
        format!("STORED\r\n{}END\r\nVERSION 1.6.45\r\n", value.repeat(20_000))
    });
    check(format!("{stored}gat 0{keys}\nversion\r\n"), {
        format!("STORED\r\n{}END\r\nVERSION 1.6.45\r\n", value.repeat(20_000))
    });
    let (absent, long) = (" a".repeat(10_000), "k".repeat(250));
    let bad = "CLIENT_ERROR bad command line format\r\n";
    check(format!("get{absent} {long}\r\nversion\r\n"), "END\r\nVERSION 1.6.45\r\n");
    check(format!("get{absent} {long}k k\r\nversion\r\n"), format!("{bad}VERSION 1.6.45\r\n"));
    check(format!("get{absent} {long}kk{keys}\nversion\r\n"), format!("{bad}VERSION 1.6.45\r\n"));
    // A shorter one is checked whole, before its first key is answered.
    check(format!("{stored}get k {long}k\r\nversion\r\n"), {
        format!("STORED\r\n{bad}VERSION 1.6.45\r\n")
    });
}

#[test]
fn a_full_output_stalls_and_goes_on() {
    let mut client = Client::new(small(), Rules::default());
    client.says(b"set k 0 0 1 noreply\r\nx\r\nget k k k\r\nversion\r\n");
    assert_eq!(client.waiting(), b"VALUE k 0 1\r\nx\r\n");
    assert!(!client.connection.wants_read() && !client.connection.has_work());
    assert_eq!(client.connection.phase(), Phase::Reply);
    assert!(!client.connection.is_half_way(), "it is the machine that owes something");
    assert_eq!(client.connection.unfinished().command_bytes, b" k k\r\nversion\r\n".len());
    client.takes(7);
    assert!(client.connection.has_work() && !client.connection.wants_read());
    client.says(b"");
    assert!(!client.connection.has_work());
    assert_eq!(client.waiting(), b" 0 1\r\nx\r\nVALUE k 0 1\r\nx\r\n");
    client.takes_all();
    let values = "VALUE k 0 1\r\nx\r\n".repeat(3);
    assert_eq!(client.received, format!("{values}END\r\nVERSION 1.6.45\r\n").as_bytes());
    assert_eq!(client.connection.unfinished(), Unfinished::default());
}

#[test]
fn small_outputs_change_nothing() {
    // One that is copied, and one that is sent from where it lies.
    for len in [3000, 9000] {
        let value = "y".repeat(len);
        let gets = "get k a k\r\nget k\r\nversion\r\nquit\r\n";
        let input = format!("set k 0 0 {len}\r\n{value}\r\n{gets}");
        let hit = format!("VALUE k 0 {len}\r\n{value}\r\n");
        let hits = format!("{hit}{hit}END\r\n{hit}END\r\n");
        let expected = format!("STORED\r\n{hits}VERSION 1.6.45\r\n<closed>");
        for output_len in [1, 2, 19, len, len + 19, len + 20, 2 * len + 40] {
            let limits = Limits { output_len, ..Limits::default() };
            check_under(limits, Rules::default(), input.as_bytes(), expected.as_bytes());
        }
    }
}

#[test]
fn one_answer_to_stats_a_turn() {
    let mut client = Client::new(Limits::default(), Rules::default());
    client.says(&b"stats\r\n".repeat(3));
    let answers = |client: &mut Client| {
        let waiting = client.waiting();
        waiting.windows(5).filter(|bytes| bytes == b"END\r\n").count()
    };
    for answered in [1, 2] {
        assert_eq!(answers(&mut client), answered);
        assert!(client.connection.has_work() && !client.connection.wants_read());
        assert!(!client.connection.is_half_way());
        client.says(b"");
    }
    assert_eq!(answers(&mut client), 3);
    assert!(!client.connection.has_work() && client.connection.wants_read());
}

#[test]
fn spare_capacity_is_known_and_given_back() {
    let mut client = Client::new(Limits::default(), Rules::default());
    assert_eq!(client.connection.spare_bytes(), 0);
    client.says(&b"version\r\n".repeat(100));
    client.says(b"get k");
    client.takes_all();
    assert!(client.connection.spare_bytes() >= 1600, "{}", client.connection.spare_bytes());
    client.connection.trim();
    assert_eq!(client.connection.spare_bytes(), 0);
    client.says(b"\r\n");
    assert_eq!(client.waiting(), b"END\r\n", "what was held stayed");
}

#[test]
fn the_end_of_input_comes_after_its_answers() {
    let mut client = Client::new(small(), Rules::default());
    client.says(b"version\r\nversion\r\nget k\r\nversio");
    client.connection.receive_end(&mut client.model);
    assert!(!client.connection.wants_read() && !client.connection.is_finished());
    client.takes_all();
    assert_eq!(client.received, b"VERSION 1.6.45\r\nVERSION 1.6.45\r\nEND\r\n");
    assert!(client.connection.is_finished());
}

#[test]
fn a_connection_says_what_it_waits_for() {
    let mut client = Client::new(Limits::default(), Rules::default());
    let mut says = |bytes: &[u8], phase: Phase, is_half_way: bool, unfinished: Unfinished| {
        client.says(bytes);
        let shown = bytes.escape_ascii();
        assert_eq!(client.connection.phase(), phase, "{shown}");
        assert_eq!(client.connection.is_half_way(), is_half_way, "{shown}");
        assert_eq!(client.connection.unfinished(), unfinished, "{shown}");
    };
    let nothing = Unfinished::default();
    let replies = |reply_bytes| Unfinished { reply_bytes, ..nothing };
    says(b"", Phase::Command, false, nothing);
    says(b"set k 0", Phase::Command, true, Unfinished { command_bytes: 7, ..nothing });
    // A draft may take one chunk ahead of what arrived.
    let chunk = Unfinished { value_bytes: 1000, ..nothing };
    says(b" 0 2000 noreply\r\n", Phase::Value, true, chunk);
    says(b"abc", Phase::Value, true, chunk);
    says(&[b'x'; 1997], Phase::Value, true, Unfinished { value_bytes: 2000, ..nothing });
    says(b"\r\n", Phase::Command, false, nothing);
    says(b"set k 0 0 9000000 noreply\r\n", Phase::Skip, true, nothing);
    says(&[b'x'; 9_000_002], Phase::Command, false, nothing);
    says(b"get k\r\n", Phase::Reply, false, replies(5));
    says(b"get k k", Phase::Reply, true, Unfinished { command_bytes: 7, ..replies(5) });
    says(b"\r\nset k 0 0 9000 noreply\r\n", Phase::Value, true, replies(10));
    says(&[b'x'; 9000], Phase::Value, true, Unfinished { value_bytes: 9000, ..replies(10) });
    let head = b"VALUE k 0 9000\r\n".len();
    let pinned = Unfinished { replies_in_flight: 1, ..replies(15 + head) };
    says(b"\r\nget k\r\n", Phase::Reply, false, pinned);
    says(b"quit\r\nversion\r\n", Phase::Closing, false, pinned);
}

#[test]
fn half_a_long_retrieval_is_half_way() {
    let mut client = Client::new(Limits { line_len: 64, ..Limits::default() }, Rules::default());
    client.says("gets".as_bytes());
    client.says(" a".repeat(40).as_bytes());
    assert!(client.connection.is_half_way());
    assert_eq!(client.connection.unfinished().command_bytes, 1, "only the last word is held");
    client.says(&[b'a'; 300]);
    assert_eq!(client.connection.phase(), Phase::Skip);
    assert!(client.connection.is_half_way());
    assert_eq!(client.waiting(), b"CLIENT_ERROR bad command line format\r\n");
}

#[test]
fn a_read_lands_where_its_bytes_stay() {
    let mut client = Client::new(Limits::default(), Rules::default());
    let mut scratch = [0; 64];
    let mut lens =
        |client: &mut Client| client.connection.read_into(&mut scratch).map(|slice| slice.len());
    assert_eq!(lens(&mut client), [0, 64], "a line may come");
    client.says(b"set k 0 0 1500\r\nab");
    // Memory for the first 1000 bytes is there; a longer read would have to be copied.
    assert_eq!(lens(&mut client), [998, 0]);
    client.says(&[b'x'; 998]);
    assert_eq!(lens(&mut client), [502, 64], "after the value, the next line may come");
    client.says(&[b'x'; 502]);
    assert_eq!(lens(&mut client), [0, 64]);
}

#[test]
fn progress_is_what_the_peer_makes() {
    let mut client = Client::new(Limits::default(), Rules::default());
    let mut says = |bytes: &[u8], expected: bool| {
        let before = client.connection.progress();
        client.says(bytes);
        let has_moved = client.connection.progress() != before;
        assert_eq!(has_moved, expected, "{}", bytes.escape_ascii());
    };
    // Half a line is none, nor is being asked to go on.
    for (bytes, expected) in [
        (&b"version\r\n"[..], true),
        (b"", false),
        (b"set k 0 0", false),
        (b" 10\r\n", true),
        (b"", false),
        (b"abc", true),
        (b"", false),
        (b"defghij\r\n", true),
        (b"set k 0 0 9000000\r\n", true),
        (b"", false),
        (b"abc", true),
        (b"", false),
    ] {
        says(bytes, expected);
    }
}

#[test]
fn a_reset_connection_knows_nothing_of_the_last_client() {
    let value = "z".repeat(9000);
    let stored = format!("set k 0 0 9000\r\n{value}\r\nget k\r\n");
    for last in ["get k", "set k 0 0 10\r\nab", "set k x 0 10\r\nab", "quit\r\n", "gets"] {
        let mut client = Client::new(Limits::default(), Rules::default());
        client.says(format!("{stored}{last}").as_bytes());
        if last == "gets" {
            client.connection.receive_end(&mut client.model);
        }
        assert_eq!(client.model.live_values(), 1);
        client.connection.reset();
        assert_eq!((client.model.live_values(), client.model.live_drafts()), (0, 0), "{last:?}");
        assert_eq!(client.connection.unfinished(), Unfinished::default());
        assert!(client.connection.wants_read() && !client.connection.wants_write());
        // Its first byte decides again; then it is like new.
        client.says(NOOP);
        assert_eq!(client.waiting(), NOOP_DONE, "{last:?}");
        client.connection.reset();
        client.says(b"version\r\n");
        assert_eq!(client.waiting(), b"VERSION 1.6.45\r\n", "{last:?}");
    }
}

#[test]
fn a_dump_is_made_as_its_reader_makes_room() {
    let limits = Limits { output_len: 10, ..Limits::default() };
    let mut client = Client::new(limits, Rules::default());
    client.says(b"set a 1 0 1 noreply\r\nx\r\nset b 0 0 1 noreply\r\nx\r\n");
    // An output that is full is the same as a reader that is slow, and what came after is not forgotten.
    client.says(b"lru_crawler mgdump all\r\nversion\r\n");
    let mut waiting = client.waiting();
    assert_eq!(waiting, b"OK\r\nmg a\r\n");
    assert!(!client.connection.wants_read() && !client.connection.has_work());
    for expected in [&b"mg b\r\nEN\r\n"[..], b"VERSION 1.6.45\r\n", b""] {
        client.connection.output().advance(waiting.len());
        while client.connection.has_work() {
            client.says(b"");
        }
        waiting = client.waiting();
        assert_eq!(waiting.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
    assert!(client.connection.wants_read());
}

#[test]
fn trimming_loses_nothing_that_is_needed() {
    let mut client = Client::new(Limits::default(), Rules::default());
    client.says(b"version\r\nvers");
    client.connection.trim();
    client.takes_all();
    client.connection.trim();
    client.says(b"ion\r\nget k\r\n");
    client.takes(9);
    client.connection.trim();
    client.takes_all();
    assert_eq!(client.received, b"VERSION 1.6.45\r\nVERSION 1.6.45\r\nEND\r\n");
}

#[test]
fn a_closed_connection_lets_go_of_its_draft_and_sends_what_it_owes() {
    let mut client = Client::new(Limits::default(), Rules::default());
    client.says(b"version\r\nset k 0 0 100\r\nabc");
    assert_eq!(client.model.live_drafts(), 1);
    client.connection.close();
    assert_eq!(client.model.live_drafts(), 0);
    assert!(!client.connection.is_finished());
    client.takes_all();
    assert!(client.connection.is_finished());
    assert_eq!(client.received, b"VERSION 1.6.45\r\n");
}

/// A request that does nothing, and its response.
const NOOP: &[u8] = b"\x80\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0";
const NOOP_DONE: &[u8] = b"\x81\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0";
