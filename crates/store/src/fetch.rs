//! Fetching on terms: who may renew an item, and items that stand for a value that is on its way.

use crate::account::{Grant, Need};
use crate::amend::{empty_body, empty_len};
use crate::entry::Marks;
use crate::seconds::{Expiry, Seconds};
use crate::shard::{Attributes, Found, Items, Released};
use crate::store::{Inner, Store};
use crate::visit::{Miss, Visit};

/// How an item is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetch {
    /// Whether this counts as a hit.
    pub marks_hit: bool,
    /// The item's new expiry; without one it stays.
    pub exptime: Option<Option<Seconds>>,
    /// Whether the visitor is asked to renew an item that is not stale.
    pub recache: Recache,
    /// What becomes of a key that is not there.
    pub creation: Option<Creation>,
}

/// When a visitor wins the renewal of an item that nobody has won yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Recache {
    /// Never: the visitor only looks.
    #[default]
    Never,
    /// When the item is stale.
    WhenStale,
    /// When it is stale, and when it expires before this moment.
    Before(Seconds),
    /// In any case.
    Always,
}

/// An item without a value, created for whoever fetched it in vain: they have won its renewal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Creation {
    /// When it expires, unless never.
    pub exptime: Option<Seconds>,
    /// Its CAS number, unless it gets a new one.
    pub cas: Option<u64>,
}

/// What a visitor is told besides the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched {
    /// When the item expired before the visit, unless never.
    pub exptime_before: Option<Seconds>,
    /// Whether somebody had won its renewal before.
    pub was_won: bool,
    /// Whether this visitor wins it.
    pub wins: bool,
    /// Why there was none before, if it was created now.
    pub created_after: Option<Miss>,
}

impl Store {
    /// Shows an item to a closure, under its shard's lock, and does in the same moment what else is asked. The closure
    /// sees use and marks as they were before, the expiry as it is now.
    ///
    /// # Errors
    /// Why nothing was found; the closure was not called. With a [`Creation`] that means that there is no memory for the
    /// new item.
    pub fn fetch<R>(
        &self,
        key: &[u8],
        fetch: &Fetch,
        now: Seconds,
        see: impl FnOnce(Visit<'_>, Fetched) -> R,
    ) -> Result<R, Miss> {
        let inner = &*self.inner;
        let hash = inner.hash(key);
        let home = inner.shard_index(hash);
        let shard = &inner.shards[home];
        let mut grant = Grant::empty(&shard.account);
        let mut first_miss = None;
        let mut failures = 0;
        loop {
            // Dropped last, when the lock is free.
            let mut bodies = Released::default();
            let mut items = shard.lock(now);
            let miss = match items.find_live(hash, key, now, &mut bodies) {
                Found::Live(index) => {
                    let expiry = fetch.exptime.map_or(Expiry::NEVER, Expiry::from);
                    let index = match items.widen(index, hash, expiry, 0, now, &mut grant) {
                        Ok(index) => index,
                        Err(need) => {
                            drop(items);
                            drop(bodies);
                            let room = inner.meet(need, home, now, &mut failures);
                            grant = room.ok_or_else(|| inner.lose(hash, key, now))?;
                            continue;
                        }
                    };
                    let fetched = items.fetch(index, fetch);
                    let seen = see(Visit::new(&items, index, &shard.account), fetched);
                    items.settle(index, fetch, fetched.wins, now);
                    if fetch.exptime.is_some() {
                        items.tend(now, &mut bodies);
                    }
                    return Ok(seen);
                }
                Found::Absent => Miss::Absent,
                Found::Expired(_) => Miss::Expired,
                Found::Flushed(_) => Miss::Flushed,
            };
            let miss = *first_miss.get_or_insert(miss);
            let creation = fetch.creation.ok_or(miss)?;
            let need = match inner.try_create(&mut items, hash, key, creation, now, &mut grant) {
                Ok(Some(index)) => {
                    let fetched = Fetched {
                        exptime_before: None,
                        was_won: false,
                        wins: true,
                        created_after: Some(miss),
                    };
                    let seen = see(Visit::new(&items, index, &shard.account), fetched);
                    items.settle(index, fetch, true, now);
                    items.tend(now, &mut bodies);
                    return Ok(seen);
                }
                Ok(None) => return Err(miss),
                Err(need) => need,
            };
            drop(items);
            drop(bodies);
            grant = inner.meet(need, home, now, &mut failures).ok_or(miss)?;
        }
    }
}

impl Items {
    /// There is room for the expiry.
    fn fetch(&mut self, index: u32, fetch: &Fetch) -> Fetched {
        let record = self.at(index);
        let is_stale = record.marks().is_stale;
        let is_wanted = match fetch.recache {
            Recache::Never => false,
            Recache::WhenStale => is_stale,
            // An expiry of never is later than any moment.
            Recache::Before(moment) => is_stale || record.expiry() < Some(moment).into(),
            Recache::Always => true,
        };
        let was_won = record.marks().is_won;
        let fetched = Fetched {
            exptime_before: record.expiry().into(),
            was_won,
            wins: is_wanted && !was_won,
            created_after: None,
        };
        if let Some(exptime) = fetch.exptime {
            self.set_expiry(index, exptime.into());
        }
        fetched
    }

    /// What a visit leaves behind.
    fn settle(&mut self, index: u32, fetch: &Fetch, wins: bool, now: Seconds) {
        if wins {
            let marks = self.at(index).marks();
            self.set_marks(index, Marks { is_won: true, ..marks });
        }
        if fetch.marks_hit {
            self.mark(index, now);
        }
    }
}

impl Inner {
    /// Keeps an item without a value; none if it cannot be one.
    fn try_create(
        &self,
        items: &mut Items,
        hash: u64,
        key: &[u8],
        creation: Creation,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<Option<u32>, Need> {
        let Ok(key_len) = u8::try_from(key.len()) else { return Ok(None) };
        if self.rules.item_bytes(key.len(), 0, 0) > self.item_bytes_max {
            return Ok(None);
        }
        let marks = Marks { is_won: true, ..Marks::default() };
        let expiry = Expiry::from(creation.exptime);
        let with = Attributes { cas: creation.cas, marks, ..Attributes::new(0, expiry) };
        let plan = items.prepare(hash, key_len, empty_len(key), with, now, grant)?;
        let body = empty_body(key, key_len, &self.shard(hash).heap, grant)?;
        Ok(items.insert(hash, key, body, &plan, now).0)
    }
}
