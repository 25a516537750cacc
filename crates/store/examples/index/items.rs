//! Items in a row, as in a log: 12 bytes that nobody looks at, a key of 20, a value of 32 with its line end.

use ahash::RandomState;

use crate::prefetch::prefetch;

pub(crate) struct Items {
    memory: Vec<u8>,
    hasher: RandomState,
}

/// A key that is written out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key([u8; KEY]);

impl Key {
    pub(crate) fn new(mut number: u64) -> Self {
        let mut key = *b"key:0000000000000000";
        for digit in key[4..].iter_mut().rev() {
            *digit += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
        Self(key)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Items {
    pub(crate) fn new(count: usize) -> Self {
        Self { memory: vec![1; count * ITEM], hasher: RandomState::with_seeds(1, 2, 3, 4) }
    }

    pub(crate) fn count(&self) -> u64 {
        (self.memory.len() / ITEM) as u64
    }

    /// Where the item with this number lies, in steps of 2 bytes.
    pub(crate) fn handle(&self, number: u64) -> u32 {
        u32::try_from(number * (ITEM as u64 / 2)).unwrap_or(u32::MAX)
    }

    /// Writes a key to where the item with this number lies.
    pub(crate) fn place(&mut self, number: u64, key: &Key) -> u32 {
        let handle = self.handle(number);
        let at = start(handle) + HEADER;
        self.memory[at..at + KEY].copy_from_slice(key.bytes());
        handle
    }

    pub(crate) fn key(&self, handle: u32) -> &[u8] {
        let at = start(handle) + HEADER;
        &self.memory[at..at + KEY]
    }

    pub(crate) fn value(&self, handle: u32) -> [u8; 32] {
        let at = start(handle) + HEADER + KEY;
        self.memory[at..].first_chunk().copied().unwrap_or_default()
    }

    pub(crate) fn hash(&self, handle: u32) -> u64 {
        self.hasher.hash_one(self.key(handle))
    }

    pub(crate) fn hash_of(&self, key: &Key) -> u64 {
        self.hasher.hash_one(key.bytes())
    }

    /// All of the item: it lies on two lines, as a rule.
    pub(crate) fn prefetch(&self, handle: u32) {
        prefetch(&self.memory, start(handle));
        prefetch(&self.memory, start(handle) + ITEM - 2);
    }
}

/// A hash of a number, for what has no items.
pub(crate) fn mixed(number: u32) -> u64 {
    let mut hash = u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash ^= hash >> 32;
    hash.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(29)
}

fn start(handle: u32) -> usize {
    handle as usize * 2
}

/// Random numbers that are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

const HEADER: usize = 12;
const KEY: usize = 20;
const ITEM: usize = HEADER + KEY + 34;
