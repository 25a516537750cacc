//! What values hold: their key first, then bytes that only that key has. A value can so be checked without having
//! been remembered.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::keys::Keys;

/// Makes and checks values. The value of a key is a function of its number and the length alone:
///
/// ```text
///   | key's bytes    | pattern, from an offset that depends on the key, round and round |
///     (a value shorter than its key holds the key's last bytes: those that differ most)
/// ```
#[derive(Debug)]
pub(crate) struct Values {
    /// The pattern twice, so that a whole turn of it is one slice from any offset.
    pattern: Vec<u8>,
}

impl Values {
    pub(crate) fn new() -> Self {
        // The seed is fixed: a value written by one run is checked by another.
        let mut random = SmallRng::seed_from_u64(0x6c61_7264_6572);
        let mut pattern: Vec<u8> =
            (0..PATTERN_LEN).map(|_| random.random_range(b'!'..=b'~')).collect();
        pattern.extend_from_within(..);
        Self { pattern }
    }

    /// Appends the value of `len` bytes of key `index`.
    pub(crate) fn push(&self, keys: &Keys, index: u64, len: usize, out: &mut Vec<u8>) {
        let at = out.len();
        keys.push(index, out);
        if len < keys.key_len() {
            out.drain(at..at + keys.key_len() - len);
            return;
        }
        let offset = offset(index);
        let mut left = len - keys.key_len();
        while left > 0 {
            let run = left.min(PATTERN_LEN);
            out.extend_from_slice(&self.pattern[offset..offset + run]);
            left -= run;
        }
    }

    /// Whether `bytes` are those at `position` of the value of `len` bytes of the key `key`, number `index`.
    pub(crate) fn is_part(
        &self,
        key: &[u8],
        index: u64,
        len: usize,
        position: usize,
        bytes: &[u8],
    ) -> bool {
        let head = &key[key.len().saturating_sub(len)..];
        let in_head = head.len().saturating_sub(position).min(bytes.len());
        let (first, mut rest) = bytes.split_at(in_head);
        if in_head > 0 && first != &head[position..position + in_head] {
            return false;
        }
        if rest.is_empty() {
            return true;
        }
        let mut at = offset(index) + (position + in_head - head.len()) % PATTERN_LEN;
        while !rest.is_empty() {
            at %= PATTERN_LEN;
            let run = rest.len().min(PATTERN_LEN);
            if rest[..run] != self.pattern[at..at + run] {
                return false;
            }
            at += run;
            rest = &rest[run..];
        }
        true
    }
}

/// Where in the pattern a key's value begins. A prime step sends neighbours to distant places.
fn offset(index: u64) -> usize {
    usize::try_from(index.wrapping_mul(2_654_435_761) % PATTERN_LEN as u64).unwrap_or(0)
}

/// Bytes of the pattern before it repeats: small enough to stay in the first-level cache.
const PATTERN_LEN: usize = 8191;

#[cfg(test)]
mod tests {
    use super::{PATTERN_LEN, Values};
    use crate::keys::Keys;

    #[test]
    fn a_value_is_recognised_in_any_pieces_and_no_other_is() {
        let keys = Keys::new("key:", 14, 1000).unwrap();
        let values = Values::new();
        for len in [0, 1, 13, 14, 15, 100, PATTERN_LEN + 14, 3 * PATTERN_LEN + 77] {
            let mut value = Vec::new();
            values.push(&keys, 321, len, &mut value);
            assert_eq!(value.len(), len);
            let mut key = Vec::new();
            keys.push(321, &mut key);
            for piece in [1, 7, 1000, 20_000] {
                for (turn, bytes) in value.chunks(piece).enumerate() {
                    assert!(values.is_part(&key, 321, len, turn * piece, bytes), "{len} {piece}");
                }
            }
            for at in [0, len / 2, len.saturating_sub(1)].into_iter().filter(|at| *at < len) {
                let mut wrong = value.clone();
                wrong[at] ^= 1;
                assert!(!values.is_part(&key, 321, len, 0, &wrong), "{len}: byte {at} differs");
            }
        }
    }
}
