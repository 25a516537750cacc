//! What replies look like on the wire.

use larder_protocol::{Token, next_token, parse_number, push_number, push_stat, push_value_head};

#[test]
fn numbers_are_decimal() {
    for number in [0, 1, 9, 10, 11, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        let mut out = Vec::new();
        push_number(&mut out, number);
        assert_eq!(out, number.to_string().as_bytes());
        assert_eq!(parse_number(&out), Some(number));
    }
}

#[test]
fn heads_and_statistics() {
    let mut out = Vec::new();
    push_value_head(&mut out, b"k", 7, 900, None);
    push_value_head(&mut out, b"k", u32::MAX, 0, Some(u64::MAX));
    push_stat(&mut out, b"threads", b"4");
    let expected =
        "VALUE k 7 900\r\nVALUE k 4294967295 0 18446744073709551615\r\nSTAT threads 4\r\n";
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn tokens_of_a_piece_of_a_line() {
    for (piece, expected) in [
        (&b"ab c\r\n"[..], (Token::Word(b"ab"), 2)),
        (b"  ab\r\nx", (Token::Word(b"ab"), 4)),
        (b"ab\n", (Token::Word(b"ab"), 2)),
        (b"a\rb\r\n", (Token::Word(b"a\rb"), 3)),
        (b"\r ", (Token::Word(b"\r"), 1)),
        (b"  \r\nget", (Token::LineEnd, 4)),
        (b"\n", (Token::LineEnd, 1)),
        (b"  ab", (Token::Unfinished(b"ab"), 2)),
        (b"\r", (Token::Unfinished(b"\r"), 0)),
        (b"   ", (Token::Unfinished(b""), 3)),
        (b"", (Token::Unfinished(b""), 0)),
    ] {
        assert_eq!(next_token(piece), expected, "{}", piece.escape_ascii());
    }
}
