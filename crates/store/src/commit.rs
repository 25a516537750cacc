//! Storing: a draft becomes an item, under a condition.

use crate::account::{Grant, Need};
use crate::draft::{Draft, Refusal};
use crate::item::Body;
use crate::seconds::Seconds;
use crate::shard::{Found, Released};
use crate::store::{Inner, Store};

/// What must hold for a draft to be stored, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// None: it is always stored.
    Set,
    /// There is no item of this key. If there is, it counts as used, though not as fetched.
    Add,
    /// There is an item of this key.
    Replace,
    /// There is one; the draft's value is put after its own. Its flags and expiry stay.
    Append,
    /// There is one; the draft's value is put before its own. Its flags and expiry stay.
    Prepend,
    /// There is one, and this is its CAS number; 0 is nobody's.
    Cas(u64),
}

/// What became of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is an item now.
    Stored {
        /// Its CAS number; 0 in a store without.
        cas: u64,
    },
    /// The condition did not hold.
    NotStored,
    /// [`Condition::Cas`]: the item has another CAS number.
    Exists,
    /// [`Condition::Cas`]: there is no item.
    NotFound,
}

/// What else is asked of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// [`Condition::Append`] and [`Condition::Prepend`]: the CAS number that the item must have; 0 is everybody's.
    pub compare: Option<u64>,
    /// [`Condition::Cas`]: a number below the item's stores too, but the value is stale from the start, and keeps the
    /// expiry of the old one and whether its renewal was won.
    pub stales_when_older: bool,
    /// [`Condition::Append`] and [`Condition::Prepend`]: where there is no item, the draft becomes one.
    pub creates: bool,
    /// The CAS number that the item gets instead of a new one.
    pub cas: Option<u64>,
    /// The key came in base64, and is to be shown so: the store only keeps that in mind.
    pub is_key_encoded: bool,
}

/// What became of a draft, and how long the value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// What became of it.
    pub outcome: Outcome,
    /// Length of the item's value now if it was stored, else of the draft's; without its `\r\n`.
    pub value_len: usize,
}

impl Store {
    /// Makes an item of a draft, in one moment, if the condition holds. Whatever comes of it, the draft is gone.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] if the result of an append or prepend is larger than allowed, [`Refusal::OutOfMemory`] if there
    /// is no room for that or for the index: an item that was kept stays as it was. [`Refusal::Misused`] if the draft is not complete
    /// or of another store.
    pub fn commit(
        &self,
        draft: Draft,
        condition: Condition,
        now: Seconds,
    ) -> Result<Outcome, Refusal> {
        Ok(self.commit_with(draft, condition, &Terms::default(), now)?.outcome)
    }

    /// Like [`Self::commit`], on terms.
    ///
    /// # Errors
    /// Those of [`Self::commit`].
    pub fn commit_with(
        &self,
        mut draft: Draft,
        condition: Condition,
        terms: &Terms,
        now: Seconds,
    ) -> Result<Committed, Refusal> {
        let inner = &*self.inner;
        let home = inner.shard_index(draft.hash);
        let account = &inner.shards[home].account;
        if !draft.is_complete() || !draft.is_of(account) {
            return Err(Refusal::Misused);
        }
        draft.attributes.cas = terms.cas;
        draft.attributes.marks.is_key_encoded = terms.is_key_encoded;
        let joining = matches!(condition, Condition::Append | Condition::Prepend);
        let mut joint = None;
        let committed = inner.with_room(
            home,
            || now,
            |grant| {
                if joining {
                    inner.try_join(&mut draft, condition, terms, now, grant, &mut joint)
                } else {
                    Ok(inner.try_store(&mut draft, condition, terms, now, grant))
                }
            },
        )?;
        if let Some(committed) = committed {
            return Ok(committed);
        }
        let attributes = draft.attributes;
        let size =
            inner.rules.item_bytes(draft.key_len.into(), attributes.flags, draft.value_len());
        inner.shards[home].lock(now).count_refusal(size);
        Err(Refusal::OutOfMemory)
    }
}

impl Inner {
    /// Stores the draft as it is. Bytes that are missing are an error here only, to go on with when they are there.
    pub(crate) fn try_store(
        &self,
        draft: &mut Draft,
        condition: Condition,
        terms: &Terms,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<Committed, Need> {
        let value_len = draft.value_len();
        let mut items = self.shard(draft.hash).lock(now);
        let found = items.find(draft.hash, draft.key(), now);
        let live = if let Found::Live(index) = found { Some(index) } else { None };
        let mut is_stale = false;
        let refused = match (condition, live) {
            (Condition::Add, Some(index)) => {
                // It is in use, but nobody has fetched it.
                items.mark_used(index, now);
                Some(Outcome::NotStored)
            }
            (Condition::Cas(cas), Some(index)) => {
                let kept = items.at(index).cas();
                is_stale = terms.stales_when_older && cas < kept;
                (cas == 0 || (cas != kept && !is_stale)).then_some(Outcome::Exists)
            }
            (Condition::Cas(_), None) => Some(Outcome::NotFound),
            (Condition::Replace, None) => Some(Outcome::NotStored),
            _ => None,
        };
        if let Some(outcome) = refused {
            // One that is gone is removed and counted, as by every other verb that meets it.
            let mut bodies = Released::default();
            items.find_live_to_store(draft.hash, draft.key(), now, &mut bodies);
            drop(items);
            return Ok(Committed { outcome, value_len });
        }
        let mut with = draft.attributes;
        if let (true, Some(index)) = (is_stale, live) {
            let record = items.at(index);
            with.expiry = record.expiry();
            with.marks.is_stale = true;
            with.marks.is_won = record.marks().is_won;
        }
        let (hash, key_len, len) = (draft.hash, draft.key_len, draft.item_len());
        // Dropped last, when the lock is free.
        let mut bodies = Released::default();
        let cas = match found {
            Found::Live(index) | Found::Expired(index) | Found::Flushed(index) => {
                let plan = items.prepare_other(index, len, with, now, grant)?;
                let body = draft.take_body().unwrap_or_else(Body::VACANT);
                let (_, cas, old) = items.replace(index, hash, body, &plan, now);
                bodies.push(old);
                cas
            }
            Found::Absent => {
                let plan = items.prepare(hash, key_len, len, with, now, grant)?;
                let key = draft.key_copy();
                let body = draft.take_body().unwrap_or_else(Body::VACANT);
                items.insert(hash, key.bytes(), body, &plan, now).1
            }
        };
        items.tend(now, &mut bodies);
        drop(items);
        Ok(Committed { outcome: Outcome::Stored { cas }, value_len })
    }
}
