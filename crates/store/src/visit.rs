//! What a visitor sees of an item while its shard is locked.

use std::fmt;
use std::sync::Arc;

use crate::account::Account;
use crate::item::{Item, Slices};
use crate::record::Record;
use crate::seconds::Seconds;
use crate::shard::Items;

/// An item, as it was before this visit: see [`crate::Store::visit`] and [`crate::Store::walk`].
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    items: &'a Items,
    handle: u32,
    record: Record<'a>,
    account: &'a Arc<Account>,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(items: &'a Items, handle: u32, account: &'a Arc<Account>) -> Self {
        Self { items, handle, record: items.at(handle), account }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        self.record.key()
    }

    /// What the client gave with it.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.record.flags()
    }

    /// Its CAS number; 0 in a store without.
    #[must_use]
    pub fn cas(&self) -> u64 {
        self.record.cas()
    }

    /// When it expires, unless never.
    #[must_use]
    pub fn exptime(&self) -> Option<Seconds> {
        self.record.expiry().into()
    }

    /// When it was stored or hit, whatever was later.
    #[must_use]
    pub fn last_access(&self) -> Seconds {
        self.record.entry.last_access(self.items.latest)
    }

    /// Whether it was hit since it was stored.
    #[must_use]
    pub fn was_fetched(&self) -> bool {
        self.record.was_fetched()
    }

    /// Whether it was invalidated, and not stored again since: [`crate::Store::amend`].
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.record.marks().is_stale
    }

    /// Whether its key came in base64: [`crate::Terms::is_key_encoded`].
    #[must_use]
    pub fn is_key_encoded(&self) -> bool {
        self.record.marks().is_key_encoded
    }

    /// Length of the value without its `\r\n`.
    #[must_use]
    pub fn value_len(&self) -> usize {
        self.record.value_len()
    }

    /// Accounted size: [`crate::Store::item_bytes`].
    #[must_use]
    pub fn item_bytes(&self) -> u64 {
        self.items.item_bytes(self.handle)
    }

    /// Number of the size class it is counted in.
    #[must_use]
    pub fn class(&self) -> usize {
        self.items.class(self.handle).into()
    }

    /// The value and its `\r\n`, in order.
    #[must_use]
    pub fn slices(&self) -> Slices<'a> {
        self.record.data()
    }

    /// The value and its `\r\n` in one piece, if it is kept in one: that of a short item is, up to 8 KiB with its key or, below
    /// a limit of 16 MiB, 2 KiB.
    #[must_use]
    pub fn data(&self) -> Option<&'a [u8]> {
        let mut slices = self.slices();
        let first = slices.next()?;
        slices.next().is_none().then_some(first)
    }

    /// Pins the value. For a long one that is one more reference; a short one, as of [`Self::data`], is copied.
    ///
    /// It cannot fail: what a copy takes comes out of a reserve that items never fill, a 128th of the limit, 16 KiB to 1 MiB.
    /// Whoever pins many short values at once should copy them instead.
    #[must_use]
    pub fn pin(&self) -> Item {
        self.record.pin(self.account)
    }
}

impl fmt::Debug for Visit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("key", &self.key().escape_ascii())
            .field("value_len", &self.value_len())
            .field("cas", &self.cas())
            .finish_non_exhaustive()
    }
}

/// Why a visit found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// There was no item of this key.
    Absent,
    /// There was one, which had expired; it is removed, so the next visit finds none.
    Expired,
    /// There was one from before a flush; it is removed, so the next visit finds none.
    Flushed,
}

/// Where a walk is: see [`crate::Store::walk`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) shard: usize,
    /// In the order of the index, which items keep however they are moved.
    pub(crate) place: u32,
}

impl Cursor {
    /// Before the first item.
    pub const START: Self = Self { shard: 0, place: 0 };
}
