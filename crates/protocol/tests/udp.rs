//! Frames of datagrams: which are requests, and how replies are cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use larder_protocol::{UDP_REPLY_LEN_MAX, UdpError, UdpRequest, parse_datagram, reply_frames};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

/// A datagram of these header fields.
fn datagram(id: u16, sequence: u16, total: u16, reserved: u16, payload: &[u8]) -> Vec<u8> {
    let header = [id, sequence, total, reserved].map(u16::to_be_bytes).concat();
    [&header, payload].concat()
}

#[track_caller]
fn check(datagram: &[u8], expected: Result<(u16, &[u8]), UdpError>) {
    let expected = expected.map(|(id, payload)| UdpRequest { id, payload });
    assert_eq!(parse_datagram(datagram), expected, "{}", datagram.escape_ascii());
}

#[test]
fn headers_that_are_cut_short_are_none() {
    let whole = datagram(1, 0, 1, 0, b"version\r\n");
    for len in 0..8 {
        check(&whole[..len], Err(UdpError::Short));
    }
    check(&whole[..8], Err(UdpError::NoRequest));
    check(&whole[..9], Ok((1, b"v")));
}

#[test]
fn only_the_total_decides() {
    const EDGES: [u16; 6] = [0, 1, 2, 255, 256, u16::MAX];
    for id in EDGES {
        for sequence in EDGES {
            for total in EDGES {
                for reserved in EDGES {
                    let datagram = datagram(id, sequence, total, reserved, b"get a\r\n");
                    let expected = if total == 1 {
                        Ok((id, &b"get a\r\n"[..]))
                    } else {
                        Err(UdpError::Fragment)
                    };
                    check(&datagram, expected);
                }
            }
        }
    }
}

#[test]
fn no_reply_is_taken_for_a_request() {
    for reply in [
        &b"ERROR\r\n"[..],
        b"CLIENT_ERROR bad command line format\r\n",
        b"SERVER_ERROR out of memory storing object\r\n",
        b"VALUE get 0 5\r\nget a\r\nEND\r\n",
        b"END\r\n",
        b"STAT pid 1\r\n",
        b"VERSION 1.6.45\r\n",
        b"HD\r\n",
        b"17\r\n",
        b"\r\n",
        b"\n",
        b" get a\r\n",
        b"\0",
        b"\x81\0\0\0",
        b"\xff",
        b"",
    ] {
        check(&datagram(7, 0, 1, 0, reply), Err(UdpError::NoRequest));
    }
    for request in [&b"get a\r\n"[..], b"a", b"z", b"mn\r\n", b"\x80", b"\x80\0\0\0"] {
        check(&datagram(7, 0, 1, 0, request), Ok((7, request)));
    }
}

#[test]
fn replies_are_cut_where_memcached_cuts_them() {
    const FULL: usize = UDP_REPLY_LEN_MAX - 8;
    for (len, expected) in [
        (0, &[][..]),
        (1, &[1][..]),
        (FULL - 1, &[FULL - 1]),
        (FULL, &[FULL]),
        (FULL + 1, &[FULL, 1]),
        (3 * FULL, &[FULL; 3]),
        (10_026, &[FULL, FULL, FULL, FULL, FULL, FULL, FULL, 282]),
    ] {
        let lens: Vec<usize> =
            reply_frames(7, len).unwrap().map(|(_, range)| range.len()).collect();
        assert_eq!(lens, expected, "{len}");
    }
    let headers: Vec<[u8; 8]> =
        reply_frames(0x1234, 3000).unwrap().map(|(header, _)| header).collect();
    let header = |sequence| [0x12, 0x34, 0, sequence, 0, 3, 0, 0];
    assert_eq!(headers, [header(0), header(1), header(2)]);
}

#[test]
fn sequence_numbers_end() {
    const MOST: usize = 65_535 * (UDP_REPLY_LEN_MAX - 8);
    let last = reply_frames(1, MOST).unwrap().last().unwrap();
    assert_eq!(last, ([0, 1, 0xff, 0xfe, 0xff, 0xff, 0, 0], MOST - 1392..MOST));
    assert!(reply_frames(1, MOST + 1).is_none());
    assert!(reply_frames(1, usize::MAX).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes is a request or is refused, and a request's payload is the rest of the datagram.
    #[test]
    fn reading_is_total(bytes in vec(any::<u8>(), 0..40)) {
        match parse_datagram(&bytes) {
            Ok(request) => {
                assert_eq!(request.payload, &bytes[8..]);
                assert_eq!(request.id.to_be_bytes(), bytes[..2]);
                assert_eq!(bytes[4..6], [0, 1]);
            }
            Err(UdpError::Short) => assert!(bytes.len() < 8),
            Err(UdpError::Fragment) => assert_ne!(bytes[4..6], [0, 1]),
            Err(UdpError::NoRequest) => {
                assert!(!bytes.get(8).is_some_and(|byte| byte.is_ascii_lowercase() || *byte == 0x80));
            }
        }
    }

    /// Put together again in the order of their numbers, the pieces are the message, and every piece but the last is full.
    #[test]
    fn pieces_make_the_message(id in any::<u16>(), len in 1..200_000_usize) {
        let frames = reply_frames(id, len).unwrap();
        let total = u16::try_from(frames.len()).unwrap();
        let mut end = 0;
        for (sequence, (header, range)) in (0_u16..).zip(frames) {
            let expected = [id, sequence, total, 0].map(u16::to_be_bytes).concat();
            assert_eq!(header[..], expected);
            assert_eq!(range.start, end);
            assert!(range.len() + 8 == UDP_REPLY_LEN_MAX || (sequence + 1 == total && !range.is_empty()));
            end = range.end;
        }
        assert_eq!(end, len);
    }
}
