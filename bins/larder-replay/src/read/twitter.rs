//! Twitter's format: `timestamp,anonymized key,key size,value size,client id,operation,TTL`, a line an access.

use std::io::BufRead;

use super::lines::{Line, Lines};
use super::{Wrong, learn_from_stores};
use crate::trace::{Numbers, clamp_key_len};
use crate::{Access, Verb};

/// The first `limit` accesses.
pub(super) fn accesses(source: &mut impl BufRead, limit: usize) -> Result<Vec<Access>, Wrong> {
    let mut lines = Lines::new(source);
    let mut accesses: Vec<Access> = Vec::new();
    let mut numbers = Numbers::default();
    let mut start = None;
    // Where `add`s are that the replay makes itself: it stores what it missed. What they store is still to learn from.
    let mut fills: Vec<usize> = Vec::new();
    while accesses.len() < limit.saturating_add(fills.len()) {
        let Some(line) = lines.next_line()? else { break };
        let record = Record::parse(&line)?;
        let known = numbers.len();
        let key = numbers.of_text(record.key);
        // `add` stores what is not there; after an access of the key it is.
        if record.operation == Operation::Add && numbers.len() == known {
            fills.push(accesses.len());
        }
        let start = *start.get_or_insert(record.time);
        let at = u32::try_from(record.time.saturating_sub(start)).unwrap_or(u32::MAX);
        accesses.push(Access {
            key,
            // Clocks of several clients: a trace's time only goes on.
            at: at.max(accesses.last().map_or(0, |access| access.at)),
            value_len: record.value_len,
            ttl: record.ttl,
            key_len: clamp_key_len(record.key_len),
            verb: record.operation.verb(),
        });
    }
    learn_from_stores(&mut accesses);
    let mut fills = fills.into_iter().peekable();
    let mut place = 0..;
    accesses.retain(|_| fills.next_if_eq(&place.next().unwrap_or(usize::MAX)).is_none());
    Ok(accesses)
}

/// A line taken apart.
struct Record<'a> {
    time: u64,
    key: &'a [u8],
    key_len: u64,
    value_len: u32,
    operation: Operation,
    ttl: u32,
}

impl<'a> Record<'a> {
    fn parse(line: &Line<'a>) -> Result<Self, Wrong> {
        let mut fields = line.text.split(|byte| *byte == b',');
        let time = line.number(fields.next(), "timestamp")?;
        let key = fields.next().ok_or_else(|| line.wrong("the key is missing"))?;
        let key_len = line.number(fields.next(), "key size")?;
        let value_len = line.value_len(fields.next())?;
        line.number(fields.next(), "client id")?;
        let operation = fields.next().ok_or_else(|| line.wrong("the operation is missing"))?;
        let operation = Operation::named(operation).ok_or_else(|| {
            let name = String::from_utf8_lossy(operation);
            line.wrong(format!("`{name}` is no operation of memcached"))
        })?;
        let ttl = line.number(fields.next(), "TTL")?;
        if fields.next().is_some() {
            return Err(line.wrong("it has more than seven fields"));
        }
        let ttl = u32::try_from(ttl).unwrap_or(u32::MAX);
        Ok(Self { time, key, key_len, value_len, operation, ttl })
    }
}

/// What a client asked for, as far as a replay tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Add,
    Write,
    Delete,
}

impl Operation {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"get" | b"gets" => Some(Self::Read),
            b"add" => Some(Self::Add),
            b"set" | b"replace" | b"cas" | b"append" | b"prepend" | b"incr" | b"decr" => {
                Some(Self::Write)
            }
            b"delete" => Some(Self::Delete),
            _ => None,
        }
    }

    fn verb(self) -> Verb {
        match self {
            Self::Read => Verb::Get,
            Self::Add | Self::Write => Verb::Set,
            Self::Delete => Verb::Delete,
        }
    }
}
