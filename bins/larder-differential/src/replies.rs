//! What two servers said, compared.
//!
//! Byte for byte, but for numbers that are each server's own:
//!
//! - **CAS numbers** (the last word of `VALUE` lines of `gets` and `gats`, `c` of meta replies, `cas=` of `me`). Both
//!   servers count in their own way, so a number of one stands for a number of the other: the first pair that is seen is
//!   a fact, and what is seen later must agree with it. 0 stands for 0 only. The numbers of one key grow alike; those of
//!   different keys need not, since Larder's shards count each for itself.
//! - **Seconds since the last access** (`l` of `mg`, `la=` of `me`): memcached notes the time of the access that makes an item
//!   active, not of those that follow, so its number may be larger, never smaller.
//! - **`exp=` of `me`**: 1.6.18 says the seconds that are left with the wrong sign.
//! - **`t` of an item that is stored with a time in the past**: memcached says the negative number of seconds as an unsigned
//!   one of 32 bits, Larder 0.
//! - **The version.**
//! - **Replies that are cut short**: memcached closes with bytes of its client unread, and the reset that follows takes replies
//!   with it. Only where both closed, after more than memcached reads at once.
//!
//! Everything else counts: the order of flags and words, every blank, the bytes of values, sizes and classes.

use std::collections::BTreeMap;

/// CAS numbers of Larder and those of memcached that stand for the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    memcached_of: BTreeMap<u64, u64>,
    larder_of: BTreeMap<u64, u64>,
    /// The pairs that are known to be of one key.
    of_key: BTreeMap<Vec<u8>, BTreeMap<u64, u64>>,
}

/// How often each of the excuses for single words was needed.
pub type Excuses = BTreeMap<&'static str, u64>;

/// Compares what both said; an error says in words what does not agree.
///
/// # Errors
///
/// The first line or data block that differs.
pub(crate) fn compare(
    larder: &[u8],
    memcached: &[u8],
    numbers: &mut Numbers,
    excuses: &mut Excuses,
) -> Result<(), String> {
    if larder == memcached && !has_numbers(larder) {
        return Ok(());
    }
    let (mut left, mut right) = (Unit::all(larder), Unit::all(memcached));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ok(()),
            (Some(left), Some(right)) => {
                compare_units(&left, &right, numbers, excuses).map_err(|problem| {
                    let [left, right] = [left.line, right.line].map(shown);
                    format!("{problem}: larder says {left}, memcached {right}")
                })?;
            }
            (Some(more), None) => return Err(format!("only larder says {}", shown(more.line))),
            (None, Some(more)) => return Err(format!("only memcached says {}", shown(more.line))),
        }
    }
}

/// Whether memcached's replies to so many bytes ended too soon because it closed a connection with bytes of its client
/// unread, what did not fit its buffer: the system then resets it, and replies on their way are lost. Larder waits for
/// its client to end.
pub(crate) fn is_cut_short([larder, memcached]: &[Vec<u8>; 2], sent_len: usize) -> bool {
    sent_len > READ_BUFFER_LEN && memcached.len() < larder.len() && larder.starts_with(memcached)
}

/// How many bytes memcached reads at once.
const READ_BUFFER_LEN: usize = 16 * 1024;

/// Whether these replies could hold CAS numbers, which are to be remembered even when they are the same.
fn has_numbers(replies: &[u8]) -> bool {
    // Replies without any are short words.
    replies.iter().any(u8::is_ascii_digit)
}

fn compare_units(
    left: &Unit<'_>,
    right: &Unit<'_>,
    numbers: &mut Numbers,
    excuses: &mut Excuses,
) -> Result<(), String> {
    if left.data != right.data {
        return Err("the values differ".to_owned());
    }
    let (mut left_words, mut right_words) = (left.line.split(is_blank), right.line.split(is_blank));
    let kind = left_words.clone().next().unwrap_or_default();
    let line = left.line;
    for place in 0.. {
        match (left_words.next(), right_words.next()) {
            (None, None) => break,
            (Some(left), Some(right)) => match Soft::of(kind, place, left) {
                None if left == right => {}
                None => return Err("the words differ".to_owned()),
                Some(soft) => soft.compare(left, right, key_of(kind, line), numbers, excuses)?,
            },
            _ => return Err("the counts of words differ".to_owned()),
        }
    }
    Ok(())
}

/// The key that a line of this kind is about, where it says so.
fn key_of<'l>(kind: &[u8], line: &'l [u8]) -> Option<&'l [u8]> {
    match kind {
        // `me` says a key in base64 without saying so, and that may be another key.
        b"VALUE" => line.split(is_blank).nth(1),
        _ => None,
    }
}

const fn is_blank(byte: &u8) -> bool {
    *byte == b' '
}

/// A word that may differ.
#[derive(Clone, Copy, Debug)]
enum Soft {
    /// A CAS number after so many bytes of name.
    Cas(usize),
    /// Seconds since the last access.
    LastAccess(usize),
    /// Seconds that are left, as `me` says them.
    Left(usize),
    /// Seconds that are left, as other replies say them.
    Ttl(usize),
    Version,
}

impl Soft {
    /// Which one stands at this place of a line that begins with `kind`, if any.
    fn of(kind: &[u8], place: usize, word: &[u8]) -> Option<Self> {
        let is_flag = |letter: u8| {
            word.split_first().is_some_and(|(&first, rest)| {
                first == letter && rest.first().is_some_and(u8::is_ascii_digit)
            })
        };
        match (kind, place) {
            (b"VALUE", 4) => Some(Self::Cas(0)),
            (b"VERSION", 1) => Some(Self::Version),
            (b"ME", 2..) if word.starts_with(b"cas=") => Some(Self::Cas(4)),
            (b"ME", 2..) if word.starts_with(b"la=") => Some(Self::LastAccess(3)),
            (b"ME", 2..) if word.starts_with(b"exp=") => Some(Self::Left(4)),
            (b"VA", 2..) | (b"HD" | b"NF" | b"NS" | b"EX", 1..) if is_flag(b'c') => {
                Some(Self::Cas(1))
            }
            (b"VA", 2..) | (b"HD", 1..) if is_flag(b'l') => Some(Self::LastAccess(1)),
            (b"VA", 2..) | (b"HD", 1..) if is_flag(b't') => Some(Self::Ttl(1)),
            _ => None,
        }
    }

    fn compare(
        self,
        left: &[u8],
        right: &[u8],
        key: Option<&[u8]>,
        numbers: &mut Numbers,
        excuses: &mut Excuses,
    ) -> Result<(), String> {
        let name_len = match self {
            Self::Cas(len) | Self::LastAccess(len) | Self::Left(len) | Self::Ttl(len) => len,
            Self::Version => {
                let is_known = left.starts_with(b"1.6.45") && right.starts_with(b"1.6.18");
                *excuses.entry("version").or_default() += 1;
                return if is_known { Ok(()) } else { Err("the versions are new".to_owned()) };
            }
        };
        let (left_name, left) = left.split_at(name_len);
        let Some((right_name, right)) = right.split_at_checked(name_len) else {
            return Err("the words differ".to_owned());
        };
        let [Some(left), Some(right)] = [left, right].map(number) else {
            return Err("one is no number".to_owned());
        };
        if left_name != right_name {
            return Err("the words differ".to_owned());
        }
        match self {
            Self::Cas(_) => match (u64::try_from(left), u64::try_from(right)) {
                (Ok(left), Ok(right)) => numbers.agree(key, left, right),
                _ => Err("a CAS number is none".to_owned()),
            },
            _ if left == right => Ok(()),
            Self::LastAccess(_) if left < right => {
                *excuses.entry("last-access").or_default() += 1;
                Ok(())
            }
            // As a number of 32 bits with a sign.
            Self::Left(_) if (left + right).rem_euclid(1 << 32) == 0 => {
                *excuses.entry("me-exp").or_default() += 1;
                Ok(())
            }
            Self::Ttl(_) if left == 0 && right > u32::MAX.midpoint(0).into() => {
                *excuses.entry("past-ttl").or_default() += 1;
                Ok(())
            }
            _ => Err("the seconds differ".to_owned()),
        }
    }
}

/// A number with its sign, and a line end after it that may be there.
fn number(word: &[u8]) -> Option<i128> {
    std::str::from_utf8(word).ok()?.trim_end().parse().ok()
}

impl Numbers {
    /// Sees that two numbers stand for the same.
    ///
    /// # Errors
    ///
    /// Each stood for another one before, or they are not in the same order as others.
    pub(crate) fn agree(
        &mut self,
        key: Option<&[u8]>,
        larder: u64,
        memcached: u64,
    ) -> Result<(), String> {
        if larder == 0 || memcached == 0 {
            let is_none = larder == memcached;
            return if is_none { Ok(()) } else { Err("one CAS number is 0".to_owned()) };
        }
        let known = (self.memcached_of.get(&larder), self.larder_of.get(&memcached));
        match known {
            (None, None) => {}
            (Some(&known), _) if known == memcached => {}
            _ => return Err("a CAS number is that of something else".to_owned()),
        }
        self.memcached_of.insert(larder, memcached);
        self.larder_of.insert(memcached, larder);
        let Some(key) = key else { return Ok(()) };
        let pairs = self.of_key.entry(key.to_vec()).or_default();
        let below = pairs.range(..larder).next_back();
        let above = pairs.range(larder..).next();
        if below.is_some_and(|(_, &other)| other > memcached)
            || above.is_some_and(|(_, &other)| other < memcached)
        {
            return Err("CAS numbers are in another order".to_owned());
        }
        pairs.insert(larder, memcached);
        Ok(())
    }
}

/// A line, and the data block that it announces.
struct Unit<'r> {
    line: &'r [u8],
    data: &'r [u8],
}

impl<'r> Unit<'r> {
    fn all(mut rest: &'r [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let line_len =
                rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(line_len);
            let mut words = line.split(is_blank);
            let data_len = match words.next() {
                Some(b"VALUE") => words.nth(2).and_then(number),
                Some(b"VA") => words.next().and_then(number),
                _ => None,
            };
            let data_len = data_len.and_then(|len| usize::try_from(len + 2).ok()).unwrap_or(0);
            let (data, after) = after.split_at(data_len.min(after.len()));
            rest = after;
            Some(Self { line, data })
        })
    }
}

/// A line for a person to read.
pub(crate) fn shown(line: &[u8]) -> String {
    format!("\"{}\"", line[..line.len().min(SHOWN_LEN)].escape_ascii())
}

const SHOWN_LEN: usize = 120;

#[cfg(test)]
mod tests {
    use super::{Excuses, Numbers, compare};

    /// Whether two replies, and two more of the same conversation, agree.
    fn agree(first: [&str; 2], second: [&str; 2]) -> bool {
        let (mut numbers, mut excuses) = (Numbers::default(), Excuses::default());
        [first, second].iter().all(|[larder, memcached]| {
            compare(larder.as_bytes(), memcached.as_bytes(), &mut numbers, &mut excuses).is_ok()
        })
    }

    #[test]
    fn only_each_servers_own_numbers_may_differ() {
        let check = |larder: &str, memcached: &str, expected: bool| {
            assert_eq!(agree([larder, memcached], ["", ""]), expected, "{larder} {memcached}");
        };
        check("STORED\r\n", "STORED\r\n", true);
        check("STORED\r\n", "NOT_STORED\r\n", false);
        check("STORED\r\n", "STORED\n", false);
        check("STORED\r\n", "STORED\r\nSTORED\r\n", false);
        check("VALUE a 0 1 7\r\nx\r\nEND\r\n", "VALUE a 0 1 9\r\nx\r\nEND\r\n", true);
        check("VALUE a 0 1 7\r\nx\r\nEND\r\n", "VALUE a 0 1 9\r\ny\r\nEND\r\n", false);
        check("VALUE a 0 1\r\nx\r\nEND\r\n", "VALUE a 1 1\r\nx\r\nEND\r\n", false);
        check("VALUE a 0 1 0\r\nx\r\n", "VALUE a 0 1 9\r\nx\r\n", false);
        check("HD c7 t5\r\n", "HD c9 t5\r\n", true);
        check("HD c7 t5\r\n", "HD t5 c9\r\n", false);
        check("HD c7 t5\r\n", "HD c9 t6\r\n", false);
        check("HD l1\r\n", "HD l2\r\n", true);
        check("HD l2\r\n", "HD l1\r\n", false);
        check("VA 1 s1 c4\r\nx\r\n", "VA 1 s1 c5\r\nx\r\n", true);
        check("VA 1 kc4\r\nx\r\n", "VA 1 kc5\r\nx\r\n", false);
        check("ME a exp=4 la=0 cas=1 size=61\r\n", "ME a exp=-4 la=2 cas=5 size=61\r\n", true);
        check("ME a exp=4 la=0 cas=1 size=61\r\n", "ME a exp=4 la=0 cas=5 size=62\r\n", false);
        check("HD t0\r\n", "HD t4294967016\r\n", true);
        check("HD t0\r\n", "HD t5\r\n", false);
        check("VERSION 1.6.45\r\n", "VERSION 1.6.18\r\n", true);
        check("VERSION 1.6.44\r\n", "VERSION 1.6.18\r\n", false);
    }

    #[test]
    fn cas_numbers_stand_for_each_other() {
        let check = |first: [&str; 2], second: [&str; 2], expected: bool| {
            let reply = |number: &str| format!("VALUE a 0 1 {number}\r\nx\r\nEND\r\n");
            let [a, b] = first.map(reply);
            let [c, d] = second.map(reply);
            assert_eq!(agree([&a, &b], [&c, &d]), expected, "{first:?} {second:?}");
        };
        check(["7", "1"], ["7", "1"], true);
        check(["7", "1"], ["8", "2"], true);
        check(["7", "1"], ["7", "2"], false);
        check(["7", "1"], ["8", "1"], false);
        check(["7", "3"], ["8", "2"], false);
        check(["7", "3"], ["6", "4"], false);
        check(["7", "3"], ["0", "0"], true);
    }

    #[test]
    fn the_numbers_of_different_keys_have_no_order() {
        assert!(agree(["HD c7\r\n", "HD c3\r\n"], ["HD c8\r\n", "HD c2\r\n"]));
    }
}
