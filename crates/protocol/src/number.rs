//! Decimal numbers from peers: bounded, total, without surprises.

/// Reads a token as an unsigned decimal number of 64 bits. As in memcached, which asks `strtoull`, a leading `+` is
/// allowed, tabs and the like before the number are skipped, and behind it they end it. Nothing else is allowed: no minus,
/// no empty token, no number above 2^64 - 1.
pub fn parse_number(token: &[u8]) -> Option<u64> {
    let token = without_blanks(token);
    parse_digits(token.strip_prefix(b"+").unwrap_or(token))
}

/// Reads a token as memcached reads an exptime: a signed decimal number of 64 bits by the same rules, of which the low 32
/// bits count. libmemcached's -1 arrives as 4294967295.
#[expect(clippy::cast_possible_truncation, reason = "the truncation is memcached's rule")]
pub(crate) fn parse_exptime(token: &[u8]) -> Option<i64> {
    parse_signed_wide(token).map(|number| i64::from(number as i32))
}

/// Reads a token as a signed decimal number of 32 bits, by the same rules.
pub(crate) fn parse_signed(token: &[u8]) -> Option<i32> {
    parse_signed_wide(token).and_then(|number| i32::try_from(number).ok())
}

/// Reads a token as a signed decimal number of 64 bits, by the same rules.
pub(crate) fn parse_signed_wide(token: &[u8]) -> Option<i64> {
    match without_blanks(token).strip_prefix(b"-") {
        Some(digits) => i64::try_from(-i128::from(parse_digits(digits)?)).ok(),
        None => i64::try_from(parse_number(token)?).ok(),
    }
}

/// Reads a token as an unsigned decimal number of 32 bits, by the same rules.
pub(crate) fn parse_narrow(token: &[u8]) -> Option<u32> {
    parse_number(token).and_then(|number| u32::try_from(number).ok())
}

/// A number with a fraction, neither infinite nor undefined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimal(f64);

impl Eq for Decimal {}

impl Decimal {
    /// Reads a token as such a number, perhaps with a sign, a point and an exponent.
    pub fn parse(token: &[u8]) -> Option<Self> {
        let number = core::str::from_utf8(token).ok()?.parse().ok()?;
        Self::new(number)
    }

    /// A number, unless it is infinite or undefined.
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    /// The number.
    pub const fn value(self) -> f64 {
        self.0
    }
}

fn parse_digits(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The part of a token that C's functions look at. The space parts tokens, so it is none of these blanks.
fn without_blanks(token: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b'\t'..=b'\r');
    let start = token.iter().position(|byte| !is_blank(byte)).unwrap_or(token.len());
    let (_, token) = token.split_at(start);
    let end = token.iter().position(is_blank).unwrap_or(token.len());
    let (token, _) = token.split_at(end);
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_exptimes_the_low_bits_count() {
        for (token, expected) in [
            (&b"0"[..], Some(0_i32)),
            (b"-1", Some(-1)),
            (b"+7", Some(7)),
            (b"2147483647", Some(i32::MAX)),
            (b"-2147483648", Some(i32::MIN)),
            (b"2147483648", Some(i32::MIN)),
            (b"-2147483649", Some(i32::MAX)),
            (b"4294967295", Some(-1)),
            (b"4294967296", Some(0)),
            (b"9223372036854775807", Some(-1)),
            (b"-9223372036854775808", Some(0)),
            (b"9223372036854775808", None),
            (b"-9223372036854775809", None),
            (b"-", None),
            (b"-+1", None),
            (b"--1", None),
            (b"", None),
            (b"1x", None),
            (b"\t-1\t", Some(-1)),
            (b"-\t1", None),
            (b"7\r", Some(7)),
        ] {
            assert_eq!(parse_exptime(token), expected.map(i64::from), "{}", token.escape_ascii());
        }
    }

    #[test]
    fn other_signed_numbers_have_32_bits() {
        for (token, expected) in [
            (&b"-1"[..], Some(-1)),
            (b"2147483647", Some(i32::MAX)),
            (b"-2147483648", Some(i32::MIN)),
            (b"2147483648", None),
            (b"-2147483649", None),
            (b"4294967295", None),
        ] {
            assert_eq!(parse_signed(token), expected, "{}", token.escape_ascii());
        }
    }
}
