//! UDP: the frame around every datagram, and how a reply is cut into datagrams.
//!
//! ```text
//!   0          2          4          6          8
//!   | id       | sequence | total    | reserved | payload: what TCP would carry
//! ```
//!
//! Four numbers of 16 bits, the high byte first. The client chooses the id, and its replies carry it. Requests are one
//! datagram each; the sequence number and the reserved field of a request are not looked at, as memcached does not.

use core::ops::Range;

/// A datagram that may be a request: [`parse_datagram`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpRequest<'d> {
    /// What replies must carry.
    pub id: u16,
    /// Requests in the format of TCP; of the first at least its first byte.
    pub payload: &'d [u8],
}

/// Why a datagram is not looked at any further, and not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UdpError {
    /// It is shorter than a frame's header.
    Short,
    /// It claims to be one of none, or of several: a request must be one datagram.
    Fragment,
    /// It begins as no request does: with nothing, or as replies do. Two servers that answered each other's `ERROR` would
    /// never stop, and one forged datagram is enough to begin that.
    NoRequest,
}

/// Reads a datagram that came from a client.
///
/// # Errors
///
/// [`UdpError`] for one that memcached drops, or that no client sends; it must not be answered.
pub fn parse_datagram(datagram: &[u8]) -> Result<UdpRequest<'_>, UdpError> {
    let Some((&[id_high, id_low, _, _, total_high, total_low, _, _], payload)) =
        datagram.split_first_chunk::<UDP_HEADER_LEN>()
    else {
        return Err(UdpError::Short);
    };
    if u16::from_be_bytes([total_high, total_low]) != 1 {
        return Err(UdpError::Fragment);
    }
    match payload.first() {
        // Every text command is in lower case; 0x80 begins a binary request.
        Some(b'a'..=b'z' | 0x80) => {
            Ok(UdpRequest { id: u16::from_be_bytes([id_high, id_low]), payload })
        }
        _ => Err(UdpError::NoRequest),
    }
}

/// Cuts a message of `len` bytes, which answers the request `id`, into datagrams: for each its header, and which of the
/// bytes follow it. None for a message that sequence numbers cannot count: of more than 65,535 datagrams.
pub fn reply_frames(
    id: u16,
    len: usize,
) -> Option<impl ExactSizeIterator<Item = ([u8; UDP_HEADER_LEN], Range<usize>)>> {
    let total = u16::try_from(len.div_ceil(PAYLOAD_LEN_MAX)).ok()?;
    Some((0..total).map(move |sequence| {
        let [[i, j], [s, t], [m, n]] = [id, sequence, total].map(u16::to_be_bytes);
        let begin = usize::from(sequence) * PAYLOAD_LEN_MAX;
        ([i, j, s, t, m, n, 0, 0], begin..len.min(begin + PAYLOAD_LEN_MAX))
    }))
}

/// Bytes before the payload.
pub const UDP_HEADER_LEN: usize = 8;

/// Longest datagram of a reply, its header included: memcached's, and below what one Ethernet frame carries.
pub const UDP_REPLY_LEN_MAX: usize = 1400;

/// Bytes of a reply in one datagram.
const PAYLOAD_LEN_MAX: usize = UDP_REPLY_LEN_MAX - UDP_HEADER_LEN;
