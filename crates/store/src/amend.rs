//! Changing an item without storing it: invalidated, emptied, or deleted if it is the one that was meant.

use std::sync::Arc;

use crate::account::{Grant, Need};
use crate::draft::Refusal;
use crate::entry::Marks;
use crate::filling::Filling;
use crate::heap::Heap;
use crate::item::{Body, LINE_END};
use crate::seconds::{Expiry, Seconds};
use crate::shard::{Attributes, Farewell, Found, Released};
use crate::store::{Inner, Store};

/// How an item is changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amendment {
    /// The CAS number that the item must have.
    pub compare: Option<u64>,
    /// It gets a new CAS number and is stale, and the next who fetches it wins its renewal.
    pub stales: bool,
    /// Its value, its flags and its marks go; it expires when [`Self::exptime`] says, else never.
    pub empties: bool,
    /// Its new expiry; without one it stays.
    pub exptime: Option<Option<Seconds>>,
    /// The CAS number that it gets instead of a new one, or of its own.
    pub cas: Option<u64>,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amended {
    /// What was asked; the number of the size class that it was counted in.
    Done {
        /// From 0.
        class: usize,
    },
    /// It has another CAS number.
    Exists,
    /// There was none.
    NotFound,
}

impl Store {
    /// Removes a live item, if this is its CAS number. It does not count as a hit.
    pub fn delete_if(&self, key: &[u8], cas: u64, now: Seconds) -> Amended {
        let hash = self.inner.hash(key);
        let mut bodies = Released::default();
        let mut items = self.inner.shard(hash).lock(now);
        let Found::Live(index) = items.find_live(hash, key, now, &mut bodies) else {
            return Amended::NotFound;
        };
        if items.at(index).cas() != cas {
            return Amended::Exists;
        }
        let class = items.class(index).into();
        bodies.push(items.remove(index, hash, Farewell::Deleted));
        Amended::Done { class }
    }

    /// Changes a live item in one moment. It does not count as a hit.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`] if there is no room for the emptied item beside the old one, which stays as it was.
    pub fn amend(
        &self,
        key: &[u8],
        amendment: &Amendment,
        now: Seconds,
    ) -> Result<Amended, Refusal> {
        let inner = &*self.inner;
        let hash = inner.hash(key);
        let home = inner.shard_index(hash);
        let amended = inner.with_room(
            home,
            || now,
            |grant| Ok(inner.try_amend(hash, key, amendment, now, grant)),
        )?;
        amended.ok_or(Refusal::OutOfMemory)
    }
}

impl Inner {
    fn try_amend(
        &self,
        hash: u64,
        key: &[u8],
        amendment: &Amendment,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<Amended, Need> {
        // Dropped last, when the lock is free.
        let mut bodies = Released::default();
        let shard = self.shard(hash);
        let mut items = shard.lock(now);
        let Found::Live(index) = items.find_live(hash, key, now, &mut bodies) else {
            return Ok(Amended::NotFound);
        };
        let cas_before = items.at(index).cas();
        if amendment.compare.is_some_and(|cas| cas != cas_before) {
            return Ok(Amended::Exists);
        }
        let class = items.class(index).into();
        let index = if amendment.empties {
            let expiry = amendment.exptime.flatten().into();
            let cas =
                if amendment.stales { amendment.cas } else { amendment.cas.or(Some(cas_before)) };
            let with = Attributes { cas, ..Attributes::new(0, expiry) };
            let plan = items.prepare_other(index, empty_len(key), with, now, grant)?;
            let key_len = items.at(index).entry.key_len();
            let body = empty_body(key, key_len, &shard.heap, grant)?;
            let (new, _, body) = items.replace(index, hash, body, &plan, now);
            bodies.push(body);
            new
        } else {
            let expiry = amendment.exptime.map_or(Expiry::NEVER, Expiry::from);
            let cas = if amendment.stales { items.coming_cas(amendment.cas) } else { 0 };
            let index = items.widen(index, hash, expiry, cas, now, grant)?;
            if amendment.exptime.is_some() {
                items.set_expiry(index, expiry);
            }
            if amendment.stales {
                items.renew_cas(index, amendment.cas);
            }
            index
        };
        if amendment.stales {
            let marks = items.at(index).marks();
            items.set_marks(index, Marks { is_stale: true, is_won: false, ..marks });
        }
        items.tend(now, &mut bodies);
        Ok(Amended::Done { class })
    }
}

/// What key and line end are long.
pub(crate) fn empty_len(key: &[u8]) -> usize {
    key.len() + LINE_END.len()
}

/// The body of a key without a value.
pub(crate) fn empty_body(
    key: &[u8],
    key_len: u8,
    heap: &Arc<Heap>,
    grant: &mut Grant<'_>,
) -> Result<Body, Need> {
    let mut filling = Filling::new(empty_len(key), heap);
    filling.reserve(heap, grant)?;
    filling.push_all(key);
    filling.push_all(&LINE_END);
    Ok(filling.into_body(key_len))
}
