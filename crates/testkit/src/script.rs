//! Conversations that grow out of bytes: valid, nearly valid and hostile.
//!
//! Random bytes are hardly ever a request. So the bytes of a test are not the conversation but the decisions of a
//! grammar that writes one: [`Choices`] reads them, and whoever changes a byte changes a decision. What the bytes of a
//! fuzzer grow into is therefore interesting from the first execution, and small inputs make small conversations.

mod binary;
mod choices;
mod line;
mod mangle;
mod meta;
mod order;

use larder_protocol::StoreMode;

use crate::reference::{Meaning, MetaCommand, print};

pub use binary::{binary_conversation, binary_pairs, broken_frame, valid_frame};
pub use choices::Choices;
pub use line::valid_line;
pub use mangle::broken_line;
pub use meta::command as meta_command;

/// Writes a conversation of everything a client may send, and much that it may not. `line_len` is the longest line the
/// server takes; some lines come close to it from both sides.
#[must_use]
pub fn conversation(choices: &mut Choices<'_>, line_len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..REQUESTS_MAX {
        if choices.is_empty() || bytes.len() > CONVERSATION_LEN {
            break;
        }
        push_any(choices, line_len, &mut bytes);
    }
    bytes
}

/// Writes one request of a conversation, or the few that belong together.
#[must_use]
pub fn request(choices: &mut Choices<'_>, line_len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_any(choices, line_len, &mut bytes);
    bytes
}

/// Writes a few meta commands about few keys.
#[must_use]
pub fn meta_requests(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_meta(choices, &mut bytes);
    bytes
}

fn push_any(choices: &mut Choices<'_>, line_len: usize, bytes: &mut Vec<u8>) {
    match choices.below(32) {
        0..14 => push_valid(choices, bytes),
        14..21 => push_retrieval(choices, bytes),
        21..25 => push_broken(choices, bytes),
        25 => push_keys(choices, line_len, bytes),
        26 => push_long_line(choices, line_len, bytes),
        27 => push_wrong_block(choices, bytes),
        28 => bytes.extend_from_slice(choices.pick(LINES)),
        29 => push_raw(choices, bytes),
        30 if choices.below(8) == 0 => bytes.extend_from_slice(choices.pick(FAREWELLS)),
        31 => push_meta(choices, bytes),
        _ => push_pair(choices, bytes),
    }
}

/// Writes requests that want no reply and have none coming: twice, with `noreply` and without.
#[must_use]
pub fn quiet_conversation(choices: &mut Choices<'_>) -> [Vec<u8>; 2] {
    let mut both = [Vec::new(), Vec::new()];
    for _ in 0..REQUESTS_MAX {
        if choices.is_empty() || both[0].len() > CONVERSATION_LEN {
            break;
        }
        let mut meaning = valid_line(choices);
        let block = block_of(&meaning, choices);
        let [quiet, loud] = &mut both;
        for (bytes, is_quiet) in [(quiet, true), (loud, false)] {
            let Some(place) = meaning.quiet_mut() else { break };
            *place = is_quiet;
            bytes.extend_from_slice(&print(&meaning));
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&block);
        }
    }
    both
}

/// A line and the data block it announces.
fn push_valid(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let meaning = valid_line(choices);
    bytes.extend_from_slice(&mangle::dressed(&print(&meaning), choices));
    bytes.extend_from_slice(&block_of(&meaning, choices));
}

/// A retrieval of keys that other requests store.
fn push_retrieval(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&mangle::dressed(&print(&line::retrieval(choices)), choices));
}

/// A store and a retrieval of the same key: what a cache is for.
fn push_pair(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let key = line::key(choices);
    let meaning = Meaning::Storage {
        mode: StoreMode::Set,
        key: key.clone(),
        flags: choices.byte().into(),
        exptime: 0,
        value_len: line::value_len(choices),
        quiet: choices.below(2) == 0,
    };
    bytes.extend_from_slice(&print(&meaning));
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&block_of(&meaning, choices));
    let keys = vec![key; 1 + choices.below(3)];
    let cas = choices.below(2) == 0;
    bytes.extend_from_slice(&print(&Meaning::Get { cas, touch: None, keys }));
    bytes.extend_from_slice(b"\r\n");
}

/// A few meta commands about few keys: what one leaves on an item, the next finds.
fn push_meta(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    for _ in 0..=choices.below(8) {
        let meaning = meta::command(choices);
        bytes.extend_from_slice(&mangle::dressed(&print(&meaning), choices));
        bytes.extend_from_slice(&block_of(&meaning, choices));
    }
}

/// Meta commands, each as it is and with the flag for quiet, and the block that follows it.
#[must_use]
pub fn meta_pairs(choices: &mut Choices<'_>) -> Vec<[Vec<u8>; 2]> {
    let mut pairs = Vec::new();
    while !choices.is_empty() && pairs.len() < REQUESTS_MAX {
        let (loud, quiet) = meta::quieted(choices);
        let block = block_of(&loud, choices);
        pairs.push([loud, quiet].map(|meaning| [&print(&meaning), &b"\r\n"[..], &block].concat()));
    }
    pairs
}

/// A line of no request, and for some a block that its client may have meant.
fn push_broken(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let meaning = valid_line(choices);
    bytes.extend_from_slice(&mangle::dressed(&broken_line(&meaning, choices), choices));
    if choices.below(2) == 0 {
        bytes.extend_from_slice(&block_of(&meaning, choices));
    }
}

/// A data block of another length than announced.
fn push_wrong_block(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    let mut meaning = valid_line(choices);
    let block = block_of(&meaning, choices);
    if let Meaning::Storage { value_len, .. } = &mut meaning {
        *value_len = (*value_len + choices.below(9)).saturating_sub(4);
    }
    bytes.extend_from_slice(&print(&meaning));
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&block);
}

/// A retrieval around or beyond the longest line, of short keys or of long ones.
fn push_keys(choices: &mut Choices<'_>, line_len: usize, bytes: &mut Vec<u8>) {
    let name = choices.pick(&[&b"get"[..], b"gets", b"gat 0", b"gats 100", b"gat -1", b"gat x"]);
    let keys: Vec<Vec<u8>> = (0..4).map(|_| line::key(choices)).collect();
    let gap = vec![b' '; choices.pick(&[1, 1, 1, 2, 50])];
    let len = choices.pick(&[line_len, 2 * line_len, line_len + 1, 3 * line_len]);
    let start = bytes.len();
    bytes.extend_from_slice(name);
    // Most are absent: a hit of a long value a thousand times is only slow.
    let absent = [b"absent".to_vec(), b"z".to_vec()];
    let absent = absent.iter().cycle().take(60);
    for key in keys.iter().chain(absent).cycle() {
        if bytes.len() - start + gap.len() + key.len() > len {
            break;
        }
        bytes.extend_from_slice(&gap);
        bytes.extend_from_slice(key);
    }
    if choices.below(4) == 0 {
        bytes.push(b' ');
        bytes.resize(bytes.len() + 249 + choices.below(5), b'k');
    }
    // Blanks up to the limit and a little more.
    let fill = (start + line_len + 2).saturating_sub(bytes.len() + choices.below(5));
    bytes.resize(bytes.len() + fill, b' ');
    bytes.extend_from_slice(choices.pick(LINE_ENDS));
}

/// Another request around the longest line.
fn push_long_line(choices: &mut Choices<'_>, line_len: usize, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend_from_slice(choices.pick(LONG_HEADS));
    let len = (line_len + 1).saturating_sub(choices.below(4) * choices.below(40));
    let fill = choices.pick(b"x 0\0");
    bytes.resize((start + len).max(bytes.len()), fill);
    bytes.extend_from_slice(choices.pick(LINE_ENDS));
}

/// A few bytes as they come.
fn push_raw(choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    for _ in 0..choices.below(16) {
        bytes.push(choices.byte());
    }
}

/// The data block that a line announces, if it is a store's.
fn block_of(meaning: &Meaning, choices: &mut Choices<'_>) -> Vec<u8> {
    let value_len = match meaning {
        Meaning::Storage { value_len, .. } => *value_len,
        Meaning::Meta(meta) => match meta.command {
            MetaCommand::Set(_, value_len) => value_len,
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let value_len = value_len.min(VALUE_LEN);
    let mut block = repeated(choices.pick(PATTERNS), value_len);
    block.extend_from_slice(b"\r\n");
    block
}

/// So many bytes of a pattern, over and over.
fn repeated(pattern: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = pattern.repeat(len.div_ceil(pattern.len()));
    bytes.truncate(len);
    bytes
}

/// Requests of a conversation at most: a few hits of long values are as good as thousands.
const REQUESTS_MAX: usize = 40;

/// No conversation begins another request beyond this length, in bytes.
const CONVERSATION_LEN: usize = 24_000;

/// Longest data block that is really sent, in bytes.
const VALUE_LEN: usize = 100_000;

/// What values are made of: numbers, requests in disguise, bytes of no meaning.
const PATTERNS: &[&[u8]] =
    &[b"7", b"12 ", b"0123456789", b"get a\r\n", b"\r\n", b"\0\xff\n\r", b"set a 0 0 1\r\nx\r\n"];

const LINE_ENDS: &[&[u8]] = &[b"\r\n", b"\n", b"\r\r\n", b" \r\n", b"\r \n"];

const LINES: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b" \r\n",
    b"a\r\n",
    b"    \n",
    b"\0\0\0\0\n",
    b"set a 0 0 2147483645\r\n",
    b"set a 0 0 4294967295\r\nversion\r\n",
    b"set a 0 0 1400000\r\n",
    b"get a\tb\r\n",
    b"set a 0 0 1\nx\n\r\nversion\r\n",
    b"stats\r\n",
    b"mn\r\n",
    b"mg\r\n",
    b"ms a\r\n",
    b"mg Y S100 b k v N0\r\n",
    b"mg CmEK b k v N0 O\r\n",
    b"me YQ== b b\r\n",
    b"ms a 2 z\r\nxx\r\n",
    b"ms a x T0\r\n",
    b"\x80\x0a\x00\x00\r\n",
];

const FAREWELLS: &[&[u8]] = &[b"quit\r\n", b"quit now\n", b"GET / HTTP/1.1\r\n", b"shutdown\r\n"];

const LONG_HEADS: &[&[u8]] =
    &[b"set a 0 0 1 ", b"version ", b"delete a ", b"", b"get", b"gat ", b"gat 1", b"nonsense "];
