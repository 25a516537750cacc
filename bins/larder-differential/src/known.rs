//! Where memcached 1.6.18 is known to answer otherwise than the reference version, 1.6.45, or than Larder means to.
//!
//! Each has the fact that excuses it, the lines that it is about, which conversations leave out, and a probe: requests
//! of the kind, with what both servers must then answer. So an excuse that is needed no more is found like any other
//! difference.

pub(crate) mod frames;

use std::fmt;

use larder_testkit::reference::{Meaning, read};
use larder_testkit::script::Choices;

/// A difference that is excused.
pub struct Known {
    /// As in the transcripts.
    pub name: &'static str,
    /// What excuses it.
    pub fact: &'static str,
    /// Whether a line, given by its words, is one of those that it is about.
    pub is_about: fn(&[&[u8]]) -> bool,
    /// Writes requests that show it; `{fence}` in them waits for replies, `{cas}` is the number of the key `probe`.
    pub probe: fn(&mut Choices<'_>) -> Vec<u8>,
    /// Whether these are the replies that are known: Larder's and memcached's.
    pub is_met: fn(&[u8], &[u8]) -> bool,
}

impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// Those that are about lines, and those that are about frames.
pub fn all() -> impl Iterator<Item = &'static Known> + Clone {
    KNOWN.iter().chain(frames::FRAMES.iter().map(|frame| &frame.known))
}

/// The difference that a line is about, given without its newline.
#[must_use]
pub(crate) fn of(line: &[u8]) -> Option<&'static Known> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.first() == Some(&b' ') {
        return KNOWN.iter().find(|known| known.name == "leading-space");
    }
    let words: Vec<&[u8]> =
        line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect();
    KNOWN.iter().find(|known| (known.is_about)(&words))
}

/// Changes a data block that the differences `blank-counter` and `long-counter` are about: blanks only, or a number and
/// blanks in what may become a long value.
pub(crate) fn speak(line: &[u8], block: &mut [u8]) {
    let Some(value_len) = block.len().checked_sub(2) else { return };
    let joins =
        line.starts_with(b"append") || line.starts_with(b"prepend") || line.starts_with(b"ms");
    speak_value(joins, &mut block[..value_len]);
}

/// The same for a value that joins another one or does not.
pub(crate) fn speak_value(joins: bool, value: &mut [u8]) {
    let is_long = value.len() > 16_000 || (joins && value.len() > 100);
    let has_blanks_only = value.iter().all(u8::is_ascii_whitespace);
    for (place, byte) in value.iter_mut().enumerate() {
        if byte.is_ascii_whitespace() && (is_long || (has_blanks_only && place == 0)) {
            *byte = b'x';
        }
    }
}

/// Those that are about lines.
const KNOWN: &[Known] = &[
    Known {
        name: "append-creates",
        fact: "1.6.45 lets `ms` with A or P create what it would join to, if it says N",
        is_about: |words| {
            let joins = |word: &&[u8]| matches!(word, [b'M', b'A' | b'P', ..]);
            is_meta(words, b"ms") && flags(words).iter().any(joins) && has_flag(words, b"N")
        },
        probe: |choices| {
            let mode = choices.pick(&["A", "P"]);
            format!("ms probe 1 M{mode} N100\r\nx\r\n").into()
        },
        is_met: |larder, memcached| larder == b"HD\r\n" && memcached == b"NS\r\n",
    },
    Known {
        name: "blank-counter",
        fact: "1.6.18 looks for the number of a value of blanks behind its end, in memory of somebody else",
        is_about: |_| false,
        probe: |_| b"set probe 0 0 3\r\n   \r\nincr probe 1\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == [b"STORED\r\n", NON_NUMERIC].concat() && memcached.starts_with(b"STORED\r\n")
        },
    },
    Known {
        name: "closed-in-silence",
        fact: "1.6.18 drops the replies before a request of HTTP with the connection; Larder sends them",
        is_about: |words| words.last().is_some_and(|word| word.starts_with(b"HTTP/")),
        probe: |_| b"me probe\r\nGET / HTTP/1.1\r\n".to_vec(),
        is_met: |larder, memcached| larder == b"EN\r\n" && memcached.is_empty(),
    },
    Known {
        name: "counted-when-refused",
        fact: "1.6.18 counts a flush with a bad time, keys before one that is too long, an item with a long opaque",
        is_about: |words| {
            let is_get = matches!(words.first(), Some(&(b"get" | b"gets" | b"gat" | b"gats")));
            let is_bad_flush =
                is_meta(words, b"flush_all") && matches!(meaning(words), Meaning::Refused { .. });
            let is_long = |word: &&[u8]| matches!(word, [b'O', opaque @ ..] if opaque.len() > 31);
            let is_bad_opaque = is_any_meta(words) && flags(words).iter().any(is_long);
            is_bad_flush
                || is_bad_opaque
                || (is_get && words.iter().any(|word| word.len() > KEY_LEN_MAX))
        },
        probe: |_| [&b"get probe "[..], &[b'k'; 251], b"\r\n"].concat(),
        is_met: |larder, memcached| larder == BAD_FORMAT && memcached == BAD_FORMAT,
    },
    Known {
        name: "data-swallowed",
        fact: "1.6.18 executes the data block of a refused line; Larder throws it away when its length parses",
        is_about: |words| matches!(meaning(words), Meaning::Refused { skip_len: 1.., .. }),
        probe: |choices| {
            let line = choices.pick(&[
                "set probe x 0 7",
                "set probe 0 x 7",
                "set probe -1 0 7",
                "cas probe 0 0 7 x",
                "add probe 0 9223372036854775808 7",
            ]);
            format!("{line}\r\nversion\r\n").into()
        },
        is_met: |larder, memcached| {
            larder == BAD_FORMAT && memcached == [BAD_FORMAT, b"VERSION 1.6.18\r\n"].concat()
        },
    },
    Known {
        name: "extra-tokens",
        fact: "1.6.45 ignores words it does not know, and takes noreply as the last of them",
        is_about: |words| {
            let words_max = match words.first() {
                Some(&(b"set" | b"add" | b"replace" | b"append" | b"prepend")) => 6,
                Some(&b"cas") => 7,
                Some(&(b"incr" | b"decr" | b"touch" | b"delete")) => 4,
                _ => return false,
            };
            words.len() > words_max
        },
        probe: |choices| {
            let words = choices.pick(&["noreply x", "x y", "1 2 3 4"]);
            format!("set probe 0 0 7 {words}\r\nversion\r\n").into()
        },
        is_met: |larder, memcached| {
            larder == b"STORED\r\n" && memcached == b"ERROR\r\nVERSION 1.6.18\r\n"
        },
    },
    Known {
        name: "flag-byte",
        fact: "1.6.45 tells other bytes than letters and digits from letters that it does not know",
        is_about: |words| {
            let is_odd = |word: &&[u8]| !word[0].is_ascii_alphanumeric();
            is_any_meta(words) && flags(words).iter().any(is_odd)
        },
        probe: |choices| [b"mg probe ", &[choices.pick(b"-+_/.")][..], b"\r\n"].concat(),
        is_met: |larder, memcached| {
            larder == BAD_FORMAT && memcached == b"CLIENT_ERROR invalid flag\r\n"
        },
    },
    Known {
        name: "flag-c",
        fact: "1.6.45 knows C of `mg`",
        is_about: |words| is_meta(words, b"mg") && has_flag(words, b"C"),
        probe: |_| b"set probe 0 0 1\r\nx\r\n{fence}mg probe v C{cas}\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"STORED\r\nHD\r\n" && memcached == b"STORED\r\nVA 1\r\nx\r\n"
        },
    },
    Known {
        name: "flag-count",
        fact: "1.6.45 counts 20 words, 1.6.18 its own end of the line among them",
        is_about: |words| is_any_meta(words) && words.len() > 19,
        probe: |_| b"mg probe s t c f v h u k l O F1 MI J1 D1 I P L R1\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"EN kprobe O\r\n"
                && memcached == b"CLIENT_ERROR options flags are too long\r\n"
        },
    },
    Known {
        name: "flag-e",
        fact: "1.6.45 knows E",
        is_about: |words| is_any_meta(words) && has_flag(words, b"E"),
        probe: |_| b"ms probe 1 E7 c\r\nx\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"HD c7\r\n" && memcached == b"CLIENT_ERROR invalid flag\r\n"
        },
    },
    Known {
        name: "flag-s",
        fact: "1.6.45 knows s of `ms`",
        is_about: |words| is_meta(words, b"ms") && has_flag(words, b"s"),
        probe: |_| b"ms probe 3 s\r\nabc\r\n".to_vec(),
        is_met: |larder, memcached| larder == b"HD s3\r\n" && memcached == b"HD\r\n",
    },
    Known {
        name: "flag-x",
        fact: "1.6.45 knows x of `md`",
        is_about: |words| is_meta(words, b"md") && has_flag(words, b"x"),
        probe: |_| b"set probe 5 0 1\r\nx\r\nmd probe x\r\nget probe\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"STORED\r\nHD\r\nVALUE probe 0 0\r\n\r\nEND\r\n"
                && memcached != larder
                && memcached.starts_with(b"STORED\r\n")
        },
    },
    Known {
        name: "flush-past",
        fact: "memcached flushes what was stored before the time that was said, Larder everything",
        is_about: |words| {
            let Meaning::FlushAll { delay, .. } = meaning(words) else { return false };
            (2_592_001..1_800_000_000).contains(&delay)
        },
        probe: |_| b"set probe 0 0 1\r\nx\r\nflush_all 2592001\r\nget probe\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"STORED\r\nOK\r\nEND\r\n"
                && memcached == b"STORED\r\nOK\r\nVALUE probe 0 1\r\nx\r\nEND\r\n"
        },
    },
    Known {
        name: "flush-forgotten",
        fact: "in memcached the next flush with a delay brings back what the last one has not removed yet",
        is_about: |_| false,
        probe: |_| {
            b"set probe 0 0 1\r\nx\r\nflush_all -1\r\nflush_all 100\r\nget probe\r\n".to_vec()
        },
        is_met: |larder, memcached| {
            larder == b"STORED\r\nOK\r\nOK\r\nEND\r\n"
                && memcached == b"STORED\r\nOK\r\nOK\r\nVALUE probe 0 1\r\nx\r\nEND\r\n"
        },
    },
    Known {
        name: "flush-second",
        fact: "memcached flushes a second before the time that was said, with everything stored in that second",
        is_about: |words| matches!(meaning(words), Meaning::FlushAll { delay: 1, .. }),
        probe: |_| b"flush_all 1\r\nset probe 0 0 1\r\nx\r\nget probe\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"OK\r\nSTORED\r\nVALUE probe 0 1\r\nx\r\nEND\r\n"
                && memcached == b"OK\r\nSTORED\r\nEND\r\n"
        },
    },
    Known {
        name: "key-in-line",
        fact: "1.6.18 says a key in base64 as it is, also when that ends the line",
        is_about: |words| match meaning(words) {
            Meaning::Meta(meta) => {
                meta.is_encoded && meta.key.iter().any(|byte| matches!(byte, b'\n' | b' '))
            }
            _ => false,
        },
        probe: |_| b"mg AQog N0 b k\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"HD kAQog b W\r\n" && memcached == b"HD k\x01\n  W\r\n"
        },
    },
    Known {
        name: "leading-space",
        fact: "1.6.45 takes a leading blank for an empty name",
        is_about: |_| false,
        probe: |choices| choices.pick(&[&b" get probe\r\n"[..], b"  gets probe\r\n"]).to_vec(),
        is_met: |larder, memcached| larder == b"ERROR\r\n" && memcached == b"END\r\n",
    },
    Known {
        name: "long-counter",
        fact: "Larder counts in values of one segment, 64 KiB, memcached in values of up to half a mebibyte",
        is_about: |_| false,
        probe: |_| {
            [b"set probe 0 0 70000\r\n7", &[b' '; 69_999][..], b"\r\n{fence}incr probe 1\r\n"]
                .concat()
        },
        is_met: |larder, memcached| {
            larder == [b"STORED\r\n", NON_NUMERIC].concat() && memcached == b"STORED\r\n8\r\n"
        },
    },
    Known {
        name: "loose-base64",
        fact: "memcached decodes base64 up to where it ends, Larder refuses a word that is not base64 as a whole",
        is_about: |words| {
            let is_refused = matches!(meaning(words), Meaning::Refused { .. });
            is_any_meta(words) && has_flag(words, b"b") && is_refused
        },
        probe: |_| b"mg enp6eg==\x02 b\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"CLIENT_ERROR error decoding key\r\n" && memcached == b"EN\r\n"
        },
    },
    Known {
        name: "me-b",
        fact: "1.6.45 looks for the b of `me` among more words",
        is_about: |words| is_meta(words, b"me") && words.len() > 2,
        probe: |_| b"set probe 0 0 1\r\nx\r\nme cHJvYmU= b\r\nme cHJvYmU= b b\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder.starts_with(b"STORED\r\nEN\r\nME ") && memcached.starts_with(b"STORED\r\nME ")
        },
    },
    Known {
        name: "minus-zero",
        fact: "memcached takes -0 for a number without a sign",
        is_about: |words| words.iter().any(|word| word.starts_with(b"-0")),
        probe: |_| b"set probe 0 0 -0\r\n\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == [BAD_FORMAT, BAD_FORMAT].concat() && memcached == b"STORED\r\n"
        },
    },
    Known {
        name: "missing-arguments",
        fact: "1.6.45 answers CLIENT_ERROR to a command without all its words",
        is_about: |words| {
            let words_min = match words.first() {
                Some(&(b"get" | b"gets" | b"delete" | b"mg" | b"md" | b"ma" | b"me")) => 2,
                Some(&(b"incr" | b"decr" | b"touch" | b"gat" | b"gats" | b"ms")) => 3,
                Some(&(b"set" | b"add" | b"replace" | b"append" | b"prepend")) => 5,
                Some(&b"cas") => 6,
                _ => return false,
            };
            words.len() < words_min
        },
        probe: |choices| {
            let lines =
                ["get", "delete", "incr probe", "touch probe", "set probe 0 0", "mg", "md", "ma"];
            format!("{}\r\n", choices.pick(&lines)).into()
        },
        is_met: |larder, memcached| larder == BAD_FORMAT && memcached == b"ERROR\r\n",
    },
    Known {
        name: "nul-in-line",
        fact: "1.6.45 accepts NUL bytes in keys",
        is_about: |words| words.iter().any(|word| word.contains(&0)),
        probe: |_| b"set pro\0be 0 0 7\r\nversion\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"STORED\r\n" && memcached == b"ERROR\r\nVERSION 1.6.18\r\n"
        },
    },
    Known {
        name: "short-line",
        fact: "1.6.45 answers CLIENT_ERROR to lines of less than 4 bytes",
        is_about: |words| words.join(&b' ').len() < 3,
        probe: |choices| choices.pick(&[&b"a\r\n"[..], b"\r\n", b"ab\n"]).to_vec(),
        is_met: |larder, memcached| larder == BAD_FORMAT && memcached == b"ERROR\r\n",
    },
    Known {
        name: "shutdown-text",
        fact: "1.6.45 says that it is an error of the server",
        is_about: |words| words.first() == Some(&&b"shutdown"[..]),
        probe: |choices| format!("shutdown{}\r\n", choices.pick(&["", " graceful", " x"])).into(),
        is_met: |larder, memcached| {
            larder == b"SERVER_ERROR: shutdown not enabled\r\n"
                && memcached == b"ERROR: shutdown not enabled\r\n"
        },
    },
    Known {
        name: "sign-behind",
        fact: "1.6.18 looks for a sign behind a number of 64 bits, up to a NUL in memory of somebody else",
        is_about: |words| {
            let is_huge = |word: &[u8]| parse(word).is_some_and(|number| number >= 1 << 63);
            let is_huge_flag = |word: &&[u8]| matches!(word.split_first(), Some((b'D' | b'J', number)) if is_huge(number));
            match words {
                [b"incr", _, delta, ..] => is_huge(delta),
                [b"ma", _, flags @ ..] => flags.iter().any(is_huge_flag),
                _ => false,
            }
        },
        probe: |_| b"set probe 0 0 22\r\n18446744073709551615 -\r\nincr probe 0\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"STORED\r\n18446744073709551615\r\n"
                && memcached == [b"STORED\r\n", NON_NUMERIC].concat()
        },
    },
    Known {
        name: "sum-grows",
        fact: "1.6.18 gives the new exptime to the item that a longer number has replaced",
        is_about: |words| is_meta(words, b"ma") && has_flag(words, b"T"),
        probe: |_| b"set probe 0 0 1\r\n9\r\nma probe T100\r\nmg probe t\r\n".to_vec(),
        is_met: |larder, memcached| {
            larder == b"STORED\r\nHD\r\nHD t100\r\n" && memcached == b"STORED\r\nHD\r\nHD t-1\r\n"
        },
    },
    Known {
        name: "wide-numbers",
        fact: "1.6.18 takes numbers that do not fit their 32 bits",
        is_about: |words| {
            let is_wide = |word: &&[u8]| match word {
                [b'T' | b'N' | b'R', number @ ..] => {
                    parse(number).is_none_or(|number| i32::try_from(number).is_err())
                }
                [b'F', number @ ..] => {
                    parse(number).is_none_or(|number| u32::try_from(number).is_err())
                }
                _ => false,
            };
            let number = match words {
                [b"ms", _, len, ..] => parse(len),
                [
                    b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas",
                    _,
                    _,
                    _,
                    len,
                    ..,
                ] => parse(len),
                _ => None,
            };
            let is_wide_number = number.is_some_and(|number| i32::try_from(number).is_err());
            is_wide_number || (is_any_meta(words) && flags(words).iter().any(is_wide))
        },
        probe: |_| b"ms probe 1 F4294967296\r\nx\r\n".to_vec(),
        is_met: |larder, memcached| larder == BAD_FORMAT && memcached == b"HD\r\n",
    },
];

/// What a line of these words means.
fn meaning(words: &[&[u8]]) -> Meaning {
    // The line's own end: one that is in the last word stays there.
    read(&[&words.join(&b' ')[..], b"\r"].concat())
}

fn is_meta(words: &[&[u8]], name: &[u8]) -> bool {
    words.first() == Some(&name)
}

fn is_any_meta(words: &[&[u8]]) -> bool {
    matches!(words.first(), Some(&(b"mg" | b"ms" | b"md" | b"ma")))
}

/// The flags of a meta command.
fn flags<'w, 'l>(words: &'w [&'l [u8]]) -> &'w [&'l [u8]] {
    let before = if is_meta(words, b"ms") { 3 } else { 2 };
    words.get(before..).unwrap_or_default()
}

fn has_flag(words: &[&[u8]], letter: &[u8]) -> bool {
    flags(words).iter().any(|word| word.starts_with(letter))
}

fn parse(number: &[u8]) -> Option<i128> {
    std::str::from_utf8(number).ok()?.trim().parse().ok()
}

const BAD_FORMAT: &[u8] = b"CLIENT_ERROR bad command line format\r\n";

const NON_NUMERIC: &[u8] = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";

/// Longest key, in bytes.
const KEY_LEN_MAX: usize = 250;
