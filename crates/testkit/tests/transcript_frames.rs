//! Frames in transcripts: what words become which bytes, what is refused, what matches.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use larder_testkit::transcript::{Match, Pattern, Step, Values, parse};

fn first_step(line: &str) -> Step {
    parse(&format!("== test\n{line}\n")).unwrap().remove(0).steps.remove(0)
}

fn sent(line: &str) -> Vec<u8> {
    let Step::Send { bytes, .. } = first_step(line) else { panic!("{line}") };
    bytes.bytes(&Values::from([("X".into(), 7)]), 1_000).unwrap()
}

fn awaited(line: &str) -> Pattern {
    let Step::Expect { expectation, .. } = first_step(line) else { panic!("{line}") };
    expectation.reference
}

/// A frame of these fields, its opaque bytes the usual ones.
fn frame(start: [u8; 12], cas: u64, body: &[u8]) -> Vec<u8> {
    [&start[..], &[0xde, 0xad, 0xbe, 0xef], &cas.to_be_bytes(), body].concat()
}

#[test]
fn words_become_requests() {
    let check = |line: &str, expected: Vec<u8>| assert_eq!(sent(line), expected, "{line}");
    check("CB: noop", frame([0x80, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, b""));
    check("CB: 0x1b value=ab", frame([0x80, 0x1b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 0, b"ab"));
    let set = frame([0x80, 0x01, 0, 1, 8, 0, 0, 0, 0, 0, 0, 12], 7, b"\0\0\xab\xcd\0\0\0\x3ckv v");
    check("CB: set key=k flags=0xabcd exptime=60 value=v\\x20v cas={X}", set);
    let body = [&2_u64.to_be_bytes()[..], &5_u64.to_be_bytes(), &[0xff; 4], b"n"].concat();
    let incr = frame([0x80, 0x05, 0, 1, 20, 0, 0, 0, 0, 0, 0, 21], 0, &body);
    check("CB: incr key=n delta=2 initial=5 exptime=never-create", incr);
    check("CB: gatkq key=k", frame([0x80, 0x24, 0, 1, 4, 0, 0, 0, 0, 0, 0, 5], 0, b"\0\0\0\0k"));
    check(
        "CB: flush exptime=1",
        frame([0x80, 0x08, 0, 0, 4, 0, 0, 0, 0, 0, 0, 4], 0, b"\0\0\0\x01"),
    );
    check("CB: flush", frame([0x80, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, b""));
    check(
        "CB: get magic=0x81 keylen=258 extraslen=9 type=5 vbucket=259 bodylen=0x01020304",
        frame([0x81, 0x00, 1, 2, 9, 5, 1, 3, 1, 2, 3, 4], 0, b""),
    );
}

#[test]
fn malformed_frames_are_refused() {
    for line in [
        "CB: nop",
        "CB: 0xgg",
        "CB: get k",
        "CB: get colour=red",
        "CB: get status=exists",
        "CB: noop flags=1",
        "CB: set key=k flags=4294967296",
        "CB: set key={any}",
        "CB: set key=k cas={any}",
        "CB: {frames} noop",
        "SB: get status=fine",
        "SB: {frames}",
        "SB: get cas={lines}",
        "CB0: noop",
    ] {
        assert!(parse(&format!("== test\n{line}\n")).is_err(), "{line}");
    }
}

#[test]
fn responses_match() {
    let kept = |name: &str| Values::from([(name.to_owned(), 7)]);
    let hit = frame([0x81, 0x00, 0, 0, 4, 0, 0, 0, 0, 0, 0, 5], 7, b"\0\0\0\x01v");
    let miss = frame([0x81, 0x00, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9], 0, b"Not found");
    let end = frame([0x81, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, b"");
    let all = [&hit[..], &miss, &end].concat();
    let whole = |bytes: &[u8]| Match::Whole(bytes.len(), Values::new());
    let check = |line: &str, received: &[u8], expected: Match| {
        assert_eq!(awaited(line).matches(received, &kept("X")), expected, "{line}");
    };
    check("SB: get flags=1 value=v cas=7", &hit, whole(&hit));
    check("SB: get flags=1 value=v cas={X}", &hit, whole(&hit));
    check("SB: get flags=1 value=v cas={any}", &hit, whole(&hit));
    check("SB: get flags=1 value=v cas={cas=A}", &hit, Match::Whole(hit.len(), kept("A")));
    check("SB: get flags=1 value=v", &hit, Match::Not);
    check("SB: get flags=1 value=v cas={Y}", &hit, Match::Not);
    check("SB: get value=v cas=7", &hit, Match::Not);
    check("SB: get status=not-found", &miss, whole(&miss));
    check("SB: get status=exists", &miss, Match::Not);
    check("SB: get status=not-found value=x", &miss, Match::Not);
    check("SB: {frames} stat", &all, whole(&all));
    check("SB: {frames} get status=not-found", &all, whole(&all[..hit.len() + miss.len()]));
    check("SB: {frames} stat", &all[..all.len() - 1], Match::Partial);
    check("SB: {frames} stat", b"", Match::Partial);
    for len in 0..hit.len() {
        check("SB: get flags=1 value=v cas={any}", &hit[..len], Match::Partial);
    }
    let number = frame([0x81, 0x05, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8], 0, &258_u64.to_be_bytes());
    check("SB: incr number=258", &number, whole(&number));
}
