//! A trace: what was asked of a cache, in order.

mod facts;
mod numbers;
mod orm;

use std::fmt;

pub use facts::Facts;
pub(crate) use numbers::Numbers;
pub(crate) use orm::orm_accesses;

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The number that stands for the key; a [`Trace`] counts them from 0 in the order of their first access.
    pub key: u64,
    /// Seconds since the trace began; never less than the access before.
    pub at: u32,
    /// Bytes of the value that is stored when this access misses or sets.
    pub value_len: u32,
    /// Seconds that such a value lives; 0 when it never expires.
    pub ttl: u32,
    /// Bytes of the key, between [`KEY_LEN_MIN`] and [`KEY_LEN_MAX`].
    pub key_len: u16,
    /// What was asked.
    pub verb: Verb,
}

/// What an access asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A retrieval. The only one that can miss; a miss stores the value.
    Get,
    /// A store whether the key is there or not: an overwrite, or a first write that nobody asked for before.
    Set,
    /// A removal.
    Delete,
}

/// All accesses of a trace.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    /// What it is called in reports: a name of the catalogue, or that of a file.
    pub name: String,
    /// In the order in which they happened.
    pub accesses: Vec<Access>,
}

impl Access {
    /// Appends the bytes of the key: `key_len` of them, none a blank or a control byte.
    ///
    /// Different numbers give different keys of any two lengths.
    pub fn push_key(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + usize::from(self.key_len), b'-');
        let mut rest = self.key;
        for byte in out[start..].iter_mut().rev() {
            *byte = DIGITS[(rest % 64) as usize];
            rest /= 64;
            if rest == 0 {
                break;
            }
        }
    }
}

impl Trace {
    /// How many different keys there are.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.accesses.iter().map(|access| access.key + 1).max().unwrap_or(0)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, accesses } = self;
        write!(f, "Trace {{ {name:?}, {} accesses }}", accesses.len())
    }
}

/// The nearest length that a key may have.
pub(crate) fn clamp_key_len(len: u64) -> u16 {
    u16::try_from(len).unwrap_or(KEY_LEN_MAX).clamp(KEY_LEN_MIN, KEY_LEN_MAX)
}

/// Digits of base 64 that may stand in a key. `-`, the padding, is the digit of no number.
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.";

/// Bytes of the shortest key: six digits of base 64 number 6.9e10 keys.
pub const KEY_LEN_MIN: u16 = 6;

/// Bytes of the longest key, memcached's own limit.
pub const KEY_LEN_MAX: u16 = 250;

#[cfg(test)]
mod tests {
    use super::{Access, Verb};

    fn access(key: u64, key_len: u16) -> Access {
        Access { key, at: 0, value_len: 0, ttl: 0, key_len, verb: Verb::Get }
    }

    #[test]
    fn keys_are_numbers_padded_to_their_length() {
        let check = |key: u64, key_len: u16, expected: &str| {
            let mut bytes = b"get ".to_vec();
            access(key, key_len).push_key(&mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), format!("get {expected}"));
        };
        check(0, 6, "-----0");
        check(63, 6, "-----.");
        check(64, 6, "----10");
        check((1 << 36) - 1, 6, "......");
        check(4_000_000, 20, "----------------FGa0");
        check(u64::MAX, 11, "F..........");
    }

    #[test]
    fn an_access_takes_24_bytes() {
        assert_eq!(size_of::<Access>(), 24);
    }
}
