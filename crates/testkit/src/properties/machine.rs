//! Properties of `larder-connection`.
//!
//! The first bytes of an input say under which limits and rules, and by which plan the rest is fed; the rest is a
//! conversation as it stands, or what a conversation grows out of.

use larder_connection::{Connection, Limits};

use crate::converse::{DRAFT_CHUNK_MAX, Ending, Exchange};
use crate::model::{Model, Rules};
use crate::reference::answers;
use crate::script::{self, Choices};

/// The machine answers what the reference answers, and leaves the same items behind.
///
/// # Panics
///
/// If it does not.
pub fn machine_agrees(input: &[u8]) {
    let case = Case::new(input);
    let mut reference = Model::new(case.rules);
    let expected = answers(&case.conversation, case.limits.line_len, &mut reference);
    let (sent, model) = case.whole();
    assert_same(&sent, &expected);
    assert!(model.items() == reference.items(), "other items are left");
}

/// The same bytes are sent and the same items are left, whatever the cuts of the input, the mix of `receive` and
/// `read_into`, the limit of the output, the pace of sending, flights or not, and wherever the input ends.
///
/// # Panics
///
/// If they are not.
pub fn cuts_do_not_matter(input: &[u8]) {
    let case = Case::new(input);
    let (expected, whole) = case.whole();
    let mut model = Model::new(case.rules);
    let exchange = case.exchange(&case.conversation, Ending::Closed, &mut model);
    let (connection, sent) = exchange.run();
    assert_same(&sent, &expected);
    assert!(connection.is_finished(), "the end of the input ends the connection");
    assert!(model.items() == whole.items(), "other items are left");
    assert_eq!(model.calls(), whole.calls(), "something was asked twice or not at all");
}

/// What a connection holds stays within its limits: [`Exchange`] sees to it at every step.
///
/// # Panics
///
/// If it does not.
pub fn memory_is_bounded(input: &[u8]) {
    let case = Case::new(input);
    let mut model = Model::new(case.rules);
    drop(case.exchange(&case.conversation, Ending::Open, &mut model).run());
}

/// Requests that want no reply get none, and do what they do with a reply.
///
/// # Panics
///
/// If that does not hold.
pub fn quiet_is_quiet(input: &[u8]) {
    let mut case = Case::new(input);
    case.limits.line_len = Limits::default().line_len;
    case.limits.unfinished_line_len = case.limits.line_len;
    let [quiet, loud] = script::quiet_conversation(&mut Choices::new(case.seed));
    let mut models = [Model::new(case.rules), Model::new(case.rules)];
    let [quiet_model, loud_model] = &mut models;
    let (_, sent) = case.exchange(&quiet, Ending::Open, quiet_model).run();
    assert!(sent.is_empty(), "{}", sent.escape_ascii());
    let (_, sent) = case.exchange(&loud, Ending::Open, loud_model).run();
    assert_eq!(sent.is_empty(), loud.is_empty(), "a request was not answered");
    assert!(quiet_model.items() == loud_model.items(), "noreply changes what is done");
    assert_eq!(quiet_model.calls(), loud_model.calls());
}

/// A quiet meta command does what it does with a reply, and leaves out that reply or nothing of it: a miss of `mg`, a success of
/// the others.
///
/// # Panics
///
/// If that does not hold.
pub fn quiet_meta_hides_the_ordinary(input: &[u8]) {
    let mut case = Case::new(input);
    case.limits = Limits { output_len: usize::MAX, ..Limits::default() };
    let mut models = [Model::new(case.rules), Model::new(case.rules)];
    let mut connections = [Connection::new(case.limits), Connection::new(case.limits)];
    for pair in script::meta_pairs(&mut Choices::new(case.seed)) {
        let mut replies = [Vec::new(), Vec::new()];
        for (index, bytes) in pair.iter().enumerate() {
            let connection = &mut connections[index];
            connection.receive(bytes, &mut models[index]);
            replies[index] = connection.output().chunks().flatten().copied().collect();
            connection.output().advance(replies[index].len());
        }
        let [loud, quiet] = &replies;
        let ordinary: &[&[u8]] =
            if pair[0].starts_with(b"mg") { &[b"EN"] } else { &[b"HD", b"VA"] };
        let is_ordinary = ordinary.iter().any(|code| loud.starts_with(code));
        assert!(!loud.is_empty(), "{}", pair[0].escape_ascii());
        let is_creation = pair[0].starts_with(b"ma") && !quiet.is_empty();
        if is_ordinary && !is_creation {
            assert!(quiet.is_empty(), "{} is told", quiet.escape_ascii());
        } else {
            assert_same(quiet, loud);
        }
    }
    assert!(models[0].items() == models[1].items(), "the flag for quiet changes what is done");
}

/// Once a connection closes, nothing that arrives is looked at, and nothing is said but what was owed before.
///
/// # Panics
///
/// If that does not hold.
pub fn closing_is_final(input: &[u8]) {
    let case = Case::new(input);
    let mut model = Model::new(case.rules);
    let mut connection = Connection::new(case.limits);
    connection.receive(&case.conversation, &mut model);
    connection.close();
    let owed: Vec<u8> = connection.output().chunks().flatten().copied().collect();
    let calls = model.calls();
    let mut scratch = [b'\n'; 64];
    for arriving in [&b"version\r\nget a\r\n"[..], case.seed, b"set a 0 0 1\r\nx\r\n", b""] {
        assert!(!connection.wants_read() && !connection.has_work(), "it closes");
        connection.receive(arriving, &mut model);
        let taken = connection.read_into(&mut scratch).iter().map(|slice| slice.len()).sum();
        connection.read_done(taken, &scratch, &mut model);
    }
    connection.receive_end(&mut model);
    assert_eq!(model.calls(), calls, "something was asked after the end");
    assert_eq!(connection.unfinished().command_bytes, 0, "something is kept after the end");
    assert_same(&connection.output().chunks().flatten().copied().collect::<Vec<u8>>(), &owed);
    assert_eq!(connection.is_finished(), owed.is_empty());
    connection.output().advance(owed.len());
    assert!(connection.is_finished());
}

/// A connection that goes at any moment, one way or another, holds no value and no draft afterwards.
///
/// # Panics
///
/// If one does.
pub fn every_pin_is_dropped(input: &[u8]) {
    let case = Case::new(input);
    let mut choices = Choices::new(input);
    let (way, step_count) = (choices.below(3), choices.byte());
    let mut model = Model::new(case.rules);
    let mut exchange = case.exchange(&case.conversation, Ending::Open, &mut model);
    for _ in 0..step_count {
        exchange.step();
    }
    let mut connection = exchange.into_connection();
    match way {
        0 => drop(connection),
        1 => {
            connection.reset();
            assert_eq!((model.live_values(), model.live_drafts()), (0, 0), "after a reset");
        }
        _ => {
            connection.close();
            assert_eq!(model.live_drafts(), 0, "a closed connection waits for no value");
            let owed = connection.output().unsent();
            connection.output().advance(owed);
        }
    }
    assert_eq!((model.live_values(), model.live_drafts()), (0, 0));
}

/// What an input says.
struct Case<'i> {
    limits: Limits,
    rules: Rules,
    plan: &'i [u8],
    /// The bytes that the conversation grew out of.
    seed: &'i [u8],
    conversation: Vec<u8>,
}

impl<'i> Case<'i> {
    fn new(input: &'i [u8]) -> Self {
        let (head, seed) = input.split_at(input.len().min(HEAD_LEN));
        let mut choices = Choices::new(head);
        let is_raw = choices.byte() == RAW;
        let output_len = choices.pick(&[Limits::default().output_len, 5000, 100, 1]);
        // What waits is moved to the front each turn: a long line through a small output takes too long for a test.
        let line_lens = &[2048, 300, 40, Limits::default().line_len];
        let line_lens = if output_len > 100 { line_lens } else { &line_lens[..3] };
        let line_len = choices.pick(line_lens);
        // Where more is answered in one piece than is kept, cuts do matter.
        let limits = Limits { line_len, unfinished_line_len: line_len, output_len };
        let rules = Rules {
            item_len_max: choices.pick(&[1 << 20, 20_000, 2000, 60]),
            piece_len: choices.pick(&[1 << 20, 1000, 7]),
            chunk_len: choices.pick(&[DRAFT_CHUNK_MAX, 100, 1]),
            draft_len_max: choices.pick(&[usize::MAX, 8192, 2048, 10]),
            ..Rules::default()
        };
        let plan = head.get(PLAN_AT..).unwrap_or_default();
        let conversation = if is_raw {
            seed.to_vec()
        } else {
            script::conversation(&mut Choices::new(seed), limits.line_len)
        };
        Self { limits, rules, plan, seed, conversation }
    }

    fn exchange<'e>(
        &'e self,
        conversation: &'e [u8],
        ending: Ending,
        model: &'e mut Model,
    ) -> Exchange<'e> {
        let plan = Choices::endless(self.plan);
        Exchange::new(self.limits, model, conversation, plan, ending, self.rules.item_len_max)
    }

    /// The conversation in one piece, its answers without bound.
    fn whole(&self) -> (Vec<u8>, Model) {
        let mut model = Model::new(self.rules);
        let mut connection = Connection::new(Limits { output_len: usize::MAX, ..self.limits });
        connection.receive(&self.conversation, &mut model);
        connection.receive_end(&mut model);
        // A request that took long ends a turn.
        while connection.has_work() {
            connection.receive(&[], &mut model);
        }
        let sent = connection.output().chunks().flatten().copied().collect();
        (sent, model)
    }
}

/// Shows where they differ, not how long they are.
#[track_caller]
fn assert_same(sent: &[u8], expected: &[u8]) {
    let same = sent.iter().zip(expected).take_while(|(sent, expected)| sent == expected).count();
    let excerpt = |bytes: &[u8]| {
        let from = same.saturating_sub(40);
        let to = bytes.len().min(same + 80);
        bytes.get(from..to).unwrap_or_default().escape_ascii().to_string()
    };
    let is_same = sent == expected;
    assert!(is_same, "after {same} bytes, sent:\n{}\n{}", excerpt(sent), excerpt(expected));
}

/// The first byte of an input whose conversation is its rest, as it stands.
const RAW: u8 = b'r';

/// Bytes before those that the conversation grows out of.
const HEAD_LEN: usize = 16;

/// Where in them the plan begins.
const PLAN_AT: usize = 7;
