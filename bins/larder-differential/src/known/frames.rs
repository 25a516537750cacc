//! The same for frames of the binary protocol.

use larder_protocol::binary::Opcode;
use larder_testkit::reference::ClientFrame;

use super::Known;

/// A difference of frames that is excused.
#[derive(Debug)]
pub(crate) struct KnownFrame {
    /// What it is; it is about no line.
    pub known: Known,
    /// Whether a frame, given by its head and extras, is one of those that it is about.
    pub is_about: fn(&Head, &[u8]) -> bool,
}

/// What a head says of its frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The first byte.
    pub magic: u8,
    pub opcode: u8,
    /// Length of the extras, in bytes.
    pub extras_len: usize,
    /// Length of the key, in bytes.
    pub key_len: usize,
    /// Length of extras, key and value, in bytes.
    pub body_len: usize,
}

/// The difference that a frame is about.
pub(crate) fn of(head: &Head, extras: &[u8]) -> Option<&'static Known> {
    FRAMES.iter().find(|frame| (frame.is_about)(head, extras)).map(|frame| &frame.known)
}

/// All of them.
pub(crate) const FRAMES: &[KnownFrame] = &[
    KnownFrame {
        known: Known {
            name: "body-skipped-twice",
            fact: "1.6.18 throws extras and key of an unknown opcode away twice",
            is_about: |_| false,
            probe: |choices| {
                let opcode = choices.pick(&[0x1b, 0x30, 0xff]);
                let key = b"24 bytes, as a head has.".to_vec();
                let unknown = ClientFrame { key, ..ClientFrame::new(opcode) };
                [unknown.bytes(), noop()].concat()
            },
            is_met: |larder, memcached| {
                larder.strip_suffix(&reply_to_noop()[..]) == Some(memcached)
                    && statuses(memcached) == [UNKNOWN]
            },
        },
        is_about: |head, _| {
            let is_sasl = matches!(head.opcode, 0x20..=0x22);
            let is_unknown = is_sasl || Opcode::parse(head.opcode).is_none();
            is_unknown && head.extras_len + head.key_len > 0
        },
    },
    KnownFrame {
        known: Known {
            name: "closed-in-silence",
            fact: "1.6.18 drops replies with the connection when a frame does not begin as one; Larder sends them",
            is_about: |_| false,
            probe: |choices| {
                let mut odd = noop();
                odd[0] = choices.pick(&[0, b'g', 0x81]);
                [set_probe(b"x".to_vec()), of_probe(0x00, &[], &[]), odd].concat()
            },
            is_met: |larder, memcached| statuses(larder) == [OK, OK] && memcached.is_empty(),
        },
        // Its replies are waited for before.
        is_about: |_, _| false,
    },
    KnownFrame {
        known: Known {
            name: "flush-past",
            fact: "memcached flushes what was stored before the time that was said, Larder everything",
            is_about: |_| false,
            probe: |_| {
                let flush =
                    ClientFrame { extras: seconds(2_592_001), ..ClientFrame::new(0x08) }.bytes();
                [set_probe(b"x".to_vec()), flush, of_probe(0x00, &[], &[])].concat()
            },
            is_met: |larder, memcached| {
                statuses(larder) == [OK, OK, NOT_FOUND] && statuses(memcached) == [OK, OK, OK]
            },
        },
        is_about: |head, extras| {
            delay(head, extras).is_some_and(|delay| (2_592_001..1_800_000_000).contains(&delay))
        },
    },
    KnownFrame {
        known: Known {
            name: "flush-second",
            fact: "memcached flushes a second before the time that was said, with everything stored in that second",
            is_about: |_| false,
            probe: |_| {
                let flush = ClientFrame { extras: seconds(1), ..ClientFrame::new(0x08) }.bytes();
                [flush, set_probe(b"x".to_vec()), of_probe(0x00, &[], &[])].concat()
            },
            is_met: |larder, memcached| {
                statuses(larder) == [OK, OK, OK] && statuses(memcached) == [OK, OK, NOT_FOUND]
            },
        },
        is_about: |head, extras| delay(head, extras) == Some(1),
    },
    KnownFrame {
        known: Known {
            name: "huge-body",
            fact: "1.6.18 loses count of a body of more than a gibibyte, Larder refuses it and closes",
            is_about: |_| false,
            probe: |choices| {
                let mut huge = ClientFrame::new(choices.pick(&[0x30, 0xff])).bytes();
                huge[8] = choices.pick(&[0x80, 0xff]);
                huge
            },
            is_met: |larder, memcached| {
                statuses(larder) == [INVALID] && statuses(memcached) == [UNKNOWN]
            },
        },
        is_about: |head, _| head.body_len > 1 << 30,
    },
    KnownFrame {
        known: Known {
            name: "large-uncounted",
            fact: "1.6.18 does not count frames that are too large for an item in `store_too_large`",
            is_about: |_| false,
            probe: |_| {
                let stats = ClientFrame::new(0x10).bytes();
                [stats.clone(), set_probe(vec![b'x'; 1 << 20]), stats].concat()
            },
            is_met: |larder, memcached| {
                [larder, memcached].map(|replies| growth(replies, b"store_too_large"))
                    == [Some(1), Some(0)]
            },
        },
        // They are sent, and the counter is left out.
        is_about: |_, _| false,
    },
    KnownFrame {
        known: Known {
            name: "long-key-dropped",
            fact: "memcached closes without a word when extras and key that it waits for do not fit its buffer",
            is_about: |_| false,
            probe: |_| {
                let mut beyond = ClientFrame::new(0x00).bytes();
                beyond[2..4].fill(0xff);
                beyond.extend([b'x'; u16::MAX as usize]);
                beyond
            },
            is_met: |larder, memcached| statuses(larder) == [UNKNOWN] && memcached.is_empty(),
        },
        is_about: |head, _| {
            let args_len = head.extras_len + head.key_len;
            args_len > head.body_len && args_len > AWAITED_MAX
        },
    },
    KnownFrame {
        known: Known {
            name: "sign-behind",
            fact: "1.6.18 looks for a sign behind a number of 64 bits, up to a NUL in memory of somebody else",
            is_about: |_| false,
            probe: |_| {
                let sum = of_probe(0x05, &[0; 20], &[]);
                [set_probe(b"18446744073709551615 -".to_vec()), sum].concat()
            },
            is_met: |larder, memcached| {
                statuses(larder) == [OK, OK] && statuses(memcached) == [OK, NON_NUMERIC]
            },
        },
        is_about: |head, extras| {
            let is_increment = matches!(head.opcode, 0x05 | 0x15);
            let is_decrement = matches!(head.opcode, 0x06 | 0x16);
            let is_huge = |at: usize| extras.get(at).is_some_and(|&byte| byte >= 0x80);
            (is_increment && is_huge(0)) || ((is_increment || is_decrement) && is_huge(8))
        },
    },
    KnownFrame {
        known: Known {
            name: "value-reparsed",
            fact: "1.6.18 takes a value that a touch does not have for the next request",
            is_about: |_| false,
            probe: |choices| {
                let opcode = choices.pick(&[0x1c, 0x1d, 0x23]);
                of_probe(opcode, &seconds(0), &noop())
            },
            is_met: |larder, memcached| {
                statuses(larder) == [INVALID] && statuses(memcached) == [NOT_FOUND, OK]
            },
        },
        is_about: |head, _| {
            let is_touch = matches!(head.opcode, 0x1c..=0x1e | 0x23 | 0x24);
            is_touch && head.body_len > head.extras_len + head.key_len
        },
    },
];

/// In how many seconds a flush is meant to be.
fn delay(head: &Head, extras: &[u8]) -> Option<u32> {
    let is_flush = matches!(head.opcode, 0x08 | 0x18);
    is_flush.then(|| extras.try_into().map_or(0, u32::from_be_bytes))
}

fn noop() -> Vec<u8> {
    ClientFrame::new(0x0a).bytes()
}

fn reply_to_noop() -> Vec<u8> {
    let mut reply = noop();
    reply[0] = 0x81;
    reply
}

fn of_probe(opcode: u8, extras: &[u8], value: &[u8]) -> Vec<u8> {
    let (key, extras, value) = (b"probe".to_vec(), extras.to_vec(), value.to_vec());
    ClientFrame { key, extras, value, ..ClientFrame::new(opcode) }.bytes()
}

fn set_probe(value: Vec<u8>) -> Vec<u8> {
    of_probe(0x01, &[0; 8], &value)
}

fn seconds(seconds: u32) -> Vec<u8> {
    seconds.to_be_bytes().to_vec()
}

/// The statuses of replies, in order.
fn statuses(mut replies: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while let [_, _, _, _, _, _, high, low, a, b, c, d, ..] = *replies {
        statuses.push(u16::from_be_bytes([high, low]));
        let body_len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        replies = replies.get(body_len.saturating_add(24)..).unwrap_or_default();
    }
    statuses
}

/// By how much the counter of this name has grown from the first to the last time that replies say it.
fn growth(replies: &[u8], name: &[u8]) -> Option<u64> {
    let mut said = replies.windows(name.len()).enumerate().filter(|(_, said)| *said == name).map(
        |(start, _)| {
            let digits =
                replies[start + name.len()..].iter().take_while(|byte| byte.is_ascii_digit());
            digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
        },
    );
    let first = said.next()?;
    said.next_back()?.checked_sub(first)
}

/// For so many bytes of extras and key that its head announces and its body does not have memcached waits, whatever else is
/// in its buffer.
pub(crate) const AWAITED_MAX: usize = 1000;

const OK: u16 = 0;
const NOT_FOUND: u16 = 1;
const NON_NUMERIC: u16 = 6;
const INVALID: u16 = 4;
const UNKNOWN: u16 = 0x81;
