//! Replies into bytes.

use alloc::vec::Vec;

/// Appends the line before a value: `VALUE key flags length[ cas]`.
pub fn push_value_head(out: &mut Vec<u8>, key: &[u8], flags: u32, len: usize, cas: Option<u64>) {
    out.extend_from_slice(b"VALUE ");
    out.extend_from_slice(key);
    out.push(b' ');
    push_number(out, u64::from(flags));
    out.push(b' ');
    push_number(out, len as u64);
    if let Some(cas) = cas {
        out.push(b' ');
        push_number(out, cas);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends one statistic: `STAT name value`.
pub fn push_stat(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(b"STAT ");
    out.extend_from_slice(name);
    out.push(b' ');
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    if number < 10 {
        out.push(digit(number));
        return;
    }
    let mut digits = [0_u8; DIGITS_MAX];
    let mut rest = number;
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        *place = digit(rest);
        start -= 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

const fn digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

/// Digits of 2^64 - 1.
const DIGITS_MAX: usize = 20;
