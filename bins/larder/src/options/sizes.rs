//! Numbers and sizes as people write them after a switch.
//!
//! memcached reads most numbers with `atoi`, so `-t 3x` is 3 and `-p abc` is 0. Here a number is a number or a
//! refusal: a typing error should be seen at the start, not in production.

use std::ops::RangeInclusive;

use crate::refusal::Refusal;

/// A whole number within `range`; `label` is the switch as people type it, `what` says what is counted.
pub(super) fn count(
    label: &str,
    what: &str,
    text: &str,
    range: RangeInclusive<u64>,
) -> Result<u64, Refusal> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(Refusal::value(format!(
            "{label} {text:?}: {what} must be a whole number from {} to {}",
            range.start(),
            range.end()
        ))),
    }
}

/// Megabytes (`-m`) in bytes: `64`, and `64m` or `1g` for people who expect units everywhere.
///
/// memcached reads `64m` as 64 too, and `1g` as one megabyte, which cannot be meant.
pub(super) fn megabytes(text: &str) -> Option<u64> {
    let number = match text.trim_end_matches(['m', 'M', 'g', 'G']) {
        digits if digits.len() == text.len() => return megabytes(&format!("{text}m")),
        digits if digits.len() + 1 == text.len() => bytes(text)?,
        _ => return None,
    };
    (number <= MEMORY_BYTES_MAX).then_some(number)
}

/// A size with or without a unit, in bytes: `1048576`, `512k`, `1m`, `1g`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (text.get(..text.len() - 1)?, 1 << 10),
        b'm' | b'M' => (text.get(..text.len() - 1)?, 1 << 20),
        b'g' | b'G' => (text.get(..text.len() - 1)?, 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// The most `-m` may ask for: memcached's own bound on `cache_memlimit`, 10^9 megabytes.
const MEMORY_BYTES_MAX: u64 = 1_000_000_000 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit_or_not_at_all() {
        let cases = [
            ("1048576", Some(1 << 20)),
            ("512k", Some(512 << 10)),
            ("512K", Some(512 << 10)),
            ("5m", Some(5 << 20)),
            ("1g", Some(1 << 30)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("5x", None),
            ("-5m", None),
            ("5mm", None),
            ("99999999999999999999", None),
            ("18446744073709551615k", None),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), expected, "{text:?}");
        }
    }

    #[test]
    fn memory_is_in_megabytes_unless_it_says_otherwise() {
        let cases = [
            ("64", Some(64 << 20)),
            ("64m", Some(64 << 20)),
            ("1g", Some(1 << 30)),
            ("0", Some(0)),
            ("1000000000", Some(1_000_000_000 << 20)),
            ("1000000001", None),
            ("64k", None),
            ("64mm", None),
            ("", None),
            ("abc", None),
            ("-1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(megabytes(text), expected, "{text:?}");
        }
    }
}
