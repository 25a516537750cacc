//! Requests and replies of the binary protocol.

use larder_testkit::reference::ClientFrame;
use larder_testkit::script::{self, Choices};

use crate::known::{self, frames::Head};
use crate::replies::{Numbers, shown};
use crate::request::{Form, Piece, Request};

/// Grows a request of frames: mostly one that is right in every detail.
pub(crate) fn grown(choices: &mut Choices<'_>) -> Request {
    let frame = script::valid_frame(choices);
    let mut request = Request::default();
    match choices.below(32) {
        0..24 => request.push_frame(&frame.bytes()),
        24..28 => {
            request.push_frame(&frame.bytes());
            let get = ClientFrame::new(choices.pick(&[0x00, 0x09, 0x0c, 0x0d]));
            request.push_frame(&ClientFrame { key: frame.key, ..get }.bytes());
        }
        28 => {
            let opcode = choices.pick(&[0x1f, 0x25, 0x30, 0xff, 0x20, 0x21, 0x22]);
            request.push_frame(&ClientFrame { opcode, ..frame }.bytes());
        }
        29 | 30 => request.push_frame(&script::broken_frame(&frame, choices)),
        _ => request.push_frame(&ClientFrame::new(choices.pick(&[0x0a, 0x07, 0x17])).bytes()),
    }
    request
}

impl Request {
    /// Adds a frame whose body gets the length that its head announces, if both servers should do the same with it.
    fn push_frame(&mut self, bytes: &[u8]) {
        let mut bytes_of_head = [0; HEAD_LEN];
        let there = bytes.len().min(HEAD_LEN);
        bytes_of_head[..there].copy_from_slice(&bytes[..there]);
        let head = read(&bytes_of_head);
        let Head { opcode, extras_len, key_len, body_len, .. } = head;
        if body_len > BODY_LEN_MAX || opcode == STAT {
            return;
        }
        let mut body = bytes[there..].to_vec();
        body.resize(body_len, b'x');
        if known::frames::of(&head, body.get(..extras_len).unwrap_or_default()).is_some() {
            return;
        }
        // memcached waits for extras and key also where the body is shorter, and closes then.
        body.resize(body_len.max(extras_len + key_len), b'x');
        if let Some(value) = body.get_mut(extras_len + key_len..) {
            known::speak_value(JOINS.contains(&opcode), value);
        }
        if FLUSHES.contains(&opcode) {
            let delay = body.get(..extras_len).and_then(|extras| extras.try_into().ok());
            self.flushes.push(delay.map_or(0, u32::from_be_bytes).into());
        }
        self.commands += 1;
        // See the known difference large-uncounted.
        self.has_large_frames |= body_len > ITEM_LEN_SURE || JOINS.contains(&opcode);
        // See the known difference closed-in-silence.
        if SUMS.contains(&opcode) || head.magic != REQUEST {
            self.pieces.push(Piece::Fence);
        }
        let key =
            body.get(extras_len..extras_len + key_len).filter(|key| matches!(key.len(), 1..=250));
        self.keys.extend(key.map(<[u8]>::to_vec));
        let cas = u64::from_be_bytes(cas_of(&bytes_of_head));
        match key {
            Some(key) if !cas.is_multiple_of(4) => {
                self.joins_by_cas |= JOINS.contains(&opcode);
                self.push(&bytes_of_head[..CAS_AT]);
                let shift = i64::from(cas % 4 == 3);
                self.pieces.push(Piece::Cas {
                    key: key.to_vec(),
                    shift: shift << 40,
                    form: Form::Frame,
                });
            }
            _ => self.push(&bytes_of_head),
        }
        self.push(&body);
    }
}

fn read(head: &[u8; HEAD_LEN]) -> Head {
    let [magic, opcode, key_high, key_low, extras_len, _, _, _, a, b, c, d, ..] = *head;
    Head {
        magic,
        opcode,
        extras_len: extras_len.into(),
        key_len: u16::from_be_bytes([key_high, key_low]).into(),
        body_len: usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX),
    }
}

fn cas_of(head: &[u8; HEAD_LEN]) -> [u8; 8] {
    [16, 17, 18, 19, 20, 21, 22, 23].map(|place| head[place])
}

/// A request that no client of a conversation makes, and the reply to it.
pub(crate) fn fence(number: u64) -> (Vec<u8>, Vec<u8>) {
    let [.., a, b, c, d] = number.to_be_bytes();
    let noop =
        ClientFrame { opaque: u32::from_be_bytes([a, b | 0x80, c, d]), ..ClientFrame::new(0x0a) };
    let request = noop.bytes();
    let mut reply = request.clone();
    reply[0] = RESPONSE;
    (request, reply)
}

/// A request that has a key and nothing else.
pub(crate) fn of_key(opcode: u8, key: &[u8]) -> Vec<u8> {
    ClientFrame { key: key.to_vec(), ..ClientFrame::new(opcode) }.bytes()
}

/// Compares what both said; an error says in words what does not agree.
///
/// # Errors
///
/// The first frame that differs.
pub(crate) fn compare(
    larder: &[u8],
    memcached: &[u8],
    numbers: &mut Numbers,
) -> Result<(), String> {
    let (mut left, mut right) = (larder, memcached);
    while !left.is_empty() || !right.is_empty() {
        let (left_frame, right_frame);
        (left_frame, left) = split(left);
        (right_frame, right) = split(right);
        compare_frames(left_frame, right_frame, numbers).map_err(|problem| {
            let [left, right] = [left_frame, right_frame].map(shown);
            format!("{problem}: larder says {left}, memcached {right}")
        })?;
    }
    Ok(())
}

fn compare_frames(left: &[u8], right: &[u8], numbers: &mut Numbers) -> Result<(), String> {
    let (Some((left_head, left_body)), Some((right_head, right_body))) =
        (left.split_first_chunk::<HEAD_LEN>(), right.split_first_chunk::<HEAD_LEN>())
    else {
        return Err("one frame is not whole".to_owned());
    };
    let is_version = left_head[1] == VERSION;
    let are_known = left_body == b"1.6.45" && right_body == b"1.6.18";
    if left_head[..CAS_AT] != right_head[..CAS_AT] {
        return Err("the heads differ".to_owned());
    }
    if left_body != right_body && !(is_version && are_known) {
        return Err("the bodies differ".to_owned());
    }
    let [left, right] = [left_head, right_head].map(|head| u64::from_be_bytes(cas_of(head)));
    numbers.agree(None, left, right)
}

/// The first frame of replies, and the rest.
fn split(replies: &[u8]) -> (&[u8], &[u8]) {
    let body_len =
        replies.get(8..12).and_then(|len| len.try_into().ok()).map_or(0, u32::from_be_bytes);
    let len = HEAD_LEN.saturating_add(usize::try_from(body_len).unwrap_or(usize::MAX));
    replies.split_at(len.min(replies.len()))
}

const HEAD_LEN: usize = 24;

/// Where the CAS number of a head begins, which is its end.
const CAS_AT: usize = 16;

/// First byte of a request.
pub(crate) const REQUEST: u8 = 0x80;

/// First byte of a reply.
const RESPONSE: u8 = 0x81;

const VERSION: u8 = 0x0b;

/// It is about the server and not about its items.
const STAT: u8 = 0x10;

const FLUSHES: &[u8] = &[0x08, 0x18];
const JOINS: &[u8] = &[0x0e, 0x0f, 0x19, 0x1a];
const SUMS: &[u8] = &[0x05, 0x06, 0x15, 0x16];

/// Longest body that is sent, in bytes: more than the largest item.
const BODY_LEN_MAX: usize = 1_500_000;

/// A value of so many bytes fits an item of every server here.
const ITEM_LEN_SURE: usize = 500_000;

#[cfg(test)]
mod tests {
    use super::{compare, fence};
    use crate::replies::Numbers;

    #[test]
    fn only_cas_numbers_may_differ() {
        let (_, noop) = fence(7);
        let check = |place: usize, expected: bool| {
            let mut numbers = Numbers::default();
            let [mut left, mut right] = [noop.clone(), noop.clone()];
            (left[23], right[23]) = (5, 5);
            right[place] ^= 1;
            assert_eq!(compare(&left, &right, &mut numbers).is_ok(), expected, "byte {place}");
        };
        for place in 0..16 {
            check(place, false);
        }
        check(23, true);
        assert!(compare(&noop, b"", &mut Numbers::default()).is_err());
    }
}
