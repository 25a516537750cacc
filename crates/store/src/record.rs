//! An item as others read it, wherever its value lies.

use std::sync::Arc;

use crate::account::Account;
use crate::entry::{Bits, Entry, Marks};
use crate::item::{Item, Kept, LINE_END, Slices};
use crate::seconds::Expiry;

/// An item in the log, with its body if that lies elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) entry: Entry<'a>,
    pub(crate) body: Option<&'a Arc<Kept>>,
}

impl<'a> Record<'a> {
    pub(crate) fn key(self) -> &'a [u8] {
        self.entry.key()
    }

    pub(crate) fn flags(self) -> u32 {
        self.entry.flags()
    }

    pub(crate) fn cas(self) -> u64 {
        self.entry.cas()
    }

    pub(crate) fn expiry(self) -> Expiry {
        self.entry.expiry()
    }

    pub(crate) fn marks(self) -> Marks {
        Marks::of(self.entry)
    }

    pub(crate) fn was_fetched(self) -> bool {
        self.entry.bits().has(Bits::FETCHED)
    }

    /// Length of the value without its `\r\n`.
    pub(crate) fn value_len(self) -> usize {
        match self.body {
            Some(body) => body.value_len(),
            None => self.entry.data().len().saturating_sub(LINE_END.len()),
        }
    }

    /// The value and its `\r\n`.
    pub(crate) fn data(self) -> Slices<'a> {
        match self.body {
            Some(body) => body.data(self.entry.key_len()),
            None => Slices::one(self.entry.data()),
        }
    }

    /// Memory that it takes, the dead space of its segment aside.
    pub(crate) fn charged(self) -> u64 {
        self.entry.len() as u64 + self.body.map_or(0, |body| body.charged())
    }

    /// Whether removing it would free nothing but its place in the log.
    pub(crate) fn is_pinned(self) -> bool {
        self.body.is_some_and(|body| Arc::strong_count(body) > 1)
    }

    /// Pins the value: a reference where it can be had, a copy of a short one.
    pub(crate) fn pin(self, account: &Arc<Account>) -> Item {
        match self.body {
            Some(body) => Item::of(body),
            None => Item::copied(self.entry.content(), self.entry.key_len(), account),
        }
    }
}
