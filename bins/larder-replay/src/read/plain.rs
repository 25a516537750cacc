//! The plain format: a key and the size of its value, blanks between them, a line an access; `#` begins a comment.

use std::io::BufRead;

use super::Wrong;
use super::lines::Lines;
use crate::trace::{Numbers, clamp_key_len};
use crate::{Access, Verb};

/// The first `limit` accesses.
pub(super) fn accesses(source: &mut impl BufRead, limit: usize) -> Result<Vec<Access>, Wrong> {
    let mut lines = Lines::new(source);
    let mut accesses = Vec::new();
    let mut numbers = Numbers::default();
    while accesses.len() < limit {
        let Some(line) = lines.next_line()? else { break };
        if line.text.starts_with(b"#") {
            continue;
        }
        let mut fields = line.text.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let key = fields.next().unwrap_or_default();
        let value_len = line.value_len(fields.next())?;
        if fields.next().is_some() {
            return Err(line.wrong("it has more than a key and a size"));
        }
        let key_len = clamp_key_len(key.len() as u64);
        let key = numbers.of_text(key);
        accesses.push(Access { key, at: 0, value_len, ttl: 0, key_len, verb: Verb::Get });
    }
    Ok(accesses)
}
