//! What goes wrong with a line on its way.

use super::{Choices, LINE_ENDS};
use crate::reference::{Meaning, print};

/// A line, given without its end, with more blanks than it needs and with one of the line ends that are allowed.
pub(super) fn dressed(line: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.below(4) > 0 {
        return [line, b"\r\n"].concat();
    }
    let gap = vec![b' '; 1 + choices.below(4)];
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let mut dressed = words.join(&gap[..]);
    dressed.extend_from_slice(choices.pick(LINE_ENDS));
    dressed
}

/// A line of this meaning with one fault in it: mostly no request any more, or another one. Without its end.
#[must_use]
pub fn broken_line(meaning: &Meaning, choices: &mut Choices<'_>) -> Vec<u8> {
    let line = print(meaning);
    let mut words: Vec<Vec<u8>> = line.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect();
    let place = choices.below(words.len().min(256));
    match choices.below(8) {
        0 => drop(words.remove(place)),
        1 => words.push(choices.pick(WORDS).to_vec()),
        2 => words.insert(place, choices.pick(WORDS).to_vec()),
        3 => words[place] = vec![b'k'; 249 + choices.below(4)],
        4 => words[place].push(choices.byte()),
        5 => words.truncate(place),
        _ => words[place] = choices.pick(WORDS).to_vec(),
    }
    let mut line = words.join(&b' ');
    line.retain(|&byte| byte != b'\n');
    line
}

/// Words that mean something in some place, or nearly.
const WORDS: &[&[u8]] = &[
    b"v",
    b"k",
    b"b",
    b"Tx",
    b"F4294967296",
    b"MXX",
    b"ME",
    b"Z",
    b"-",
    b"Oabcdefghijklmnopqrstuvwxyz0123456",
    b"",
    b"0",
    b"-1",
    b"+1",
    b"-0",
    b"+",
    b"-",
    b"00000000000000000000000007",
    b"2147483645",
    b"2147483646",
    b"2147483647",
    b"2147483648",
    b"-2147483648",
    b"-2147483649",
    b"4294967295",
    b"4294967296",
    b"18446744073709551615",
    b"18446744073709551616",
    b"340282366920938463463374607431768211456",
    b"0x10",
    b"1e3",
    b"noreply",
    b"NOREPLY",
    b"noreply ",
    b"HTTP/1.1",
    b"\r",
    b"\0",
    b"get",
    b"gets",
    b"gat",
    b"set",
    b"cas",
    b"delete",
    b"incr",
    b"touch",
    b"flush_all",
    b"verbosity",
    b"cache_memlimit",
    b"shutdown",
    b"graceful",
    b"stats",
    b"version",
    b"quit",
];
