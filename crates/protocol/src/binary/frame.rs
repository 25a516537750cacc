//! Frames into bytes.

use alloc::vec::Vec;

use super::{Header, MAGIC_REQUEST, MAGIC_RESPONSE, Status};

/// A request or a response, to be written. What is left to [`Self::request`] and [`Self::response`] is zero or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// [`MAGIC_REQUEST`] or [`MAGIC_RESPONSE`].
    pub magic: u8,
    /// What is asked, or was.
    pub opcode: u8,
    /// How the request ended, in a response.
    pub status: u16,
    /// The client's own 32 bits.
    pub opaque: u32,
    /// The number that the item must have, or that it has.
    pub cas: u64,
    /// What belongs to the opcode; at most 255 bytes.
    pub extras: &'a [u8],
    /// Key of the item; at most 65,535 bytes.
    pub key: &'a [u8],
    /// Its value, or what is said.
    pub value: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A request without a body.
    pub const fn request(opcode: u8, opaque: u32) -> Self {
        let (extras, key, value): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
        Self { magic: MAGIC_REQUEST, opcode, status: 0, opaque, cas: 0, extras, key, value }
    }

    /// A successful response without a body.
    pub const fn response(opcode: u8, opaque: u32) -> Self {
        Self { magic: MAGIC_RESPONSE, ..Self::request(opcode, opaque) }
    }

    /// A response that says how the request ended; a success has no body.
    pub const fn outcome(opcode: u8, opaque: u32, status: Status) -> Self {
        let value = status.text().as_bytes();
        Self { status: status.code(), value, ..Self::response(opcode, opaque) }
    }

    /// Appends the frame.
    pub fn push(&self, out: &mut Vec<u8>) {
        self.push_before(self.value.len(), out);
        out.extend_from_slice(self.value);
    }

    /// Appends the frame up to its value, of which so many bytes will follow: a value that lies somewhere else.
    pub fn push_before(&self, value_len: usize, out: &mut Vec<u8>) {
        let body_len = self.extras.len() + self.key.len() + value_len;
        let header = Header {
            magic: self.magic,
            opcode: self.opcode,
            key_len: u16::try_from(self.key.len()).unwrap_or(u16::MAX),
            extras_len: u8::try_from(self.extras.len()).unwrap_or(u8::MAX),
            data_type: 0,
            status: self.status,
            body_len: u32::try_from(body_len).unwrap_or(u32::MAX),
            opaque: self.opaque,
            cas: self.cas,
        };
        header.push(out);
        out.extend_from_slice(self.extras);
        out.extend_from_slice(self.key);
    }
}
