//! The bytes of an item: where they lie and how long they live. How they are filled: [`crate::filling`].
//!
//! ```text
//!   short         an entry of the log: [head | key | value | \r\n]                    crate::entry
//!   larger        Shared ─► Kept { Many [key | value …] [… value …] [… \r\n] }     in runs of cells, taken as bytes arrive
//!   a pin of a short one:   Kept { One [key | value | \r\n] }                      a copy
//! ```
//!
//! A pin is one more reference to a `Kept`; the last one gives the bytes back to the account, wherever it is dropped.

use std::fmt;

use crate::account::{Account, allocation_bytes};
use crate::atomic::Ordering::Relaxed;
use crate::atomic::{Arc, AtomicBool};
use crate::runs::{RunSlices, Runs};

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
        self.kept.data(self.kept.key_len)
    }

    /// The bytes of the value and its `\r\n` from `offset` to the end of the slice they lie in; empty only at the end. It
    /// takes about the same time wherever that is.
    #[must_use]
    pub fn slice_from(&self, offset: usize) -> &[u8] {
        self.kept.slice_from(usize::from(self.kept.key_len).saturating_add(offset))
    }

    /// Length of the value without its `\r\n`.
    #[must_use]
    pub fn value_len(&self) -> usize {
        self.kept.len - usize::from(self.kept.key_len) - LINE_END.len()
    }

    /// One more reference to a body.
    pub(crate) fn of(body: &Arc<Kept>) -> Self {
        Self { kept: Arc::clone(body) }
    }

    /// A copy of key, value and `\r\n`, out of what items never fill.
    pub(crate) fn copied(content: &[u8], key_len: u8, account: &Arc<Account>) -> Self {
        account.force(KEPT_BYTES + allocation_bytes(content.len()));
        let mut kept = Kept::empty(account);
        kept.fill(Parts::One(content.into()), content.len(), key_len);
        kept.unlink();
        Self { kept: Arc::new(kept) }
    }

    /// Whether these are the very bytes of that body.
    pub(crate) fn is_of(&self, body: Option<&Arc<Kept>>) -> bool {
        body.is_some_and(|kept| Arc::ptr_eq(kept, &self.kept))
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
    rest: RunSlices<'a>,
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.first.take().or_else(|| self.rest.next())
    }
}

impl<'a> Slices<'a> {
    /// Of bytes that lie in one piece.
    pub(crate) fn one(bytes: &'a [u8]) -> Self {
        Self { first: Some(bytes).filter(|bytes| !bytes.is_empty()), rest: RunSlices::default() }
    }

    pub(crate) fn many(rest: RunSlices<'a>) -> Self {
        Self { first: None, rest }
    }
}

/// The bytes of an item on their way into the store.
#[derive(Debug)]
pub(crate) enum Body {
    /// Those of a short one, which will be copied into the log. The shard's account has paid for them.
    Owned(Box<[u8]>),
    /// Those of a large one, which stay where they are.
    Shared(Arc<Kept>),
}

impl Body {
    pub(crate) const VACANT: fn() -> Self = || Self::Owned(Box::default());

    /// Gives up the hold on the bytes. What is not freed here is returned, for the caller to drop once it has left the lock.
    pub(crate) fn release(self, account: &Account) -> Option<Arc<Kept>> {
        match self {
            Self::Owned(bytes) => {
                let charged = allocation_bytes(bytes.len());
                drop(bytes);
                account.credit(charged);
                None
            }
            Self::Shared(kept) => {
                kept.unlink();
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
    account: Arc<Account>,
    key_len: u8,
    /// The store has dropped it, and counted it among the pinned bytes.
    unlinked: AtomicBool,
}

impl Kept {
    /// Of nothing. The caller has paid [`KEPT_BYTES`], which are credited when it is dropped.
    pub(crate) fn empty(account: &Arc<Account>) -> Self {
        let (parts, unlinked) = (Parts::One(Box::default()), AtomicBool::new(false));
        Self { parts, len: 0, account: Arc::clone(account), key_len: 0, unlinked }
    }

    /// Gives it bytes that are paid for, of which so many are the item's.
    pub(crate) fn fill(&mut self, parts: Parts, len: usize, key_len: u8) {
        self.parts = parts;
        self.len = len;
        self.key_len = key_len;
    }

    /// Length of the value without its `\r\n`.
    pub(crate) fn value_len(&self) -> usize {
        self.len.saturating_sub(usize::from(self.key_len) + LINE_END.len())
    }

    /// Writes text and then blanks over the value, whose length stays; says whether it could: the text is not longer, and
    /// nobody has pinned the value.
    pub(crate) fn write_over(kept: &mut Arc<Self>, key_len: u8, text: &[u8]) -> bool {
        let Some(kept) = Arc::get_mut(kept) else { return false };
        let mut at = usize::from(key_len);
        let mut left = kept.value_len();
        if text.len() > left {
            return false;
        }
        let mut text = text;
        while left > 0 {
            let Some(slice) = kept.slice_from_mut(at) else { return false };
            let len = slice.len().min(left);
            let (before, after) = text.split_at(text.len().min(len));
            let (written, blanks) = slice.split_at_mut(before.len());
            written.copy_from_slice(before);
            blanks[..len - before.len()].fill(b' ');
            text = after;
            at += len;
            left -= len;
        }
        true
    }

    fn slice_from_mut(&mut self, at: usize) -> Option<&mut [u8]> {
        let slice = match &mut self.parts {
            Parts::One(bytes) => bytes.get_mut(at..)?,
            Parts::Many(runs) => runs.slice_from_mut(at),
        };
        Some(slice).filter(|slice| !slice.is_empty())
    }

    /// Memory that it takes.
    pub(crate) fn charged(&self) -> u64 {
        let parts = match &self.parts {
            Parts::One(bytes) => allocation_bytes(bytes.len()),
            Parts::Many(runs) => runs.charged(),
        };
        KEPT_BYTES + parts
    }

    fn slice_from(&self, at: usize) -> &[u8] {
        let slice = match &self.parts {
            Parts::One(bytes) => bytes.get(at..).unwrap_or_default(),
            Parts::Many(runs) => runs.slice_from(at),
        };
        slice.get(..self.len.saturating_sub(at)).unwrap_or(slice)
    }

    pub(crate) fn data(&self, key_len: u8) -> Slices<'_> {
        let start = key_len.into();
        match &self.parts {
            Parts::One(bytes) => Slices::one(bytes.get(start..).unwrap_or_default()),
            Parts::Many(runs) => Slices::many(runs.slices(start, self.len)),
        }
    }

    /// The store has it no longer; from now on it counts as pinned.
    fn unlink(&self) {
        self.account.pinned.fetch_add(self.charged(), Relaxed);
        self.unlinked.store(true, Relaxed);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.unlinked.load(Relaxed) {
            self.account.pinned.fetch_sub(self.charged(), Relaxed);
        }
        // Runs give back what they have by themselves.
        let bytes = match std::mem::replace(&mut self.parts, Parts::One(Box::default())) {
            Parts::One(bytes) => allocation_bytes(bytes.len()),
            Parts::Many(_) => 0,
        };
        self.account.credit(KEPT_BYTES + bytes);
    }
}

/// Where key, value and `\r\n` lie. The key lies in the first piece.
#[derive(Debug)]
pub(crate) enum Parts {
    One(Box<[u8]>),
    Many(Runs),
}

/// What ends a stored value.
pub(crate) const LINE_END: [u8; 2] = *b"\r\n";

/// A `Kept` in its `Arc`: two counts before it.
pub(crate) const KEPT_LEN: usize = size_of::<Kept>() + 2 * size_of::<usize>();
pub(crate) const KEPT_BYTES: u64 = allocation_bytes(KEPT_LEN);
