//! The 24 bytes that every frame begins with.

use alloc::vec::Vec;

/// The head of a frame as it crosses the wire, each number in the order of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// [`MAGIC_REQUEST`] or [`MAGIC_RESPONSE`].
    pub magic: u8,
    /// What is asked; [`super::Opcode`] knows those that mean something.
    pub opcode: u8,
    /// Length of the key, in bytes.
    pub key_len: u16,
    /// Length of the extras, in bytes.
    pub extras_len: u8,
    /// Never used by anybody; nobody looks at it.
    pub data_type: u8,
    /// In a request the number of a virtual bucket, at which memcached does not look; in a response the status.
    pub status: u16,
    /// Length of extras, key and value together, in bytes.
    pub body_len: u32,
    /// The client's own 32 bits, repeated in the response.
    pub opaque: u32,
    /// The number that the item must have, or that it has; 0 is none.
    pub cas: u64,
}

impl Header {
    /// Reads a head; whether it makes sense is [`super::parse_head`]'s business.
    pub const fn parse(bytes: &[u8; HEAD_LEN]) -> Self {
        let [
            magic,
            opcode,
            k0,
            k1,
            extras_len,
            data_type,
            s0,
            s1,
            b0,
            b1,
            b2,
            b3,
            o0,
            o1,
            o2,
            o3,
            c0,
            c1,
            c2,
            c3,
            c4,
            c5,
            c6,
            c7,
        ] = *bytes;
        Self {
            magic,
            opcode,
            key_len: u16::from_be_bytes([k0, k1]),
            extras_len,
            data_type,
            status: u16::from_be_bytes([s0, s1]),
            body_len: u32::from_be_bytes([b0, b1, b2, b3]),
            opaque: u32::from_be_bytes([o0, o1, o2, o3]),
            cas: u64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
        }
    }

    /// Appends the head.
    pub fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.magic, self.opcode]);
        out.extend_from_slice(&self.key_len.to_be_bytes());
        out.extend_from_slice(&[self.extras_len, self.data_type]);
        out.extend_from_slice(&self.status.to_be_bytes());
        out.extend_from_slice(&self.body_len.to_be_bytes());
        out.extend_from_slice(&self.opaque.to_be_bytes());
        out.extend_from_slice(&self.cas.to_be_bytes());
    }
}

/// Length of a head, in bytes.
pub const HEAD_LEN: usize = 24;

/// First byte of a request; a connection that begins with it speaks the binary protocol.
pub const MAGIC_REQUEST: u8 = 0x80;

/// First byte of a response.
pub const MAGIC_RESPONSE: u8 = 0x81;
