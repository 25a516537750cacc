//! Requests that are right in every detail.

use larder_protocol::{Delta, ShutdownMode, StoreMode};

use super::Choices;
use crate::reference::Meaning;

/// One request of any kind but `quit` and those that end the server.
pub fn valid_line(choices: &mut Choices<'_>) -> Meaning {
    match choices.below(16) {
        0..6 => storage(choices),
        6..8 => retrieval(choices),
        8 => Meaning::Delete { key: key(choices), quiet: is_quiet(choices) },
        9 | 10 => {
            let kind = if choices.below(2) == 0 { Delta::Increment } else { Delta::Decrement };
            let delta = kind(choices.pick(&[0, 1, 9, 100, u64::MAX, u64::MAX / 2]));
            Meaning::Arithmetic { key: key(choices), delta, quiet: is_quiet(choices) }
        }
        11 => {
            let (key, exptime) = (key(choices), exptime(choices));
            Meaning::Touch { key, exptime, quiet: is_quiet(choices) }
        }
        12 => Meaning::FlushAll { delay: exptime(choices), quiet: is_quiet(choices) },
        13 if choices.below(4) > 0 => super::meta::command(choices),
        13 => Meaning::Verbosity { level: choices.pick(&[0, 1, 2]), quiet: is_quiet(choices) },
        14 => {
            let mebibytes = choices.pick(&[0, 7, 8, 64, 1_000_000_001, u32::MAX]);
            Meaning::MemoryLimit { mebibytes, quiet: is_quiet(choices) }
        }
        _ => match choices.below(7) {
            0 => Meaning::Version,
            // Seldom, for nothing that follows is answered.
            6 if choices.below(8) == 0 => {
                Meaning::Watch { streams: Some(choices.pick(&[1, 2, 0xff])) }
            }
            6 => Meaning::Watch { streams: None },
            4 => super::order::key_dump(choices),
            5 => super::order::order(choices),
            1 => Meaning::Shutdown(ShutdownMode::Graceful),
            _ => {
                let topics: &[&[&str]] = &[&[], &["items"], &["reset"], &["x"], &["detail", "on"]];
                let topic = choices.pick(topics).iter();
                Meaning::Stats { topic: topic.map(|word| word.as_bytes().to_vec()).collect() }
            }
        },
    }
}

/// A retrieval of up to eight keys.
pub(super) fn retrieval(choices: &mut Choices<'_>) -> Meaning {
    let cas = choices.below(2) == 0;
    let touch = (choices.below(4) == 0).then(|| exptime(choices));
    let key_count = 1 + choices.below(8);
    Meaning::Get { cas, touch, keys: (0..key_count).map(|_| key(choices)).collect() }
}

fn storage(choices: &mut Choices<'_>) -> Meaning {
    // Small numbers are those that the first items of a model get.
    let cas = if choices.below(8) == 0 { u64::MAX } else { choices.below(16) as u64 };
    let modes = [
        StoreMode::Set,
        StoreMode::Set,
        StoreMode::Set,
        StoreMode::Add,
        StoreMode::Append,
        StoreMode::Prepend,
        StoreMode::Replace,
        StoreMode::Cas(cas),
    ];
    Meaning::Storage {
        mode: choices.pick(&modes),
        key: key(choices),
        flags: choices.pick(&[0, 1, 77, u32::MAX]),
        exptime: exptime(choices),
        value_len: value_len(choices),
        quiet: is_quiet(choices),
    }
}

/// One of few keys, so that requests meet.
pub(super) fn key(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(16) {
        number @ 0..11 => vec![b"aaaabbbbccd"[number]],
        11 => b"noreply".to_vec(),
        12 => vec![b'k'; 250],
        13 => b"\0\xff\ttab\x01".to_vec(),
        14 => b"a\rb".to_vec(),
        _ => vec![b'm'; 1 + choices.below(249)],
    }
}

/// Lengths of no interest, and those around which copying ends, a read ends, and memory runs out.
pub(super) fn value_len(choices: &mut Choices<'_>) -> usize {
    match choices.below(16) {
        0..7 => choices.below(32),
        7 => 0,
        8 => 256 + choices.below(256),
        9..11 => 2040 + choices.below(16),
        // What is this long is not copied any more, but sent from where it lies.
        11 => 8184 + choices.below(16),
        12 => 2990 + choices.below(20),
        13 => 16_370 + choices.below(30),
        14 => 96 * choices.below(256),
        _ => 100,
    }
}

pub(super) fn exptime(choices: &mut Choices<'_>) -> i64 {
    const TIMES: [i32; 12] = [0, 0, 0, 0, 0, 1, 100, -1, 2_592_000, 2_592_001, i32::MAX, i32::MIN];
    choices.pick(&TIMES).into()
}

fn is_quiet(choices: &mut Choices<'_>) -> bool {
    choices.below(4) == 0
}
