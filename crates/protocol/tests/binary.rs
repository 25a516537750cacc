//! Frames of the binary protocol, taken apart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use larder_protocol::binary::{
    Adjust, BODY_LEN_MAX, Delete, Frame, Get, Header, Opcode, Refused, Request, Status, Storage,
    Touch, parse_head, parse_request,
};
use larder_protocol::{Delta, StoreMode};

const OPAQUE: u32 = 0xdead_beef;

fn frame<'a>(opcode: Opcode, extras: &'a [u8], key: &'a [u8], cas: u64) -> Frame<'a> {
    Frame { extras, key, cas, ..Frame::request(opcode as u8, OPAQUE) }
}

/// The head as refused: what is answered, and what is thrown away.
fn refusal(header: &Header) -> Option<(Option<Status>, Option<usize>)> {
    let mut bytes = Vec::new();
    header.push(&mut bytes);
    let refused = parse_head(bytes.first_chunk().unwrap()).err()?;
    let Refused { status, opcode, opaque, skip_len } = refused;
    assert_eq!((opcode, opaque), (header.opcode, header.opaque));
    Some((status, skip_len))
}

#[test]
fn requests_are_read() {
    let flags_and_exptime = [0, 0, 0xab, 0xcd, 0, 0, 0, 60];
    let sum = [&7_u64.to_be_bytes()[..], &9_u64.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
    let sum_creating = [&sum[..16], &[0, 0, 0, 5]].concat();
    let exptime = 60_u32.to_be_bytes();
    let key = &b"a b"[..];
    let get = |touch| Request::Get(Get { key, touch });
    let store = |mode, compare| {
        let (flags, exptime, value_len) = (0xabcd, 60, 0);
        Request::Storage(Storage { mode, key, flags, exptime, value_len, compare })
    };
    let join = |mode| {
        let (flags, exptime, value_len, compare) = (0, 0, 0, Some(3));
        Request::Storage(Storage { mode, key, flags, exptime, value_len, compare })
    };
    let adjust =
        |delta, exptime| Request::Adjust(Adjust { key, delta, initial: 9, exptime, compare: None });
    let check = |opcode, extras: &[u8], key: &[u8], cas, expected: Request<'_>| {
        let mut bytes = Vec::new();
        frame(opcode, extras, key, cas).push(&mut bytes);
        let (head, args) = bytes.split_first_chunk().unwrap();
        let head = parse_head(head).unwrap();
        assert_eq!((head.opcode, head.opaque, head.cas), (opcode, OPAQUE, cas));
        assert_eq!(parse_request(&head, args), Some(expected), "{opcode:?}");
        assert_eq!(parse_request(&head, &[args, b"next"].concat()), Some(expected));
        for len in 0..args.len() {
            assert_eq!(parse_request(&head, &args[..len]), None, "{opcode:?}");
        }
    };
    for opcode in [Opcode::Get, Opcode::GetQ, Opcode::GetK, Opcode::GetKQ] {
        check(opcode, b"", key, 0, get(None));
    }
    for opcode in [Opcode::Gat, Opcode::GatQ, Opcode::GatK, Opcode::GatKQ] {
        check(opcode, &exptime, key, 0, get(Some(60)));
    }
    for (opcode, mode) in [
        (Opcode::Set, StoreMode::Set),
        (Opcode::SetQ, StoreMode::Set),
        (Opcode::Add, StoreMode::Add),
        (Opcode::AddQ, StoreMode::Add),
        (Opcode::Replace, StoreMode::Replace),
        (Opcode::ReplaceQ, StoreMode::Replace),
    ] {
        check(opcode, &flags_and_exptime, key, 0, store(mode, None));
        check(opcode, &flags_and_exptime, key, 8, store(mode, Some(8)));
    }
    check(Opcode::Append, b"", key, 3, join(StoreMode::Append));
    check(Opcode::AppendQ, b"", key, 3, join(StoreMode::Append));
    check(Opcode::Prepend, b"", key, 3, join(StoreMode::Prepend));
    check(Opcode::PrependQ, b"", key, 3, join(StoreMode::Prepend));
    check(Opcode::Increment, &sum, key, 0, adjust(Delta::Increment(7), None));
    check(Opcode::IncrementQ, &sum_creating, key, 0, adjust(Delta::Increment(7), Some(5)));
    check(Opcode::Decrement, &sum, key, 0, adjust(Delta::Decrement(7), None));
    check(Opcode::DecrementQ, &sum, key, 0, adjust(Delta::Decrement(7), None));
    let delete = |compare| Request::Delete(Delete { key, compare });
    check(Opcode::Delete, b"", key, 0, delete(None));
    check(Opcode::DeleteQ, b"", key, 2, delete(Some(2)));
    check(Opcode::Touch, &exptime, key, 0, Request::Touch(Touch { key, exptime: 60 }));
    check(Opcode::Flush, b"", b"", 0, Request::FlushAll(0));
    check(Opcode::FlushQ, &exptime, b"", 0, Request::FlushAll(60));
    check(Opcode::Stat, b"", b"", 0, Request::Stats(b""));
    check(Opcode::Stat, b"", b"items", 0, Request::Stats(b"items"));
    check(Opcode::Noop, b"", b"", 0, Request::Noop);
    check(Opcode::Version, b"", b"", 0, Request::Version);
    check(Opcode::Quit, b"", b"", 0, Request::Quit);
    check(Opcode::QuitQ, b"", b"", 0, Request::Quit);
}

fn header(opcode: u8, extras_len: u8, key_len: u16, body_len: u32) -> Header {
    Header {
        magic: 0x80,
        opcode,
        key_len,
        extras_len,
        data_type: 5,
        status: 7,
        body_len,
        opaque: OPAQUE,
        cas: 1,
    }
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let closes = |status| Some((Some(status), None));
    let unknown = |skip_len| Some((Some(Status::UnknownCommand), Some(skip_len)));
    let (invalid, torn) = (closes(Status::InvalidArguments), closes(Status::UnknownCommand));
    let too_long = 1 + u32::try_from(BODY_LEN_MAX).unwrap();
    for (opcode, extras_len, key_len, body_len, expected) in [
        (0x00, 0, 1, 1, None),
        (0x00, 0, 250, 250, None),
        (0x00, 0, 0, 0, invalid),
        (0x00, 0, 1, 2, invalid),
        (0x00, 4, 1, 5, invalid),
        (0x00, 0, 251, 251, invalid),
        (0x00, 0, u16::MAX, 65_535, invalid),
        (0x00, 0, 2, 1, torn),
        (0x00, 255, 250, 504, torn),
        (0x00, 0, u16::MAX, 3, torn),
        (0x01, 8, 1, 9, None),
        (0x01, 8, 1, too_long - 1, None),
        (0x01, 8, 1, too_long, invalid),
        (0x01, 8, 1, u32::MAX, invalid),
        (0x01, 8, 0, 9, invalid),
        (0x01, 4, 1, 9, invalid),
        (0x01, 255, 1, 300, invalid),
        (0x04, 0, 1, 1, None),
        (0x04, 0, 1, 3, invalid),
        (0x05, 20, 1, 21, None),
        (0x05, 20, 1, 22, invalid),
        (0x05, 8, 1, 9, invalid),
        (0x05, 20, 0, 20, invalid),
        (0x07, 0, 1, 1, invalid),
        (0x08, 0, 0, 0, None),
        (0x08, 4, 0, 4, None),
        (0x08, 4, 0, 5, invalid),
        (0x08, 8, 0, 8, invalid),
        (0x08, 0, 1, 1, invalid),
        (0x0a, 0, 0, 3, invalid),
        (0x0b, 0, 1, 1, invalid),
        (0x0e, 0, 1, 9, None),
        (0x0e, 4, 1, 9, invalid),
        (0x0e, 0, 0, 1, invalid),
        (0x10, 0, 0, 0, None),
        (0x10, 4, 0, 4, invalid),
        // memcached takes these values for the next request.
        (0x10, 0, 5, 9, invalid),
        (0x1c, 4, 1, 29, invalid),
        (0x1d, 4, 1, 29, invalid),
        (0x1c, 4, 1, 5, None),
        (0x1c, 0, 1, 1, invalid),
        (0x24, 4, 0, 4, invalid),
        (0x19, 0, 0, 0, invalid),
        (0x1b, 4, 0, 4, unknown(4)),
        (0x1f, 0, 0, 0, unknown(0)),
        (0x25, 24, 3, 30, unknown(30)),
        (0xff, 255, 250, 600, unknown(600)),
        (0xff, 0, 251, 600, invalid),
        (0xff, 0, 0, u32::MAX, invalid),
        (0x20, 0, 0, 0, unknown(0)),
        (0x20, 0, 1, 1, invalid),
        (0x21, 0, 5, 9, unknown(9)),
        (0x21, 4, 5, 9, invalid),
        (0x22, 0, 5, 5, unknown(5)),
        (0x22, 0, 0, 5, invalid),
    ] {
        let header = header(opcode, extras_len, key_len, body_len);
        assert_eq!(refusal(&header), expected, "{header:?}");
    }
}

#[test]
fn other_magics_are_no_frames() {
    for magic in [0, 0x81, b'g', 0xff] {
        let header = Header { magic, ..header(0x0a, 0, 0, 0) };
        assert_eq!(refusal(&header), Some((None, None)), "{header:?}");
    }
}

#[test]
fn frames_are_written() {
    let mut bytes = Vec::new();
    let response = Frame { cas: 258, extras: &[0, 0, 0, 1], ..Frame::response(0x0c, OPAQUE) };
    Frame { key: b"k", value: b"hello", ..response }.push(&mut bytes);
    let head =
        b"\x81\x0c\x00\x01\x04\x00\x00\x00\x00\x00\x00\x0a\xde\xad\xbe\xef\0\0\0\0\0\0\x01\x02";
    assert_eq!(bytes, [&head[..], b"\0\0\0\x01khello"].concat());
    let mut bytes = Vec::new();
    Frame::outcome(0x30, 1, Status::UnknownCommand).push(&mut bytes);
    let head = b"\x81\x30\x00\x00\x00\x00\x00\x81\x00\x00\x00\x0f\0\0\0\x01\0\0\0\0\0\0\0\0";
    assert_eq!(bytes, [&head[..], b"Unknown command"].concat());
}
