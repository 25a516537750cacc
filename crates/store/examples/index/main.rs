//! The index of a shard beside what it was before, hashbrown tables: memory and time, both in one run.
//!
//! ```text
//! cargo run --release -p larder-store --example index -- bytes 1000000 8000000
//! ```
//!
//! `bytes` prints the bytes an item at 40 fills; a number of items, the time of what is done with them. Keys of 20 bytes lie
//! in items of 66. Times are of the thread's processor clock; the two take turns, so that what else the machine does
//! falls on both.
#![allow(clippy::print_stdout, reason = "it is a program that prints")]

#[allow(dead_code, reason = "the store uses all of it")]
#[path = "../../src/account.rs"]
mod account;
#[allow(dead_code, reason = "the store uses all of it")]
#[path = "../../src/arena.rs"]
mod arena;
#[allow(unused_imports, reason = "the store uses all of it")]
#[path = "../../src/atomic.rs"]
mod atomic;
#[allow(dead_code, reason = "the store uses all of it")]
#[path = "../../src/index/mod.rs"]
mod index;
mod items;
#[path = "../../src/prefetch.rs"]
mod prefetch;
mod tables;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use account::{Account, Grant, Need, Pool};
use arena::Arena;
use index::{Ahead, Index};
use items::{Items, Key, Random};
use tables::Tables;

fn main() -> Result<(), Box<dyn Error>> {
    for argument in std::env::args().skip(1) {
        if argument == "bytes" {
            compare_bytes().map_err(|need| format!("{need:?}"))?;
        } else {
            compare_times(argument.parse()?).map_err(|need| format!("{need:?}"))?;
        }
    }
    Ok(())
}

/// What is compared.
trait Table {
    const NAME: &str;
    fn new() -> Self;
    fn bytes(&self) -> u64;
    fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32>;
    fn prefetch(&self, hash: u64);
    fn prefetch_candidates(&self, hash: u64, see: impl FnMut(u32));
    fn insert<H: Fn(u32) -> u64, P: Fn(u32)>(
        &mut self,
        hash: u64,
        handle: u32,
        items: Ahead<H, P>,
        account: &Account,
    ) -> Result<(), Need>;
    fn remove<H: Fn(u32) -> u64, P: Fn(u32)>(
        &mut self,
        hash: u64,
        handle: u32,
        items: Ahead<H, P>,
        account: &Account,
    );
}

impl Table for Index {
    const NAME: &str = "buckets";

    fn new() -> Self {
        Self::new(Arena::capped(PAGE, None))
    }

    fn bytes(&self) -> u64 {
        self.bytes()
    }

    fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.find(hash, is_it)
    }

    fn prefetch(&self, hash: u64) {
        self.prefetch(hash);
    }

    fn prefetch_candidates(&self, hash: u64, see: impl FnMut(u32)) {
        self.prefetch_candidates(hash, see);
    }

    fn insert<H: Fn(u32) -> u64, P: Fn(u32)>(
        &mut self,
        hash: u64,
        handle: u32,
        items: Ahead<H, P>,
        account: &Account,
    ) -> Result<(), Need> {
        self.prepare(hash, items, &mut Grant::empty(account))?;
        self.insert(hash, handle);
        Ok(())
    }

    fn remove<H: Fn(u32) -> u64, P: Fn(u32)>(
        &mut self,
        hash: u64,
        handle: u32,
        items: Ahead<H, P>,
        account: &Account,
    ) {
        self.remove(hash, handle, items, account);
    }
}

impl Table for Tables {
    const NAME: &str = "hashbrown";

    fn new() -> Self {
        Self::new()
    }

    fn bytes(&self) -> u64 {
        self.bytes()
    }

    fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.find(hash, is_it)
    }

    fn prefetch(&self, hash: u64) {
        self.prefetch(hash);
    }

    fn prefetch_candidates(&self, hash: u64, see: impl FnMut(u32)) {
        self.prefetch_candidates(hash, see);
    }

    fn insert<H: Fn(u32) -> u64, P: Fn(u32)>(
        &mut self,
        hash: u64,
        handle: u32,
        items: Ahead<H, P>,
        account: &Account,
    ) -> Result<(), Need> {
        self.prepare(hash, &items, &mut Grant::empty(account))?;
        self.insert(hash, handle, &items);
        Ok(())
    }

    fn remove<H: Fn(u32) -> u64, P: Fn(u32)>(
        &mut self,
        hash: u64,
        handle: u32,
        items: Ahead<H, P>,
        account: &Account,
    ) {
        self.remove(hash, handle, &items, account);
    }
}

fn compare_bytes() -> Result<(), Need> {
    let mut fills = vec![1000];
    while let Some(&last) = fills.last().filter(|&&last| last < 10_000_000) {
        fills.push(last + last / 4 + last / 60);
    }
    let (ours, theirs) = (bytes_at::<Index>(&fills)?, bytes_at::<Tables>(&fills)?);
    println!("bytes an item\n{:>10} {:>10} {:>10}", "items", Index::NAME, Tables::NAME);
    for (fill, (ours, theirs)) in fills.iter().zip(ours.iter().zip(&theirs)) {
        println!("{fill:>10} {ours:>10.2} {theirs:>10.2}");
    }
    Ok(())
}

fn bytes_at<T: Table>(fills: &[u32]) -> Result<Vec<f64>, Need> {
    let account = account();
    let mut table = T::new();
    account.force(table.bytes());
    let mut count = 0;
    let mut found = Vec::new();
    for &fill in fills {
        while count < fill {
            let items = Ahead { hash_of: items::mixed, prefetch: |_| () };
            table.insert(items::mixed(count), count, items, &account)?;
            count += 1;
        }
        found.push(table.bytes() as f64 / f64::from(fill));
    }
    Ok(found)
}

fn compare_times(count: usize) -> Result<(), Need> {
    let (mut ours, our_fill) = Trial::<Index>::filled(count)?;
    let (mut theirs, their_fill) = Trial::<Tables>::filled(count)?;
    println!("\n{count} items; ns of processor time: least of the rounds, and median");
    let row = |what: &str, ours: [u64; 2], theirs: [u64; 2]| {
        println!("{what:<28} {:>6} {:>6}    {:>6} {:>6}", ours[0], ours[1], theirs[0], theirs[1]);
    };
    println!("{:<28} {:>13}    {:>13}", "", Index::NAME, Tables::NAME);
    for (what, part) in [("median", 5000), ("in 100", 9900), ("in 10,000", 9999), ("worst", 10_000)]
    {
        let at = |fill: &[u64]| fill[(fill.len() - 1) * part / 10_000];
        row(&format!("insert, filling, {what}"), [at(&our_fill); 2], [at(&their_fill); 2]);
    }
    let mut random = Random(88_172_645_463_325_252);
    let runs =
        [("hit", Run::Single(0)), ("miss", Run::Single(ABSENT)), ("hit, of 8", Run::Batch(0))];
    let runs = runs
        .into_iter()
        .chain([("miss, of 8", Run::Batch(ABSENT)), ("evict, look up, insert", Run::Steady)]);
    for (what, run) in runs {
        let mut rounds = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            rounds[0].push(ours.run(run, &mut random)?);
            rounds[1].push(theirs.run(run, &mut random)?);
        }
        let [ours, theirs] = rounds.map(|mut rounds| {
            rounds.sort_unstable();
            [rounds[0], rounds[ROUNDS / 2]]
        });
        row(what, ours, theirs);
    }
    let bytes = |bytes: u64| bytes * 100 / count as u64;
    let (ours, theirs) = (bytes(ours.table.bytes()), bytes(theirs.table.bytes()));
    row("bytes of 100 items", [ours; 2], [theirs; 2]);
    Ok(())
}

/// A table with its items.
struct Trial<T> {
    table: T,
    items: Items,
    account: Account,
    /// Number of the next key that was never there.
    fresh: u64,
}

#[derive(Debug, Clone, Copy)]
enum Run {
    /// Look-ups of keys from this number on.
    Single(u64),
    Batch(u64),
    Steady,
}

impl<T: Table> Trial<T> {
    /// One that is filled, and what each insertion took, sorted.
    fn filled(count: usize) -> Result<(Self, Vec<u64>), Need> {
        let fresh = count as u64;
        let mut trial =
            Self { table: T::new(), items: Items::new(count), account: account(), fresh };
        trial.account.force(trial.table.bytes());
        let mut times = Vec::with_capacity(count);
        for number in 0..fresh {
            let handle = trial.items.place(number, &Key::new(number));
            let hash = trial.items.hash(handle);
            let before = now();
            trial.insert(hash, handle)?;
            times.push(nanoseconds(now() - before));
        }
        times.sort_unstable();
        Ok((trial, times))
    }

    /// Nanoseconds an operation.
    fn run(&mut self, run: Run, random: &mut Random) -> Result<u64, Need> {
        let before = now();
        match run {
            Run::Single(from) => self.singles(from, random),
            Run::Batch(from) => self.batches(from, random),
            Run::Steady => self.steady(random)?,
        }
        Ok(nanoseconds(now() - before) / OPERATIONS)
    }

    fn singles(&self, from: u64, random: &mut Random) {
        for _ in 0..OPERATIONS {
            let key = Key::new(from + random.below(self.items.count()));
            self.copy(self.items.hash_of(&key), &key);
        }
    }

    fn batches(&self, from: u64, random: &mut Random) {
        for _ in 0..OPERATIONS / 8 {
            let keys: [Key; 8] =
                std::array::from_fn(|_| Key::new(from + random.below(self.items.count())));
            let hashes: [u64; 8] = std::array::from_fn(|index| self.items.hash_of(&keys[index]));
            hashes.iter().for_each(|&hash| self.table.prefetch(hash));
            for &hash in &hashes {
                self.table.prefetch_candidates(hash, |handle| self.items.prefetch(handle));
            }
            for (&hash, key) in hashes.iter().zip(&keys) {
                self.copy(hash, key);
            }
        }
    }

    /// What a full cache does when a key is set that it does not have.
    fn steady(&mut self, random: &mut Random) -> Result<(), Need> {
        for _ in 0..OPERATIONS {
            let number = random.below(self.items.count());
            let handle = self.items.handle(number);
            let (hash, items) = (self.items.hash(handle), ahead(&self.items));
            self.table.remove(hash, handle, items, &self.account);
            let key = Key::new(self.fresh);
            self.fresh += 1;
            let hash = self.items.hash_of(&key);
            self.copy(hash, &key);
            self.items.place(number, &key);
            self.insert(hash, handle)?;
        }
        Ok(())
    }

    fn insert(&mut self, hash: u64, handle: u32) -> Result<(), Need> {
        self.table.insert(hash, handle, ahead(&self.items), &self.account)
    }

    /// Copies the value of an item that is there.
    fn copy(&self, hash: u64, key: &Key) {
        let found = self.table.find(hash, |handle| self.items.key(handle) == key.bytes());
        black_box(found.map(|handle| self.items.value(handle)));
    }
}

fn ahead(items: &Items) -> Ahead<impl Fn(u32) -> u64 + '_, impl Fn(u32) + '_> {
    Ahead { hash_of: |handle| items.hash(handle), prefetch: |handle| items.prefetch(handle) }
}

fn account() -> Account {
    Account::new(Arc::new(Pool::new(1 << 40, 1)))
}

/// The processor time of this thread.
fn now() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Numbers from here on are of keys that are not there.
const ABSENT: u64 = 1 << 40;
/// Bytes of the segments that the index lies in.
const PAGE: usize = 16 << 10;
const OPERATIONS: u64 = 1_000_000;
const ROUNDS: usize = 9;
