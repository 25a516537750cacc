//! Keys by number: a prefix and a decimal number of fixed width, so that a key is stamped, never stored.

use crate::{BadFlag, KEY_LEN_MAX};

/// The key space: `count` keys of equal length, numbered from 0.
///
/// Key 1234 of prefix `key:` and length 14 is `key:0000001234`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The prefix, then a zero for every digit.
    template: Vec<u8>,
    prefix_len: usize,
    count: u64,
}

impl Keys {
    /// A key space of `count` keys of `len` bytes that begin with `prefix`.
    ///
    /// # Errors
    ///
    /// When `count` is 0, `len` is over memcached's 250 bytes, the prefix holds a blank or a control byte, or the
    /// digits that `len` leaves cannot number `count` keys.
    pub fn new(prefix: &str, len: usize, count: u64) -> Result<Self, BadFlag> {
        if count == 0 {
            return Err(BadFlag::new("there must be at least one key"));
        }
        if len > KEY_LEN_MAX {
            return Err(BadFlag::new(format!("a key has at most {KEY_LEN_MAX} bytes, not {len}")));
        }
        if prefix.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(BadFlag::new("the key prefix must not hold blanks or control bytes"));
        }
        let digits = (count - 1).checked_ilog10().unwrap_or(0) as usize + 1;
        if prefix.len() + digits > len {
            return Err(BadFlag::new(format!(
                "{count} keys with prefix {prefix:?} need keys of at least {} bytes, not {len}",
                prefix.len() + digits
            )));
        }
        let mut template = prefix.as_bytes().to_vec();
        template.resize(len, b'0');
        Ok(Self { template, prefix_len: prefix.len(), count })
    }

    /// How many keys there are; never 0.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of every key.
    #[must_use]
    pub fn key_len(&self) -> usize {
        self.template.len()
    }

    /// Appends key `index` to `out`.
    pub fn push(&self, index: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.template);
        let mut rest = index;
        for byte in out.iter_mut().rev() {
            if rest == 0 {
                break;
            }
            *byte = digit(rest);
            rest /= 10;
        }
    }

    /// The number of a key of this key space; none for other bytes.
    #[must_use]
    pub fn index_of(&self, key: &[u8]) -> Option<u64> {
        if key.len() != self.template.len() {
            return None;
        }
        let (prefix, digits) = key.split_at(self.prefix_len);
        if prefix != &self.template[..self.prefix_len] || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let index = digits.iter().try_fold(0_u64, |sum, byte| {
            sum.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
        })?;
        (index < self.count).then_some(index)
    }
}

fn digit(number: u64) -> u8 {
    b"0123456789"[usize::try_from(number % 10).unwrap_or(0)]
}
