//! The slots of a shard: what is known of each item besides its bytes, by number.
//!
//! A slot keeps its number as long as its item is kept, so tables, queues and walks refer to it by a `u32`. Slots come
//! in pages of 128; a page whose last slot is vacated is freed, so that an index of many small items does not stay behind
//! when few large ones take their place.

use std::mem;
use std::ops::{Index, IndexMut};

use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::item::Body;
use crate::seconds::{Expiry, Seconds};

/// One item, or a place for one.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) body: Body,
    pub(crate) hash: u64,
    pub(crate) cas: u64,
    pub(crate) flags: u32,
    pub(crate) expiry: Expiry,
    pub(crate) last_access: Seconds,
    /// Flushes this shard had seen when the item was stored.
    pub(crate) generation: u32,
    /// Towards the head of its queue; in a vacant slot the next vacant one of its page.
    pub(crate) newer: u32,
    pub(crate) older: u32,
    pub(crate) key_len: u8,
    pub(crate) class: u8,
    pub(crate) state: State,
    /// Hits since it came to its queue, up to 3.
    pub(crate) frequency: u8,
    pub(crate) was_fetched: bool,
    pub(crate) marks: Marks,
}

/// What meta commands leave on an item. A new value is without them, unless it was stored with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It was invalidated, and not stored again since.
    pub(crate) is_stale: bool,
    /// Somebody has won its renewal.
    pub(crate) is_won: bool,
    /// Its key came in base64.
    pub(crate) is_key_encoded: bool,
}

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Vacant,
    /// In the queue of those that have to prove themselves.
    Small,
    Main,
}

impl Slot {
    fn vacant(newer: u32) -> Self {
        Self {
            body: Body::VACANT(),
            hash: 0,
            cas: 0,
            flags: 0,
            expiry: Expiry::NEVER,
            last_access: Seconds(0),
            generation: 0,
            newer,
            older: NONE,
            key_len: 0,
            class: 0,
            state: State::Vacant,
            frequency: 0,
            was_fetched: false,
            marks: Marks::default(),
        }
    }

    pub(crate) fn key(&self) -> &[u8] {
        self.body.key(self.key_len)
    }

    /// Length of the value without its `\r\n`.
    pub(crate) fn value_len(&self) -> usize {
        self.body.len().saturating_sub(usize::from(self.key_len) + 2)
    }
}

/// All slots of a shard.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    pages: Vec<Page>,
    /// The first page with a vacant slot, and the first freed page.
    room: Link,
    freed: Link,
    live: usize,
    bytes: u64,
}

impl Slots {
    /// Occupied slots.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Memory that all of it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// One past the highest number.
    pub(crate) fn end(&self) -> u32 {
        number(self.pages.len(), 0)
    }

    /// The slot of this number, if there is an item in it.
    pub(crate) fn get(&self, index: u32) -> Option<&Slot> {
        let slot = self.pages.get(page_of(index))?.slots.get(offset_of(index))?;
        (slot.state != State::Vacant).then_some(slot)
    }

    /// Sees to it that there is a vacant slot.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn prepare(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        if self.room.0.is_some() {
            return Ok(());
        }
        if self.freed.0.is_none() && self.pages.len() == self.pages.capacity() {
            self.grow_table(grant)?;
        }
        if self.pages.len() >= PAGES_MAX && self.freed.0.is_none() {
            return Err(Need::Memory(PAGE_BYTES));
        }
        grant.spend(PAGE_BYTES)?;
        let Some(slots) = vacant_slots() else {
            grant.account().credit(PAGE_BYTES);
            return Err(Need::Memory(PAGE_BYTES));
        };
        self.bytes += PAGE_BYTES;
        let page = match self.freed.0 {
            Some(page) => {
                self.freed = self.pages[page as usize].next;
                page
            }
            None => {
                self.pages.push(Page::default());
                number(self.pages.len() - 1, 0) / PAGE_LEN
            }
        };
        self.pages[page as usize].fill(slots);
        self.push_room(page);
        Ok(())
    }

    fn grow_table(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (old, new) = (self.pages.capacity(), (self.pages.capacity() * 2).max(16));
        let bytes = |capacity: usize| allocation_bytes(capacity * size_of::<Page>());
        grant.spend(bytes(new))?;
        if self.pages.try_reserve_exact(new - old).is_err() {
            grant.account().credit(bytes(new));
            return Err(Need::Memory(bytes(new)));
        }
        self.bytes = self.bytes + bytes(new) - bytes(old);
        grant.account().credit(bytes(old));
        Ok(())
    }

    /// Puts an item into a vacant slot that [`Self::prepare`] has seen to, unlinked from everything. `fill` sets what it is.
    pub(crate) fn occupy(&mut self, fill: impl FnOnce(&mut Slot)) -> Option<u32> {
        let page_index = self.room.0?;
        let page = &mut self.pages[page_index as usize];
        let offset = page.vacant;
        let slot = &mut page.slots[offset as usize];
        page.vacant = slot.newer;
        page.live += 1;
        slot.newer = NONE;
        slot.older = NONE;
        fill(slot);
        if page.vacant == NONE {
            self.remove_room(page_index);
        }
        self.live += 1;
        Some(page_index * PAGE_LEN + offset)
    }

    /// Takes the item out, leaving its slot vacant.
    pub(crate) fn vacate(&mut self, index: u32, account: &Account) -> Body {
        let page_index = index / PAGE_LEN;
        let page = &mut self.pages[page_index as usize];
        let was_full = page.vacant == NONE;
        let slot = &mut page.slots[offset_of(index)];
        debug_assert!(slot.state != State::Vacant, "slot {index} is vacated twice");
        let slot = mem::replace(slot, Slot::vacant(page.vacant));
        page.vacant = index % PAGE_LEN;
        page.live -= 1;
        let is_empty = page.live == 0;
        self.live -= 1;
        if was_full {
            self.push_room(page_index);
        }
        if is_empty && (self.live == 0 || self.has_other_room(page_index)) {
            self.free_page(page_index, account);
        }
        slot.body
    }

    fn has_other_room(&self, page: u32) -> bool {
        self.room.0 != Some(page) || self.pages[page as usize].next.0.is_some()
    }

    fn free_page(&mut self, index: u32, account: &Account) {
        self.remove_room(index);
        let page = &mut self.pages[index as usize];
        page.slots = Vec::new();
        page.next = mem::replace(&mut self.freed, Link(Some(index)));
        self.bytes -= PAGE_BYTES;
        account.credit(PAGE_BYTES);
    }

    fn push_room(&mut self, index: u32) {
        let next = mem::replace(&mut self.room, Link(Some(index)));
        if let Some(next) = next.0 {
            self.pages[next as usize].previous = Link(Some(index));
        }
        let page = &mut self.pages[index as usize];
        page.previous = Link(None);
        page.next = next;
    }

    fn remove_room(&mut self, index: u32) {
        let page = &mut self.pages[index as usize];
        let (previous, next) = (mem::take(&mut page.previous), mem::take(&mut page.next));
        match previous.0 {
            Some(previous) => self.pages[previous as usize].next = next,
            None => self.room = next,
        }
        if let Some(next) = next.0 {
            self.pages[next as usize].previous = previous;
        }
    }
}

impl Index<u32> for Slots {
    type Output = Slot;

    fn index(&self, index: u32) -> &Slot {
        &self.pages[page_of(index)].slots[offset_of(index)]
    }
}

impl IndexMut<u32> for Slots {
    fn index_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.pages[page_of(index)].slots[offset_of(index)]
    }
}

/// 128 slots, or none when it is freed.
#[derive(Debug)]
struct Page {
    slots: Vec<Slot>,
    /// The first vacant slot.
    vacant: u32,
    live: u32,
    /// Neighbours in the list of pages with room, or of freed ones.
    previous: Link,
    next: Link,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            vacant: NONE,
            live: 0,
            previous: Link::default(),
            next: Link::default(),
        }
    }
}

impl Page {
    fn fill(&mut self, slots: Vec<Slot>) {
        self.slots = slots;
        self.vacant = 0;
        self.live = 0;
    }
}

/// The slots of a page, all vacant; `None` if the system has no memory.
fn vacant_slots() -> Option<Vec<Slot>> {
    let mut slots = Vec::new();
    slots.try_reserve_exact(PAGE_LEN as usize).ok()?;
    let next = |offset| if offset + 1 == PAGE_LEN { NONE } else { offset + 1 };
    slots.extend((0..PAGE_LEN).map(|offset| Slot::vacant(next(offset))));
    Some(slots)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Link(Option<u32>);

fn page_of(index: u32) -> usize {
    (index / PAGE_LEN) as usize
}

fn offset_of(index: u32) -> usize {
    (index % PAGE_LEN) as usize
}

fn number(page: usize, offset: u32) -> u32 {
    u32::try_from(page).unwrap_or(u32::MAX / PAGE_LEN) * PAGE_LEN + offset
}

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;
const PAGE_LEN: u32 = 128;
/// So many that every slot has a number below [`NONE`].
const PAGES_MAX: usize = (NONE / PAGE_LEN) as usize;
const PAGE_BYTES: u64 = allocation_bytes(PAGE_LEN as usize * size_of::<Slot>());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Pool;
    use std::sync::Arc;

    #[test]
    fn a_slot_is_one_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
    }

    #[test]
    fn pages_come_and_go_with_their_items() {
        let account = Account::new(Arc::new(Pool::new(4 << 20, 1)));
        let mut slots = Slots::default();
        let mut taken = Vec::new();
        for _ in 0..1000 {
            slots.prepare(&mut Grant::empty(&account)).unwrap();
            taken.push(slots.occupy(|slot| slot.state = State::Small).unwrap());
            assert_eq!(account.held(), slots.bytes());
        }
        let distinct: std::collections::BTreeSet<_> = taken.iter().collect();
        assert_eq!((distinct.len(), slots.live()), (1000, 1000));
        let full = slots.bytes();
        for index in taken {
            slots.vacate(index, &account);
            assert_eq!(account.held(), slots.bytes());
        }
        assert!(slots.bytes() <= full - 8 * PAGE_BYTES, "{} of {full}", slots.bytes());
        slots.prepare(&mut Grant::empty(&account)).unwrap();
        assert_eq!(slots.end(), 8 * PAGE_LEN, "freed pages are used again");
    }
}
