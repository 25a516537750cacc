//! One complete line into one request, or into the reason why not.
//!
//! The rules are those of memcached 1.6.45, with one deliberate exception: whenever the length of a data block parses,
//! the block of a refused request is thrown away, so that a value can never be taken for commands.

use crate::number::parse_exptime;
use crate::order::Change;
use crate::request::{
    Arithmetic, Delete, Delta, FlushAll, Get, MemoryLimit, ParseError, Rejection, Request,
    Retrieval, ShutdownMode, Stats, Storage, StoreMode, Touch, Verbosity,
};
use crate::watch::Watch;
use crate::words::Words;
use crate::{meta, order, parse_number};

/// Longest key, in bytes.
pub const KEY_LEN_MAX: usize = 250;

/// Longest data block that a line may announce, in bytes, its line end not counted; the server's own limit is lower.
pub const VALUE_LEN_MAX: usize = 2_147_483_645;

/// Parses one line, given without its newline; a carriage return before the newline may be there.
///
/// # Errors
///
/// A line that is no request is a [`Rejection`], which says what to answer and what to throw away.
pub fn parse_line(line: &[u8]) -> Result<Request<'_>, Rejection> {
    if line.len() < LINE_LEN_MIN {
        return Err(ParseError::BadFormat.into());
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let name_len = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (name, rest) = line.split_at(name_len);
    match name {
        b"get" | b"gets" | b"gat" | b"gats" => parse_get(line),
        b"set" => parse_storage(StoreMode::Set, rest),
        b"add" => parse_storage(StoreMode::Add, rest),
        b"replace" => parse_storage(StoreMode::Replace, rest),
        b"append" => parse_storage(StoreMode::Append, rest),
        b"prepend" => parse_storage(StoreMode::Prepend, rest),
        b"cas" => parse_storage(StoreMode::Cas(0), rest),
        b"delete" => parse_delete(rest),
        b"incr" => parse_arithmetic(Delta::Increment, rest),
        b"decr" => parse_arithmetic(Delta::Decrement, rest),
        b"touch" => parse_touch(rest),
        b"mg" => meta::parse_get(rest),
        b"ms" => meta::parse_set(rest),
        b"md" => meta::parse_delete(rest),
        b"ma" => meta::parse_arithmetic(rest),
        b"me" => meta::parse_debug(rest),
        b"mn" => Ok(Request::MetaNoop),
        b"version" => Ok(Request::Version),
        b"watch" => parse_watch(rest),
        b"quit" => Ok(Request::Quit),
        b"lru_crawler" => order::parse_crawler(Words::new(rest)),
        b"lru" => order::parse_lists(Words::new(rest)),
        b"slabs" => order::parse_slabs(Words::new(rest)),
        b"refresh_certs" => order::order(Change::Certificates, false),
        b"debugtime" => order::parse_clock(Words::new(rest)),
        _ => parse_administration(name, rest).map_err(|reason| reject(reason, line)),
    }
}

/// Reads the part of a retrieval before its keys. Returns it with the place where the keys begin; none if the bytes are
/// no retrieval, or not enough of one. For lines so long that their keys have to be answered as they arrive.
pub fn parse_retrieval_head(line: &[u8]) -> Option<(Retrieval, usize)> {
    let name_len = memchr::memchr(b' ', line)?;
    let (name, rest) = line.split_at(name_len);
    let cas = match name {
        b"get" | b"gat" => false,
        b"gets" | b"gats" => true,
        _ => return None,
    };
    if name == b"get" || name == b"gets" {
        return Some((Retrieval { cas, touch: None }, name_len));
    }
    let start = rest.iter().position(|&byte| byte != b' ')?;
    let (_, words) = rest.split_at(start);
    let len = memchr::memchr(b' ', words)?;
    let (word, _) = words.split_at(len);
    let touch = Some(parse_exptime(word)?);
    Some((Retrieval { cas, touch }, name_len + start + len))
}

pub(crate) type Parsed<'a> = Result<Request<'a>, Rejection>;

impl From<ParseError> for Rejection {
    fn from(reason: ParseError) -> Self {
        Self { reason, quiet: false, skip_len: 0 }
    }
}

fn parse_get(line: &[u8]) -> Parsed<'_> {
    let mut words = Words::new(line);
    let name = words.next().unwrap_or_default();
    let touch = if matches!(name, b"gat" | b"gats") {
        let exptime = words.next().ok_or(ParseError::BadFormat)?;
        Some(parse_exptime(exptime).ok_or(ParseError::InvalidExptime)?)
    } else {
        None
    };
    let keys = words;
    let mut key_count = 0_usize;
    for key in words {
        check_key(key)?;
        key_count += 1;
    }
    if key_count == 0 {
        return Err(ParseError::BadFormat.into());
    }
    let retrieval = Retrieval { cas: name.ends_with(b"s"), touch };
    Ok(Request::Get(Get { retrieval, keys_at: line.len() - keys.unread_len(), keys }))
}

/// Words after the name: key, flags, exptime, length, for `cas` its number, then perhaps `noreply`.
fn parse_storage(mode: StoreMode, rest: &[u8]) -> Parsed<'_> {
    let mut words = Words::new(rest);
    let mut next = || words.next().ok_or(ParseError::BadFormat);
    let (key, flags, exptime) = (next()?, next()?, next()?);
    let options = words;
    let len = words.next().ok_or(ParseError::BadFormat)?;
    let value_len = parse_number(len)
        .and_then(|len| usize::try_from(len).ok())
        .filter(|&len| len <= VALUE_LEN_MAX);
    let Some(value_len) = value_len else {
        // The last word may be `noreply` also in the place of a number: then nobody waits for the error.
        let quiet = is_quiet(options);
        return Err(Rejection { reason: ParseError::BadFormat, quiet, skip_len: 0 });
    };
    let quiet = is_quiet(words);
    let refuse = |quiet| Rejection {
        reason: ParseError::BadFormat,
        quiet,
        skip_len: value_len + b"\r\n".len(),
    };
    let cas = match mode {
        StoreMode::Cas(_) => Some(words.next().ok_or_else(|| refuse(false))?),
        _ => None,
    };
    let mode = match cas.map(parse_number) {
        None => mode,
        Some(Some(number)) => StoreMode::Cas(number),
        Some(None) => return Err(refuse(quiet)),
    };
    check_key(key).map_err(|_| refuse(quiet))?;
    let flags = parse_number(flags).map(low_bits).ok_or_else(|| refuse(quiet))?;
    let exptime = parse_exptime(exptime).ok_or_else(|| refuse(quiet))?;
    Ok(Request::Storage(Storage { mode, key, flags, exptime, value_len, quiet }))
}

/// Words after the name: key, then perhaps the time 0 of old clients, then perhaps `noreply`.
fn parse_delete(rest: &[u8]) -> Parsed<'_> {
    let mut words = Words::new(rest);
    let key = words.next().ok_or(ParseError::BadFormat)?;
    let options = words;
    let quiet = is_quiet(options);
    let refuse = |reason| Rejection { reason, quiet, skip_len: 0 };
    let is_known = matches!(
        (words.next(), words.next(), words.next()),
        (None, ..) | (Some(b"0" | b"noreply"), None, _) | (Some(b"0"), Some(b"noreply"), None)
    );
    if !is_known {
        return Err(refuse(ParseError::DeleteUsage));
    }
    check_key(key).map_err(refuse)?;
    Ok(Request::Delete(Delete { key, quiet }))
}

/// Words after the name: key, number, then perhaps `noreply`.
fn parse_arithmetic(delta: fn(u64) -> Delta, rest: &[u8]) -> Parsed<'_> {
    let mut words = Words::new(rest);
    let key = words.next().ok_or(ParseError::BadFormat)?;
    let options = words;
    let number = words.next().ok_or(ParseError::BadFormat)?;
    // As for the length of a storage command.
    let refuse = |reason| Rejection { reason, quiet: is_quiet(options), skip_len: 0 };
    check_key(key).map_err(refuse)?;
    let number = parse_number(number).ok_or_else(|| refuse(ParseError::InvalidDelta))?;
    Ok(Request::Arithmetic(Arithmetic { key, delta: delta(number), quiet: is_quiet(words) }))
}

/// Words after the name: key, exptime, then perhaps `noreply`.
fn parse_touch(rest: &[u8]) -> Parsed<'_> {
    let mut words = Words::new(rest);
    let key = words.next().ok_or(ParseError::BadFormat)?;
    let options = words;
    let exptime = words.next().ok_or(ParseError::BadFormat)?;
    let refuse = |reason| Rejection { reason, quiet: is_quiet(options), skip_len: 0 };
    check_key(key).map_err(refuse)?;
    let exptime = parse_exptime(exptime).ok_or_else(|| refuse(ParseError::InvalidExptime))?;
    Ok(Request::Touch(Touch { key, exptime, quiet: is_quiet(words) }))
}

/// Words after the name: streams. `noreply` is none, and silences the error that it is.
fn parse_watch(rest: &[u8]) -> Parsed<'_> {
    let words = Words::new(rest);
    if is_quiet(words) {
        let reason = ParseError::UnknownCommand;
        return Err(Rejection { reason, quiet: true, skip_len: 0 });
    }
    Ok(Request::Watch(Watch::parse(words)))
}

/// What operators and monitors ask. Here a wrong number of words is an unknown command, as in memcached.
fn parse_administration<'a>(name: &[u8], rest: &'a [u8]) -> Result<Request<'a>, ParseError> {
    let words = Words::new(rest);
    match name {
        b"stats" => Ok(Request::Stats(Stats { topic: words })),
        b"flush_all" => parse_flush_all(words),
        b"verbosity" => parse_verbosity(words),
        b"cache_memlimit" => parse_memory_limit(words),
        b"shutdown" => parse_shutdown(words),
        _ => Err(ParseError::UnknownCommand),
    }
}

fn parse_flush_all(mut words: Words<'_>) -> Result<Request<'_>, ParseError> {
    let quiet = is_quiet(words);
    let delay = match (words.next(), words.next(), words.next()) {
        (None, ..) | (Some(b"noreply"), None, _) => 0,
        (Some(delay), _, None) => parse_exptime(delay).ok_or(ParseError::InvalidExptime)?,
        _ => return Err(ParseError::UnknownCommand),
    };
    Ok(Request::FlushAll(FlushAll { delay, quiet }))
}

fn parse_verbosity(mut words: Words<'_>) -> Result<Request<'_>, ParseError> {
    let quiet = is_quiet(words);
    match (words.next(), words.next(), words.next()) {
        (Some(level), _, None) => {
            let level = parse_number(level).ok_or(ParseError::BadFormat)?;
            let level = u8::try_from(level).unwrap_or(VERBOSITY_MAX).min(VERBOSITY_MAX);
            Ok(Request::Verbosity(Verbosity { level, quiet }))
        }
        _ => Err(ParseError::UnknownCommand),
    }
}

fn parse_memory_limit(mut words: Words<'_>) -> Result<Request<'_>, ParseError> {
    let quiet = is_quiet(words);
    match (words.next(), words.next(), words.next()) {
        (Some(limit), _, None) => {
            let mebibytes = parse_number(limit)
                .and_then(|limit| u32::try_from(limit).ok())
                .ok_or(ParseError::UnknownCommand)?;
            Ok(Request::MemoryLimit(MemoryLimit { mebibytes, quiet }))
        }
        _ => Err(ParseError::UnknownCommand),
    }
}

fn parse_shutdown(mut words: Words<'_>) -> Result<Request<'_>, ParseError> {
    match (words.next(), words.next()) {
        (None, _) => Ok(Request::Shutdown(ShutdownMode::Immediate)),
        (Some(b"graceful"), None) => Ok(Request::Shutdown(ShutdownMode::Graceful)),
        (Some(_), _) => Ok(Request::Shutdown(ShutdownMode::Unknown)),
    }
}

/// Says what a refused line of no known shape is answered. A line whose last word begins like HTTP's version is no
/// mistake of a client's but somebody else's protocol.
fn reject(reason: ParseError, line: &[u8]) -> Rejection {
    let last = Words::new(line).last().unwrap_or_default();
    let is_http = reason == ParseError::UnknownCommand && last.starts_with(b"HTTP/");
    let reason = if is_http { ParseError::Http } else { reason };
    let has_options = !matches!(reason, ParseError::UnknownCommand | ParseError::Http);
    Rejection { reason, quiet: has_options && last == b"noreply", skip_len: 0 }
}

pub(crate) const fn check_key(key: &[u8]) -> Result<(), ParseError> {
    if key.len() > KEY_LEN_MAX { Err(ParseError::BadFormat) } else { Ok(()) }
}

/// Whether the last of these words is `noreply`; words before it that mean nothing are ignored.
pub(crate) fn is_quiet(words: Words<'_>) -> bool {
    words.last() == Some(b"noreply")
}

/// memcached keeps the low 32 bits of the flags it is sent.
#[expect(clippy::cast_possible_truncation, reason = "the truncation is memcached's rule")]
const fn low_bits(number: u64) -> u32 {
    number as u32
}

/// Shortest line that can hold a command, its newline not counted: a shorter one is refused before it is looked at.
const LINE_LEN_MIN: usize = 3;

/// The highest level `verbosity` sets.
const VERBOSITY_MAX: u8 = 2;
