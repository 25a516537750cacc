//! Properties of `larder_protocol::binary`.

use larder_protocol::KEY_LEN_MAX;
use larder_protocol::binary::{
    BODY_LEN_MAX, Frame, HEAD_LEN, Header, MAGIC_REQUEST, Opcode, Request, parse_head,
    parse_request,
};

use crate::reference::binary::{ClientFrame, Reading, read};
use crate::script::{Choices, broken_frame, valid_frame};

/// Any head is one or is refused, with lengths that fit each other; what a request borrows lies in the frame; and the
/// connection stays in step or ends.
///
/// # Panics
///
/// If that does not hold.
pub fn binary_parser_is_total(input: &[u8]) {
    frames(input).iter().for_each(|frame| check_total(frame));
}

/// The parser and the reference say the same about every frame.
///
/// # Panics
///
/// If they do not.
pub fn binary_parser_agrees(input: &[u8]) {
    frames(input).iter().for_each(|frame| check_agrees(frame));
}

/// A request that is written and read is the same request, and a head that is read and written is the same head.
///
/// # Panics
///
/// If it is not.
pub fn binary_requests_round_trip(input: &[u8]) {
    for head in input.windows(HEAD_LEN).filter_map(|head| head.first_chunk()).take(HEADS_MAX) {
        let mut again = Vec::new();
        Header::parse(head).push(&mut again);
        assert_eq!(again, head, "a head changed");
    }
    let mut choices = Choices::new(grown_part(input));
    while !choices.is_empty() {
        check_round_trip(&valid_frame(&mut choices));
    }
}

/// Every property of frames.
///
/// # Panics
///
/// If one does not hold.
pub fn binary(input: &[u8]) {
    for frame in frames(input) {
        check_total(&frame);
        check_agrees(&frame);
    }
    binary_requests_round_trip(input);
}

/// The frame that the input itself is, every frame after it in its bytes, and those that grow out of it.
fn frames(input: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = vec![input.to_vec()];
    let mut rest = input;
    while let Some(len) = frame_len(rest).filter(|_| frames.len() < HEADS_MAX) {
        rest = &rest[len..];
        frames.push(rest.to_vec());
    }
    let mut choices = Choices::new(grown_part(input));
    while !choices.is_empty() {
        let frame = valid_frame(&mut choices);
        frames.push(broken_frame(&frame, &mut choices));
        frames.push(frame.bytes());
    }
    frames
}

/// How many bytes the first frame has, if all of them are there.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let header = Header::parse(bytes.first_chunk()?);
    let len = HEAD_LEN + usize::try_from(header.body_len).ok()?;
    (len <= bytes.len()).then_some(len)
}

fn check_total(frame: &[u8]) {
    let Some((bytes, rest)) = frame.split_first_chunk() else { return };
    let header = Header::parse(bytes);
    let head = match parse_head(bytes) {
        Ok(head) => head,
        Err(refused) => {
            assert_eq!((refused.opcode, refused.opaque), (header.opcode, header.opaque));
            // What is thrown away is the whole body: the next head comes after it.
            assert!(refused.skip_len.is_none_or(|len| len == header.body_len as usize));
            assert!(refused.skip_len.is_none_or(|len| len <= BODY_LEN_MAX));
            assert_eq!(refused.status.is_none(), header.magic != MAGIC_REQUEST);
            return assert!(refused.skip_len.is_none() || refused.status.is_some());
        }
    };
    assert!(head.key_len <= KEY_LEN_MAX && head.extras_len <= EXTRAS_LEN_MAX);
    assert_eq!(head.args_len() + head.value_len, header.body_len as usize);
    assert!(header.body_len as usize <= BODY_LEN_MAX);
    let Some(request) = parse_request(&head, rest) else {
        return assert!(rest.len() < head.args_len(), "all that it needs was there");
    };
    assert!(rest.len() >= head.args_len(), "read before it was there");
    // Cut anywhere, it waits; what follows its key is not looked at.
    let args = &rest[..head.args_len()];
    assert_eq!(parse_request(&head, args), Some(request));
    assert_eq!(
        parse_request(&head, &args[..args.len().saturating_sub(1)]).is_some(),
        args.is_empty()
    );
    let key = key_of(&request);
    assert!(key.is_none_or(|key| key.len() == head.key_len));
    let (key, frame) = (key.unwrap_or(rest).as_ptr_range(), frame.as_ptr_range());
    assert!(frame.start <= key.start && key.end <= frame.end, "it was not borrowed from the frame");
}

fn key_of<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    match *request {
        Request::Adjust(adjust) => Some(adjust.key),
        Request::Delete(delete) => Some(delete.key),
        Request::Get(get) => Some(get.key),
        Request::Stats(topic) => Some(topic),
        Request::Storage(storage) => Some(storage.key),
        Request::Touch(touch) => Some(touch.key),
        Request::FlushAll(_) | Request::Noop | Request::Quit | Request::Version => None,
    }
}

fn check_agrees(frame: &[u8]) {
    let reading = match frame.split_first_chunk() {
        None => Reading::Unfinished,
        Some((head, rest)) => match parse_head(head) {
            Err(refused) => Reading::Refused(refused),
            Ok(head) => parse_request(&head, rest)
                .map_or(Reading::Unfinished, |request| Reading::Asked(head, request)),
        },
    };
    assert_eq!(reading, read(frame), "{}", frame.escape_ascii());
}

fn check_round_trip(asked: &ClientFrame) {
    let bytes = asked.bytes();
    let ClientFrame { opcode, opaque, cas, ref extras, ref key, ref value, .. } = *asked;
    let mut written = Vec::new();
    let frame = Frame { cas, extras, key, value, ..Frame::request(opcode, opaque) };
    frame.push(&mut written);
    assert!(written == bytes, "{}", written.escape_ascii());
    let Some((head, rest)) = bytes.split_first_chunk() else { return };
    let parsed = parse_head(head);
    assert!(parsed.is_ok(), "{asked:?}: {parsed:?}");
    let Ok(head) = parsed else { return };
    let lens = (head.extras_len, head.key_len, head.value_len);
    assert_eq!(lens, (extras.len(), key.len(), value.len()));
    assert_eq!((Opcode::parse(opcode), head.opaque, head.cas), (Some(head.opcode), opaque, cas));
    assert!(parse_request(&head, rest).is_some(), "{asked:?}");
    assert_eq!(&rest[head.args_len()..], value);
}

/// The part of an input that frames grow out of.
fn grown_part(input: &[u8]) -> &[u8] {
    &input[..input.len().min(96)]
}

/// Longest extras that any opcode has, in bytes.
const EXTRAS_LEN_MAX: usize = 20;

/// Heads that are looked at in one input.
const HEADS_MAX: usize = 64;
