//! Frames of the binary protocol: right in every detail, with one fault, and conversations of both.

use super::{Choices, PATTERNS, VALUE_LEN, line};
use crate::reference::ClientFrame;

/// Writes a conversation in the binary protocol: of everything a client may send, and much that it may not. Most that a
/// client may not send ends the conversation, so that is rare, and something always follows it.
#[must_use]
pub fn binary_conversation(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..FRAMES_MAX {
        if choices.is_empty() || bytes.len() > super::CONVERSATION_LEN {
            break;
        }
        let frame = valid_frame(choices);
        match choices.below(32) {
            0..20 => bytes.extend(frame.bytes()),
            20..28 => push_pair(frame, choices, &mut bytes),
            28 => bytes.extend(unserved_frame(choices).bytes()),
            29 => bytes.extend(broken_frame(&frame, choices)),
            30 if choices.below(4) == 0 => bytes.extend_from_slice(choices.pick(STRANGERS)),
            31 if choices.below(4) == 0 => {
                bytes.extend(ClientFrame::new(choices.pick(&[0x07, 0x17])).bytes());
            }
            _ => bytes.extend(ClientFrame::new(0x0a).bytes()),
        }
    }
    bytes
}

/// Frames that have a quiet form, each as it is and quiet.
#[must_use]
pub fn binary_pairs(choices: &mut Choices<'_>) -> Vec<[ClientFrame; 2]> {
    let mut pairs = Vec::new();
    while !choices.is_empty() && pairs.len() < FRAMES_MAX {
        let mut frame = valid_frame(choices);
        let known = QUIET.iter().find(|pair| pair.contains(&frame.opcode));
        let Some([loud, quiet]) = known.copied() else { continue };
        frame.opcode = loud;
        pairs.push([frame.clone(), ClientFrame { opcode: quiet, ..frame }]);
    }
    pairs
}

/// One request of any kind but those that end the connection.
#[must_use]
pub fn valid_frame(choices: &mut Choices<'_>) -> ClientFrame {
    let kind = choices.below(16);
    let opcode = match kind {
        0..5 => choices.pick(&[0x01, 0x01, 0x01, 0x11, 0x02, 0x12, 0x03, 0x13]),
        5..8 => choices.pick(&[0x00, 0x09, 0x0c, 0x0d]),
        8 => choices.pick(&[0x04, 0x14]),
        9 => choices.pick(&[0x0e, 0x0f, 0x19, 0x1a]),
        10 | 11 => choices.pick(&[0x05, 0x06, 0x15, 0x16]),
        12 | 13 => choices.pick(&[0x1c, 0x1d, 0x1e, 0x23, 0x24]),
        14 => choices.pick(&[0x0a, 0x0b, 0x10]),
        _ => choices.pick(&[0x08, 0x18, 0x0a, 0x0a]),
    };
    let mut frame = ClientFrame::new(opcode);
    frame.opaque = u32::from_be_bytes([choices.byte(), 0, 0xff, choices.byte()]);
    if kind < 14 {
        frame.key = key(choices);
    }
    // Small numbers are those that the first items of a model get.
    let has_cas = matches!(kind, 0..5 | 8..12) && choices.below(4) == 0;
    frame.cas = if has_cas { choices.below(9) as u64 } else { 0 };
    match kind {
        0..5 => {
            let flags: u32 = choices.pick(&[0, 1, 77, u32::MAX]);
            frame.extras = [flags, exptime(choices)].map(u32::to_be_bytes).concat();
            frame.value = value(choices);
        }
        9 => frame.value = value(choices),
        10 | 11 => {
            let numbers = [0, 1, 9, 100, u64::MAX, u64::MAX / 2];
            let [step, initial] = [choices.pick(&numbers), choices.pick(&numbers)];
            frame.extras = [step, initial].map(u64::to_be_bytes).concat();
            let exptime = if choices.below(4) == 0 { u32::MAX } else { exptime(choices) };
            frame.extras.extend(exptime.to_be_bytes());
        }
        12 | 13 => frame.extras = exptime(choices).to_be_bytes().to_vec(),
        14 if opcode == 0x10 => {
            let topics: &[&[u8]] = &[b"", b"", b"items", b"reset", b"x", b"detail on", b"settings"];
            frame.key = choices.pick(topics).to_vec();
        }
        15 if opcode != 0x0a && choices.below(2) == 0 => {
            frame.extras = exptime(choices).to_be_bytes().to_vec();
        }
        _ => {}
    }
    frame
}

/// A frame whose opcode is not served: nobody's, or of an authentication that is off.
fn unserved_frame(choices: &mut Choices<'_>) -> ClientFrame {
    let mut frame =
        ClientFrame::new(choices.pick(&[0x1b, 0x1f, 0x25, 0x30, 0xff, 0x20, 0x21, 0x22]));
    if frame.opcode != 0x20 {
        frame.key = choices.pick(&[&b"PLAIN"[..], b"k"]).to_vec();
        frame.value = value(choices);
    }
    frame
}

/// The bytes of a frame with one fault in its head or its length: mostly no request any more, or another one.
#[must_use]
pub fn broken_frame(frame: &ClientFrame, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = frame.bytes();
    // One off, and what is the most or too much of each field.
    let wrong = |right: u32, choices: &mut Choices<'_>| {
        let wrong = [1, 0, 8, 250, 251, 0xff, 0xffff, 1 << 20, 1 << 30, (1 << 30) + 1, u32::MAX];
        match choices.below(4) {
            0 => right.wrapping_add(1),
            1 => right.wrapping_sub(1),
            _ => choices.pick(&wrong),
        }
        .to_be_bytes()
    };
    let field = |at: usize, len: usize| {
        bytes[at..at + len].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
    };
    match choices.below(8) {
        0 => bytes[0] = choices.pick(&[0x81, 0x00, 0x7f, b'g', b'\n', 0xff]),
        1 => bytes[1] = choices.byte(),
        2 => {
            let wrong = wrong(field(2, 2), choices);
            bytes[2..4].copy_from_slice(&wrong[2..]);
        }
        3 => {
            let wrong = wrong(field(4, 1), choices);
            bytes[4..5].copy_from_slice(&wrong[3..]);
        }
        4 | 5 => {
            let wrong = wrong(field(8, 4), choices);
            bytes[8..12].copy_from_slice(&wrong);
        }
        6 => bytes.truncate(choices.below(64).min(bytes.len())),
        // Of a vbucket and a data type nobody takes notice.
        _ => bytes[choices.pick(&[5, 6, 7])] = choices.byte(),
    }
    bytes
}

/// A request and a retrieval of its key: what a cache is for.
fn push_pair(frame: ClientFrame, choices: &mut Choices<'_>, bytes: &mut Vec<u8>) {
    bytes.extend(frame.bytes());
    if !frame.key.is_empty() {
        let opcode = choices.pick(&[0x00, 0x0c, 0x0d, 0x09]);
        bytes.extend(ClientFrame { key: frame.key, ..ClientFrame::new(opcode) }.bytes());
    }
}

/// One of the few keys of the text protocol, or one that it cannot say.
fn key(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(16) {
        0 => b"a b".to_vec(),
        1 => b"line\r\nend\n".to_vec(),
        _ => line::key(choices),
    }
}

fn value(choices: &mut Choices<'_>) -> Vec<u8> {
    let len = line::value_len(choices).min(VALUE_LEN);
    super::repeated(choices.pick(PATTERNS), len)
}

fn exptime(choices: &mut Choices<'_>) -> u32 {
    choices.pick(&[0, 0, 0, 0, 0, 1, 100, 2_592_000, 2_592_001, 1 << 31, u32::MAX - 1])
}

/// Each opcode that has a quiet form, and that form.
const QUIET: [[u8; 2]; 13] = [
    [0x00, 0x09],
    [0x0c, 0x0d],
    [0x01, 0x11],
    [0x02, 0x12],
    [0x03, 0x13],
    [0x04, 0x14],
    [0x05, 0x15],
    [0x06, 0x16],
    [0x08, 0x18],
    [0x0e, 0x19],
    [0x0f, 0x1a],
    [0x1d, 0x1e],
    [0x23, 0x24],
];

/// What does not belong into a conversation of frames.
const STRANGERS: &[&[u8]] = &[
    b"version\r\n",
    b"\r\n",
    b"\x81\x00",
    b"\x80",
    b"\x00\x00\x00\x00",
    b"get a\r\nset a 0 0 1\r\n",
];

/// Frames of a conversation at most.
const FRAMES_MAX: usize = 40;
