//! Properties of `larder-connection`.
//!
//! The first bytes of an input say under which limits and rules, and by which plan the rest is fed; the rest is a
//! conversation as it stands, or what conversations grow out of: in lines, in frames, or one in lines and one in frames
//! about the same items.

mod case;
mod quiet;
mod watching;

use larder_connection::Connection;

use crate::converse::Ending;
use crate::model::Model;
use crate::script::Choices;

use case::Case;
pub use quiet::{quiet_frames_hide_the_ordinary, quiet_is_quiet, quiet_meta_hides_the_ordinary};
pub use watching::watching_is_bounded;

/// What a fuzzer runs: most inputs are a conversation that must be answered as the reference answers it, whatever the
/// plan; the others are for one of the other properties. An input is run once, so that many are.
///
/// # Panics
///
/// If the property does not hold.
pub fn connection(input: &[u8]) {
    match input.get(CHECK_AT).unwrap_or(&0) % 8 {
        0..5 => conversations_agree(input),
        5 => match input[CHECK_AT] / 8 % 4 {
            0 => quiet_is_quiet(input),
            1 => quiet_meta_hides_the_ordinary(input),
            2 => watching_is_bounded(input),
            _ => quiet_frames_hide_the_ordinary(input),
        },
        6 => closing_is_final(input),
        _ if (input[CHECK_AT] / 8).is_multiple_of(2) => reset_is_new(input),
        _ => every_pin_is_dropped(input),
    }
}

/// Fed by the plan, the machine answers what the reference answers, leaves the same items behind, asks for the same, and
/// stays within its limits: [`machine_agrees`], [`cuts_do_not_matter`] and [`memory_is_bounded`] in one.
///
/// # Panics
///
/// If it does not.
pub fn conversations_agree(input: &[u8]) {
    let case = Case::new(input);
    let (mut reference, mut model) = (Model::new(case.rules), Model::new(case.rules));
    let expected = case.answered(&mut reference);
    let sent = case.exchanged(Ending::Closed, &mut model);
    assert_same(&sent, &expected);
    assert!(model.items() == reference.items(), "other items are left");
    // For statistics in frames the reference asks nobody.
    if !case.has_frames() {
        assert_eq!(model.calls(), reference.calls(), "something was asked twice or not at all");
    }
}

/// The machine answers what the reference answers, and leaves the same items behind.
///
/// # Panics
///
/// If it does not.
pub fn machine_agrees(input: &[u8]) {
    let case = Case::new(input);
    let (mut reference, mut model) = (Model::new(case.rules), Model::new(case.rules));
    let expected = case.answered(&mut reference);
    assert_same(&case.whole(&mut model), &expected);
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
    let (mut whole, mut model) = (Model::new(case.rules), Model::new(case.rules));
    let expected = case.whole(&mut whole);
    assert_same(&case.exchanged(Ending::Closed, &mut model), &expected);
    assert!(model.items() == whole.items(), "other items are left");
    assert_eq!(model.calls(), whole.calls(), "something was asked twice or not at all");
}

/// What a connection holds stays within its limits: [`Exchange`](crate::converse::Exchange) sees to it at every step.
///
/// # Panics
///
/// If it does not.
pub fn memory_is_bounded(input: &[u8]) {
    let case = Case::new(input);
    drop(case.exchanged(Ending::Open, &mut Model::new(case.rules)));
}

/// Once a connection closes, nothing that arrives is looked at, and nothing is said but what was owed before.
///
/// # Panics
///
/// If that does not hold.
pub fn closing_is_final(input: &[u8]) {
    let case = Case::new(input);
    let mut model = Model::new(case.rules);
    let last = case.before_last(&mut model);
    let mut connection = case.connection();
    connection.receive(last, &mut model);
    connection.close();
    let owed: Vec<u8> = connection.output().chunks().flatten().copied().collect();
    let calls = model.calls();
    let mut scratch = [b'\n'; 64];
    for arriving in [&b"version\r\nget a\r\n"[..], case.seed, b"set a 0 0 1\r\nx\r\n", NOOP, b""] {
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

/// A connection that goes at any moment, one way or another, holds no value, draft, listing or feed afterwards.
///
/// # Panics
///
/// If one does.
pub fn every_pin_is_dropped(input: &[u8]) {
    let case = Case::new(input);
    let mut choices = Choices::new(input);
    let (way, step_count) = (choices.below(3), choices.byte());
    let mut model = Model::new(case.rules);
    let last = case.before_last(&mut model);
    let mut exchange = case.exchange(last, Ending::Open, &mut model);
    for _ in 0..step_count {
        exchange.step();
    }
    let mut connection = exchange.into_connection();
    match way {
        0 => drop(connection),
        1 => {
            connection.reset();
            assert_eq!(live(&model), [0; 4], "after a reset");
        }
        _ => {
            connection.close();
            let [_, drafts, listings, feeds] = live(&model);
            assert_eq!(
                (drafts, listings, feeds),
                (0, 0, 0),
                "a closed connection goes on with nothing"
            );
            let owed = connection.output().unsent();
            connection.output().advance(owed);
        }
    }
    assert_eq!(live(&model), [0; 4]);
}

/// A connection that is reset, wherever it stood, is a new one: it answers like one that never received anything.
///
/// # Panics
///
/// If it does not.
pub fn reset_is_new(input: &[u8]) {
    let case = Case::new(input);
    let mut model = Model::new(case.rules);
    let last = case.before_last(&mut model);
    let mut exchange = case.exchange(last, Ending::Open, &mut model);
    for _ in 0..Choices::new(input).byte() {
        exchange.step();
    }
    let mut reset = exchange.into_connection();
    if input.len().is_multiple_of(2) {
        reset.receive_end(&mut model);
    }
    for conversation in [NOOP, LINES, NOOP, case.first()] {
        let mut models = [Model::new(case.rules), Model::new(case.rules)];
        let [of_new, of_reset] = &mut models;
        let mut new = case.connection();
        let said = all_said(&mut new, conversation, of_new);
        reset.reset();
        assert_same(&all_said(&mut reset, conversation, of_reset), &said);
        let stands = |connection: &Connection<Model>| {
            (connection.phase(), connection.wants_read(), connection.is_half_way())
        };
        assert_eq!(stands(&reset), stands(&new));
        assert!(of_new.items() == of_reset.items() && of_new.calls() == of_reset.calls());
    }
}

/// Everything that a connection says to a conversation in one piece.
fn all_said(connection: &mut Connection<Model>, conversation: &[u8], model: &mut Model) -> Vec<u8> {
    let mut said = Vec::new();
    connection.receive(conversation, model);
    while connection.wants_write() || connection.has_work() {
        let before = said.len();
        said.extend(connection.output().chunks().flatten());
        connection.output().advance(said.len() - before);
        connection.receive(&[], model);
    }
    said
}

/// Values, drafts, listings and feeds that are held outside.
fn live(model: &Model) -> [usize; 4] {
    [model.live_values(), model.live_drafts(), model.live_listings(), model.live_feeds()]
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

/// Which byte of an input says what a fuzzer checks with it; it belongs to the plan, too.
const CHECK_AT: usize = 15;

/// A frame that is always answered.
const NOOP: &[u8] = b"\x80\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Lines after which a connection lists, then watches.
const LINES: &[u8] = b"version\r\nlru_crawler metadump all\r\nwatch\r\n";
