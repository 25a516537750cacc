//! Counters as memcached reads them out of values and writes them back.

/// Reads the number a value begins with, by the rules of `strtoull`: blanks before it are fine, a blank or NUL ends it.
/// The data ends in `\r\n`.
pub(super) fn read_counter(data: &[u8]) -> Option<u64> {
    let start = data.iter().position(|&byte| !is_blank(byte))?;
    let (is_negative, digits) = match data.get(start..)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let number: u64 = std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()?;
    let is_ended = digits.get(end).is_some_and(|&byte| is_blank(byte) || byte == 0);
    // `strtoull` wraps negative numbers round; memcached refuses those that come out as huge ones.
    let number = if is_negative { number.wrapping_neg() } else { number };
    (is_ended && !(is_negative && number > u64::MAX / 2)).then_some(number)
}

/// The data of a counter: at least as long as before, padded with blanks.
pub(super) fn write_counter(number: u64, data_len: usize) -> Vec<u8> {
    let width = data_len.saturating_sub(b"\r\n".len());
    format!("{number:<width$}\r\n").into_bytes()
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}
