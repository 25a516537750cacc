//! What the index was before: hashbrown tables of some hundred items, added by linear hashing, and rebuilt as wholes.

use std::mem;

use hashbrown::HashTable;

use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::index::Rehash;

/// Handles by hash.
#[derive(Debug)]
pub(crate) struct Tables {
    tables: Vec<Table>,
    items: usize,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashTable<u32>,
    /// Where its control bytes begin; its entries lie before them, the first one last. Only for prefetching.
    base: usize,
}

impl Tables {
    pub(crate) fn new() -> Self {
        let tables = vec![Table::default()];
        let bytes = list_bytes(tables.capacity());
        Self { tables, items: 0, bytes }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.tables[self.place(hash)].entries.find(hash, |&handle| is_it(handle)).copied()
    }

    /// The first group of control bytes, and the entry that is most likely.
    pub(crate) fn prefetch(&self, hash: u64) {
        let table = &self.tables[self.place(hash)];
        let first = bits(hash) & table.entries.num_buckets().wrapping_sub(1);
        line(table.base.wrapping_add(first));
        line(table.base.wrapping_sub(4 * (first + 8)));
    }

    pub(crate) fn prefetch_candidates(&self, hash: u64, mut see: impl FnMut(u32)) {
        self.find(hash, |handle| {
            see(handle);
            false
        });
    }

    pub(crate) fn prepare(
        &mut self,
        hash: u64,
        items: &impl Rehash,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        if self.items >= self.tables.len() * TABLE_ITEMS {
            self.split(items, grant)?;
        }
        let place = self.place(hash);
        let table = &self.tables[place].entries;
        let len = table.len();
        if len < table.capacity() {
            return Ok(());
        }
        // Removed entries use up capacity; while a fifth of the table is theirs, the same size does.
        let full = capacity_of(table.num_buckets());
        let capacity = if full > 0 && len * 5 <= full * 4 { full } else { full + 1 };
        grant.spend(table_bytes(capacity))?;
        self.rebuild(place, capacity, items, grant.account());
        Ok(())
    }

    pub(crate) fn insert(&mut self, hash: u64, handle: u32, items: &impl Rehash) {
        let place = self.place(hash);
        self.tables[place].entries.insert_unique(hash, handle, |&other| items.hash(other));
        self.items += 1;
    }

    pub(crate) fn remove(
        &mut self,
        hash: u64,
        handle: u32,
        items: &impl Rehash,
        account: &Account,
    ) {
        let place = self.place(hash);
        let table = &mut self.tables[place].entries;
        if let Ok(entry) = table.find_entry(hash, |&other| other == handle) {
            entry.remove();
            self.items -= 1;
        }
        let (len, buckets) = (table.len(), table.num_buckets());
        if buckets > BUCKETS_MIN && len * 8 < buckets {
            let capacity = len * 2;
            if capacity == 0 || account.take(table_bytes(capacity)) {
                self.rebuild(place, capacity, items, account);
            }
        }
    }

    fn rebuild(&mut self, place: usize, capacity: usize, items: &impl Rehash, account: &Account) {
        let mut table = HashTable::with_capacity(capacity);
        for (hash, handle) in hashed(&self.tables[place].entries, items) {
            table.insert_unique(hash, handle, |&other| items.hash(other));
        }
        self.put(place, table, table_bytes(capacity), items, account);
    }

    /// Adds a table and moves to it what belongs there now.
    fn split(&mut self, items: &impl Rehash, grant: &mut Grant<'_>) -> Result<(), Need> {
        let new = self.tables.len();
        let source = new & (mask(new + 1) >> 1);
        let hashes: Vec<_> = hashed(&self.tables[source].entries, items).collect();
        let goes = |hash: u64| place_among(new + 1, hash) == new;
        let moved = hashes.iter().filter(|(hash, _)| goes(*hash)).count();
        let with_slack = |len: usize| len + len / 8;
        let (stay, go) = (with_slack(hashes.len() - moved), with_slack(moved));
        grant.spend(table_bytes(stay) + table_bytes(go))?;
        let (mut staying, mut going) =
            (HashTable::with_capacity(stay), HashTable::with_capacity(go));
        for (hash, handle) in hashes {
            let table = if goes(hash) { &mut going } else { &mut staying };
            table.insert_unique(hash, handle, |&other| items.hash(other));
        }
        let before = list_bytes(self.tables.capacity());
        self.tables.push(Table::default());
        let grown = list_bytes(self.tables.capacity()) - before;
        grant.account().force(grown);
        self.bytes += grown;
        self.put(source, staying, table_bytes(stay), items, grant.account());
        self.put(new, going, table_bytes(go), items, grant.account());
        Ok(())
    }

    /// Puts a table, for which so much was taken, in the place of another, and credits what is not needed any more.
    fn put(
        &mut self,
        place: usize,
        entries: HashTable<u32>,
        taken: u64,
        items: &impl Rehash,
        account: &Account,
    ) {
        let new = allocation_bytes(entries.allocation_size());
        let table = Table { base: base(&entries, items).unwrap_or(0), entries };
        let old = mem::replace(&mut self.tables[place], table);
        let old = allocation_bytes(old.entries.allocation_size());
        self.bytes = self.bytes + new - old;
        account.credit(old + taken - new);
    }

    fn place(&self, hash: u64) -> usize {
        place_among(self.tables.len(), hash)
    }
}

/// The handles of a table with their hashes; the items are fetched ahead.
fn hashed<'a>(
    table: &'a HashTable<u32>,
    items: &'a impl Rehash,
) -> impl Iterator<Item = (u64, u32)> + 'a {
    table.iter().take(AHEAD).for_each(|&handle| items.prefetch(handle));
    let mut ahead = table.iter().skip(AHEAD);
    table.iter().map(move |&handle| {
        if let Some(&handle) = ahead.next() {
            items.prefetch(handle);
        }
        (items.hash(handle), handle)
    })
}

/// Where the control bytes begin: behind the entries, of which any that is there tells where it is.
fn base(table: &HashTable<u32>, items: &impl Rehash) -> Option<usize> {
    let &first = table.iter().next()?;
    let index = table.find_bucket_index(items.hash(first), |&handle| handle == first)?;
    let entry = table.get_bucket(index)?;
    Some(std::ptr::from_ref(entry).addr() + 4 * (index + 1))
}

/// Linear hashing: bits of the middle, for the table uses those at both ends.
fn place_among(tables: usize, hash: u64) -> usize {
    let bits = bits(hash >> 20) & ((1 << 24) - 1);
    let place = bits & mask(tables);
    if place < tables { place } else { place & (mask(tables) >> 1) }
}

fn mask(tables: usize) -> usize {
    tables.next_power_of_two() - 1
}

fn bits(hash: u64) -> usize {
    usize::try_from(hash).unwrap_or(usize::MAX)
}

fn list_bytes(tables: usize) -> u64 {
    allocation_bytes(tables * size_of::<Table>())
}

/// What a table with room for this many takes, at most.
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

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "where the control bytes are, hashbrown does not say")]
fn line(address: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let address = std::ptr::without_provenance(address);
    // SAFETY: The instruction belongs to SSE, which every x86-64 has. It reads and writes nothing and cannot fault, whatever
    // the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) }
}

#[cfg(not(target_arch = "x86_64"))]
fn line(_address: usize) {}

const AHEAD: usize = 12;
const BUCKETS_MIN: usize = 16;
const TABLE_ITEMS: usize = 320;
