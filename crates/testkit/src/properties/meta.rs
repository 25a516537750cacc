//! Properties of meta commands, and of the ways in which a key is said.

use larder_protocol::{KEY_LEN_MAX, MetaKey, encode_key, is_key_plain, push_uri_encoded};

use super::parser::{check_grown, check_line};
use crate::reference::meta::{from_base64, to_base64};
use crate::script::meta_command;

/// All that holds for lines holds for meta commands; and a key that is said in one way or another is that key.
///
/// # Panics
///
/// If that does not hold.
pub fn meta(input: &[u8]) {
    for line in input.split(|&byte| byte == b'\n') {
        // Every line is of a meta command, so that nothing is lost on other names.
        let (choice, rest) = line.split_first().unwrap_or((&0, &[]));
        let name = META_NAMES[usize::from(choice.wrapping_sub(b'0')) % META_NAMES.len()];
        check_line(&[name, rest].concat());
        check_key(&line[..line.len().min(KEY_LEN_MAX)]);
    }
    check_key(&input[..input.len().min(KEY_LEN_MAX)]);
    check_grown(input, meta_command);
}

fn check_key(key: &[u8]) {
    let is_plain = !key.iter().any(|byte| b" \n".contains(byte));
    assert_eq!(is_key_plain(key), is_plain, "{}", key.escape_ascii());
    let mut encoded = Vec::new();
    encode_key(&mut encoded, key);
    assert_eq!(encoded, to_base64(key), "{}", key.escape_ascii());
    if !key.is_empty() && encoded.len() <= KEY_LEN_MAX {
        let decoded = MetaKey { word: &encoded, is_encoded: true }.decode();
        assert_eq!(decoded.as_ref(), key);
        assert_eq!(from_base64(&encoded).as_deref(), Some(key));
    }
    let mut told = Vec::new();
    push_uri_encoded(&mut told, key);
    assert_eq!(from_percents(&told), key, "{}", told.escape_ascii());
    assert!(told.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
}

/// Reads a word in which `%` and two digits are a byte.
fn from_percents(mut word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [first, rest @ ..] = word {
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let (byte, used) = match digits {
            Some(digits) if *first == b'%' => (u8::from_str_radix(digits, 16).unwrap_or(0), 3),
            _ => (*first, 1),
        };
        bytes.push(byte);
        word = &word[used..];
    }
    bytes
}

/// The meta commands, in the order in which the first byte of a line chooses one: from the digit 0 on.
pub(crate) const META_NAMES: [&[u8]; 6] = [b"mg ", b"ms ", b"md ", b"ma ", b"me ", b"mn "];
