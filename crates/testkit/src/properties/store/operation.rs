//! What a sequence of operations is made of, and how it is read from bytes.

use std::fmt;

use larder_store::{Amendment, Counting, Delta, Recache, Terms};

use super::shown::value;
use crate::script::Choices;

/// One thing that is asked of a store. Times are seconds from now on; a CAS number is said by what it is to the item.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Abandon(usize),
    Adjust {
        key: Vec<u8>,
        delta: Delta,
        compare: Option<Number>,
        counting: Counting,
        exptime: When,
    },
    Advance(u32),
    Amend {
        key: Vec<u8>,
        compare: Option<Number>,
        amendment: Amendment,
        exptime: When,
    },
    Commit {
        draft: usize,
        manner: Manner,
    },
    Delete(Vec<u8>),
    DeleteIf {
        key: Vec<u8>,
        cas: Number,
    },
    Draft(Announced),
    Feed {
        draft: usize,
        len: usize,
        in_place: bool,
    },
    Fetch {
        key: Vec<u8>,
        marks_hit: bool,
        exptime: When,
        recache: Again,
        creation: Option<Created>,
    },
    Fill {
        first: usize,
        count: usize,
        len: usize,
    },
    Flush,
    FlushAt(u32),
    Limit(u64),
    Pin(Vec<u8>),
    Put {
        announced: Announced,
        manner: Manner,
    },
    /// Visits of items that fill, or touches.
    Refresh {
        first: usize,
        count: usize,
        exptime: When,
    },
    ResetStats,
    Starve(u64),
    Sweep(usize),
    SweepAll,
    Touch {
        key: Vec<u8>,
        exptime: Option<u32>,
    },
    Unpin(usize),
    Visit(Vec<u8>),
    VisitTouching {
        key: Vec<u8>,
        exptime: Option<u32>,
    },
    Walk,
}

/// The head of an item that is stored, and its value.
#[derive(Clone)]
pub(super) struct Announced {
    pub(super) key: Vec<u8>,
    pub(super) flags: u32,
    pub(super) exptime: Option<u32>,
    pub(super) value: Vec<u8>,
}

impl fmt::Debug for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announced")
            .field("key", &self.key.escape_ascii())
            .field("flags", &self.flags)
            .field("exptime", &self.exptime)
            .field("value_len", &self.value.len())
            .finish_non_exhaustive()
    }
}

/// How a draft is committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) kind: Kind,
    /// Without [`Terms::compare`].
    pub(super) terms: Terms,
    pub(super) compare: Option<Number>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    Append,
    Cas(Number),
    Prepend,
    Replace,
    Set,
}

/// A CAS number, said by the item's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Own,
    Below,
    Above,
    Zero,
}

impl Number {
    pub(super) const fn of(self, own: u64) -> u64 {
        match self {
            Self::Own => own,
            Self::Below => own.wrapping_sub(1),
            Self::Above => own.wrapping_add(1),
            Self::Zero => 0,
        }
    }
}

/// A new expiry, if there is to be one.
pub(super) type When = Option<Option<u32>>;

/// Who is asked to renew an item.
#[derive(Debug, Clone, Copy)]
pub(super) enum Again {
    As(Recache),
    /// When it expires within so many seconds.
    Within(u32),
}

/// What becomes of a key that is fetched in vain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Created {
    pub(super) exptime: Option<u32>,
    pub(super) cas: Option<u64>,
}

impl Operation {
    /// The next operation that the bytes say.
    pub(super) fn read(choices: &mut Choices<'_>) -> Self {
        match choices.byte() % CODES {
            PUT..DRAFT => Self::Put { announced: announced(choices), manner: manner(choices) },
            DRAFT..FEED => Self::Draft(announced(choices)),
            FEED..COMMIT => Self::Feed {
                draft: choices.below(DRAFTS_MAX),
                len: choices.pick(&[1, 2, 10, 1000, 30_000, 65_536, 150_000, usize::MAX]),
                in_place: choices.below(2) == 1,
            },
            COMMIT..ABANDON => {
                Self::Commit { draft: choices.below(DRAFTS_MAX), manner: manner(choices) }
            }
            ABANDON => Self::Abandon(choices.below(DRAFTS_MAX)),
            REFRESH => Self::Refresh {
                first: choices.below(256) * 4,
                count: choices.below(128) + 1,
                exptime: when(choices),
            },
            FILL..REFRESH => Self::Fill {
                first: choices.below(256) * 4,
                count: choices.below(64) + 1,
                len: choices.pick(&[10, 32, 100, 250, 500, 1000, 3000, 9000]),
            },
            VISIT..TOUCH => Self::Visit(key(choices)),
            TOUCH => Self::Touch { key: key(choices), exptime: exptime(choices) },
            VISIT_TOUCHING => Self::VisitTouching { key: key(choices), exptime: exptime(choices) },
            FETCH..ADJUST => Self::Fetch {
                key: key(choices),
                marks_hit: choices.below(2) == 1,
                exptime: when(choices),
                recache: again(choices),
                creation: creation(choices),
            },
            ADJUST..AMEND => Self::Adjust {
                key: key(choices),
                delta: delta(choices),
                compare: compare(choices),
                counting: Counting { cas: given_cas(choices), ..Counting::default() },
                exptime: when(choices),
            },
            AMEND..DELETE => {
                let marks = choices.below(4);
                let (stales, empties) = (marks & 1 != 0, marks & 2 != 0);
                let cas = given_cas(choices);
                Self::Amend {
                    key: key(choices),
                    compare: compare(choices),
                    amendment: Amendment { stales, empties, cas, ..Amendment::default() },
                    exptime: when(choices),
                }
            }
            DELETE => Self::Delete(key(choices)),
            DELETE_IF => Self::DeleteIf { key: key(choices), cas: number(choices) },
            PIN..UNPIN => Self::Pin(key(choices)),
            UNPIN..ADVANCE => Self::Unpin(choices.below(PINS_MAX)),
            ADVANCE..SWEEP => Self::Advance(choices.pick(&[1, 1, 1, 2, 3, 60, 1300, 100_000])),
            SWEEP..SWEEP_ALL => Self::Sweep(choices.below(65)),
            SWEEP_ALL => Self::SweepAll,
            FLUSH => Self::Flush,
            FLUSH_AT => Self::FlushAt(choices.pick(&[0, 1, 2, 5])),
            LIMIT..WALK => Self::Limit(limit(choices)),
            WALK..STARVE => Self::Walk,
            STARVE => Self::Starve(choices.pick(&STARVED)),
            _ => Self::ResetStats,
        }
    }

    /// What a sweeper or an operator does between the operations of others.
    pub(super) fn read_slice(choices: &mut Choices<'_>) -> Self {
        match choices.byte() {
            byte @ 0..=199 => Self::Sweep(usize::from(byte) % 64 + 1),
            200..=219 => Self::Limit(limit(choices)),
            220..=225 => Self::Flush,
            226..=231 => Self::FlushAt(choices.pick(&[0, 1, 2])),
            232..=243 => Self::Advance(1),
            _ => Self::Walk,
        }
    }
}

fn limit(choices: &mut Choices<'_>) -> u64 {
    choices.pick(&LIMITS)
}

fn announced(choices: &mut Choices<'_>) -> Announced {
    let key = key(choices);
    let len = choices.pick(&VALUE_LENS);
    let seed = choices.byte();
    let flags = [0, 0, 7, u32::MAX][usize::from(seed % 4)];
    let value = match seed {
        0..=199 => value(len, seed),
        _ => {
            let mut number = NUMBERS[usize::from(seed) % NUMBERS.len()].to_vec();
            if seed >= 232 {
                number.resize(number.len().max(len), b' ');
            }
            number
        }
    };
    Announced { key, flags, exptime: exptime(choices), value }
}

fn manner(choices: &mut Choices<'_>) -> Manner {
    let kind = match choices.below(16) {
        0..6 => Kind::Set,
        6..8 => Kind::Add,
        8 => Kind::Replace,
        9..11 => Kind::Append,
        11..13 => Kind::Prepend,
        _ => Kind::Cas(number(choices)),
    };
    let terms = choices.byte();
    let cas = if terms >= 192 { given_cas(choices) } else { None };
    let compare = if terms.is_multiple_of(8) { compare(choices) } else { None };
    let terms = Terms {
        stales_when_older: terms & 1 != 0,
        creates: terms & 2 != 0,
        is_key_encoded: terms & 4 != 0,
        cas,
        ..Terms::default()
    };
    Manner { kind, terms, compare }
}

/// A few keys that come often, of every length there is, and a few of those that fill.
fn key(choices: &mut Choices<'_>) -> Vec<u8> {
    let number = choices.byte();
    match number {
        0..=199 => vec![b'a' + number % 12],
        200..=219 => vec![b'a' + number % 4; 20],
        220..=229 => vec![b'x' + number % 2; 250],
        230..=234 => vec![b'z'; 255],
        235 => vec![b'z'; 256],
        236 => Vec::new(),
        _ => fill_key(usize::from(number % 8) * 37),
    }
}

/// The key of an item that only fills.
pub(super) fn fill_key(number: usize) -> Vec<u8> {
    format!("fill {number}").into_bytes()
}

fn exptime(choices: &mut Choices<'_>) -> Option<u32> {
    let times = [None, None, None, Some(0), Some(1), Some(2), Some(5), Some(200), Some(90_000)];
    choices.pick(&times)
}

fn when(choices: &mut Choices<'_>) -> When {
    (choices.below(2) == 1).then(|| exptime(choices))
}

fn number(choices: &mut Choices<'_>) -> Number {
    choices.pick(&[
        Number::Own,
        Number::Own,
        Number::Own,
        Number::Below,
        Number::Above,
        Number::Zero,
    ])
}

fn compare(choices: &mut Choices<'_>) -> Option<Number> {
    (choices.below(2) == 1).then(|| number(choices))
}

fn given_cas(choices: &mut Choices<'_>) -> Option<u64> {
    choices.pick(&[None, None, None, Some(7), Some(u64::MAX), Some(1 << 33), Some(0)])
}

fn again(choices: &mut Choices<'_>) -> Again {
    choices.pick(&[
        Again::As(Recache::Never),
        Again::As(Recache::WhenStale),
        Again::As(Recache::Always),
        Again::Within(2),
    ])
}

fn creation(choices: &mut Choices<'_>) -> Option<Created> {
    (choices.below(2) == 1).then(|| Created { exptime: exptime(choices), cas: given_cas(choices) })
}

fn delta(choices: &mut Choices<'_>) -> Delta {
    choices.pick(&[
        Delta::Increment(1),
        Delta::Increment(0),
        Delta::Increment(995),
        Delta::Increment(u64::MAX),
        Delta::Decrement(1),
        Delta::Decrement(1000),
    ])
}

/// How many drafts are held at once, and how many pins.
pub(super) const DRAFTS_MAX: usize = 4;
pub(super) const PINS_MAX: usize = 6;

/// Limits of a store: 0, what is too little, what is just enough, what is little.
pub(super) const LIMITS: [u64; 12] =
    [2 << 20, 1 << 20, 300_000, 4 << 20, 100_000, 3 << 20, 600_000, 2 << 20, 200_000, 40_000, 1, 0];

/// What the system may give of segments.
const STARVED: [u64; 6] = [u64::MAX, 1 << 20, 1 << 17, 1 << 16, 1 << 15, 0];

/// Around every length at which values are kept in another way.
const VALUE_LENS: [usize; 27] = [
    5, 0, 1, 2, 3, 20, 32, 100, 250, 1000, 2030, 2046, 2047, 4090, 8100, 8180, 8190, 16_000,
    33_000, 65_000, 65_530, 65_536, 70_000, 131_072, 200_000, 400_000, 1_000_000,
];

/// Numbers, and what is nearly one.
const NUMBERS: [&[u8]; 16] = [
    b"0",
    b"9",
    b"99",
    b"1000",
    b"18446744073709551615",
    b"18446744073709551616",
    b"5  ",
    b" 7",
    b"+3",
    b"-1",
    b"1x",
    b"2\x003",
    b"   ",
    b"0000000000000000000000000000001",
    b"4 4",
    b"99999999999999999999999",
];

/// The first byte of an operation, as a remainder by [`CODES`]; each has the numbers up to the next.
pub(super) const PUT: u8 = 0;
pub(super) const DRAFT: u8 = 14;
pub(super) const FEED: u8 = 17;
pub(super) const COMMIT: u8 = 20;
pub(super) const ABANDON: u8 = 23;
pub(super) const FILL: u8 = 24;
pub(super) const REFRESH: u8 = 27;
pub(super) const VISIT: u8 = 28;
pub(super) const TOUCH: u8 = 31;
pub(super) const VISIT_TOUCHING: u8 = 32;
pub(super) const FETCH: u8 = 33;
pub(super) const ADJUST: u8 = 36;
pub(super) const AMEND: u8 = 39;
pub(super) const DELETE: u8 = 41;
pub(super) const DELETE_IF: u8 = 42;
pub(super) const PIN: u8 = 43;
pub(super) const UNPIN: u8 = 46;
pub(super) const ADVANCE: u8 = 48;
pub(super) const SWEEP: u8 = 51;
pub(super) const SWEEP_ALL: u8 = 54;
pub(super) const FLUSH: u8 = 55;
pub(super) const FLUSH_AT: u8 = 56;
pub(super) const LIMIT: u8 = 57;
pub(super) const WALK: u8 = 59;
pub(super) const STARVE: u8 = 62;
pub(super) const RESET_STATS: u8 = 63;
const CODES: u8 = 64;
