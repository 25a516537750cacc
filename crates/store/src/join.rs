//! Storing at an end of what is kept: append and prepend.

use std::sync::Arc;

use crate::account::{Grant, Need};
use crate::commit::{Committed, Condition, Outcome, Terms};
use crate::draft::{Draft, Refusal};
use crate::filling::Filling;
use crate::heap::Heap;
use crate::item::{Item, LINE_END, Slices};
use crate::lock::Guard;
use crate::seconds::Seconds;
use crate::shard::{Attributes, Found, Items, Released, Shard};
use crate::store::Inner;

/// Memory for a long value that is being joined, with what the draft puts into it. It is kept from one attempt to the next, so
/// that each has less to wait for.
#[derive(Debug)]
pub(crate) struct Joint {
    filling: Filling,
    /// Length of the old value.
    old_len: usize,
    /// All its memory is there, and key and new value are in it.
    is_ready: bool,
}

impl Inner {
    /// Stores the item's value and the draft's, one after the other.
    ///
    /// A short value is joined under the lock. For a long one that is too slow: its memory is had and the draft's value
    /// copied outside, and so is the old value if it is long, which is pinned. It is put in its place if the item
    /// is still there; each time it is not, somebody else has stored.
    pub(crate) fn try_join(
        &self,
        draft: &mut Draft,
        condition: Condition,
        terms: &Terms,
        now: Seconds,
        grant: &mut Grant<'_>,
        joint: &mut Option<Joint>,
    ) -> Result<Result<Committed, Need>, Refusal> {
        let shard = self.shard(draft.hash);
        let heap = &shard.heap;
        loop {
            let mut bodies = Released::default();
            let mut items = shard.lock(now);
            let found = items.find_live_to_store(draft.hash, draft.key(), now, &mut bodies);
            let Found::Live(index) = found else {
                drop(items);
                match self.create_joined(draft, terms, now, grant) {
                    Some(created) => return Ok(created),
                    None => continue,
                }
            };
            let record = items.at(index);
            if terms.compare.is_some_and(|cas| cas != 0 && cas != record.cas()) {
                return Ok(Ok(unjoined(draft, Outcome::Exists)));
            }
            let old_len = record.value_len();
            let value_len = old_len + draft.value_len();
            let with =
                Attributes { cas: terms.cas, ..Attributes::new(record.flags(), record.expiry()) };
            let key_len = usize::from(draft.key_len);
            if self.rules.item_bytes(key_len, with.flags, value_len) > self.item_bytes_max {
                return Err(Refusal::TooLarge);
            }
            if key_len + value_len + LINE_END.len() <= heap.short_len() {
                let outcome =
                    join_short(&mut items, index, draft, (condition, with), (heap, grant), now);
                items.tend(now, &mut bodies);
                return Ok(outcome.map(|outcome| Committed { outcome, value_len }));
            }
            let Some(mut joined) = joint.take_if(|joint| joint.is_for(old_len)) else {
                drop(items);
                if let Err(need) = Joint::prepare(joint, old_len, draft, condition, heap, grant) {
                    return Ok(Err(need));
                }
                continue;
            };
            let added = joined.add_unlocked(shard, items, index, draft, condition, now);
            let Some((mut items, index)) = added else {
                *joint = Some(joined);
                continue;
            };
            let with = Attributes { expiry: items.at(index).expiry(), ..with };
            let len = joined.filling.len();
            let plan = match items.prepare_other(index, len, with, now, grant) {
                Ok(plan) => plan,
                Err(need) => {
                    *joint = Some(joined);
                    return Ok(Err(need));
                }
            };
            let body = joined.filling.into_body(draft.key_len);
            let (_, cas, old) = items.replace(index, draft.hash, body, &plan, now);
            items.tend(now, &mut bodies);
            drop(items);
            drop(old);
            return Ok(Ok(Committed { outcome: Outcome::Stored { cas }, value_len }));
        }
    }

    /// Stores what was to be joined to an item that there is not, if that is wanted; none if there is one by now.
    fn create_joined(
        &self,
        draft: &mut Draft,
        terms: &Terms,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Option<Result<Committed, Need>> {
        if !terms.creates {
            return Some(Ok(unjoined(draft, Outcome::NotStored)));
        }
        match self.try_store(draft, Condition::Add, terms, now, grant) {
            Ok(Committed { outcome: Outcome::NotStored, .. }) => None,
            created => Some(created),
        }
    }
}

impl Joint {
    fn is_for(&self, old_len: usize) -> bool {
        self.is_ready && self.old_len == old_len
    }

    /// Sees to it that there is a joint for an old value of this length.
    fn prepare(
        joint: &mut Option<Self>,
        old_len: usize,
        draft: &Draft,
        condition: Condition,
        heap: &Arc<Heap>,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        if joint.as_ref().is_some_and(|joint| joint.old_len != old_len) {
            // What it has may be enough for another.
            *joint = None;
        }
        joint
            .get_or_insert_with(|| Self::new(old_len, draft, heap))
            .make_ready(draft, condition, heap, grant)
    }

    fn new(old_len: usize, draft: &Draft, heap: &Arc<Heap>) -> Self {
        let len = draft.key().len() + old_len + draft.value_len() + LINE_END.len();
        Self { filling: Filling::new(len, heap), old_len, is_ready: false }
    }

    /// Takes the memory for all of it, and puts in what is not the old value.
    fn make_ready(
        &mut self,
        draft: &Draft,
        condition: Condition,
        heap: &Arc<Heap>,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        self.filling.reserve(heap, grant)?;
        self.filling.seek(0);
        self.filling.push_all(draft.key());
        let new = draft.data().unwrap_or_else(|| Slices::one(&[]));
        if condition == Condition::Prepend {
            self.push(new, draft.value_len());
        } else {
            self.filling.seek(draft.key().len() + self.old_len);
            self.push(new, usize::MAX);
        }
        self.is_ready = true;
        Ok(())
    }

    /// Copies the old value to where it belongs.
    fn add(&mut self, old: Slices<'_>, draft: &Draft, condition: Condition) {
        if condition == Condition::Prepend {
            self.filling.seek(draft.key().len() + draft.value_len());
            self.push(old, usize::MAX);
        } else {
            self.filling.seek(draft.key().len());
            self.push(old, self.old_len);
        }
    }

    /// The same without the lock, if the old value is long. The item is given back under the lock if it is still as it was, maybe
    /// under another handle.
    fn add_unlocked<'a>(
        &mut self,
        shard: &'a Shard,
        items: Guard<'a, Items>,
        index: u32,
        draft: &Draft,
        condition: Condition,
        now: Seconds,
    ) -> Option<(Guard<'a, Items>, u32)> {
        let record = items.at(index);
        if record.body.is_none() {
            self.add(record.data(), draft, condition);
            return Some((items, index));
        }
        let (cas, pinned) = (record.cas(), record.pin(&shard.account));
        drop(items);
        self.add(pinned.slices(), draft, condition);
        let items = shard.lock(now);
        match items.find(draft.hash, draft.key(), now) {
            Found::Live(same) if is_same(&items, same, &pinned, cas) => Some((items, same)),
            _ => None,
        }
    }

    /// Copies this many bytes of a value.
    fn push(&mut self, slices: Slices<'_>, mut len: usize) {
        for slice in slices {
            let some = slice.get(..len.min(slice.len())).unwrap_or_default();
            self.filling.push_all(some);
            len -= some.len();
        }
    }
}

/// Joins a short value, under the lock. Its place comes before its bytes: a grant that paid for these would not do for a segment
/// any more, as often as it is tried.
fn join_short(
    items: &mut Items,
    index: u32,
    draft: &Draft,
    (condition, with): (Condition, Attributes),
    (heap, grant): (&Arc<Heap>, &mut Grant<'_>),
    now: Seconds,
) -> Result<Outcome, Need> {
    let old_len = items.at(index).value_len();
    let mut joint = Joint::new(old_len, draft, heap);
    let plan = items.prepare_other(index, joint.filling.len(), with, now, grant)?;
    joint.make_ready(draft, condition, heap, grant)?;
    joint.add(items.at(index).data(), draft, condition);
    let body = joint.filling.into_body(draft.key_len);
    // A short one has no body that would have to be dropped elsewhere.
    let (_, cas, _) = items.replace(index, draft.hash, body, &plan, now);
    Ok(Outcome::Stored { cas })
}

/// What is said of a draft that was not joined to anything.
fn unjoined(draft: &Draft, outcome: Outcome) -> Committed {
    Committed { outcome, value_len: draft.value_len() }
}

/// Whether the item still holds this very value under this number. A pinned one is not changed in place, so then nothing
/// was stored there.
fn is_same(items: &Items, index: u32, pinned: &Item, cas: u64) -> bool {
    let record = items.at(index);
    record.cas() == cas && pinned.is_of(record.body)
}
