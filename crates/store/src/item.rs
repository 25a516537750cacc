//! The bytes of an item: where they lie, how they are filled, how long they live.
//!
//! ```text
//!   up to 2 KiB    Owned    [key | value | \r\n]                                  one allocation
//!   up to 64 KiB   Shared ─► Kept { One [key | value | \r\n] }                    and a counted head
//!   larger         Shared ─► Kept { Many [key | value …] [… value …] [… \r\n] }   in chunks, taken as bytes arrive
//! ```
//!
//! A pin is one more reference to a `Kept`; the last one gives the bytes back to the account, wherever it is dropped.

use std::fmt;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::account::{Account, allocation_bytes};

/// A pinned value: its bytes stay readable, in place and unchanged while this lives, though the item is replaced,
/// deleted, evicted, flushed or counted up. A clone is one more reference.
///
/// What it pins counts against the memory limit until the last one is dropped; it may be dropped on any thread, inside a
/// visit too.
#[derive(Clone)]
pub struct Item {
    kept: Arc<Kept>,
}

impl Item {
    /// The value and its `\r\n`, in order; no slice is empty.
    #[must_use]
    pub fn slices(&self) -> Slices<'_> {
        self.kept.parts.data(self.kept.key_len.into())
    }

    /// The bytes of the value and its `\r\n` from `offset` to the end of the slice they lie in; empty only at the end. It
    /// takes the same time wherever that is.
    #[must_use]
    pub fn slice_from(&self, offset: usize) -> &[u8] {
        self.kept.parts.slice_from(usize::from(self.kept.key_len).saturating_add(offset))
    }

    /// Length of the value without its `\r\n`.
    #[must_use]
    pub fn value_len(&self) -> usize {
        self.kept.len - usize::from(self.kept.key_len) - LINE_END.len()
    }

    /// Whether these are the very bytes of `body`.
    pub(crate) fn is_of(&self, body: &Body) -> bool {
        matches!(body, Body::Shared(kept) if Arc::ptr_eq(kept, &self.kept))
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("value_len", &self.value_len()).finish_non_exhaustive()
    }
}

/// The slices of a value, in order.
#[derive(Debug, Clone)]
pub struct Slices<'a> {
    first: Option<&'a [u8]>,
    rest: slice::Iter<'a, Box<[u8]>>,
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.first.take().or_else(|| self.rest.next().map(|part| &**part))
    }
}

/// The bytes of an item as its slot holds them.
#[derive(Debug)]
pub(crate) enum Body {
    /// A short one, in one allocation that its slot's shard pays for.
    Owned(Box<[u8]>),
    /// One that can be pinned at no cost.
    Shared(Arc<Kept>),
}

impl Body {
    pub(crate) const VACANT: fn() -> Self = || Self::Owned(Box::default());

    /// Length of key, value and `\r\n`.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Owned(bytes) => bytes.len(),
            Self::Shared(kept) => kept.len,
        }
    }

    /// Memory this takes.
    pub(crate) fn charged(&self) -> u64 {
        match self {
            Self::Owned(bytes) => allocation_bytes(bytes.len()),
            Self::Shared(kept) => kept.charged,
        }
    }

    pub(crate) fn key(&self, key_len: u8) -> &[u8] {
        let first = match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(kept) => kept.parts.first(),
        };
        first.get(..key_len.into()).unwrap_or_default()
    }

    pub(crate) fn data(&self, key_len: u8) -> Slices<'_> {
        match self {
            Self::Owned(bytes) => Slices { first: bytes.get(key_len.into()..), rest: [].iter() },
            Self::Shared(kept) => kept.parts.data(key_len.into()),
        }
    }

    /// The value for writing, if it is one slice that nobody has pinned.
    pub(crate) fn data_mut(&mut self, key_len: u8) -> Option<&mut [u8]> {
        let bytes = match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(kept) => match &mut Arc::get_mut(kept)?.parts {
                Parts::One(bytes) => bytes,
                Parts::Many(_) => return None,
            },
        };
        bytes.get_mut(key_len.into()..)
    }

    pub(crate) fn is_pinned(&self) -> bool {
        matches!(self, Self::Shared(kept) if Arc::strong_count(kept) > 1)
    }

    /// Pins the value: a reference where it can be had, a copy of a short one.
    pub(crate) fn pin(&self, key_len: u8, account: &Arc<Account>) -> Item {
        let kept = match self {
            Self::Shared(kept) => Arc::clone(kept),
            Self::Owned(bytes) => {
                let charged = KEPT_BYTES + allocation_bytes(bytes.len());
                account.force(charged);
                account.pinned.fetch_add(charged, Relaxed);
                let kept = Kept::new(Parts::One(bytes.clone()), key_len, charged, account);
                kept.unlinked.store(true, Relaxed);
                Arc::new(kept)
            }
        };
        Item { kept }
    }

    /// Gives up the store's hold on the bytes. What is not freed here is returned, for the caller to drop once it has
    /// left the lock.
    pub(crate) fn release(self, account: &Account) -> Option<Arc<Kept>> {
        match self {
            Self::Owned(bytes) => {
                let charged = allocation_bytes(bytes.len());
                drop(bytes);
                account.credit(charged);
                None
            }
            Self::Shared(kept) => {
                account.pinned.fetch_add(kept.charged, Relaxed);
                kept.unlinked.store(true, Relaxed);
                Some(kept)
            }
        }
    }
}

/// Bytes with a count of those who hold them.
#[derive(Debug)]
pub(crate) struct Kept {
    parts: Parts,
    /// Of key, value and `\r\n`.
    len: usize,
    charged: u64,
    account: Arc<Account>,
    key_len: u8,
    /// The store has dropped it, and counted it among the pinned bytes.
    unlinked: AtomicBool,
}

impl Kept {
    fn new(parts: Parts, key_len: u8, charged: u64, account: &Arc<Account>) -> Self {
        let len = parts.iter().map(<[u8]>::len).sum();
        let unlinked = AtomicBool::new(false);
        Self { parts, len, charged, account: Arc::clone(account), key_len, unlinked }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.parts = Parts::One(Box::default());
        if *self.unlinked.get_mut() {
            self.account.pinned.fetch_sub(self.charged, Relaxed);
        }
        self.account.credit(self.charged);
    }
}

/// Key, value and `\r\n`, in one piece or several. The key lies in the first.
#[derive(Debug)]
enum Parts {
    One(Box<[u8]>),
    Many(Vec<Box<[u8]>>),
}

impl Parts {
    fn first(&self) -> &[u8] {
        match self {
            Self::One(bytes) => bytes,
            Self::Many(parts) => parts.first().map(|part| &**part).unwrap_or_default(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.data(0)
    }

    /// All parts but the last are as long as the first.
    fn slice_from(&self, at: usize) -> &[u8] {
        let (part, at) = match self {
            Self::One(bytes) => (Some(bytes), at),
            Self::Many(parts) => {
                let len = self.first().len().max(1);
                (parts.get(at / len), at % len)
            }
        };
        part.and_then(|bytes| bytes.get(at..)).unwrap_or_default()
    }

    fn data(&self, key_len: usize) -> Slices<'_> {
        let rest = match self {
            Self::One(_) => [].iter(),
            Self::Many(parts) => parts.get(1..).unwrap_or_default().iter(),
        };
        Slices { first: self.first().get(key_len..).filter(|data| !data.is_empty()), rest }
    }
}

/// The bytes of an item while they are arriving, and what has been paid for them.
#[derive(Debug)]
pub(crate) struct Filling {
    parts: Parts,
    /// Of key, value and `\r\n`.
    len: usize,
    filled: usize,
    charged: u64,
}

impl Filling {
    /// What [`Self::start`] takes.
    pub(crate) fn first_bytes(len: usize) -> u64 {
        match layout(len) {
            Layout::Owned => allocation_bytes(len),
            Layout::One => KEPT_BYTES + allocation_bytes(len),
            Layout::Many { chunk } => {
                KEPT_BYTES + table_bytes(len, chunk) + allocation_bytes(chunk)
            }
        }
    }

    /// What an item of this length takes when all of it is there.
    pub(crate) fn whole_bytes(len: usize) -> u64 {
        match layout(len) {
            Layout::Owned | Layout::One => Self::first_bytes(len),
            Layout::Many { chunk } => {
                let full = (len / chunk) as u64 * allocation_bytes(chunk);
                KEPT_BYTES + table_bytes(len, chunk) + full + allocation_bytes(len % chunk)
            }
        }
    }

    /// Memory for the first bytes, which the caller has taken from the account.
    pub(crate) fn start(len: usize) -> Self {
        let charged = Self::first_bytes(len);
        let parts = match layout(len) {
            Layout::Owned | Layout::One => Parts::One(zeroed(len)),
            Layout::Many { chunk } => {
                let mut parts = Vec::with_capacity(len.div_ceil(chunk));
                parts.push(zeroed(chunk));
                Parts::Many(parts)
            }
        };
        Self { parts, len, filled: 0, charged }
    }

    /// What [`Self::grow`] takes now; `None` while there is room, or when all is filled.
    pub(crate) fn growth_bytes(&self) -> Option<u64> {
        let len = self.next_chunk()?;
        Some(allocation_bytes(len))
    }

    /// Memory for the next bytes, which the caller has taken from the account.
    pub(crate) fn grow(&mut self) {
        let Some(len) = self.next_chunk() else { return };
        if let Parts::Many(parts) = &mut self.parts {
            self.charged += allocation_bytes(len);
            parts.push(zeroed(len));
        }
    }

    fn next_chunk(&self) -> Option<usize> {
        let Parts::Many(parts) = &self.parts else { return None };
        let chunk = parts.first()?.len();
        let reached = parts.len() * chunk;
        (self.filled >= reached && reached < self.len).then(|| chunk.min(self.len - reached))
    }

    /// Where the next bytes go; empty when memory must be taken first, or all is filled.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        match &mut self.parts {
            Parts::One(bytes) => bytes.get_mut(self.filled..).unwrap_or_default(),
            Parts::Many(parts) => {
                let chunk = parts.first().map_or(1, |part| part.len());
                let part = parts.get_mut(self.filled / chunk);
                part.and_then(|part| part.get_mut(self.filled % chunk..)).unwrap_or_default()
            }
        }
    }

    /// Bytes came into [`Self::space`]; more than it had room for are not counted.
    pub(crate) fn advance(&mut self, count: usize) {
        let room = self.space().len();
        debug_assert!(count <= room, "filled {count} of {room}");
        self.filled += count.min(room);
    }

    /// Copies bytes in while there is memory; says how many.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let count = space.len().min(bytes.len());
        let (into, from) = (space.get_mut(..count), bytes.get(..count));
        if let (Some(into), Some(from)) = (into, from) {
            into.copy_from_slice(from);
        }
        self.filled += count;
        count
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    pub(crate) fn charged(&self) -> u64 {
        self.charged
    }

    /// What was filled so far.
    pub(crate) fn data(&self, key_len: u8) -> Slices<'_> {
        self.parts.data(key_len.into())
    }

    /// Whether it ends, as it should, with `\r\n`; the two bytes may lie in two chunks.
    pub(crate) fn is_terminated(&self) -> bool {
        let mut last = [0; 2];
        for byte in self.parts.iter().flat_map(|part| part.get(part.len().saturating_sub(2)..)) {
            for &byte in byte {
                last = [last[1], byte];
            }
        }
        self.filled == self.len && last == LINE_END
    }

    pub(crate) fn into_body(self, key_len: u8, account: &Arc<Account>) -> Body {
        match (layout(self.len), self.parts) {
            (Layout::Owned, Parts::One(bytes)) => Body::Owned(bytes),
            (_, parts) => Body::Shared(Arc::new(Kept::new(parts, key_len, self.charged, account))),
        }
    }
}

/// Builds the body of `key`, the value of `front` and the whole of `back`, the caller having taken
/// [`Filling::whole_bytes`] of it.
pub(crate) fn join(key: &[u8], front: Slices<'_>, front_len: usize, back: Slices<'_>) -> Filling {
    let back_len: usize = back.clone().map(<[u8]>::len).sum();
    let mut filling = Filling::start(key.len() + front_len + back_len);
    let mut front_left = front_len;
    let front = front.map(|slice| {
        let cut = slice.get(..front_left.min(slice.len())).unwrap_or_default();
        front_left -= cut.len();
        cut
    });
    for mut slice in std::iter::once(key).chain(front).chain(back) {
        while !slice.is_empty() {
            filling.grow();
            let count = filling.push(slice);
            slice = slice.get(count..).unwrap_or_default();
        }
    }
    filling
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Owned,
    One,
    Many { chunk: usize },
}

fn layout(len: usize) -> Layout {
    if len < SHARED_LEN_MIN {
        Layout::Owned
    } else if len <= CHUNK_LEN_MIN {
        Layout::One
    } else {
        Layout::Many { chunk: (len / 64).next_power_of_two().clamp(CHUNK_LEN_MIN, CHUNK_LEN_MAX) }
    }
}

fn table_bytes(len: usize, chunk: usize) -> u64 {
    allocation_bytes(len.div_ceil(chunk) * size_of::<Box<[u8]>>())
}

fn zeroed(len: usize) -> Box<[u8]> {
    vec![0; len].into_boxed_slice()
}

/// What ends a stored value.
pub(crate) const LINE_END: [u8; 2] = *b"\r\n";

/// Shorter ones are copied when they are pinned: a counted head for each would be 2 % of them and more.
const SHARED_LEN_MIN: usize = 2 << 10;
/// Up to this a value gets all its memory at once.
const CHUNK_LEN_MIN: usize = 64 << 10;
/// A value of 64 MiB or more: the table of its chunks stays a thousandth of a percent.
const CHUNK_LEN_MAX: usize = 1 << 20;
/// A `Kept` in its `Arc`: two counts before it.
const KEPT_BYTES: u64 = allocation_bytes(size_of::<Kept>() + 2 * size_of::<usize>());
