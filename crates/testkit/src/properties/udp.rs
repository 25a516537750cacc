//! Properties of the frames around datagrams.

use larder_protocol::{UDP_REPLY_LEN_MAX, UdpError, UdpRequest, parse_datagram, reply_frames};

/// Whatever comes is a request or is refused, as the description of the frame says; and a message that is cut into
/// datagrams is put together again from them.
///
/// # Panics
///
/// If that does not hold.
pub fn udp(input: &[u8]) {
    // Every cut of the header, then the whole.
    for len in 0..input.len().min(HEADER_LEN + 1) {
        check_datagram(&input[..len]);
    }
    check_datagram(input);
    // The same as the only datagram of its request, which few inputs are by themselves.
    let mut alone = input.to_vec();
    if let Some(total) = alone.get_mut(4..6) {
        total.copy_from_slice(&[0, 1]);
        check_datagram(&alone);
    }
    let (head, message) = input.split_at(input.len().min(4));
    let byte = |index: usize| head.get(index).copied().unwrap_or_default();
    let id = u16::from_be_bytes([byte(0), byte(1)]);
    check_reply(id, message, message.len());
    // Longer than any input, and around the longest that can be counted.
    check_reply(id, message, message.len() + usize::from(byte(2)) * 1000 + usize::from(byte(3)));
    let longest = usize::from(u16::MAX) * PAYLOAD_LEN_MAX;
    let near = (longest + usize::from(byte(2))).saturating_sub(usize::from(byte(3)));
    assert_eq!(reply_frames(id, near).is_some(), near <= longest, "{near} bytes");
}

fn check_datagram(datagram: &[u8]) {
    let parsed = parse_datagram(datagram);
    assert_eq!(parsed, read(datagram), "{}", datagram.escape_ascii());
    let Ok(request) = parsed else { return };
    let begins = request.payload.as_ptr_range();
    assert_eq!(begins.end, datagram.as_ptr_range().end, "it was not borrowed from the datagram");
}

/// Reads a datagram slowly.
fn read(datagram: &[u8]) -> Result<UdpRequest<'_>, UdpError> {
    let number = |at: usize| u16::from(datagram[at]) * 256 + u16::from(datagram[at + 1]);
    if datagram.len() < HEADER_LEN {
        return Err(UdpError::Short);
    }
    if number(4) != 1 {
        return Err(UdpError::Fragment);
    }
    let payload = &datagram[HEADER_LEN..];
    let text = "abcdefghijklmnopqrstuvwxyz";
    let is_request =
        payload.first().is_some_and(|&byte| byte == 0x80 || text.contains(char::from(byte)));
    if is_request { Ok(UdpRequest { id: number(0), payload }) } else { Err(UdpError::NoRequest) }
}

/// Cuts a message of `len` bytes, the first of which are given, and puts it together as a client does.
fn check_reply(id: u16, message: &[u8], len: usize) {
    let Some(frames) = reply_frames(id, len) else {
        return assert!(
            len > usize::from(u16::MAX) * PAYLOAD_LEN_MAX,
            "{len} bytes are not too many"
        );
    };
    let total = frames.len();
    assert_eq!(total, len.div_ceil(PAYLOAD_LEN_MAX));
    let (mut again, mut end) = (Vec::new(), 0);
    for (sequence, (header, range)) in frames.enumerate() {
        let numbers =
            [usize::from(id), sequence, total, 0].map(|number| [number / 256, number % 256]);
        assert!(header.iter().map(|&byte| usize::from(byte)).eq(numbers.concat()), "{header:?}");
        assert_eq!(range.start, end, "a gap");
        assert!(!range.is_empty() && range.len() <= PAYLOAD_LEN_MAX);
        assert!(range.len() == PAYLOAD_LEN_MAX || sequence + 1 == total, "a short one amid others");
        end = range.end;
        let there = range.start.min(message.len())..range.end.min(message.len());
        again.extend_from_slice(&message[there]);
    }
    assert_eq!(end, len);
    assert!(again == message, "put together, it is another message");
}

/// Length of the header of a datagram, in bytes.
const HEADER_LEN: usize = 8;

/// What fits a datagram of a reply, in bytes.
const PAYLOAD_LEN_MAX: usize = UDP_REPLY_LEN_MAX - HEADER_LEN;
