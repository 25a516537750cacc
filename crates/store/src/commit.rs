//! Storing: a draft becomes an item, under a condition.

use std::sync::Arc;

use crate::account::{Account, Grant, Need};
use crate::draft::{Draft, Refusal};
use crate::filling::{Filling, join};
use crate::item::{Body, Item, Kept, LINE_END, Slices};
use crate::seconds::Seconds;
use crate::shard::{Attributes, Found, Items};
use crate::store::{Inner, Store};

/// What must hold for a draft to be stored, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// None: it is always stored.
    Set,
    /// There is no item of this key. If there is, it counts as hit.
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

impl Store {
    /// Makes an item of a draft, in one moment, if the condition holds. Whatever comes of it, the draft is gone.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] if the result of an append or prepend is larger than allowed, [`Refusal::OutOfMemory`] if there
    /// is no room for that or for the index: an item that was kept stays as it was. [`Refusal::Misused`] if the draft is not complete
    /// or of another store.
    pub fn commit(
        &self,
        mut draft: Draft,
        condition: Condition,
        now: Seconds,
    ) -> Result<Outcome, Refusal> {
        let inner = &*self.inner;
        let home = inner.shard_index(draft.hash);
        let account = &inner.shards[home].account;
        if !draft.is_complete() || !draft.is_of(account) {
            return Err(Refusal::Misused);
        }
        let joining = matches!(condition, Condition::Append | Condition::Prepend);
        let mut grant = Grant::empty(account);
        let mut failures = 0;
        loop {
            let step = if joining {
                inner.try_join(&draft, condition, now, &mut grant)?
            } else {
                inner.try_store(&mut draft, condition, now, &mut grant)
            };
            let need = match step {
                Ok(outcome) => return Ok(outcome),
                Err(need) => need,
            };
            match inner.meet(need, home, now, &mut failures) {
                Some(room) => grant = room,
                None => break,
            }
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
    fn try_store(
        &self,
        draft: &mut Draft,
        condition: Condition,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<Outcome, Need> {
        let mut items = self.shard(draft.hash).lock(now);
        let found = items.find(draft.hash, draft.key(), now);
        let live = if let Found::Live(index) = found { Some(index) } else { None };
        let refused = match (condition, live) {
            (Condition::Add, Some(index)) => {
                items.mark(index, now);
                Some(Outcome::NotStored)
            }
            (Condition::Cas(cas), Some(index)) => {
                (cas == 0 || items.slots[index].cas != cas).then_some(Outcome::Exists)
            }
            (Condition::Cas(_), None) => Some(Outcome::NotFound),
            (Condition::Replace, None) => Some(Outcome::NotStored),
            _ => None,
        };
        if let Some(outcome) = refused {
            return Ok(outcome);
        }
        let with = draft.attributes;
        let (cas, old) = match found {
            Found::Live(index) | Found::Expired(index) | Found::Flushed(index) => {
                let body = draft.take_body().unwrap_or_else(Body::VACANT);
                items.replace(index, body, with, now)
            }
            Found::Absent => {
                items.prepare(draft.hash, grant)?;
                let body = draft.take_body().unwrap_or_else(Body::VACANT);
                (items.insert(draft.hash, draft.key_len, body, with, now), None)
            }
        };
        drop(items);
        drop(old);
        Ok(Outcome::Stored { cas })
    }

    /// Stores the item's value and the draft's, one after the other.
    ///
    /// A short value is joined under the lock. For a long one that is too slow: it is pinned, joined outside, and put in its
    /// place if it is still there; each time it is not, somebody else has stored.
    fn try_join(
        &self,
        draft: &Draft,
        condition: Condition,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<Result<Outcome, Need>, Refusal> {
        let shard = self.shard(draft.hash);
        loop {
            let mut items = shard.lock(now);
            let found = items.find(draft.hash, draft.key(), now);
            let Found::Live(index) = found else { return Ok(Ok(Outcome::NotStored)) };
            let slot = &items.slots[index];
            let value_len = slot.value_len() + draft.value_len();
            let with = Attributes { flags: slot.flags, expiry: slot.expiry };
            let key_len = usize::from(draft.key_len);
            if self.rules.item_bytes(key_len, with.flags, value_len) > self.item_bytes_max {
                return Err(Refusal::TooLarge);
            }
            let bytes = Filling::whole_bytes(key_len + value_len + LINE_END.len());
            if let Err(need) = grant.spend(bytes) {
                return Ok(Err(need));
            }
            let filling = match &slot.body {
                Body::Owned(_) => {
                    joined(draft, condition, &slot.body.data(draft.key_len), &shard.account)
                }
                Body::Shared(_) => {
                    let pinned = slot.body.pin(draft.key_len, &shard.account);
                    drop(items);
                    let filling = joined(draft, condition, &pinned.slices(), &shard.account);
                    items = shard.lock(now);
                    if !is_still_there(&items, index, &pinned) || !is_live(&items, index, now) {
                        drop(items);
                        drop(filling);
                        shard.account.credit(bytes);
                        continue;
                    }
                    filling
                }
            };
            let Some(filling) = filling else {
                drop(items);
                shard.account.credit(bytes);
                return Ok(Err(Need::Memory(bytes)));
            };
            debug_assert_eq!(filling.charged(), bytes, "joined bytes are paid for");
            let body = filling.into_body(draft.key_len);
            let with = Attributes { expiry: items.slots[index].expiry, ..with };
            let (cas, old): (u64, Option<Arc<Kept>>) = items.replace(index, body, with, now);
            drop(items);
            drop(old);
            return Ok(Ok(Outcome::Stored { cas }));
        }
    }
}

fn joined(
    draft: &Draft,
    condition: Condition,
    old: &Slices<'_>,
    account: &Arc<Account>,
) -> Option<Filling> {
    let new = draft.data().unwrap_or_else(|| old.clone());
    let value_len =
        |slices: &Slices<'_>| slices.clone().map(<[u8]>::len).sum::<usize>() - LINE_END.len();
    if condition == Condition::Prepend {
        let len = value_len(&new);
        join(account, draft.key(), new, len, old.clone())
    } else {
        let len = value_len(old);
        join(account, draft.key(), old.clone(), len, new)
    }
}

/// Whether the slot still holds this very value. A pinned one is not changed in place, so then nothing was stored there.
fn is_still_there(items: &Items, index: u32, pinned: &Item) -> bool {
    items.slots.get(index).is_some_and(|slot| pinned.is_of(&slot.body))
}

fn is_live(items: &Items, index: u32, now: Seconds) -> bool {
    items.judge(index, now) == Found::Live(index)
}
