//! CacheLib's format: comma-separated, the first line names the columns. `key`, `op` and `size` must be there; `key_size`,
//! `op_count` (how often in a row), `op_time` (seconds) and `ttl` may be.

use std::io::BufRead;

use super::lines::{Line, Lines};
use super::{Wrong, learn_from_stores};
use crate::trace::{Numbers, clamp_key_len};
use crate::{Access, Verb};

/// The first `limit` accesses.
pub(super) fn accesses(source: &mut impl BufRead, limit: usize) -> Result<Vec<Access>, Wrong> {
    let mut lines = Lines::new(source);
    let Some(head) = lines.next_line()? else { return Ok(Vec::new()) };
    let columns = Columns::parse(&head)?;
    let mut accesses: Vec<Access> = Vec::new();
    let mut numbers = Numbers::default();
    let mut start = None;
    while accesses.len() < limit {
        let Some(line) = lines.next_line()? else { break };
        let Some((time, times, mut access)) = columns.access(&line, &mut numbers)? else {
            continue;
        };
        let start = *start.get_or_insert(time);
        let at = u32::try_from(time.saturating_sub(start)).unwrap_or(u32::MAX);
        access.at = at.max(accesses.last().map_or(0, |access| access.at));
        let room = limit - accesses.len();
        let times = usize::try_from(times).unwrap_or(room).min(room);
        accesses.extend(std::iter::repeat_n(access, times));
    }
    learn_from_stores(&mut accesses);
    Ok(accesses)
}

/// At which field a line has what.
#[derive(Debug, Clone, Copy)]
struct Columns {
    key: usize,
    op: usize,
    size: usize,
    key_size: Option<usize>,
    op_count: Option<usize>,
    op_time: Option<usize>,
    ttl: Option<usize>,
}

impl Columns {
    fn parse(head: &Line<'_>) -> Result<Self, Wrong> {
        let names: Vec<&[u8]> =
            head.text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
        let at = |name: &str| names.iter().position(|found| *found == name.as_bytes());
        let needed = |name: &str| {
            at(name).ok_or_else(|| head.wrong(format!("no column of the head is `{name}`")))
        };
        Ok(Self {
            key: needed("key")?,
            op: needed("op")?,
            size: needed("size")?,
            key_size: at("key_size"),
            op_count: at("op_count"),
            op_time: at("op_time"),
            ttl: at("ttl"),
        })
    }

    /// Time, how often, and the access; none for an operation that neither reads, stores nor removes.
    fn access(
        &self,
        line: &Line<'_>,
        numbers: &mut Numbers,
    ) -> Result<Option<(u64, u64, Access)>, Wrong> {
        let field = |at: usize| line.text.split(|byte| *byte == b',').nth(at);
        let number =
            |at: Option<usize>, what: &str| at.map(|at| line.number(field(at), what)).transpose();
        let key = field(self.key).ok_or_else(|| line.wrong("the key is missing"))?;
        let op = field(self.op).ok_or_else(|| line.wrong("the operation is missing"))?;
        let verb = match op.trim_ascii() {
            b"GET" | b"GET_LEASE" => Verb::Get,
            b"SET" | b"SET_LEASE" => Verb::Set,
            b"DELETE" => Verb::Delete,
            _ => return Ok(None),
        };
        let key_len = number(self.key_size, "key size")?.unwrap_or(key.len() as u64);
        let ttl = number(self.ttl, "TTL")?.unwrap_or(0);
        let access = Access {
            key: numbers.of_text(key),
            at: 0,
            value_len: line.value_len(field(self.size))?,
            ttl: u32::try_from(ttl).unwrap_or(u32::MAX),
            key_len: clamp_key_len(key_len),
            verb,
        };
        let times = number(self.op_count, "op_count")?.unwrap_or(1).max(1);
        Ok(Some((number(self.op_time, "op_time")?.unwrap_or(0), times, access)))
    }
}
