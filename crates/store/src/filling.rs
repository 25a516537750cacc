//! The bytes of an item while they arrive: memory is taken from the account first, then asked of the system, which may refuse.

use std::hint;
use std::sync::Arc;

use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::item::{Body, KEPT_BYTES, KEPT_LEN, Kept, LINE_END, Parts, Slices};

/// The bytes of an item while they are arriving, and what has been paid for them.
#[derive(Debug)]
pub(crate) struct Filling {
    parts: Parts,
    /// What the parts will lie in, there from the start so that the last step needs no memory; a short item has none.
    head: Option<Arc<Kept>>,
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

    /// Memory for an item in one piece, paid for out of a grant.
    pub(crate) fn paid(
        len: usize,
        account: &Arc<Account>,
        grant: &mut Grant<'_>,
    ) -> Result<Self, Need> {
        let bytes = Self::whole_bytes(len);
        grant.spend(bytes)?;
        Self::start(len, account).ok_or_else(|| {
            account.credit(bytes);
            Need::Memory(bytes)
        })
    }

    /// Memory for the first bytes, which the caller has taken from the account; `None` if the system has none.
    pub(crate) fn start(len: usize, account: &Arc<Account>) -> Option<Self> {
        let charged = Self::first_bytes(len);
        let (parts, head) = match layout(len) {
            Layout::Owned => (Parts::One(zeroed(len)?), None),
            Layout::One => (Parts::One(zeroed(len)?), Some(head(account)?)),
            Layout::Many { chunk } => {
                let mut parts = Vec::new();
                parts.try_reserve_exact(len.div_ceil(chunk)).ok()?;
                parts.push(zeroed(chunk)?);
                (Parts::Many(parts), Some(head(account)?))
            }
        };
        Some(Self { parts, head, len, filled: 0, charged })
    }

    /// What [`Self::grow`] takes now; `None` while there is room, or when all is filled.
    pub(crate) fn growth_bytes(&self) -> Option<u64> {
        let len = self.next_chunk()?;
        Some(allocation_bytes(len))
    }

    /// Memory for the next bytes, which the caller has taken from the account; `None` if the system has none.
    pub(crate) fn grow(&mut self) -> Option<()> {
        let Some(len) = self.next_chunk() else { return Some(()) };
        if let Parts::Many(parts) = &mut self.parts {
            parts.push(zeroed(len)?);
            self.charged += allocation_bytes(len);
        }
        Some(())
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

    /// The bytes as a slot keeps them, and the account of its shard pays for them. It takes no memory.
    pub(crate) fn into_body(self, key_len: u8) -> Body {
        match (self.parts, self.head) {
            (Parts::One(bytes), None) => Body::Owned(bytes),
            (parts, Some(mut head)) => {
                // Nobody else has seen the head.
                if let Some(kept) = Arc::get_mut(&mut head) {
                    kept.fill(parts, key_len, self.charged);
                }
                Body::Shared(head)
            }
            (Parts::Many(_), None) => Body::VACANT(),
        }
    }
}

/// Builds the body of `key`, the value of `front` and the whole of `back`, the caller having taken
/// [`Filling::whole_bytes`] of it; `None` if the system has no memory.
pub(crate) fn join(
    account: &Arc<Account>,
    key: &[u8],
    front: Slices<'_>,
    front_len: usize,
    back: Slices<'_>,
) -> Option<Filling> {
    let back_len: usize = back.clone().map(<[u8]>::len).sum();
    let mut filling = Filling::start(key.len() + front_len + back_len, account)?;
    let mut front_left = front_len;
    let front = front.map(|slice| {
        let cut = slice.get(..front_left.min(slice.len())).unwrap_or_default();
        front_left -= cut.len();
        cut
    });
    for mut slice in std::iter::once(key).chain(front).chain(back) {
        while !slice.is_empty() {
            filling.grow()?;
            let count = filling.push(slice);
            slice = slice.get(count..).unwrap_or_default();
        }
    }
    Some(filling)
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

fn zeroed(len: usize) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes.into_boxed_slice())
}

/// An `Arc` cannot be had without ending the process if there is no memory. So its memory is asked for in a way that can fail,
/// and given back: the allocator has a block of that size at hand for this thread now.
fn head(account: &Arc<Account>) -> Option<Arc<Kept>> {
    let mut block: Vec<u8> = Vec::new();
    block.try_reserve_exact(KEPT_LEN).ok()?;
    // Or else the compiler takes a block that is never used for none.
    drop(hint::black_box(block));
    Some(Arc::new(Kept::empty(account)))
}

/// Shorter ones are copied when they are pinned: a counted head for each would be 2 % of them and more.
const SHARED_LEN_MIN: usize = 2 << 10;
/// Up to this a value gets all its memory at once.
const CHUNK_LEN_MIN: usize = 64 << 10;
/// A value of 64 MiB or more: the table of its chunks stays a thousandth of a percent.
const CHUNK_LEN_MAX: usize = 1 << 20;
