//! The bytes of an item: where they lie and how long they live. How they are filled: [`crate::filling`].
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
                let mut kept = Kept::empty(account);
                kept.fill(Parts::One(bytes.clone()), key_len, charged);
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
    /// Of nothing, and paid for by somebody else.
    pub(crate) fn empty(account: &Arc<Account>) -> Self {
        let (parts, unlinked) = (Parts::One(Box::default()), AtomicBool::new(false));
        Self { parts, len: 0, charged: 0, account: Arc::clone(account), key_len: 0, unlinked }
    }

    /// Gives it the bytes, which it pays for from now on.
    pub(crate) fn fill(&mut self, parts: Parts, key_len: u8, charged: u64) {
        self.len = parts.iter().map(<[u8]>::len).sum();
        self.parts = parts;
        self.key_len = key_len;
        self.charged = charged;
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
pub(crate) enum Parts {
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
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

    pub(crate) fn data(&self, key_len: usize) -> Slices<'_> {
        let rest = match self {
            Self::One(_) => [].iter(),
            Self::Many(parts) => parts.get(1..).unwrap_or_default().iter(),
        };
        Slices { first: self.first().get(key_len..).filter(|data| !data.is_empty()), rest }
    }
}

/// What ends a stored value.
pub(crate) const LINE_END: [u8; 2] = *b"\r\n";

/// A `Kept` in its `Arc`: two counts before it.
pub(crate) const KEPT_LEN: usize = size_of::<Kept>() + 2 * size_of::<usize>();
pub(crate) const KEPT_BYTES: u64 = allocation_bytes(KEPT_LEN);
