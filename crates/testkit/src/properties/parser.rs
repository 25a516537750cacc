//! Properties of `larder-protocol`.

use larder_protocol::{
    FLAG_COUNT_MAX, KEY_LEN_MAX, Meta, MetaKey, OPAQUE_LEN_MAX, Request, Token, VALUE_LEN_MAX,
    Words, next_token, parse_line, parse_retrieval_head,
};

use crate::reference::{self, Meaning, print};
use crate::script::{Choices, broken_line, valid_line};

/// Any line parses or is refused; what a parsed request borrows lies in the line and keeps its promises.
///
/// # Panics
///
/// If that does not hold.
pub fn parser_is_total(input: &[u8]) {
    lines(input).for_each(|line| check_total(&line));
    // Here a newline is like every other byte.
    check_tokens(input);
}

/// The parser and the reference say the same about every line.
///
/// # Panics
///
/// If they do not.
pub fn parser_agrees(input: &[u8]) {
    lines(input).for_each(|line| check_agrees(&line));
}

/// A request that is printed and parsed is the same request.
///
/// # Panics
///
/// If it is not.
pub fn requests_round_trip(input: &[u8]) {
    let mut choices = Choices::new(grown_part(input));
    while !choices.is_empty() {
        let meaning = valid_line(&mut choices);
        check_round_trip(&meaning, &print(&meaning));
    }
}

/// Every property of the parser.
///
/// # Panics
///
/// If one does not hold.
pub fn parser(input: &[u8]) {
    for line in input.split(|&byte| byte == b'\n') {
        check_request(line);
        check_agrees(line);
    }
    // The tokens of all these lines, and what is between the lines.
    check_tokens(input);
    check_grown(input, valid_line);
}

/// All that holds for a line.
pub(super) fn check_line(line: &[u8]) {
    check_total(line);
    check_agrees(line);
}

/// All that holds for lines that grow out of an input: requests, and the same with a fault.
pub(super) fn check_grown(input: &[u8], grow: fn(&mut Choices<'_>) -> Meaning) {
    let mut choices = Choices::new(grown_part(input));
    while !choices.is_empty() {
        let meaning = grow(&mut choices);
        let line = print(&meaning);
        check_total(&line);
        check_round_trip(&meaning, &line);
        check_line(&broken_line(&meaning, &mut choices));
    }
}

/// The lines of the input itself, and those that grow out of it.
fn lines(input: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut choices = Choices::new(grown_part(input));
    let mut grown = Vec::new();
    while !choices.is_empty() {
        let meaning = valid_line(&mut choices);
        grown.push(print(&meaning));
        grown.push(broken_line(&meaning, &mut choices));
    }
    input.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).chain(grown)
}

/// The part of an input that lines grow out of: more of them would only be slower.
fn grown_part(input: &[u8]) -> &[u8] {
    &input[..input.len().min(32)]
}

fn check_agrees(line: &[u8]) {
    let parsed = Meaning::from(parse_line(line));
    assert_eq!(parsed, reference::read(line), "{}", line.escape_ascii());
}

fn check_round_trip(meaning: &Meaning, line: &[u8]) {
    assert_eq!(Meaning::from(parse_line(line)), *meaning, "{}", line.escape_ascii());
}

fn check_total(line: &[u8]) {
    check_tokens(line);
    check_request(line);
}

fn check_request(line: &[u8]) {
    check_parsed(line);
    // The head of a retrieval is all that a line too long is known by.
    if let Some((retrieval, keys_at)) = parse_retrieval_head(line) {
        assert!(keys_at <= line.len());
        if let Ok(request) = parse_line(line) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let is_same = matches!(request, Request::Get(get)
                if get.retrieval == retrieval && get.keys.eq(Words::new(&line[keys_at..])));
            assert!(is_same, "{request:?} is {retrieval:?} with keys at {keys_at}");
        }
    }
}

fn check_parsed(line: &[u8]) {
    match parse_line(line) {
        Ok(Request::Get(get)) => {
            assert!(get.keys.count() > 0, "a retrieval has keys");
            get.keys.for_each(|key| check_key(key, line));
            assert!(get.keys.eq(Words::new(&line[get.keys_at..][..get.keys.unread_len()])));
        }
        Ok(Request::Storage(storage)) => {
            check_key(storage.key, line);
            assert!(storage.value_len <= VALUE_LEN_MAX);
        }
        Ok(Request::Arithmetic(arithmetic)) => check_key(arithmetic.key, line),
        Ok(Request::Delete(delete)) => check_key(delete.key, line),
        Ok(Request::Touch(touch)) => check_key(touch.key, line),
        Ok(Request::MetaGet(meta) | Request::MetaDelete(meta)) => check_meta(&meta, line),
        Ok(Request::MetaSet(set)) => {
            check_meta(&set.meta, line);
            assert!(set.value_len <= VALUE_LEN_MAX);
        }
        Ok(Request::MetaArithmetic(arithmetic)) => check_meta(&arithmetic.meta, line),
        Ok(Request::MetaDebug(debug)) => check_meta_key(debug.key, line),
        Ok(Request::Stats(stats)) => stats.topic.for_each(|word| check_lies_in(word, line)),
        Ok(_) => {}
        Err(refused) => {
            assert!(refused.skip_len <= VALUE_LEN_MAX + 2);
            // A line of no known shape announces no data.
            assert!(refused.skip_len == 0 || refused.reason.status().is_some());
        }
    }
}

fn check_key(key: &[u8], line: &[u8]) {
    assert!((1..=KEY_LEN_MAX).contains(&key.len()), "a key of {} bytes", key.len());
    assert!(!key.contains(&b' '), "a key with a blank in it");
    check_lies_in(key, line);
}

fn check_meta(meta: &Meta<'_>, line: &[u8]) {
    check_meta_key(meta.key, line);
    let mut seen = Vec::new();
    for word in meta.words {
        check_lies_in(word, line);
        assert!(!seen.contains(&word[0]), "a letter twice");
        seen.push(word[0]);
        assert!(word[0] != b'O' || word.len() <= OPAQUE_LEN_MAX + 1);
    }
    assert!(seen.len() <= FLAG_COUNT_MAX);
}

fn check_meta_key(key: MetaKey<'_>, line: &[u8]) {
    check_key(key.word, line);
    let decoded = key.decode();
    assert!((1..=KEY_LEN_MAX).contains(&decoded.as_ref().len()));
    assert!(key.is_encoded || decoded.as_ref() == key.word);
}

fn check_lies_in(word: &[u8], line: &[u8]) {
    let (word, line) = (word.as_ptr_range(), line.as_ptr_range());
    assert!(line.start <= word.start && word.end <= line.end, "it was not borrowed from the line");
}

/// Takes a piece of a line apart as the machine does: each step makes progress, and no byte of a word is lost.
fn check_tokens(piece: &[u8]) {
    let mut rest = piece;
    loop {
        let (token, used) = next_token(rest);
        let (past, after) = rest.split_at(used);
        let word = match token {
            Token::LineEnd => {
                assert_eq!(past.last(), Some(&b'\n'));
                &[]
            }
            Token::Unfinished(word) => {
                assert_eq!(word, after, "an unfinished word is not used up");
                assert!(!word.iter().any(|byte| b" \n".contains(byte)));
                return assert!(past.iter().all(|&byte| byte == b' '));
            }
            Token::Word(word) => word,
        };
        let blanks = past.strip_suffix(word).unwrap_or(b"?");
        let blanks = blanks.strip_suffix(b"\n").unwrap_or(blanks);
        let blanks = blanks.strip_suffix(b"\r").unwrap_or(blanks);
        assert!(blanks.iter().all(|&byte| byte == b' '), "a word was passed over");
        assert!(used > 0, "no progress");
        rest = after;
    }
}
