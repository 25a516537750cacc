//! A request, its key borrowed from the frame.

use super::{Head, Opcode};
use crate::{Delta, StoreMode};

/// What a frame asks. Exptimes are seconds: 0 is never, up to 30 days count from now, above that it is Unix time; there
/// are no negative ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// `incr`, `decr`.
    Adjust(Adjust<'a>),
    /// `delete`.
    Delete(Delete<'a>),
    /// `flush`, now or at this exptime.
    FlushAll(u32),
    /// `get`, `gat`.
    Get(Get<'a>),
    /// `noop`.
    Noop,
    /// `quit`.
    Quit,
    /// `stat` and its key; an empty one asks for the general ones.
    Stats(&'a [u8]),
    /// `set`, `add`, `replace`, `append`, `prepend`; its value follows.
    Storage(Storage<'a>),
    /// `touch`.
    Touch(Touch<'a>),
    /// `version`.
    Version,
}

/// A request for a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjust<'a> {
    /// Key of the counter.
    pub key: &'a [u8],
    /// What to add or take away.
    pub delta: Delta,
    /// The number that the counter begins with, if it is missing.
    pub initial: u64,
    /// The exptime that it then gets; with none it is not created.
    pub exptime: Option<u32>,
    /// The number that the item must have.
    pub compare: Option<u64>,
}

/// A request to forget one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete<'a> {
    /// Key of the item.
    pub key: &'a [u8],
    /// The number that the item must have.
    pub compare: Option<u64>,
}

/// A request for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Get<'a> {
    /// Key of the item.
    pub key: &'a [u8],
    /// Its new exptime.
    pub touch: Option<u32>,
}

/// A request to store the value that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage<'a> {
    /// Under which condition, and where.
    pub mode: StoreMode,
    /// Key of the item.
    pub key: &'a [u8],
    /// The client's own 32 bits.
    pub flags: u32,
    /// The item's exptime.
    pub exptime: u32,
    /// Length of the value, in bytes.
    pub value_len: usize,
    /// The number that the item must have.
    pub compare: Option<u64>,
}

/// A request for a new exptime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch<'a> {
    /// Key of the item.
    pub key: &'a [u8],
    /// Its new exptime.
    pub exptime: u32,
}

/// Reads extras and key of a request, `head.args_len()` bytes; none while fewer are there. More are not looked at.
pub fn parse_request<'a>(head: &Head, args: &'a [u8]) -> Option<Request<'a>> {
    let (extras, rest) = args.split_at_checked(head.extras_len)?;
    let (key, _) = rest.split_at_checked(head.key_len)?;
    let compare = head.compare();
    let get = |touch| Request::Get(Get { key, touch });
    // Appending has no extras, and needs none.
    let store = |mode| {
        let (flags, exptime) = (number(extras, 0).unwrap_or(0), number(extras, 4).unwrap_or(0));
        let value_len = head.value_len;
        Request::Storage(Storage { mode, key, flags, exptime, value_len, compare })
    };
    Some(match head.opcode {
        Opcode::Get | Opcode::GetQ | Opcode::GetK | Opcode::GetKQ => get(None),
        Opcode::Gat | Opcode::GatQ | Opcode::GatK | Opcode::GatKQ => get(Some(number(extras, 0)?)),
        Opcode::Touch => Request::Touch(Touch { key, exptime: number(extras, 0)? }),
        Opcode::Set | Opcode::SetQ => store(StoreMode::Set),
        Opcode::Add | Opcode::AddQ => store(StoreMode::Add),
        Opcode::Replace | Opcode::ReplaceQ => store(StoreMode::Replace),
        Opcode::Append | Opcode::AppendQ => store(StoreMode::Append),
        Opcode::Prepend | Opcode::PrependQ => store(StoreMode::Prepend),
        Opcode::Delete | Opcode::DeleteQ => Request::Delete(Delete { key, compare }),
        Opcode::Increment | Opcode::IncrementQ => adjust(key, Delta::Increment, extras, compare)?,
        Opcode::Decrement | Opcode::DecrementQ => adjust(key, Delta::Decrement, extras, compare)?,
        Opcode::Flush | Opcode::FlushQ => Request::FlushAll(number(extras, 0).unwrap_or(0)),
        Opcode::Stat => Request::Stats(key),
        Opcode::Noop => Request::Noop,
        Opcode::Version => Request::Version,
        Opcode::Quit | Opcode::QuitQ => Request::Quit,
        // `parse_head` lets none of these through.
        Opcode::SaslList | Opcode::SaslAuth | Opcode::SaslStep => return None,
    })
}

fn adjust<'a>(
    key: &'a [u8],
    delta: fn(u64) -> Delta,
    extras: &[u8],
    compare: Option<u64>,
) -> Option<Request<'a>> {
    let long = |at| extras.get(at..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let exptime = number(extras, 16).filter(|&exptime| exptime != NO_CREATION);
    Some(Request::Adjust(Adjust {
        key,
        delta: delta(long(0)?),
        initial: long(8)?,
        exptime,
        compare,
    }))
}

fn number(extras: &[u8], at: usize) -> Option<u32> {
    extras.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The exptime of a sum that is not to create its counter.
const NO_CREATION: u32 = u32::MAX;
