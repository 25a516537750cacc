//! Formats of fixed records, least significant byte first.

use std::io::{self, Read};

use super::{VALUE_LEN_MAX, Wrong, failed};
use crate::trace::Numbers;
use crate::{Access, Verb};

/// The first `limit` accesses of libCacheSim's oracleGeneral: time (32 bits, seconds), object (64), size (32), and when the
/// object comes next (64), which a replay does not need. The size is that of key and value together.
pub(super) fn oracle_accesses(source: &mut impl Read, limit: usize) -> Result<Vec<Access>, Wrong> {
    let mut accesses: Vec<Access> = Vec::new();
    let mut numbers = Numbers::default();
    let mut start = None;
    while accesses.len() < limit {
        let place = accesses.len() as u64 + 1;
        let wrong = |why: String| Wrong { place, why };
        let mut record = [0; ORACLE_RECORD_LEN];
        match fill(source, &mut record).map_err(|error| failed(place, &error))? {
            0 => break,
            ORACLE_RECORD_LEN => {}
            len => return Err(wrong(format!("it ends after {len} of {ORACLE_RECORD_LEN} bytes"))),
        }
        let [t0, t1, t2, t3, o0, o1, o2, o3, o4, o5, o6, o7, s0, s1, s2, s3, ..] = record;
        let time = u32::from_le_bytes([t0, t1, t2, t3]);
        let object = u64::from_le_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
        let size = u32::from_le_bytes([s0, s1, s2, s3]);
        if u64::from(size) > VALUE_LEN_MAX {
            return Err(wrong(format!("an object of {size} bytes is longer than any cache takes")));
        }
        let start = *start.get_or_insert(time);
        accesses.push(Access {
            key: numbers.of(object),
            at: time.saturating_sub(start).max(accesses.last().map_or(0, |access| access.at)),
            value_len: size.saturating_sub(ORACLE_KEY_LEN.into()).max(1),
            ttl: 0,
            key_len: ORACLE_KEY_LEN,
            verb: Verb::Get,
        });
    }
    Ok(accesses)
}

/// The first bytes of a file of 32-bit numbers, enough for `limit` of them.
pub(super) fn whole(source: &mut impl Read, limit: usize) -> Result<Vec<u8>, Wrong> {
    let mut bytes = Vec::new();
    let wanted = (limit as u64).saturating_mul(4);
    source.take(wanted).read_to_end(&mut bytes).map_err(|error| failed(0, &error))?;
    match bytes.len() % 4 {
        0 => Ok(bytes),
        left => {
            let why = format!("it ends after {left} of 4 bytes");
            Err(Wrong { place: bytes.len() as u64 / 4 + 1, why })
        }
    }
}

/// Reads until the buffer is full or the source ends, and says how much.
fn fill(source: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buf.len() {
        match source.read(&mut buf[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

const ORACLE_RECORD_LEN: usize = 24;
/// Bytes of the keys, which are not recorded.
const ORACLE_KEY_LEN: u16 = 16;
