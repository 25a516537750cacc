//! What fuzzing starts from: the conversations of the transcripts, in the shape of each target's inputs; for the store, operations
//! of every kind.
//!
//! They are made anew for every run (`cargo xtask fuzz`), so that a new transcript is fuzzed from the day it is written.
//! What no transcript says is in `fuzz/seeds`, by hand.

use larder_protocol::binary::Opcode;

use crate::properties::store_seeds;
use crate::reference::ClientFrame;
use crate::transcript::{Piece, Step, Transcript};

/// An input that a fuzz target starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The target.
    pub target: &'static str,
    /// A name of its own among those of the target.
    pub name: String,
    /// At most [`INPUT_LEN_MAX`] bytes.
    pub input: Vec<u8>,
}

/// The seeds of these files of transcripts: fewer than a hundred for each target.
#[must_use]
pub fn seeds(files: &[(String, Vec<Transcript>)]) -> Vec<Seed> {
    let said: Vec<(&str, Vec<Vec<u8>>)> = files
        .iter()
        .map(|(file, transcripts)| {
            let conversations = transcripts.iter().flat_map(conversations).collect();
            (file.trim_end_matches(".txt"), conversations)
        })
        .collect();
    let mut seeds: Vec<Seed> = Opcode::ALL.into_iter().map(frame_seed).collect();
    seeds.extend(seeds_of("binary", b"", &said, frames));
    seeds.extend(seeds_of("connection", RAW_HEAD, &said, lines));
    seeds.extend(seeds_of("connection", RAW_HEAD, &said, frames));
    seeds.extend(seeds_of("meta", b"", &said, meta_lines));
    seeds.extend(seeds_of("parser", b"", &said, lines));
    seeds.extend(store_seeds().map(|(name, input)| Seed { target: "store", name, input }));
    seeds.extend(seeds_of("udp", DATAGRAM_HEAD, &said, <[u8]>::to_vec));
    seeds
}

/// The seeds of a target: a head and what it takes of each conversation. Where there are too many, those of one file are
/// joined.
fn seeds_of(
    target: &'static str,
    head: &[u8],
    said: &[(&str, Vec<Vec<u8>>)],
    take: fn(&[u8]) -> Vec<u8>,
) -> Vec<Seed> {
    let taken: Vec<(&str, Vec<Vec<u8>>)> = said
        .iter()
        .map(|(file, conversations)| {
            let inputs = conversations.iter().map(|conversation| take(conversation));
            (*file, inputs.filter(|input| !input.is_empty()).collect::<Vec<_>>())
        })
        .filter(|(_, inputs)| !inputs.is_empty())
        .collect();
    let per_file = (SEEDS_MAX / taken.len().max(1)).max(1);
    let mut seeds = Vec::new();
    for (file, inputs) in taken {
        for (index, group) in inputs.chunks(inputs.len().div_ceil(per_file)).enumerate() {
            let mut input = [head, &group.concat()].concat();
            input.truncate(INPUT_LEN_MAX);
            let form = if group[0][0] == 0x80 { "frames" } else { "lines" };
            seeds.push(Seed { target, name: format!("{file}-{form}-{index}"), input });
        }
    }
    seeds
}

/// A conversation in frames; nothing of one in lines.
fn frames(conversation: &[u8]) -> Vec<u8> {
    if conversation[0] == 0x80 { conversation.to_vec() } else { Vec::new() }
}

/// A conversation in lines; nothing of one in frames.
fn lines(conversation: &[u8]) -> Vec<u8> {
    if conversation[0] == 0x80 { Vec::new() } else { conversation.to_vec() }
}

/// What each client of a transcript sends; of numbers that only a server can know, any.
fn conversations(transcript: &Transcript) -> Vec<Vec<u8>> {
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for step in &transcript.steps {
        let steps = match step {
            Step::Until { steps, .. } => steps.as_slice(),
            other => std::slice::from_ref(other),
        };
        for step in steps {
            let Step::Send { connection, bytes } = step else { continue };
            sent.resize(sent.len().max(*connection), Vec::new());
            for piece in &bytes.pieces {
                match piece {
                    Piece::Literal(bytes) => sent[connection - 1].extend_from_slice(bytes),
                    Piece::Now(_) => sent[connection - 1].extend_from_slice(b"1700000002"),
                    _ => sent[connection - 1].push(b'1'),
                }
            }
        }
    }
    sent.retain(|bytes| !bytes.is_empty());
    sent
}

/// The meta commands of a conversation, each with a byte for its name, which is what the target `meta` reads.
fn meta_lines(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in text.split(|&byte| byte == b'\n') {
        let Some((name, rest)) = line.split_at_checked(3) else { continue };
        let choice = crate::properties::META_NAMES.iter().position(|known| *known == name);
        let Some(choice) = choice.and_then(|choice| b"0123456789".get(choice)) else { continue };
        lines.push(*choice);
        lines.extend_from_slice(rest);
        lines.push(b'\n');
    }
    lines
}

/// A right frame of this opcode.
fn frame_seed(opcode: Opcode) -> Seed {
    let number = opcode as u8;
    let mut frame = ClientFrame::new(number);
    let (extras_len, has_key) = match number {
        0x01..=0x03 | 0x11..=0x13 => (8, true),
        0x05 | 0x06 | 0x15 | 0x16 => (20, true),
        0x1c..=0x1e | 0x23 | 0x24 => (4, true),
        0x07 | 0x08 | 0x0a | 0x0b | 0x17 | 0x18 | 0x20 => (0, false),
        _ => (0, true),
    };
    frame.extras = vec![0; extras_len];
    frame.key = if has_key { b"key".to_vec() } else { Vec::new() };
    if matches!(number, 0x01..=0x03 | 0x11..=0x13 | 0x0e | 0x0f | 0x19 | 0x1a) {
        frame.value = b"value".to_vec();
    }
    Seed { target: "binary", name: format!("opcode-{number:02x}"), input: frame.bytes() }
}

/// Longest input, in bytes: what the targets are run with.
pub const INPUT_LEN_MAX: usize = 1024;

/// Seeds of a target that come from the transcripts of one protocol: with one for each opcode, and with those of the
/// other, they are fewer than a hundred.
const SEEDS_MAX: usize = 49;

/// The header of a datagram that is a request by itself. From its sequence number, at which nobody looks, the target takes
/// the length of a reply of several datagrams.
const DATAGRAM_HEAD: &[u8; 8] = b"\x12\x34\x05\x37\0\x01\0\0";

/// The head of an input whose rest is a conversation as it stands, in one piece, under the usual limits.
const RAW_HEAD: &[u8; 16] = b"r\0\0\0\0\0\0\xff\xf0\xff\xf0\xff\xf0\xff\xf0\xf0";
