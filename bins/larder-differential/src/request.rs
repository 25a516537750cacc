//! A request as both servers get it, and how one is made of what a grammar wrote.

use std::collections::BTreeSet;

use larder_protocol::StoreMode;
use larder_testkit::reference::{Meaning, MetaCommand, read};
use larder_testkit::script::Choices;

use crate::known;

/// A few whole lines with their data blocks, after which a server is between requests again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// What to send, in order.
    pub pieces: Vec<Piece>,
    /// How many commands it is.
    pub commands: u64,
    /// Keys whose items it may change.
    pub keys: BTreeSet<Vec<u8>>,
    /// In how many seconds it flushes.
    pub flushes: Vec<i64>,
    /// Whether it joins something to an item of a certain CAS number.
    pub joins_by_cas: bool,
    /// Whether a frame, or what it makes by joining, may be too large for an item.
    pub has_large_frames: bool,
}

/// How a number stands in a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// In decimal, in a line.
    Decimal,
    /// Eight bytes in the head of a frame.
    Frame,
}

/// A part of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// The CAS number that the item of a key has on that server when the step begins.
    Cas {
        /// The key.
        key: Vec<u8>,
        /// What is added: 0, or what makes it a number of the past or of the future.
        shift: i64,
        /// How it is written.
        form: Form,
    },
    /// What came before is to be answered before the next is sent: memcached adds in place only where no reply that is
    /// still to be sent holds the item, and the length of the sum tells.
    Fence,
}

impl Piece {
    /// The bytes for one server, which `cas` tells the number of a key's item.
    pub(crate) fn bytes(&self, mut cas: impl FnMut(&[u8]) -> u64) -> Vec<u8> {
        match self {
            Self::Literal(literal) => literal.clone(),
            Self::Cas { key, shift, form } => {
                let number = cas(key).saturating_add_signed(*shift);
                match form {
                    Form::Decimal => number.to_string().into(),
                    Form::Frame => number.to_be_bytes().to_vec(),
                }
            }
            Self::Fence => Vec::new(),
        }
    }
}

impl Request {
    /// Makes a request of what a grammar wrote: every data block gets the length that its line announces, and what
    /// the two servers are known to answer in different ways, or at the mercy of the network, is left out.
    #[must_use]
    pub(crate) fn settled(written: &[u8]) -> Self {
        let mut request = Self::default();
        let mut rest = written;
        while !rest.is_empty() {
            let line_len = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
            let (line, after) = rest.split_at(line_len);
            let line = neutral(line);
            let block_len = match read(&line) {
                Meaning::Storage { value_len, .. } => value_len + LINE_END.len(),
                Meaning::Refused { skip_len, .. } => skip_len,
                Meaning::Meta(meta) => match meta.command {
                    MetaCommand::Set(_, value_len) => value_len + LINE_END.len(),
                    _ => 0,
                },
                _ => 0,
            };
            let has_end = !after.is_empty();
            rest = after.get(1..).unwrap_or_default();
            let there = block_len.min(rest.len());
            let (block, after) = rest.split_at(there);
            if is_fit(&line) && block_len <= BLOCK_LEN_MAX {
                request.push_line(&line);
                request.push(if has_end { b"\n" } else { LINE_END });
                let mut block = block.to_vec();
                block.extend(filling(block_len - there));
                known::speak(&line, &mut block);
                request.push(&block);
            }
            rest = after;
        }
        request
    }

    /// What an operator says, and what is nearly that, where it leaves the server as it is.
    pub(crate) fn of_operator(choices: &mut Choices<'_>) -> Self {
        let mut request = Self { commands: 1, ..Self::default() };
        request.push(choices.pick(HARMLESS).as_bytes());
        request.push(choices.pick(&[LINE_END, b"\n"]));
        request
    }

    /// Makes a request of the text of a probe.
    pub(crate) fn of_probe(text: &[u8]) -> Self {
        let mut request = Self { commands: 1, ..Self::default() };
        let mut rest = text;
        while !rest.is_empty() {
            let holes = [
                (CAS, Piece::Cas { key: b"probe".to_vec(), shift: 0, form: Form::Decimal }),
                (FENCE, Piece::Fence),
            ];
            let hole = holes.into_iter().find(|(name, _)| rest.starts_with(name));
            let len = hole.as_ref().map_or(1, |(name, _)| name.len());
            match hole {
                Some((_, piece)) => request.pieces.push(piece),
                None => request.push(&rest[..len]),
            }
            rest = &rest[len..];
        }
        request
    }

    /// Whether this is its first byte.
    pub(crate) fn begins_with(&self, byte: u8) -> bool {
        matches!(self.pieces.first(), Some(Piece::Literal(bytes)) if bytes.first() == Some(&byte))
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Some(Piece::Literal(last)) = self.pieces.last_mut() {
            last.extend_from_slice(bytes);
        } else if !bytes.is_empty() {
            self.pieces.push(Piece::Literal(bytes.to_vec()));
        }
    }

    /// Adds a line, with a CAS number that exists in the place of the one that was made up.
    fn push_line(&mut self, line: &[u8]) {
        self.commands += 1;
        let meaning = read(line);
        if let Meaning::FlushAll { delay, .. } = meaning {
            self.flushes.push(delay);
        }
        if let Meaning::Meta(meta) = &meaning {
            let joins =
                matches!(meta.command, MetaCommand::Set(StoreMode::Append | StoreMode::Prepend, _));
            self.joins_by_cas |= joins && meta.flags.compare.is_some();
        }
        let is_sum = match &meaning {
            Meaning::Arithmetic { .. } => true,
            Meaning::Meta(meta) => matches!(meta.command, MetaCommand::Arithmetic(_)),
            _ => false,
        };
        if is_sum {
            self.pieces.push(Piece::Fence);
        }
        let keys = keys(&meaning);
        let mut hole = None;
        if let [key] = &keys[..] {
            hole = cas_place(line).map(|(start, end, number)| (start, end, number, key.clone()));
        }
        self.keys.extend(keys);
        let Some((start, end, number, key)) = hole else { return self.push(line) };
        let shift = match number % 8 {
            0..5 => 0,
            5 => FUTURE,
            6 => -1,
            _ => return self.push(line),
        };
        self.push(&line[..start]);
        self.pieces.push(Piece::Cas { key, shift, form: Form::Decimal });
        self.push(&line[end..]);
    }
}

/// A line without the flags that came after memcached 1.6.18, and without NUL, which ended a line there.
fn neutral(line: &[u8]) -> Vec<u8> {
    let line: Vec<u8> = line.iter().map(|&byte| if byte == 0 { 2 } else { byte }).collect();
    let new: &[u8] = match line.split(|&byte| byte == b' ').next() {
        Some(b"mg") => b"CE",
        // With A or P, N is new too.
        Some(b"ms") if line.windows(3).any(|bytes| matches!(bytes, b" MA" | b" MP")) => b"EsN",
        Some(b"ms") => b"Es",
        Some(b"md") => b"Ex",
        Some(b"ma") => b"ET",
        _ => return line,
    };
    let is_new = |word: &[u8]| word.first().is_some_and(|letter| new.contains(letter));
    let words = line.split(|&byte| byte == b' ').enumerate();
    let kept = words.filter(|(place, word)| *place < 2 || !is_new(word));
    kept.map(|(_, word)| word).collect::<Vec<_>>().join(&b' ')
}

/// Whether both servers should do the same with a line, given without its newline.
fn is_fit(line: &[u8]) -> bool {
    let name = line.split(|&byte| byte == b' ').find(|word| !word.is_empty()).unwrap_or_default();
    let name = name.strip_suffix(b"\r").unwrap_or(name);
    let is_order = ORDERS.contains(&name);
    // As the first byte of a connection it would choose the binary protocol.
    let is_binary = line.first() == Some(&0x80);
    line.len() <= LINE_LEN_MAX && !is_order && !is_binary && known::of(line).is_none()
}

/// The keys that a request names.
fn keys(meaning: &Meaning) -> Vec<Vec<u8>> {
    match meaning {
        Meaning::Arithmetic { key, .. }
        | Meaning::Delete { key, .. }
        | Meaning::MetaDebug { key }
        | Meaning::Storage { key, .. }
        | Meaning::Touch { key, .. } => vec![key.clone()],
        Meaning::Get { keys, .. } => keys.clone(),
        Meaning::Meta(meta) => vec![meta.key.clone()],
        _ => Vec::new(),
    }
}

/// Where the CAS number of a line stands, and the number.
fn cas_place(line: &[u8]) -> Option<(usize, usize, u64)> {
    let mut start = 0;
    let mut words = Vec::new();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    for word in line.split(|&byte| byte == b' ') {
        if !word.is_empty() {
            words.push((start, word));
        }
        start += word.len() + 1;
    }
    let (start, number) = match words.first()?.1 {
        b"cas" => words.get(5).copied()?,
        b"ms" | b"md" | b"ma" => {
            let flag = words.iter().skip(2).find(|(_, word)| word[0] == b'C')?;
            (flag.0 + 1, &flag.1[1..])
        }
        _ => return None,
    };
    let text = std::str::from_utf8(number).ok()?;
    Some((start, start + number.len(), text.parse().ok()?))
}

/// The end of a data block that its writer left short.
fn filling(len: usize) -> Vec<u8> {
    let mut bytes = vec![b'x'; len.saturating_sub(LINE_END.len())];
    bytes.extend_from_slice(&LINE_END[LINE_END.len() - len.min(LINE_END.len())..]);
    bytes
}

/// What operators say has tests of its own, but for what is [`HARMLESS`]: it is about the server and not about its items.
const ORDERS: &[&[u8]] = &[
    b"cache_memlimit",
    b"debugtime",
    b"extstore",
    b"lru",
    b"lru_crawler",
    b"misbehave",
    b"refresh_certs",
    b"slabs",
    b"stats",
    b"watch",
];

/// What operators say that is refused, or that changes nothing of what conversations see.
const HARMLESS: &[&str] = &[
    "cache_memlimit",
    "cache_memlimit -1",
    "cache_memlimit 0",
    "cache_memlimit 99999999999999999999",
    "cache_memlimit x",
    "extstore x 1",
    "lru mode nosuch",
    "lru nosuch",
    "lru temp_ttl x",
    "lru tune 1 2",
    "lru tune 10 20 0.1 x",
    "lru_crawler",
    "lru_crawler crawl x",
    "lru_crawler nosuch",
    "lru_crawler sleep 1000001",
    "lru_crawler sleep x",
    "lru_crawler tocrawl x",
    "refresh_certs",
    "slabs",
    "slabs automove x",
    "slabs nosuch 1 2",
    "slabs reassign 1 1",
    "slabs reassign 1 x",
    "slabs reassign 99 1",
    "slabs reassign x 1",
    "stats cachedump 0 x",
    "stats cachedump 999 1",
    "stats cachedump x",
    "stats nosuch",
    "verbosity",
    "verbosity 1 2",
    "verbosity 1 noreply",
    "verbosity noreply",
    "verbosity x",
];

const CAS: &[u8] = b"{cas}";
const FENCE: &[u8] = b"{fence}";

const LINE_END: &[u8] = b"\r\n";

/// So many stores come never: the numbers between are for what else the same write stores.
const FUTURE: i64 = 1 << 40;

/// Longest line that is sent, in bytes: beyond 2,048 it depends on the reads of a server what it answers.
const LINE_LEN_MAX: usize = 2000;

/// Longest data block that is sent, in bytes: more than the largest item.
const BLOCK_LEN_MAX: usize = 1_500_000;
