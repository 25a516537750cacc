//! Replies to meta commands: a code of two letters, then what the flags ask for, in the order in which they stand.

use alloc::vec::Vec;

use larder_protocol::{
    Meta, MetaArithmetic, MetaDebug, MetaSet, Request, Status, encode_key, is_key_plain,
    push_number,
};

use crate::output::Output;
use crate::{Service, Stored, Value};

/// The answer to a meta retrieval: where a service puts the item it found or created.
#[derive(Debug)]
pub struct MetaReply<'a, V> {
    output: &'a mut Output<V>,
    key: &'a [u8],
    meta: &'a Meta<'a>,
    has_item: bool,
}

/// An item as a meta retrieval finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaItem {
    /// What the client gave with it.
    pub flags: u32,
    /// Its CAS number.
    pub cas: u64,
    /// Whether it was stored under a key in base64.
    pub is_key_encoded: bool,
    /// Seconds until it expires, where the flag `t` stands; none if it never does.
    pub ttl: Option<u32>,
    /// Seconds since it was stored or used, this use not counted.
    pub idle: u32,
    /// Whether it was used since it was stored, this use not counted.
    pub was_fetched: bool,
    /// Whether it was marked stale.
    pub is_stale: bool,
    /// Whether a client before has won its renewal.
    pub was_won: bool,
    /// Whether this client wins it.
    pub wins: bool,
}

impl<V: Value> MetaReply<'_, V> {
    /// Adds the item. `data` are the pieces of its value, the closing `\r\n` included, `data_len` bytes in all; short data is
    /// copied now, for long data `pin` is called.
    pub fn item<'d>(
        &mut self,
        item: &MetaItem,
        data_len: usize,
        data: impl IntoIterator<Item = &'d [u8]>,
        pin: impl FnOnce() -> V,
    ) {
        self.has_item = true;
        let value_len = data_len.saturating_sub(b"\r\n".len());
        // Who names the number that the item has knows the value.
        let flags = &self.meta.flags;
        let has_value = flags.value && flags.compare != Some(item.cas);
        self.push_head(item, value_len, has_value);
        if has_value {
            self.output.push_value(data_len, data, pin);
        }
    }

    fn push_head(&mut self, item: &MetaItem, value_len: usize, has_value: bool) {
        let out = self.output.tail();
        push_code(out, has_value.then_some(value_len));
        for word in self.meta.words {
            match word.first() {
                Some(b'c') => push_flag(out, b'c', item.cas),
                Some(b'f') => push_flag(out, b'f', item.flags.into()),
                Some(b'h') => push_flag(out, b'h', item.was_fetched.into()),
                Some(b'k') => push_key(out, self.key, item.is_key_encoded),
                Some(b'l') => push_flag(out, b'l', item.idle.into()),
                Some(b'O') => push_word(out, word),
                Some(b's') => push_flag(out, b's', value_len as u64),
                Some(b't') => push_ttl(out, item.ttl),
                _ => {}
            }
        }
        let marks: [(bool, &[u8]); 3] =
            [(item.was_won, b"Z"), (item.is_stale, b"X"), (item.wins, b"W")];
        for (_, letter) in marks.into_iter().filter(|(is_set, _)| *is_set) {
            push_word(out, letter);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// What `ma` made of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaCount {
    /// The number.
    pub number: u64,
    /// The item's CAS number.
    pub cas: u64,
    /// Seconds until it expires, where the flag `t` stands; none if it never does.
    pub ttl: Option<u32>,
    /// Whether it was created now; then it is told to quiet clients too.
    pub is_new: bool,
}

/// What `me` tells of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaDetails {
    /// Whether it was stored under a key in base64.
    pub is_key_encoded: bool,
    /// Seconds until it expires; none if it never does.
    pub ttl: Option<u32>,
    /// Seconds since it was stored or used.
    pub idle: u32,
    /// Its CAS number.
    pub cas: u64,
    /// Whether it was used since it was stored.
    pub was_fetched: bool,
    /// Number of its size class, from 1.
    pub class: usize,
    /// Its size by memcached's arithmetic, in bytes.
    pub item_bytes: u64,
}

/// Answers a meta command that has no data block; what is none has been seen to elsewhere.
pub(crate) fn answer<S: Service>(
    request: &Request<'_>,
    output: &mut Output<S::Value>,
    service: &mut S,
) {
    match request {
        Request::MetaArithmetic(arithmetic) => adjust(arithmetic, output.tail(), service),
        Request::MetaDebug(debug) => tell(debug, output.tail(), service),
        Request::MetaDelete(meta) => {
            let key = meta.key.decode();
            let status = service.meta_delete(key.as_ref(), &meta.flags);
            if !(meta.flags.quiet && status == Status::Deleted) {
                push_status(output.tail(), status, key.as_ref(), meta);
            }
        }
        Request::MetaGet(meta) => {
            let key = meta.key.decode();
            let key = key.as_ref();
            let mut reply = MetaReply { output, key, meta, has_item: false };
            service.meta_get(key, meta, &mut reply);
            if !reply.has_item && !meta.flags.quiet {
                let out = reply.output.tail();
                out.extend_from_slice(b"EN");
                push_echo(out, key, meta);
                out.extend_from_slice(b"\r\n");
            }
        }
        _ => {}
    }
}

fn adjust<S: Service>(request: &MetaArithmetic<'_>, out: &mut Vec<u8>, service: &mut S) {
    let meta = &request.meta;
    let key = meta.key.decode();
    let key = key.as_ref();
    let count = match service.meta_adjust(key, request) {
        Ok(count) => count,
        Err(status) => return push_status(out, status, key, meta),
    };
    if meta.flags.quiet && !count.is_new {
        return;
    }
    let mut digits = Vec::new();
    push_number(&mut digits, count.number);
    push_code(out, meta.flags.value.then_some(digits.len()));
    for word in meta.words {
        match word.first() {
            Some(b'c') => push_flag(out, b'c', count.cas),
            Some(b'k') => push_key(out, key, meta.key.is_encoded),
            Some(b'O') => push_word(out, word),
            Some(b't') => push_ttl(out, count.ttl),
            _ => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    if meta.flags.value {
        out.extend_from_slice(&digits);
        out.extend_from_slice(b"\r\n");
    }
}

fn tell<S: Service>(debug: &MetaDebug<'_>, out: &mut Vec<u8>, service: &mut S) {
    let key = debug.key.decode();
    let Some(item) = service.meta_details(key.as_ref()) else {
        out.extend_from_slice(b"EN\r\n");
        return;
    };
    out.extend_from_slice(b"ME ");
    push_bare_key(out, key.as_ref(), item.is_key_encoded);
    out.extend_from_slice(b" exp=");
    push_seconds(out, item.ttl);
    for (name, number) in [(" la=", item.idle.into()), (" cas=", item.cas)] {
        out.extend_from_slice(name.as_bytes());
        push_number(out, number);
    }
    let fetched: &[u8] = if item.was_fetched { b" fetch=yes cls=" } else { b" fetch=no cls=" };
    out.extend_from_slice(fetched);
    push_number(out, item.class as u64);
    out.extend_from_slice(b" size=");
    push_number(out, item.item_bytes);
    out.extend_from_slice(b"\r\n");
}

/// What of a meta reply is known before its value has arrived.
#[derive(Debug)]
pub(crate) struct Echo {
    /// The letters of the flags that are answered, in their order; the rest is 0.
    letters: [u8; 4],
    /// What is said for `k` and `O`; empty where they are not among the letters.
    key: Vec<u8>,
    opaque: Vec<u8>,
}

impl Echo {
    pub(crate) fn new(set: &MetaSet<'_>) -> Self {
        let Meta { key, words, .. } = set.meta;
        let mut echo = Self { letters: [0; 4], key: Vec::new(), opaque: Vec::new() };
        let answered = words.filter(|word| matches!(word.first(), Some(b'c' | b'k' | b'O' | b's')));
        for (place, word) in echo.letters.iter_mut().zip(answered) {
            *place = word.first().copied().unwrap_or(0);
            match *place {
                b'k' => push_key(&mut echo.key, key.decode().as_ref(), key.is_encoded),
                b'O' => push_word(&mut echo.opaque, word),
                _ => {}
            }
        }
        echo
    }

    pub(crate) fn push(&self, stored: &Stored, out: &mut Vec<u8>) {
        let Some(code) = code_of(stored.status) else {
            out.extend_from_slice(stored.status.line());
            return;
        };
        out.extend_from_slice(code);
        for letter in self.letters {
            match letter {
                b'c' => push_flag(out, b'c', stored.cas),
                b'k' => out.extend_from_slice(&self.key),
                b'O' => out.extend_from_slice(&self.opaque),
                b's' => push_flag(out, b's', stored.value_len as u64),
                _ => {}
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn push_status(out: &mut Vec<u8>, status: Status, key: &[u8], meta: &Meta<'_>) {
    let Some(code) = code_of(status) else {
        out.extend_from_slice(status.line());
        return;
    };
    out.extend_from_slice(code);
    push_echo(out, key, meta);
    out.extend_from_slice(b"\r\n");
}

/// The code of an outcome; none for an error, which has no flags.
const fn code_of(status: Status) -> Option<&'static [u8]> {
    match status {
        Status::Stored | Status::Deleted => Some(b"HD"),
        Status::Exists => Some(b"EX"),
        Status::NotFound => Some(b"NF"),
        Status::NotStored => Some(b"NS"),
        _ => None,
    }
}

/// The code of a hit: of one with a value its length comes after it.
fn push_code(out: &mut Vec<u8>, value_len: Option<usize>) {
    match value_len {
        Some(len) => {
            out.extend_from_slice(b"VA ");
            push_number(out, len as u64);
        }
        None => out.extend_from_slice(b"HD"),
    }
}

/// Key and opaque, where there is no item to tell more of.
fn push_echo(out: &mut Vec<u8>, key: &[u8], meta: &Meta<'_>) {
    for word in meta.words {
        match word.first() {
            Some(b'k') => push_key(out, key, meta.key.is_encoded),
            Some(b'O') => push_word(out, word),
            _ => {}
        }
    }
}

fn push_word(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(word);
}

fn push_flag(out: &mut Vec<u8>, letter: u8, number: u64) {
    push_word(out, &[letter]);
    push_number(out, number);
}

fn push_ttl(out: &mut Vec<u8>, ttl: Option<u32>) {
    push_word(out, b"t");
    push_seconds(out, ttl);
}

fn push_seconds(out: &mut Vec<u8>, seconds: Option<u32>) {
    match seconds {
        Some(seconds) => push_number(out, seconds.into()),
        None => out.extend_from_slice(b"-1"),
    }
}

fn push_key(out: &mut Vec<u8>, key: &[u8], is_encoded: bool) {
    push_word(out, b"k");
    if push_bare_key(out, key, is_encoded) {
        out.extend_from_slice(b" b");
    }
}

/// Says a key as it was given, and whether in base64. One that would end the line or its word is never said as it is,
/// whatever its item remembers of it: memcached forgets how the key came when it creates or joins an item.
fn push_bare_key(out: &mut Vec<u8>, key: &[u8], is_encoded: bool) -> bool {
    let is_encoded = is_encoded || !is_key_plain(key);
    if is_encoded {
        encode_key(out, key);
    } else {
        out.extend_from_slice(key);
    }
    is_encoded
}
