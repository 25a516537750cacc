//! Properties of requests that want no ordinary reply.

use larder_connection::{Connection, Limits};

use super::assert_same;
use super::case::Case;
use crate::converse::Ending;
use crate::model::Model;
use crate::script::{self, Choices};

/// Requests that want no reply get none, and do what they do with a reply.
///
/// # Panics
///
/// If that does not hold.
pub fn quiet_is_quiet(input: &[u8]) {
    let mut case = Case::without_conversations(input);
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
    let mut case = Case::without_conversations(input);
    case.limits = Limits { output_len: usize::MAX, ..Limits::default() };
    let mut models = [Model::new(case.rules), Model::new(case.rules)];
    let mut connections = [Connection::new(case.limits), Connection::new(case.limits)];
    for pair in script::meta_pairs(&mut Choices::new(case.seed)) {
        let mut replies = [Vec::new(), Vec::new()];
        for (index, bytes) in pair.iter().enumerate() {
            replies[index] = reply(&mut connections[index], bytes, &mut models[index]);
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

/// A quiet frame does what it does when it is not quiet, and leaves out that response or nothing of it: a miss of a retrieval,
/// a success of the others.
///
/// # Panics
///
/// If that does not hold.
pub fn quiet_frames_hide_the_ordinary(input: &[u8]) {
    let case = Case::without_conversations(input);
    let mut models = [Model::new(case.rules), Model::new(case.rules)];
    let mut connections = [Connection::new(case.limits), Connection::new(case.limits)];
    for pair in script::binary_pairs(&mut Choices::new(case.seed)) {
        let [mut loud, quiet] = [0, 1]
            .map(|index| reply(&mut connections[index], &pair[index].bytes(), &mut models[index]));
        let is_retrieval = matches!(pair[0].opcode, 0x00 | 0x0c | 0x1d | 0x23);
        let ordinary = if is_retrieval { NOT_FOUND } else { DONE };
        assert!(loud.len() >= 24, "{pair:?} was not answered");
        if loud[6..8] == ordinary {
            assert!(quiet.is_empty(), "{} is told", quiet.escape_ascii());
        } else {
            // They differ in nothing but what was asked.
            loud[1] = pair[1].opcode;
            assert_same(&quiet, &loud);
        }
    }
    assert!(models[0].items() == models[1].items(), "quiet changes what is done");
    assert_eq!(models[0].calls(), models[1].calls());
}

/// What a request is answered.
fn reply(connection: &mut Connection<Model>, request: &[u8], model: &mut Model) -> Vec<u8> {
    connection.receive(request, model);
    while connection.has_work() {
        connection.receive(&[], model);
    }
    let reply: Vec<u8> = connection.output().chunks().flatten().copied().collect();
    connection.output().advance(reply.len());
    reply
}

/// The status of a miss.
const NOT_FOUND: [u8; 2] = [0, 1];

/// The status of a success.
const DONE: [u8; 2] = [0, 0];
