//! Reads what a server answers: it knows which reply comes next, looks at its first bytes, and steps over values by
//! their length.

use std::fmt;

use memchr::memchr;

use crate::distribution::ValueSize;
use crate::keys::Keys;
use crate::tally::Tally;
use crate::value::Values;
use crate::workload::{Awaited, Expected};

/// The replies that one connection waits for, and how far the first of them has come.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    pub(crate) awaited: Awaited,
    arriving: Option<Arriving>,
    /// Values that the retrieval at the head has brought so far.
    hits: u32,
    /// With verification, keys of the retrieval at the head that are accounted for: they left `awaited.keys`.
    keys_seen: u32,
    /// The bytes of the key whose value is arriving, with verification.
    key: Vec<u8>,
}

/// What values must hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise<'p> {
    pub(crate) keys: &'p Keys,
    pub(crate) values: &'p Values,
    pub(crate) sizes: ValueSize,
}

/// A value of which bytes are still to come, its `\r\n` included.
#[derive(Debug)]
struct Arriving {
    len: usize,
    position: usize,
    /// The key's number, while nothing wrong was seen and verification is on.
    checked: Option<u64>,
}

/// The server and we are out of step: the connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfStep(&'static str);

impl fmt::Display for OutOfStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the reply does not fit the request: {}", self.0)
    }
}

impl Replies {
    /// Takes bytes that arrived. Returns how many were used: those of an unfinished line are to be given again, with
    /// what follows them. Values are checked against `promise` if there is one.
    pub(crate) fn receive(
        &mut self,
        input: &[u8],
        promise: Option<Promise<'_>>,
        tally: &mut Tally,
    ) -> Result<usize, OutOfStep> {
        let mut at = 0;
        while at < input.len() {
            if let Some(arriving) = &mut self.arriving {
                let used = arriving.receive(&input[at..], &self.key, promise, tally)?;
                at += used;
                if arriving.position == arriving.len + 2 {
                    self.arriving = None;
                }
                continue;
            }
            let Some(end) = memchr(b'\n', &input[at..]) else { break };
            let line = &input[at..at + end];
            self.line(line.strip_suffix(b"\r").unwrap_or(line), promise, tally)?;
            at += end + 1;
        }
        if at < input.len() && input.len() - at > LINE_LEN_MAX {
            return Err(OutOfStep("a line has no end"));
        }
        Ok(at)
    }

    fn line(
        &mut self,
        line: &[u8],
        promise: Option<Promise<'_>>,
        tally: &mut Tally,
    ) -> Result<(), OutOfStep> {
        let Some(expected) = self.awaited.replies.front().copied() else {
            return Err(OutOfStep("nothing was asked"));
        };
        match expected {
            Expected::Stored if line == b"STORED" => tally.stored += 1,
            Expected::Values { keys } if line == b"END" => {
                tally.gets += 1;
                tally.hits += u64::from(self.hits);
                tally.misses += u64::from(keys - self.hits);
            }
            Expected::Values { keys } if line.starts_with(b"VALUE ") => {
                return self.value(&line[b"VALUE ".len()..], keys, promise, tally);
            }
            _ if is_error(line) => {
                tally.errors += 1;
                tally.complain(|| format!("a reply said {:?}", String::from_utf8_lossy(line)));
            }
            Expected::Stored => {
                return Err(OutOfStep("a store was answered by neither STORED nor an error"));
            }
            Expected::Values { .. } => {
                return Err(OutOfStep(
                    "a retrieval was answered by neither values, END nor an error",
                ));
            }
        }
        if let Expected::Values { keys } = expected
            && !self.awaited.keys.is_empty()
        {
            self.awaited.keys.drain(..(keys - self.keys_seen) as usize);
        }
        self.awaited.replies.pop_front();
        (self.hits, self.keys_seen) = (0, 0);
        Ok(())
    }

    /// The head of a value: `KEY FLAGS LEN`.
    fn value(
        &mut self,
        head: &[u8],
        keys: u32,
        promise: Option<Promise<'_>>,
        tally: &mut Tally,
    ) -> Result<(), OutOfStep> {
        let Some(len) = last_number(head) else {
            return Err(OutOfStep("a value's head does not end in its length"));
        };
        if self.hits == keys {
            return Err(OutOfStep("more values came than keys were asked for"));
        }
        self.hits += 1;
        let checked = promise.and_then(|promise| self.claim(head, keys, len, promise, tally));
        self.arriving = Some(Arriving { len, position: 0, checked });
        Ok(())
    }

    /// The number of the key in `head`, if it was asked for and not answered yet, and may have a value of this length.
    fn claim(
        &mut self,
        head: &[u8],
        keys: u32,
        len: usize,
        promise: Promise<'_>,
        tally: &mut Tally,
    ) -> Option<u64> {
        let key = &head[..memchr(b' ', head).unwrap_or(head.len())];
        let asked = self.awaited.keys.iter().take((keys - self.keys_seen) as usize);
        let index = promise.keys.index_of(key);
        let position = index.and_then(|index| asked.into_iter().position(|key| *key == index));
        let Some(position) = position else {
            tally.wrong_values += 1;
            let key = String::from_utf8_lossy(key);
            tally.complain(|| format!("a value came for key {key:?}, which was not asked for"));
            return None;
        };
        self.awaited.keys.drain(..=position);
        self.keys_seen += u32::try_from(position + 1).unwrap_or(u32::MAX);
        if len < promise.sizes.min() || len > promise.sizes.max() {
            tally.wrong_values += 1;
            let key = String::from_utf8_lossy(key);
            tally.complain(|| format!("the value of key {key:?} has {len} bytes"));
            return None;
        }
        self.key.clear();
        self.key.extend_from_slice(key);
        index
    }
}

impl Arriving {
    /// Takes this value's share of `input` and returns how many bytes that was.
    fn receive(
        &mut self,
        input: &[u8],
        key: &[u8],
        promise: Option<Promise<'_>>,
        tally: &mut Tally,
    ) -> Result<usize, OutOfStep> {
        let used = input.len().min(self.len + 2 - self.position);
        let (value, end) = input[..used].split_at(used.min(self.len.saturating_sub(self.position)));
        if let Some((index, promise)) = self.checked.zip(promise)
            && !promise.values.is_part(key, index, self.len, self.position, value)
        {
            self.checked = None;
            tally.wrong_values += 1;
            let key = String::from_utf8_lossy(key);
            tally.complain(|| format!("the value of key {key:?} holds other bytes than it must"));
        }
        self.position += value.len();
        if end != &b"\r\n"[self.position - self.len.min(self.position)..][..end.len()] {
            return Err(OutOfStep("a value is not followed by the end of its line"));
        }
        self.position += end.len();
        Ok(used)
    }
}

fn is_error(line: &[u8]) -> bool {
    line == b"NOT_STORED"
        || line == b"ERROR"
        || line.starts_with(b"ERROR ")
        || line.starts_with(b"SERVER_ERROR")
        || line.starts_with(b"CLIENT_ERROR")
}

/// The decimal number after the last blank of `head`.
fn last_number(head: &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    let mut factor = 1_usize;
    for (count, byte) in head.iter().rev().enumerate() {
        match byte {
            b'0'..=b'9' if count < NUMBER_LEN_MAX => {
                number += usize::from(byte - b'0') * factor;
                factor *= 10;
            }
            b' ' if count > 0 => return Some(number),
            _ => return None,
        }
    }
    None
}

/// Longest reply line: a key, its numbers, or an error text, with room to spare. Bytes.
const LINE_LEN_MAX: usize = 8192;

/// Digits of the longest value's length, so that nothing overflows.
const NUMBER_LEN_MAX: usize = 15;

#[cfg(test)]
mod tests {
    use super::{OutOfStep, Replies};
    use crate::tally::Tally;
    use crate::workload::Expected;

    const GET: Expected = Expected::Values { keys: 2 };
    const SET: Expected = Expected::Stored;

    /// Gives `input` in pieces of every size, and compares gets, stored, hits, misses and errors, or the refusal.
    fn check(awaited: &[Expected], input: &str, expected: Result<[u64; 5], &'static str>) {
        for piece in 1..=input.len() {
            let mut replies = Replies::default();
            replies.awaited.replies.extend(awaited);
            let mut tally = Tally::new().unwrap();
            let mut rest: Vec<u8> = Vec::new();
            let outcome = input.as_bytes().chunks(piece).try_for_each(|bytes| {
                rest.extend_from_slice(bytes);
                let used = replies.receive(&rest, None, &mut tally)?;
                rest.drain(..used);
                Ok(())
            });
            let counts = [tally.gets, tally.stored, tally.hits, tally.misses, tally.errors];
            let outcome = outcome.map(|()| counts).map_err(|OutOfStep(reason)| reason);
            assert_eq!(outcome, expected, "{input:?} in pieces of {piece}");
            assert!(outcome.is_err() || replies.awaited.replies.is_empty(), "{input:?}");
        }
    }

    #[test]
    fn replies_are_counted_however_they_are_cut() {
        check(&[SET, SET], "STORED\r\nSTORED\r\n", Ok([0, 2, 0, 0, 0]));
        check(&[GET], "END\r\n", Ok([1, 0, 0, 2, 0]));
        check(&[GET], "VALUE k 0 3\r\nabc\r\nEND\r\n", Ok([1, 0, 1, 1, 0]));
        check(&[GET], "VALUE a 5 0\r\n\r\nVALUE b 0 2\r\n\r\n\r\nEND\r\n", Ok([1, 0, 2, 0, 0]));
        check(&[GET, SET], "VALUE k 0 5\r\nEND\r\n\r\nEND\r\nSTORED\r\n", Ok([1, 1, 1, 1, 0]));
        check(
            &[SET, GET, SET],
            "SERVER_ERROR out of memory storing object\r\nERROR\r\nNOT_STORED\r\n",
            Ok([0, 0, 0, 0, 3]),
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        check(&[], "STORED\r\n", Err("nothing was asked"));
        check(&[SET], "END\r\n", Err("a store was answered by neither STORED nor an error"));
        check(
            &[GET],
            "STORED\r\n",
            Err("a retrieval was answered by neither values, END nor an error"),
        );
        check(&[GET], "VALUE k 0 x\r\n", Err("a value's head does not end in its length"));
        check(&[GET], "VALUE 3\r\n", Err("a value's head does not end in its length"));
        check(
            &[GET],
            "VALUE k 0 3\r\nabcd\r\nEND\r\n",
            Err("a value is not followed by the end of its line"),
        );
        let three = "VALUE a 0 1\r\na\r\n".repeat(3);
        check(&[GET], &three, Err("more values came than keys were asked for"));
        check(&[SET], &"x".repeat(9000), Err("a line has no end"));
    }
}
