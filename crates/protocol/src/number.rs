//! Decimal numbers from peers: bounded, total, without surprises.

/// Reads a whole token as an unsigned decimal number of 64 bits; a leading `+` is allowed, as `strtoull` allows it.
/// Nothing else is: no sign, no blank, no empty token, no number above 2^64 - 1.
pub fn parse_number(token: &[u8]) -> Option<u64> {
    let digits = token.strip_prefix(b"+").unwrap_or(token);
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

/// Reads a whole token as a signed decimal number of 32 bits.
pub(crate) fn parse_signed(token: &[u8]) -> Option<i32> {
    match token.strip_prefix(b"-") {
        Some(digits) if digits.first().is_some_and(u8::is_ascii_digit) => {
            i32::try_from(-i64::try_from(parse_number(digits)?).ok()?).ok()
        }
        Some(_) => None,
        None => i32::try_from(parse_number(token)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_numbers_have_32_bits() {
        for (token, expected) in [
            (&b"0"[..], Some(0)),
            (b"-1", Some(-1)),
            (b"+7", Some(7)),
            (b"2147483647", Some(i32::MAX)),
            (b"-2147483648", Some(i32::MIN)),
            (b"2147483648", None),
            (b"-2147483649", None),
            (b"-9223372036854775809", None),
            (b"-", None),
            (b"-+1", None),
            (b"--1", None),
            (b"", None),
            (b"1x", None),
        ] {
            assert_eq!(parse_signed(token), expected, "{}", token.escape_ascii());
        }
    }
}
