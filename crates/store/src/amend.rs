//! Changing an item without storing it: invalidated, emptied, or deleted if it is the one that was meant.

use std::sync::Arc;

use crate::account::{Grant, Need};
use crate::draft::Refusal;
use crate::filling::Filling;
use crate::heap::Heap;
use crate::item::{Body, LINE_END};
use crate::seconds::Seconds;
use crate::shard::{Attributes, Farewell, Found, Items, Released};
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
        if items.slots[index].cas != cas {
            return Amended::Exists;
        }
        let class = items.slots[index].class.into();
        bodies.push(items.remove(index, Farewell::Deleted));
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
        let slot = &items.slots[index];
        if amendment.compare.is_some_and(|cas| cas != slot.cas) {
            return Ok(Amended::Exists);
        }
        let (class, cas_before) = (slot.class.into(), slot.cas);
        if amendment.empties {
            let body = empty_body(key, slot.key_len, &shard.heap, grant)?;
            let expiry = amendment.exptime.flatten().into();
            let cas = amendment.cas.or(Some(cas_before));
            let with = Attributes { cas, ..Attributes::new(0, expiry) };
            bodies.push(items.replace(index, body, with, now).1);
        } else if let Some(exptime) = amendment.exptime {
            items.set_expiry(index, exptime.into());
        }
        if amendment.stales {
            items.invalidate(index, amendment.cas);
        }
        Ok(Amended::Done { class })
    }
}

impl Items {
    fn invalidate(&mut self, index: u32, cas: Option<u64>) {
        self.renew_cas(index, cas);
        let marks = &mut self.slots[index].marks;
        marks.is_stale = true;
        marks.is_won = false;
    }
}

/// The body of a key without a value.
pub(crate) fn empty_body(
    key: &[u8],
    key_len: u8,
    heap: &Arc<Heap>,
    grant: &mut Grant<'_>,
) -> Result<Body, Need> {
    let mut filling = Filling::new(key.len() + LINE_END.len(), heap);
    filling.reserve(heap, grant)?;
    filling.push_all(key);
    filling.push_all(&LINE_END);
    Ok(filling.into_body(key_len))
}
