//! The index of a shard: from the hash of a key to the number of its slot.
//!
//! Many small hash tables instead of one large: a table is rebuilt as a whole when it is full, under the shard's lock,
//! so it must be small. They are rebuilt here, before the table would do it by itself: at the same size when
//! it is full of what was removed, and never without the memory having been taken first.
//!
//! ```text
//!   hash   | tag 7 | shard 13 | sub-table 24 | position 20 |
//!          63      56         43             19            0
//! ```
//!
//! The table uses the bits at both ends; shard and sub-table must come from the middle, or all tags of a table agree.

use hashbrown::HashTable;

use crate::account::{Account, Grant, Need, allocation_bytes};

/// Slot numbers by hash.
#[derive(Debug)]
pub(crate) struct Tables {
    tables: Box<[HashTable<u32>]>,
    bytes: u64,
}

impl Tables {
    /// `count` is a power of two.
    pub(crate) fn new(count: usize) -> Self {
        Self { tables: (0..count).map(|_| HashTable::new()).collect(), bytes: 0 }
    }

    /// Memory the tables take, without the list of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Memory of the list of tables.
    pub(crate) fn fixed_bytes(&self) -> u64 {
        allocation_bytes(self.tables.len() * size_of::<HashTable<u32>>())
    }

    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.tables[self.place(hash)].find(hash, |&slot| is_it(slot)).copied()
    }

    /// Sees to it that [`Self::insert`] of this hash takes no memory.
    ///
    /// # Errors
    /// The bytes that are missing.
    pub(crate) fn prepare(
        &mut self,
        hash: u64,
        hash_of: impl Fn(u32) -> u64,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        let place = self.place(hash);
        let table = &self.tables[place];
        let len = table.len();
        if len < table.capacity() {
            return Ok(());
        }
        // Removed entries use up capacity; while a fifth of the table is theirs, the same size does.
        let full = capacity_of(table.num_buckets());
        let capacity = if full > 0 && len * 5 <= full * 4 { full } else { full + 1 };
        grant.spend(table_bytes(capacity))?;
        self.rebuild(place, capacity, hash_of, grant.account());
        Ok(())
    }

    pub(crate) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let table = &mut self.tables[self.place(hash)];
        debug_assert!(table.len() < table.capacity(), "not prepared");
        table.insert_unique(hash, slot, |&slot| hash_of(slot));
    }

    pub(crate) fn remove(
        &mut self,
        hash: u64,
        slot: u32,
        hash_of: impl Fn(u32) -> u64,
        account: &Account,
    ) {
        let place = self.place(hash);
        let table = &mut self.tables[place];
        if let Ok(entry) = table.find_entry(hash, |&other| other == slot) {
            entry.remove();
        }
        let (len, buckets) = (table.len(), table.num_buckets());
        // A quarter of what a table grows at: no back and forth.
        if buckets > BUCKETS_MIN && len * 8 < buckets {
            let capacity = len * 2;
            if capacity == 0 || account.take(table_bytes(capacity)) {
                self.rebuild(place, capacity, hash_of, account);
            }
        }
    }

    /// The caller has taken the bytes of the new table; those of the old one are credited.
    fn rebuild(
        &mut self,
        place: usize,
        capacity: usize,
        hash_of: impl Fn(u32) -> u64,
        account: &Account,
    ) {
        let mut table = HashTable::with_capacity(capacity);
        for &slot in &self.tables[place] {
            table.insert_unique(hash_of(slot), slot, |&slot| hash_of(slot));
        }
        let taken = table_bytes(capacity);
        let new = allocation_bytes(table.allocation_size());
        debug_assert!(new <= taken, "{new} > {taken}");
        let old = allocation_bytes(self.tables[place].allocation_size());
        self.tables[place] = table;
        self.bytes = self.bytes + new - old;
        account.credit(old + (taken - new));
    }

    fn place(&self, hash: u64) -> usize {
        let middle = (hash >> 20) as usize;
        middle & (self.tables.len() - 1)
    }
}

/// What a table with room for this many takes, at most; the rules of hashbrown: four bytes an entry and one of control
/// a bucket, a group of control bytes more, seven eighths full, a power of two.
fn table_bytes(capacity: usize) -> u64 {
    if capacity == 0 {
        return 0;
    }
    let buckets = (capacity + 1).max(capacity.div_ceil(7) * 8).next_power_of_two().max(BUCKETS_MIN);
    allocation_bytes(buckets * (size_of::<u32>() + 1) + 32)
}

fn capacity_of(buckets: usize) -> usize {
    match buckets {
        0..=1 => 0,
        2..8 => buckets - 1,
        _ => buckets / 8 * 7,
    }
}

const BUCKETS_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Pool;
    use std::sync::Arc;

    /// A hash that spreads.
    fn hash_of(slot: u32) -> u64 {
        u64::from(slot).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17)
    }

    #[test]
    fn a_steady_table_does_not_grow_and_an_emptied_one_shrinks() {
        let account = Account::new(Arc::new(Pool::new(64 << 20, 1)));
        let mut tables = Tables::new(4);
        let add = |tables: &mut Tables, slot| {
            let mut grant = Grant::empty(&account);
            tables.prepare(hash_of(slot), hash_of, &mut grant).unwrap();
            drop(grant);
            tables.insert(hash_of(slot), slot, hash_of);
            assert_eq!(account.held(), tables.bytes(), "slot {slot}");
        };
        for slot in 0..5000 {
            add(&mut tables, slot);
        }
        let steady = tables.bytes();
        for slot in 5000..50_000 {
            tables.remove(hash_of(slot - 5000), slot - 5000, hash_of, &account);
            add(&mut tables, slot);
        }
        assert!(tables.bytes() <= steady, "{} grew from {steady}", tables.bytes());
        assert_eq!(tables.find(hash_of(49_999), |slot| slot == 49_999), Some(49_999));
        assert_eq!(tables.find(hash_of(44_999), |slot| slot == 44_999), None);
        for slot in 45_000..50_000 {
            tables.remove(hash_of(slot), slot, hash_of, &account);
        }
        assert_eq!((tables.bytes(), account.held()), (tables.bytes(), tables.bytes()));
        assert!(tables.bytes() <= 4 * 256, "{} left", tables.bytes());
    }
}
