//! The index of a shard: from the hash of a key to the number of its slot.
//!
//! Many small hash tables instead of one large: a table is rebuilt as a whole when it is full, under the shard's lock,
//! so it must be small. They are rebuilt here, before the table would do it by itself: at the same size when
//! it is full of what was removed, and never without the memory having been taken first. There is one table at first; as
//! items come another is added, which takes its share of one that is there: see [`crate::spread`].
//!
//! ```text
//!   hash   | tag 7 | shard 13 | sub-table 24 | position 20 |
//!          63      56         43             19            0
//! ```
//!
//! The table uses the bits at both ends; shard and sub-table must come from the middle, or all tags of a table agree.

use std::mem;

use hashbrown::HashTable;

use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::spread::Spread;

/// Slot numbers by hash.
#[derive(Debug)]
pub(crate) struct Tables {
    tables: Vec<HashTable<u32>>,
    spread: Spread,
    items: usize,
    /// With so many items a table is added.
    split_at: usize,
    bytes: u64,
}

impl Tables {
    pub(crate) fn new() -> Self {
        let tables = vec![HashTable::new()];
        let bytes = list_bytes(tables.capacity());
        Self { tables, spread: Spread::default(), items: 0, split_at: TABLE_ITEMS, bytes }
    }

    /// Memory that all of it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.tables[self.place(hash)].find(hash, |&slot| is_it(slot)).copied()
    }

    /// Sees to it that [`Self::insert`] of this hash takes no memory.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn prepare(
        &mut self,
        hash: u64,
        hash_of: impl Fn(u32) -> u64,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        if self.items >= self.split_at {
            match self.split(&hash_of, grant) {
                Ok(()) => self.split_at = self.tables.len() * TABLE_ITEMS,
                // Large tables are long to rebuild: they are worth an eviction.
                Err(need) if self.items >= 2 * self.tables.len() * TABLE_ITEMS => return Err(need),
                // Until then a table may be larger than it should be; what failed is not tried again with each item.
                Err(_) => self.split_at = self.items + TABLE_ITEMS / 16,
            }
        }
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
        if self.rebuild(place, capacity, hash_of, grant.account()) {
            Ok(())
        } else {
            Err(Need::Memory(table_bytes(capacity)))
        }
    }

    pub(crate) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let place = self.place(hash);
        let table = &mut self.tables[place];
        debug_assert!(table.len() < table.capacity(), "not prepared");
        table.insert_unique(hash, slot, |&slot| hash_of(slot));
        self.items += 1;
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
            self.items -= 1;
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

    /// Puts another number in the place of one that is there under this hash, and says whether it was. Unlike a removal it
    /// leaves no tombstone, so what is moved or overwritten makes no table grow.
    #[allow(
        dead_code,
        reason = "a slot keeps its number as long as its item lives; the log's items move"
    )]
    pub(crate) fn replace(&mut self, hash: u64, old: u32, new: u32) -> bool {
        let place = self.place(hash);
        let entry = self.tables[place].find_mut(hash, |&slot| slot == old);
        entry.map(|slot| *slot = new).is_some()
    }

    /// The caller has taken the bytes of the new table; those of the old one are credited, or, if the system has no memory,
    /// those of the new one.
    fn rebuild(
        &mut self,
        place: usize,
        capacity: usize,
        hash_of: impl Fn(u32) -> u64,
        account: &Account,
    ) -> bool {
        let bytes = table_bytes(capacity);
        let table = filled(&self.tables[place], capacity, |_| true, hash_of);
        let is_there = table.is_some();
        match table {
            Some(table) => self.put(place, table, bytes, account),
            None => account.credit(bytes),
        }
        is_there
    }

    /// Adds a table and moves to it what belongs there now.
    ///
    /// # Errors
    /// What is missing.
    fn split(&mut self, hash_of: impl Fn(u32) -> u64, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (new, source) = (self.tables.len(), &self.tables[self.spread.source()]);
        let grown = self.spread.grown();
        let moves = |hash: u64| grown.place(bits(hash)) == new;
        let moved = source.iter().filter(|&&slot| moves(hash_of(slot))).count();
        let with_slack = |len: usize| len + len / 8;
        let (stay, go) = (with_slack(source.len() - moved), with_slack(moved));
        let (stay_bytes, go_bytes) = (table_bytes(stay), table_bytes(go));
        self.reserve(grant)?;
        grant.spend(stay_bytes + go_bytes)?;
        let account = grant.account();
        let source = &self.tables[self.spread.source()];
        let staying = filled(source, stay, |hash| !moves(hash), &hash_of);
        let going = filled(source, go, moves, &hash_of);
        let (Some(staying), Some(going)) = (staying, going) else {
            account.credit(stay_bytes + go_bytes);
            return Err(Need::Memory(stay_bytes + go_bytes));
        };
        self.put(self.spread.source(), staying, stay_bytes, account);
        self.tables.push(HashTable::new());
        self.put(new, going, go_bytes, account);
        self.spread = grown;
        Ok(())
    }

    /// Room for one more table in the list of tables.
    fn reserve(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (len, old) = (self.tables.len(), self.tables.capacity());
        if len < old {
            return Ok(());
        }
        let new = old * 2;
        grant.spend(list_bytes(new))?;
        if self.tables.try_reserve_exact(new - len).is_err() {
            grant.account().credit(list_bytes(new));
            return Err(Need::Memory(list_bytes(new)));
        }
        self.bytes = self.bytes + list_bytes(new) - list_bytes(old);
        grant.account().credit(list_bytes(old));
        Ok(())
    }

    /// Puts a table, for which so much was taken, in the place of another, and credits what is not needed any more.
    fn put(&mut self, place: usize, table: HashTable<u32>, taken: u64, account: &Account) {
        let new = allocation_bytes(table.allocation_size());
        debug_assert!(new <= taken, "{new} > {taken}");
        let table = mem::replace(&mut self.tables[place], table);
        let old = allocation_bytes(table.allocation_size());
        drop(table);
        self.bytes = self.bytes + new - old;
        account.credit(old + (taken - new));
    }

    fn place(&self, hash: u64) -> usize {
        self.spread.place(bits(hash))
    }
}

/// What the choice of a table looks at.
fn bits(hash: u64) -> usize {
    (hash >> 20) as usize & ((1 << 24) - 1)
}

/// A table of this capacity with those of another that are wanted; `None` if the system has no memory.
fn filled(
    from: &HashTable<u32>,
    capacity: usize,
    is_wanted: impl Fn(u64) -> bool,
    hash_of: impl Fn(u32) -> u64,
) -> Option<HashTable<u32>> {
    let mut table = HashTable::new();
    table.try_reserve(capacity, |&slot| hash_of(slot)).ok()?;
    for &slot in from {
        let hash = hash_of(slot);
        if is_wanted(hash) {
            table.insert_unique(hash, slot, |&slot| hash_of(slot));
        }
    }
    Some(table)
}

fn list_bytes(tables: usize) -> u64 {
    allocation_bytes(tables * size_of::<HashTable<u32>>())
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
/// Items a table in the mean. Those that have not been split yet have up to a third more, those that have a third less. Small,
/// so that one is rebuilt in some microseconds, and few items are evicted for the memory which that takes.
const TABLE_ITEMS: usize = 320;

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
        let mut tables = Tables::new();
        account.force(tables.bytes());
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
        assert!(tables.tables.len() > 3, "it was split");
        let left = list_bytes(tables.tables.capacity()) + 256 * tables.tables.len() as u64;
        assert!(tables.bytes() <= left, "{} left", tables.bytes());
    }

    #[test]
    fn replaced_numbers_stay_where_they_are() {
        // Each hash is that of two numbers: a number and its successor by the number of items.
        let hash_of = |slot: u32| hash_of(slot % 1000);
        let account = Account::new(Arc::new(Pool::new(1 << 20, 1)));
        let mut tables = Tables::new();
        account.force(tables.bytes());
        for slot in 0..1000 {
            tables.prepare(hash_of(slot), hash_of, &mut Grant::empty(&account)).unwrap();
            tables.insert(hash_of(slot), slot, hash_of);
        }
        let room = |tables: &Tables| tables.tables.iter().map(HashTable::capacity).sum::<usize>();
        let before = (tables.bytes(), room(&tables));
        for round in 0..10 {
            for slot in round * 1000..(round + 1) * 1000 {
                let hash = hash_of(slot);
                assert!(tables.replace(hash, slot, slot + 1000), "{slot}");
                assert!(!tables.replace(hash, slot, slot + 2000), "{slot} is not there any more");
                assert_eq!(tables.find(hash, |other| other == slot), None);
                assert_eq!(tables.find(hash, |other| other == slot + 1000), Some(slot + 1000));
            }
        }
        assert_eq!((tables.bytes(), room(&tables)), before, "tombstones take room");
        for slot in 10_000..11_000 {
            tables.remove(hash_of(slot), slot, hash_of, &account);
        }
        assert_eq!(tables.items, 0);
    }

    #[test]
    fn tables_stay_small_though_memory_comes_only_as_it_is_asked_for() {
        let account = Account::new(Arc::new(Pool::new(4 << 20, 1)));
        let mut tables = Tables::new();
        account.force(tables.bytes());
        let mut others = account.take_up_to(u64::MAX);
        for slot in 0..50_000 {
            while let Err(need) =
                tables.prepare(hash_of(slot), hash_of, &mut Grant::empty(&account))
            {
                let Need::Room(bytes) = need else { panic!("{need:?}") };
                others -= bytes;
                account.credit(bytes);
            }
            tables.insert(hash_of(slot), slot, hash_of);
            assert_eq!(account.held(), others + tables.bytes(), "slot {slot}");
        }
        let longest = tables.tables.iter().map(HashTable::len).max();
        assert!(longest.is_some_and(|len| len <= 4 * TABLE_ITEMS), "{longest:?}");
    }
}
