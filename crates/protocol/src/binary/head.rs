//! The head of a request, every length in it checked.

use super::{HEAD_LEN, Header, MAGIC_REQUEST, Opcode, Status};
use crate::KEY_LEN_MAX;

/// The head of a request that may be answered: its lengths fit each other and its opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What is asked.
    pub opcode: Opcode,
    /// Length of the extras, in bytes; at most 20.
    pub extras_len: usize,
    /// Length of the key, in bytes; at most [`KEY_LEN_MAX`].
    pub key_len: usize,
    /// Length of what follows the key, in bytes; at most [`BODY_LEN_MAX`].
    pub value_len: usize,
    /// The client's own 32 bits, repeated in the response.
    pub opaque: u32,
    /// The number that the item must have; 0 is none.
    pub cas: u64,
}

impl Head {
    /// Length of extras and key, in bytes: what [`super::parse_request`] needs to see.
    pub const fn args_len(&self) -> usize {
        self.extras_len + self.key_len
    }

    /// The number that the item must have, if the request says one.
    pub fn compare(&self) -> Option<u64> {
        (self.cas != 0).then_some(self.cas)
    }
}

/// A head that was refused, and how the connection stays in step after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// What is answered; nothing to bytes that are no request.
    pub status: Option<Status>,
    /// The opcode as it came.
    pub opcode: u8,
    /// The client's own 32 bits.
    pub opaque: u32,
    /// Bytes of the body, to be thrown away before the next head. With none the connection closes: what belongs to this
    /// request cannot be told from the next.
    pub skip_len: Option<usize>,
}

/// Reads the head of a request.
///
/// # Errors
///
/// What is answered to a head that makes no sense, and whether the connection goes on. All of it is known from these 24
/// bytes, before memory is taken for a body.
pub fn parse_head(bytes: &[u8; HEAD_LEN]) -> Result<Head, Refused> {
    let header = Header::parse(bytes);
    let Header { opcode, opaque, cas, .. } = header;
    let closing = |status| Refused { status, opcode, opaque, skip_len: None };
    if header.magic != MAGIC_REQUEST {
        return Err(closing(None));
    }
    let (extras_len, key_len) = (usize::from(header.extras_len), usize::from(header.key_len));
    let body_len = usize::try_from(header.body_len).unwrap_or(usize::MAX);
    let Some(value_len) = body_len.checked_sub(extras_len + key_len) else {
        return Err(closing(Some(Status::UnknownCommand)));
    };
    if key_len > KEY_LEN_MAX || body_len > BODY_LEN_MAX {
        return Err(closing(Some(Status::InvalidArguments)));
    }
    let unknown =
        Refused { status: Some(Status::UnknownCommand), opcode, opaque, skip_len: Some(body_len) };
    let known = Opcode::parse(opcode).ok_or(unknown)?;
    let head = Head { opcode: known, extras_len, key_len, value_len, opaque, cas };
    if !has_its_lengths(&head) {
        return Err(closing(Some(Status::InvalidArguments)));
    }
    // Without SASL its opcodes are like any other that does not exist.
    match known {
        Opcode::SaslList | Opcode::SaslAuth | Opcode::SaslStep => Err(unknown),
        _ => Ok(head),
    }
}

/// Whether the lengths are those that the opcode needs. memcached lets a value follow `stat`, `touch` and `gat`, and takes it
/// for the next request.
const fn has_its_lengths(head: &Head) -> bool {
    let Head { extras_len, key_len, value_len, .. } = *head;
    let has_key = key_len > 0;
    let has_value = value_len > 0;
    match head.opcode {
        Opcode::Get | Opcode::GetQ | Opcode::GetK | Opcode::GetKQ => {
            extras_len == 0 && has_key && !has_value
        }
        Opcode::Delete | Opcode::DeleteQ => extras_len == 0 && has_key && !has_value,
        Opcode::Set
        | Opcode::SetQ
        | Opcode::Add
        | Opcode::AddQ
        | Opcode::Replace
        | Opcode::ReplaceQ => extras_len == 8 && has_key,
        Opcode::Append | Opcode::AppendQ | Opcode::Prepend | Opcode::PrependQ => {
            extras_len == 0 && has_key
        }
        Opcode::Increment | Opcode::IncrementQ | Opcode::Decrement | Opcode::DecrementQ => {
            extras_len == 20 && has_key && !has_value
        }
        Opcode::Touch | Opcode::Gat | Opcode::GatQ | Opcode::GatK | Opcode::GatKQ => {
            extras_len == 4 && has_key && !has_value
        }
        Opcode::Flush | Opcode::FlushQ => {
            (extras_len == 0 || extras_len == 4) && !has_key && !has_value
        }
        Opcode::Stat => extras_len == 0 && !has_value,
        Opcode::Noop | Opcode::Version | Opcode::Quit | Opcode::QuitQ | Opcode::SaslList => {
            extras_len == 0 && !has_key && !has_value
        }
        Opcode::SaslAuth | Opcode::SaslStep => extras_len == 0 && has_key,
    }
}

/// Longest body that is read or thrown away, in bytes: 1 GiB, memcached's largest `-I`.
pub const BODY_LEN_MAX: usize = 1 << 30;
