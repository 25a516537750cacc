//! Statistics in frames: one for each, and an empty one at the end.

use alloc::vec::Vec;

use larder_protocol::binary::{Frame, Head, Status};
use larder_protocol::{self as protocol, Words};

use super::response;
use crate::Service;
use crate::classic::Next;

/// Answers `stat`: what the service says in lines, in frames.
pub(super) fn answer<S: Service>(
    head: &Head,
    key: &[u8],
    out: &mut Vec<u8>,
    service: &mut S,
) -> Next<S::Listing> {
    let start = out.len();
    let Some(topic) = topic(key) else {
        push_not_found(head, out);
        return Next::Go;
    };
    let mut listing = service.stats(Words::new(topic), out);
    // What comes in pieces are lists, and those are no statistics here.
    let is_listed = listing.is_some();
    if topic == DETAIL_DUMP {
        // But for this one, whose lines are one value.
        while listing.as_mut().is_some_and(|listing| service.push_listing(listing, out)) {}
        let lines = out.split_off(start);
        Frame { key: b"detailed", value: &lines, ..response(head) }.push(out);
        response(head).push(out);
        return Next::Yield;
    }
    let lines = out.split_off(start);
    for line in lines.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(statistic) = line.strip_prefix(b"STAT ") {
            let name_len = statistic.iter().position(|&byte| byte == b' ');
            let (key, value) = statistic.split_at(name_len.unwrap_or(statistic.len()));
            let value = value.strip_prefix(b" ").unwrap_or(value);
            Frame { key, value, ..response(head) }.push(out);
        }
    }
    if !is_listed && ENDS.iter().any(|end| lines.ends_with(end.line())) {
        response(head).push(out);
    } else {
        out.truncate(start);
        push_not_found(head, out);
    }
    Next::Yield
}

fn push_not_found(head: &Head, out: &mut Vec<u8>) {
    Frame::outcome(head.opcode as u8, head.opaque, Status::NotFound).push(out);
}

/// The words that a key of `stat` stands for; none for those that this protocol does not have. In lines the beginning of
/// some words is enough, here more than the whole of them is as good.
fn topic(key: &[u8]) -> Option<&[u8]> {
    if let Some(&words) = WORDS.iter().find(|words| key.starts_with(words)) {
        return Some(words);
    }
    let is_abbreviation = |word: &&[u8]| !key.is_empty() && word.starts_with(key);
    let abbreviated = [&b"reset"[..], b"settings", b"detail", b"cachedump", b"conns", b"extstore"];
    let is_word = !key.contains(&b' ') && !abbreviated.iter().any(is_abbreviation);
    is_word.then_some(key)
}

/// Words of which only the beginning of a key must be.
const WORDS: [&[u8]; 5] = [b"reset", b"settings", b"detail on", b"detail off", DETAIL_DUMP];

const DETAIL_DUMP: &[u8] = b"detail dump";

/// What the lines of an answer end in that is no error.
const ENDS: [protocol::Status; 3] =
    [protocol::Status::End, protocol::Status::Ok, protocol::Status::Reset];
