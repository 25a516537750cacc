//! Meta commands that are right in every detail.

use larder_protocol::{Delta, StoreMode};

use super::{Choices, line};
use crate::reference::meta::{flags_of, to_base64};
use crate::reference::{Meaning, MetaCommand, MetaMeaning};

/// One meta command of any kind.
pub fn command(choices: &mut Choices<'_>) -> Meaning {
    match choices.below(16) {
        0 => Meaning::MetaNoop,
        1 => Meaning::MetaDebug { key: line::key(choices) },
        kind => whole(kind, choices, &[]),
    }
}

/// A command with flags as it is, and the same with the flag for quiet.
pub(super) fn quieted(choices: &mut Choices<'_>) -> (Meaning, Meaning) {
    let kind = 2 + choices.below(14);
    let loud = whole(kind, choices, b"q");
    let Meaning::Meta(mut quiet) = loud.clone() else { return (loud.clone(), loud) };
    quiet.words.push(b"q".to_vec());
    quiet.flags = flags_of(&quiet.words);
    (loud, Meaning::Meta(quiet))
}

fn whole(kind: usize, choices: &mut Choices<'_>, without: &[u8]) -> Meaning {
    let plain = line::key(choices);
    let is_encoded = choices.below(4) == 0 && to_base64(&plain).len() <= 250;
    let key_word = if is_encoded { to_base64(&plain) } else { plain.clone() };
    let (letters, modes): (&[u8], &[u8]) = match kind {
        2..8 => (b"vvvvtttTTNNRRCCEkOcfhlsuqqPL", b""),
        8..12 => (b"TTFFCCCIIIEENNcckOssqqMMMMM", b"EAPRS"),
        12 | 13 => (b"CCIIIIITTxxEkOqqPL", b""),
        _ => (b"DDJJNNTtttCEcvvvkOqqMMM", b"I+D-"),
    };
    let mut words: Vec<Vec<u8>> = Vec::new();
    for _ in 0..choices.below(9) {
        let letter = choices.pick(letters);
        let is_there = words.iter().any(|word| word[0] == letter);
        if !is_there && !without.contains(&letter) {
            words.push([&[letter][..], &token(letter, modes, choices)].concat());
        }
    }
    if is_encoded {
        words.insert(choices.below(words.len() + 1), b"b".to_vec());
    }
    let flags = flags_of(&words);
    let command = match kind {
        2..8 => MetaCommand::Get,
        8..12 => MetaCommand::Set(mode(flags.mode, flags.compare), line::value_len(choices)),
        12 | 13 => MetaCommand::Delete,
        _ if matches!(flags.mode, Some(b'D' | b'-')) => {
            MetaCommand::Arithmetic(Delta::Decrement(flags.delta))
        }
        _ => MetaCommand::Arithmetic(Delta::Increment(flags.delta)),
    };
    let meaning = MetaMeaning { command, key: plain, key_word, is_encoded, flags, words };
    Meaning::Meta(Box::new(meaning))
}

/// What stands after a letter.
fn token(letter: u8, modes: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    match letter {
        b'T' | b'N' | b'R' => line::exptime(choices).to_string().into(),
        // Small numbers are those that the first items of a model get.
        b'C' => choices.below(8).to_string().into(),
        b'E' => choices.pick(&[0, 3, 9, 1000, u64::MAX]).to_string().into(),
        b'F' => choices.pick(&[0, 1, 77, u32::MAX]).to_string().into(),
        b'D' | b'J' => choices.pick(&[0, 1, 9, 100, u64::MAX]).to_string().into(),
        b'O' => choices.pick(&[&b""[..], b"1", b"abcdefghijklmnopqrstuvwxyz01234"]).to_vec(),
        b'P' | b'L' => choices.pick(&[&b""[..], b"/route"]).to_vec(),
        b'M' => vec![choices.pick(modes)],
        _ => Vec::new(),
    }
}

fn mode(mode: Option<u8>, compare: Option<u64>) -> StoreMode {
    match (mode, compare) {
        (Some(b'E'), _) => StoreMode::Add,
        (Some(b'A'), _) => StoreMode::Append,
        (Some(b'P'), _) => StoreMode::Prepend,
        (_, Some(cas)) => StoreMode::Cas(cas),
        (Some(b'R'), None) => StoreMode::Replace,
        _ => StoreMode::Set,
    }
}
