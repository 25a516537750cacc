//! Requests and replies of the binary protocol.

use larder_testkit::reference::ClientFrame;
use larder_testkit::script::{self, Choices};

use crate::known;
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
        let mut head = [0; HEAD_LEN];
        let there = bytes.len().min(HEAD_LEN);
        head[..there].copy_from_slice(&bytes[..there]);
        let opcode = head[1];
        let key_len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let extras_len = usize::from(head[4]);
        let body_len = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        let body_len = usize::try_from(body_len).unwrap_or(usize::MAX);
        // memcached does not count a frame that joins too much.
        let body_len_max = if JOINS.contains(&opcode) { BODY_LEN_MAX / 2 } else { BODY_LEN_MAX };
        if body_len > body_len_max
            || ORDERS.contains(&opcode)
            || is_out_of_step(opcode, extras_len + key_len, body_len)
        {
            return;
        }
        let mut body = bytes[there..].to_vec();
        body.resize(body_len, b'x');
        if let Some(value) = body.get_mut(extras_len + key_len..) {
            known::speak_value(JOINS.contains(&opcode), value);
        }
        if FLUSHES.contains(&opcode) {
            let delay = body.get(..extras_len).and_then(|extras| extras.try_into().ok());
            let delay = delay.map_or(0, u32::from_be_bytes);
            // As for lines: see the known differences that are about flushes.
            if delay == 1 || delay > 2_592_000 {
                return;
            }
            self.flushes.push(delay.into());
        }
        self.commands += 1;
        // 1.6.18 closes at another magic byte without the replies that it still has to send.
        if SUMS.contains(&opcode) || head[0] != REQUEST {
            self.pieces.push(Piece::Fence);
        }
        let key =
            body.get(extras_len..extras_len + key_len).filter(|key| matches!(key.len(), 1..=250));
        self.keys.extend(key.map(<[u8]>::to_vec));
        let cas = u64::from_be_bytes([16, 17, 18, 19, 20, 21, 22, 23].map(|place| head[place]));
        match key {
            Some(key) if cas % 4 != 0 => {
                self.joins_by_cas |= JOINS.contains(&opcode);
                self.push(&head[..CAS_AT]);
                let shift = i64::from(cas % 4 == 3);
                self.pieces.push(Piece::Cas {
                    key: key.to_vec(),
                    shift: shift << 40,
                    form: Form::Frame,
                });
            }
            _ => self.push(&head),
        }
        self.push(&body);
    }
}

/// Whether a head is one after which memcached 1.6.18 reads the stream at the wrong place. Larder refuses these frames
/// and goes on behind them, or closes:
///
/// - an unknown opcode with extras or key: they are thrown away twice;
/// - extras and key beyond the body: it waits for them, and what follows the frame is their end;
/// - a touch with a value: the value is the next head.
const fn is_out_of_step(opcode: u8, args_len: usize, body_len: usize) -> bool {
    let is_unknown = !matches!(opcode, 0..=0x1a | 0x1c..=0x1e | 0x23 | 0x24);
    let is_touch = matches!(opcode, 0x1c..=0x1e | 0x23 | 0x24);
    (is_unknown && args_len > 0) || args_len > body_len || (is_touch && body_len > args_len)
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
    let [left, right] = [left_head, right_head]
        .map(|head| u64::from_be_bytes([16, 17, 18, 19, 20, 21, 22, 23].map(|place| head[place])));
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
const REQUEST: u8 = 0x80;

/// First byte of a reply.
const RESPONSE: u8 = 0x81;

const VERSION: u8 = 0x0b;

/// Opcodes of `stat` and `verbosity`: they are about the server and not about its items.
const ORDERS: &[u8] = &[0x10, 0x1b];

const FLUSHES: &[u8] = &[0x08, 0x18];
const JOINS: &[u8] = &[0x0e, 0x0f, 0x19, 0x1a];
const SUMS: &[u8] = &[0x05, 0x06, 0x15, 0x16];

/// Longest body that is sent, in bytes: more than the largest item.
const BODY_LEN_MAX: usize = 1_500_000;

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
