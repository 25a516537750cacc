//! The protocol once more, slowly and obviously, written from its description and not from the parser or the machine:
//! two readings of one description that agree are rarely wrong in the same way.

mod answers;
pub mod binary;
mod frames;
mod meaning;
pub(crate) mod meta;
mod order;

use larder_protocol::{Delta, ParseError, ShutdownMode, StoreMode};

use meaning::STREAMS;

pub use answers::{answers, answers_speaking};
pub use binary::ClientFrame;
pub use meaning::{Meaning, print};
pub use meta::{MetaCommand, MetaMeaning};
pub use order::Ordered;

/// Says what a line means, given without its newline.
#[must_use]
pub fn read(line: &[u8]) -> Meaning {
    // The shortest line has four bytes, its newline counted.
    if line.len() + 1 < 4 {
        return refused(ParseError::BadFormat);
    }
    let mut line = line.to_vec();
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let mut words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    // A line that begins with a blank has an empty name, and that is no command.
    let name = words.remove(0);
    words.retain(|word| !word.is_empty());
    match name {
        b"get" => read_retrieval(false, None, &words),
        b"gets" => read_retrieval(true, None, &words),
        b"gat" => read_touching_retrieval(false, &words),
        b"gats" => read_touching_retrieval(true, &words),
        b"set" => read_storage(StoreMode::Set, &words),
        b"add" => read_storage(StoreMode::Add, &words),
        b"replace" => read_storage(StoreMode::Replace, &words),
        b"append" => read_storage(StoreMode::Append, &words),
        b"prepend" => read_storage(StoreMode::Prepend, &words),
        b"cas" => read_storage(StoreMode::Cas(0), &words),
        b"delete" => read_delete(&words),
        b"incr" => read_arithmetic(true, &words),
        b"decr" => read_arithmetic(false, &words),
        b"touch" => read_touch(&words),
        b"mg" | b"ms" | b"md" | b"ma" => meta::read_meta(name, &words),
        b"me" => read_debug(&words),
        b"mn" => Meaning::MetaNoop,
        b"version" => Meaning::Version,
        b"quit" => Meaning::Quit,
        b"watch" => read_watch(&words),
        b"stats" => Meaning::Stats { topic: owned(&words) },
        b"flush_all" | b"verbosity" | b"cache_memlimit" | b"shutdown" => {
            read_order(name, &words).unwrap_or_else(|| unknown(name, &words))
        }
        b"lru_crawler" | b"lru" | b"slabs" | b"refresh_certs" | b"debugtime" => {
            order::read_change(name, &words)
        }
        _ => unknown(name, &words),
    }
}

fn read_retrieval(cas: bool, touch: Option<i64>, keys: &[&[u8]]) -> Meaning {
    if keys.is_empty() || keys.iter().any(|key| is_too_long(key)) {
        return refused(ParseError::BadFormat);
    }
    Meaning::Get { cas, touch, keys: owned(keys) }
}

fn read_touching_retrieval(cas: bool, words: &[&[u8]]) -> Meaning {
    match words {
        [] => refused(ParseError::BadFormat),
        [exptime, keys @ ..] => match read_exptime(exptime) {
            Some(exptime) => read_retrieval(cas, Some(exptime), keys),
            None => refused(ParseError::InvalidExptime),
        },
    }
}

fn read_storage(mode: StoreMode, words: &[&[u8]]) -> Meaning {
    let [key, flags, exptime, len, rest @ ..] = words else {
        return refused(ParseError::BadFormat);
    };
    let quiet = is_quiet(&words[3..]);
    let Some(len) = number(len).filter(|&len| len <= 2_147_483_645) else {
        return Meaning::Refused { reason: ParseError::BadFormat, quiet, skip_len: 0 };
    };
    let value_len = usize::try_from(len).unwrap_or(usize::MAX);
    let mode = match (mode, rest) {
        (StoreMode::Cas(_), []) => None,
        (StoreMode::Cas(_), [cas, ..]) => number(cas).map(StoreMode::Cas),
        (mode, _) => Some(mode),
    };
    let flags = number(flags).and_then(|flags| u32::try_from(flags % (1 << 32)).ok());
    match (mode, flags, read_exptime(exptime)) {
        (Some(mode), Some(flags), Some(exptime)) if !is_too_long(key) => {
            Meaning::Storage { mode, key: key.to_vec(), flags, exptime, value_len, quiet }
        }
        // The length is known: the data block can be thrown away, and is.
        _ => Meaning::Refused { reason: ParseError::BadFormat, quiet, skip_len: value_len + 2 },
    }
}

fn read_delete(words: &[&[u8]]) -> Meaning {
    let [key, options @ ..] = words else { return refused(ParseError::BadFormat) };
    let quiet = is_quiet(options);
    let refuse = |reason| Meaning::Refused { reason, quiet, skip_len: 0 };
    match options {
        [] | [b"0"] | [b"noreply"] | [b"0", b"noreply"] if is_too_long(key) => {
            refuse(ParseError::BadFormat)
        }
        [] | [b"0"] | [b"noreply"] | [b"0", b"noreply"] => {
            Meaning::Delete { key: key.to_vec(), quiet }
        }
        _ => refuse(ParseError::DeleteUsage),
    }
}

fn read_arithmetic(is_increment: bool, words: &[&[u8]]) -> Meaning {
    let [key, step, ..] = words else { return refused(ParseError::BadFormat) };
    let quiet = is_quiet(&words[1..]);
    let refuse = |reason| Meaning::Refused { reason, quiet, skip_len: 0 };
    if is_too_long(key) {
        return refuse(ParseError::BadFormat);
    }
    let Some(step) = number(step) else { return refuse(ParseError::InvalidDelta) };
    let delta = if is_increment { Delta::Increment(step) } else { Delta::Decrement(step) };
    Meaning::Arithmetic { key: key.to_vec(), delta, quiet }
}

fn read_touch(words: &[&[u8]]) -> Meaning {
    let [key, exptime, ..] = words else { return refused(ParseError::BadFormat) };
    let quiet = is_quiet(&words[1..]);
    let refuse = |reason| Meaning::Refused { reason, quiet, skip_len: 0 };
    if is_too_long(key) {
        return refuse(ParseError::BadFormat);
    }
    match read_exptime(exptime) {
        Some(exptime) => Meaning::Touch { key: key.to_vec(), exptime, quiet },
        None => refuse(ParseError::InvalidExptime),
    }
}

/// `b` is seen only if another word follows it.
fn read_debug(words: &[&[u8]]) -> Meaning {
    match words {
        [key, ..] if is_too_long(key) => refused(ParseError::BadFormat),
        [key, b"b", _, ..] => match meta::from_base64(key) {
            Some(key) => Meaning::MetaDebug { key },
            None => refused(ParseError::BadFormat),
        },
        [key, ..] => Meaning::MetaDebug { key: key.to_vec() },
        [] => refused(ParseError::BadFormat),
    }
}

/// What operators say; none if the number of words is wrong, which makes it an unknown command.
fn read_order(name: &[u8], words: &[&[u8]]) -> Option<Meaning> {
    let quiet = is_quiet(words);
    let refuse = |reason| Some(Meaning::Refused { reason, quiet, skip_len: 0 });
    match (name, words) {
        (b"flush_all", [] | [b"noreply"]) => Some(Meaning::FlushAll { delay: 0, quiet }),
        (b"flush_all", [delay] | [delay, _]) => match read_exptime(delay) {
            Some(delay) => Some(Meaning::FlushAll { delay, quiet }),
            None => refuse(ParseError::InvalidExptime),
        },
        (b"verbosity", [level] | [level, _]) => match number(level) {
            Some(level) => {
                let level = u8::try_from(level).map_or(2, |level| level.min(2));
                Some(Meaning::Verbosity { level, quiet })
            }
            None => refuse(ParseError::BadFormat),
        },
        (b"cache_memlimit", [limit] | [limit, _]) => {
            let mebibytes = number(limit).and_then(|limit| u32::try_from(limit).ok())?;
            Some(Meaning::MemoryLimit { mebibytes, quiet })
        }
        (b"shutdown", []) => Some(Meaning::Shutdown(ShutdownMode::Immediate)),
        (b"shutdown", [b"graceful"]) => Some(Meaning::Shutdown(ShutdownMode::Graceful)),
        (b"shutdown", [_, ..]) => Some(Meaning::Shutdown(ShutdownMode::Unknown)),
        _ => None,
    }
}

/// Which streams; `noreply` is none of them, and nothing is said of that.
fn read_watch(words: &[&[u8]]) -> Meaning {
    if is_quiet(words) {
        return Meaning::Refused { reason: ParseError::UnknownCommand, quiet: true, skip_len: 0 };
    }
    let words = if words.is_empty() { &[b"fetchers".as_slice()] } else { words };
    let mut bits = words
        .iter()
        .map(|word| STREAMS.iter().find(|(name, _)| name.as_bytes() == *word).map(|(_, bit)| *bit));
    Meaning::Watch { streams: bits.try_fold(0, |some, bit| Some(some | bit?)) }
}

/// No command; a last word that begins like the version of HTTP tells whose it is.
fn unknown(name: &[u8], words: &[&[u8]]) -> Meaning {
    let last = words.last().copied().unwrap_or(name);
    refused(if last.starts_with(b"HTTP/") { ParseError::Http } else { ParseError::UnknownCommand })
}

const fn refused(reason: ParseError) -> Meaning {
    Meaning::Refused { reason, quiet: false, skip_len: 0 }
}

fn is_quiet(options: &[&[u8]]) -> bool {
    options.last().is_some_and(|word| word == b"noreply")
}

const fn is_too_long(key: &[u8]) -> bool {
    key.len() > 250
}

/// An unsigned number of 64 bits; a plus before it is allowed.
fn number(word: &[u8]) -> Option<u64> {
    let word = std::str::from_utf8(looked_at(word)).ok()?;
    let digits = word.strip_prefix('+').unwrap_or(word);
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// An exptime: the last 32 bits of a signed number of 64.
fn read_exptime(word: &[u8]) -> Option<i64> {
    let [_, _, _, _, low @ ..] = signed_wide(word)?.to_be_bytes();
    Some(i32::from_be_bytes(low).into())
}

/// A signed number of 32 bits.
fn signed(word: &[u8]) -> Option<i32> {
    signed_wide(word).and_then(|number| i32::try_from(number).ok())
}

/// A signed number of 64 bits.
fn signed_wide(word: &[u8]) -> Option<i64> {
    match looked_at(word) {
        [b'-', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            i64::try_from(-i128::from(number(digits)?)).ok()
        }
        [b'-', ..] => None,
        word => i64::try_from(number(word)?).ok(),
    }
}

/// What C's functions read of a word: from its first to its next blank, of those that do not part words.
fn looked_at(word: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| [b'\t', b'\n', 0x0b, 0x0c, b'\r'].contains(byte);
    word.split(is_blank).find(|part| !part.is_empty()).unwrap_or_default()
}

fn owned(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}
