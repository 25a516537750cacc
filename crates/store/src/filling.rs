//! The bytes of an item while they arrive: memory is taken from the account first, then asked of the system, which may refuse.

use std::hint;
use std::sync::Arc;

use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::heap::Heap;
use crate::item::{Body, KEPT_BYTES, KEPT_LEN, Kept, LINE_END, Parts, Slices};
use crate::runs::Runs;

/// The bytes of an item while they are arriving. What a long one has is paid for by its parts, and credited when they are
/// dropped; for a short one that is its owner's business: [`Self::owed`].
#[derive(Debug)]
pub(crate) struct Filling {
    place: Place,
    /// Of key, value and `\r\n`.
    len: usize,
    filled: usize,
}

/// Where they lie.
#[derive(Debug)]
enum Place {
    Short(Box<[u8]>),
    Long {
        runs: Runs,
        /// What the runs will be kept with, there before them so that the last step needs no memory.
        head: Option<Arc<Kept>>,
    },
}

impl Filling {
    /// What an item of this length takes when all of it is there, and nothing else is.
    pub(crate) fn whole_bytes(len: usize, heap: &Heap) -> u64 {
        if len <= heap.short_len() {
            allocation_bytes(len)
        } else {
            KEPT_BYTES + len.div_ceil(heap.block_len()) as u64 * heap.block_len() as u64
        }
    }

    /// An item of this length, of which there is nothing yet.
    pub(crate) fn new(len: usize, heap: &Arc<Heap>) -> Self {
        let place = if len <= heap.short_len() {
            Place::Short(Box::default())
        } else {
            Place::Long { runs: Runs::new(heap), head: None }
        };
        Self { place, len, filled: 0 }
    }

    /// Memory for the first bytes: all of a short item, a block's length of a long one, or less.
    ///
    /// # Errors
    /// What is missing. What was had stays, so that each time it is tried again there is less to be had.
    pub(crate) fn start(&mut self, heap: &Heap, grant: &mut Grant<'_>) -> Result<(), Need> {
        match &mut self.place {
            Place::Short(bytes) if bytes.len() < self.len => {
                *bytes = paid(allocation_bytes(self.len), grant, || zeroed(self.len))?;
            }
            Place::Short(_) => {}
            Place::Long { runs, head } => {
                if head.is_none() {
                    *head = Some(paid(KEPT_BYTES, grant, || new_head(heap.account()))?);
                }
                if runs.reach() == 0 {
                    runs.grow(self.len, grant)?;
                }
            }
        }
        Ok(())
    }

    /// Memory for all of it.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    pub(crate) fn reserve(&mut self, heap: &Heap, grant: &mut Grant<'_>) -> Result<(), Need> {
        self.start(heap, grant)?;
        if let Place::Long { runs, .. } = &mut self.place {
            while runs.reach() < self.len {
                runs.grow(self.len - runs.reach(), grant)?;
            }
        }
        Ok(())
    }

    /// Memory for the next bytes, if there is none and some are to come.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    pub(crate) fn grow(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        if self.wants_room()
            && let Place::Long { runs, .. } = &mut self.place
        {
            runs.grow(self.len - self.filled, grant)?;
        }
        Ok(())
    }

    /// Whether the next byte has no memory yet.
    pub(crate) fn wants_room(&self) -> bool {
        match &self.place {
            Place::Short(_) => false,
            Place::Long { runs, .. } => self.filled < self.len && self.filled >= runs.reach(),
        }
    }

    /// Whether some of its memory is still to be taken.
    pub(crate) fn is_partial(&self) -> bool {
        matches!(&self.place, Place::Long { runs, .. } if runs.reach() < self.len)
    }

    /// Where the next bytes go; empty when memory must be taken first, or all is filled.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        let left = self.len.saturating_sub(self.filled);
        self.space_at(self.filled, left)
    }

    fn space_at(&mut self, at: usize, len_max: usize) -> &mut [u8] {
        let space = match &mut self.place {
            Place::Short(bytes) => bytes.get_mut(at..).unwrap_or_default(),
            Place::Long { runs, .. } => runs.slice_from_mut(at),
        };
        let len = space.len().min(len_max);
        space.get_mut(..len).unwrap_or_default()
    }

    /// Bytes came into [`Self::space`]; more than it had room for are not counted.
    pub(crate) fn advance(&mut self, count: usize) {
        let room = self.space().len();
        debug_assert!(count <= room, "filled {count} of {room}");
        self.filled += count.min(room);
    }

    /// Copies bytes in while there is memory in one piece; says how many.
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

    /// Copies bytes in, for which there is memory.
    pub(crate) fn push_all(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = self.push(bytes);
            debug_assert!(count > 0, "no memory for what is pushed");
            let Some(rest) = bytes.get(count..).filter(|_| count > 0) else { return };
            bytes = rest;
        }
    }

    /// Goes on at another byte: what lies before it is there, or will be.
    pub(crate) fn seek(&mut self, at: usize) {
        self.filled = at.min(self.len);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// Memory that it has.
    pub(crate) fn charged(&self) -> u64 {
        match &self.place {
            Place::Short(bytes) => allocation_bytes(bytes.len()),
            Place::Long { runs, head } => {
                let head = if head.is_some() { KEPT_BYTES } else { 0 };
                head + runs.charged()
            }
        }
    }

    /// What its owner has to credit after it was dropped.
    pub(crate) fn owed(&self) -> u64 {
        match &self.place {
            Place::Short(bytes) => allocation_bytes(bytes.len()),
            Place::Long { .. } => 0,
        }
    }

    /// What there is memory for, behind the key.
    pub(crate) fn data(&self, key_len: u8) -> Slices<'_> {
        let start = key_len.into();
        match &self.place {
            Place::Short(bytes) => Slices::one(bytes.get(start..).unwrap_or_default()),
            Place::Long { runs, .. } => {
                Slices::many(runs.slices(start, self.len.min(runs.reach())))
            }
        }
    }

    /// Whether it ends, as it should, with `\r\n`; the two bytes may lie in two runs.
    pub(crate) fn is_terminated(&self) -> bool {
        let byte = |at: usize| match &self.place {
            Place::Short(bytes) => bytes.get(at).copied(),
            Place::Long { runs, .. } => runs.slice_from(at).first().copied(),
        };
        let ends = LINE_END.iter().rev().zip(1..);
        self.filled == self.len
            && ends.into_iter().all(|(&end, back)| {
                self.len.checked_sub(back).and_then(byte).is_some_and(|byte| byte == end)
            })
    }

    /// The bytes, to be kept; the account of their shard goes on paying for them. It takes no memory.
    pub(crate) fn into_body(self, key_len: u8) -> Body {
        match self.place {
            Place::Short(bytes) => Body::Owned(bytes),
            Place::Long { runs, head: Some(mut head) } => {
                // Nobody else has seen the head.
                if let Some(kept) = Arc::get_mut(&mut head) {
                    kept.fill(Parts::Many(runs), self.len, key_len);
                }
                Body::Shared(head)
            }
            Place::Long { head: None, .. } => Body::VACANT(),
        }
    }
}

/// Takes bytes of a grant for what is allocated; they go back if the system refuses it.
fn paid<T>(
    bytes: u64,
    grant: &mut Grant<'_>,
    allocate: impl FnOnce() -> Option<T>,
) -> Result<T, Need> {
    grant.spend(bytes)?;
    allocate().ok_or_else(|| {
        grant.account().credit(bytes);
        Need::Memory(bytes)
    })
}

fn zeroed(len: usize) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes.into_boxed_slice())
}

/// An `Arc` cannot be had without ending the process if there is no memory. So its memory is asked for in a way that can fail,
/// and given back: the allocator has a block of that size at hand for this thread now.
fn new_head(account: &Arc<Account>) -> Option<Arc<Kept>> {
    let mut block: Vec<u8> = Vec::new();
    block.try_reserve_exact(KEPT_LEN).ok()?;
    // Or else the compiler takes a block that is never used for none.
    drop(hint::black_box(block));
    Some(Arc::new(Kept::empty(account)))
}
