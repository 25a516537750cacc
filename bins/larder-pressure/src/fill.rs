//! Filling a server: new keys of 20 bytes, values of a given law, until something is evicted.

use larder_load::{Keys, ValueSize};
use rand::{SeedableRng as _, rngs::SmallRng};

use crate::error::Error;
use crate::wire::Wire;

/// A stream of items whose keys have never been before: the same for every server.
#[derive(Debug)]
pub(crate) struct Fill {
    keys: Keys,
    sizes: ValueSize,
    random: SmallRng,
    /// Shortest life in seconds, and how many lengths of it there are; none for ever.
    lives: Option<(u32, u32)>,
    next: u64,
    key: Vec<u8>,
}

impl Fill {
    /// Items of this law; the prefix tells the streams of one run apart, and has at most 8 bytes.
    pub(crate) fn new(prefix: &str, sizes: ValueSize) -> Result<Self, Error> {
        let keys = Keys::new(prefix, KEY_LEN, KEYS_MAX);
        let keys = keys.map_err(|error| Error::new(error.to_string()))?;
        let random = SmallRng::seed_from_u64(SEED);
        Ok(Self { keys, sizes, random, lives: None, next: 0, key: Vec::new() })
    }

    /// From now on items live for this many seconds or up to `span` seconds longer; that one is not included.
    pub(crate) fn lives(&mut self, shortest: u32, span: u32) {
        self.lives = Some((shortest, span.max(1)));
    }

    /// Stores the next items, without waiting for them.
    pub(crate) fn push(&mut self, wire: &mut Wire, count: u64) -> Result<(), Error> {
        for _ in 0..count {
            let number = self.next;
            self.next += 1;
            let len = self.sizes.pick(&mut self.random);
            self.store(wire, number, len)?;
        }
        Ok(())
    }

    /// Stores an item again, or for the first time, with another length.
    pub(crate) fn store(&mut self, wire: &mut Wire, number: u64, len: usize) -> Result<(), Error> {
        self.key.clear();
        self.keys.push(number % KEYS_MAX, &mut self.key);
        let ttl = self.lives.map_or(0, |(shortest, span)| {
            shortest + u32::try_from(scramble(number) % u64::from(span)).unwrap_or(0)
        });
        wire.set_quietly(&self.key, ttl, len)
    }

    /// Stores until the server has evicted something. Returns how many items there were when it had not yet.
    pub(crate) fn until_eviction(&mut self, wire: &mut Wire, batch: u64) -> Result<u64, Error> {
        let evictions = |wire: &mut Wire| Ok::<_, Error>(Counts::read(wire)?.evictions);
        let before = evictions(wire)?;
        let mut items = 0;
        for _ in 0..FILL_MAX / batch {
            self.push(wire, batch)?;
            wire.settle()?;
            let counts = Counts::read(wire)?;
            if counts.evictions > before {
                return Ok(items);
            }
            items = counts.items;
        }
        Err(Error::new("the server never evicts"))
    }
}

/// What `stats` says of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) items: u64,
    pub(crate) evictions: u64,
    /// Stores for which there was no memory.
    pub(crate) refused: u64,
}

impl Counts {
    pub(crate) fn read(wire: &mut Wire) -> Result<Self, Error> {
        let stats = wire.stats("")?;
        let number = |name: &str| {
            stats.get(name).copied().ok_or_else(|| Error::new(format!("stats has no {name}")))
        };
        Ok(Self {
            items: number("curr_items")?,
            evictions: number("evictions")?,
            refused: number("store_no_memory")?,
        })
    }
}

/// A step of a random walk over numbers that repeats from run to run.
pub(crate) fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Bytes of every key.
pub(crate) const KEY_LEN: usize = 20;
const KEYS_MAX: u64 = 1_000_000_000_000;
/// More items than any machine holds.
const FILL_MAX: u64 = 4_000_000_000;
const SEED: u64 = 1;
