//! Bytes with blanks in them: to be filled in before they are sent, or matched when received.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use larder_protocol::binary::{HEAD_LEN, Header, MAGIC_RESPONSE};

/// Numbers kept from replies, by the name they were kept under.
pub type Values = BTreeMap<String, u64>;

/// A run of literal bytes and what may stand between them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pattern {
    /// In order; no two literals stand side by side.
    pub pieces: Vec<Piece>,
}

/// A part of a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// `{any}`: bytes up to the next literal, none of them an end of line.
    Any,
    /// `{X}`: the number that was kept as `X`.
    Kept(String),
    /// `{frames}`: whole responses of the binary protocol, as few as do.
    Frames,
    /// The number that was kept as this, in eight bytes.
    KeptWide(String),
    /// `{lines}`: whole lines, as few as do, none of them `END`.
    Lines,
    /// These bytes.
    Literal(Vec<u8>),
    /// `{now+2}`: the server's Unix time and so many seconds.
    Now(i64),
    /// `{u64}`, or `{cas=X}` with the name it is kept under.
    Number(Option<String>),
    /// Any number in eight bytes, the highest first, with the name it is kept under.
    Wide(Option<String>),
}

/// How received bytes compare with a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Match {
    /// The first so many bytes are what was expected; the numbers to keep.
    Whole(usize, Values),
    /// Right so far, and not yet all of it.
    Partial,
    /// These bytes are something else.
    Not,
}

impl Pattern {
    /// Adds bytes at the end.
    pub fn push_literal(&mut self, bytes: &[u8]) {
        if let Some(Piece::Literal(last)) = self.pieces.last_mut() {
            last.extend_from_slice(bytes);
        } else if !bytes.is_empty() {
            self.pieces.push(Piece::Literal(bytes.to_vec()));
        }
    }

    /// Adds everything of `other` at the end.
    pub fn append(&mut self, other: Self) {
        for piece in other.pieces {
            match piece {
                Piece::Literal(bytes) => self.push_literal(&bytes),
                other => self.pieces.push(other),
            }
        }
    }

    /// Whether it stands for no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The bytes to send, at Unix time `now`; `None` when a number was never kept, or when this is
    /// a pattern that only a reply can fill in.
    #[must_use]
    pub fn bytes(&self, values: &Values, now: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => bytes.extend_from_slice(literal),
                Piece::Kept(name) => {
                    bytes.extend_from_slice(values.get(name)?.to_string().as_bytes());
                }
                Piece::Now(shift) => {
                    let time = now.checked_add_signed(*shift)?;
                    bytes.extend_from_slice(time.to_string().as_bytes());
                }
                Piece::KeptWide(name) => bytes.extend_from_slice(&values.get(name)?.to_be_bytes()),
                Piece::Any | Piece::Frames | Piece::Lines | Piece::Number(_) | Piece::Wide(_) => {
                    return None;
                }
            }
        }
        Some(bytes)
    }

    /// Compares the beginning of `received` with this pattern.
    ///
    /// A number ends where a byte that is no digit follows, so a pattern should not end in one.
    #[must_use]
    pub fn matches(&self, received: &[u8], values: &Values) -> Match {
        matches(&self.pieces, received, 0, values)
    }
}

/// As it may stand in a transcript.
impl Display for Pattern {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Any => formatter.write_str("{any}"),
            Piece::Kept(name) => write!(formatter, "{{{name}}}"),
            Piece::Frames => formatter.write_str("{frames}"),
            Piece::KeptWide(name) => write!(formatter, "{{{name}}}"),
            Piece::Lines => formatter.write_str("{lines}"),
            Piece::Literal(bytes) => write!(formatter, "{}", bytes.escape_ascii()),
            Piece::Now(shift) => write!(formatter, "{{now{shift:+}}}"),
            Piece::Number(None) => formatter.write_str("{u64}"),
            Piece::Wide(None) => formatter.write_str("{any}"),
            Piece::Number(Some(name)) | Piece::Wide(Some(name)) => {
                write!(formatter, "{{cas={name}}}")
            }
        })
    }
}

fn matches(pieces: &[Piece], received: &[u8], at: usize, values: &Values) -> Match {
    let Some((piece, rest)) = pieces.split_first() else {
        return Match::Whole(at, Values::new());
    };
    let left = received.get(at..).unwrap_or_default();
    match piece {
        Piece::Literal(literal) => match literally(literal, left) {
            Match::Whole(len, _) => matches(rest, received, at + len, values),
            other => other,
        },
        Piece::Kept(name) => match values.get(name) {
            Some(value) => match literally(value.to_string().as_bytes(), left) {
                Match::Whole(len, _) => matches(rest, received, at + len, values),
                other => other,
            },
            None => Match::Not,
        },
        Piece::KeptWide(name) => match values.get(name) {
            Some(value) => match literally(&value.to_be_bytes(), left) {
                Match::Whole(len, _) => matches(rest, received, at + len, values),
                other => other,
            },
            None => Match::Not,
        },
        Piece::Number(name) => number(name.as_deref(), rest, received, at, values),
        Piece::Wide(name) => match left.first_chunk() {
            None => Match::Partial,
            Some(bytes) => {
                let value = u64::from_be_bytes(*bytes);
                keep(name.as_deref(), value, rest, received, at + bytes.len(), values)
            }
        },
        Piece::Frames => {
            let (mut lens, mut len) = (vec![0], 0);
            while let Some(frame_len) = frame_len(&left[len..]) {
                len += frame_len;
                lens.push(len);
            }
            // One more frame may come.
            match first_that_matches(lens, rest, received, at, values) {
                Match::Not => Match::Partial,
                outcome => outcome,
            }
        }
        Piece::Any => {
            let line_len = left.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            first_that_matches(0..=line_len.unwrap_or(left.len()), rest, received, at, values)
        }
        Piece::Lines => {
            let ends = left.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            let starts = std::iter::once(0).chain(ends.map(|(index, _)| index + 1));
            let is_list_end = |start: &usize| left[*start..].starts_with(LIST_END);
            let mut starts: Vec<usize> = starts.collect();
            let list_end = starts.iter().position(is_list_end);
            starts.truncate(list_end.map_or(starts.len(), |index| index + 1));
            match first_that_matches(starts, rest, received, at, values) {
                // One more line may come as long as the list goes on.
                Match::Not if list_end.is_none() => Match::Partial,
                outcome => outcome,
            }
        }
        Piece::Now(_) => Match::Not,
    }
}

fn literally(literal: &[u8], left: &[u8]) -> Match {
    let len = literal.len().min(left.len());
    if literal[..len] != left[..len] {
        Match::Not
    } else if len < literal.len() {
        Match::Partial
    } else {
        Match::Whole(len, Values::new())
    }
}

fn number(
    name: Option<&str>,
    rest: &[Piece],
    received: &[u8],
    at: usize,
    values: &Values,
) -> Match {
    let left = received.get(at..).unwrap_or_default();
    let len = left.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == left.len() {
        return if len <= U64_DIGITS { Match::Partial } else { Match::Not };
    }
    let Some(value) = std::str::from_utf8(&left[..len]).ok().and_then(|text| text.parse().ok())
    else {
        return Match::Not;
    };
    keep(name, value, rest, received, at + len, values)
}

/// The length of the response that these bytes begin with, if all of it is there.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let header = Header::parse(bytes.first_chunk()?);
    let len = HEAD_LEN + usize::try_from(header.body_len).ok()?;
    (header.magic == MAGIC_RESPONSE && len <= bytes.len()).then_some(len)
}

/// Goes on behind a number, and keeps it if it has a name.
fn keep(
    name: Option<&str>,
    value: u64,
    rest: &[Piece],
    received: &[u8],
    at: usize,
    values: &Values,
) -> Match {
    let Some(name) = name else { return matches(rest, received, at, values) };
    let mut known = values.clone();
    known.insert(name.to_owned(), value);
    match matches(rest, received, at, &known) {
        Match::Whole(end, mut kept) => {
            kept.insert(name.to_owned(), value);
            Match::Whole(end, kept)
        }
        other => other,
    }
}

/// The match after the first of `lens` that makes one; else whether one is still possible.
fn first_that_matches(
    lens: impl IntoIterator<Item = usize>,
    rest: &[Piece],
    received: &[u8],
    at: usize,
    values: &Values,
) -> Match {
    let mut outcome = Match::Not;
    for len in lens {
        match matches(rest, received, at + len, values) {
            Match::Not => {}
            Match::Partial => outcome = Match::Partial,
            found @ Match::Whole(..) => return found,
        }
    }
    outcome
}

/// The line that ends a list.
const LIST_END: &[u8] = b"END\r\n";
/// Digits of the largest 64-bit number.
const U64_DIGITS: usize = 20;
