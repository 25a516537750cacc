//! Large values that are pinned while the store lets go of them, in every interleaving; and the cells that they lie in.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p larder-store --test loom_pins --release`

#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "so does a test fail")]
#![allow(dead_code, unreachable_pub, reason = "a model needs a part of what the store needs")]

#[path = "../src/account.rs"]
mod account;
#[path = "../src/block.rs"]
mod block;
#[path = "../src/heap.rs"]
mod heap;
#[path = "../src/item.rs"]
mod item;
#[path = "../src/runs.rs"]
mod runs;

/// Loom's, in the place of the standard library's.
mod atomic {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
}

/// Segments that are boxes.
mod arena {
    use std::ptr::NonNull;

    #[derive(Debug)]
    pub(crate) struct Arena;

    impl Arena {
        pub(crate) fn segment_len(&self) -> usize {
            super::BLOCK
        }

        pub(crate) fn take(&self) -> Option<Segment> {
            Some(Segment(vec![0; super::BLOCK].into()))
        }
    }

    #[derive(Debug)]
    pub(crate) struct Segment(Box<[u8]>);

    impl Segment {
        pub(crate) fn as_non_null(&self) -> NonNull<[u8]> {
            NonNull::from(&*self.0)
        }
    }
}

/// Loom's lock.
mod lock {
    #[derive(Debug)]
    pub(crate) struct Lock<T>(loom::sync::Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(guarded: T, _: &Watch) -> Self {
            Self(loom::sync::Mutex::new(guarded))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct Watch;
}

use account::{Account, Grant, Pool};
use atomic::{Arc, Ordering::Relaxed};
use heap::Heap;
use item::{Body, Item, KEPT_BYTES, Kept, Parts};
use lock::{Lock, Watch};
use loom::thread;
use runs::Runs;

/// A shard with one item, or none.
struct Shard {
    kept: Lock<Option<Arc<Kept>>>,
    account: Arc<Account>,
    heap: Arc<Heap>,
}

impl Shard {
    fn new() -> Arc<Self> {
        let account = Arc::new(Account::new(Arc::new(Pool::new(1 << 20, 1))));
        let heap = Heap::new(&Arc::new(arena::Arena), &account, &Watch);
        let shard = Self { kept: Lock::new(None, &Watch), account, heap };
        let kept = shard.kept_of(b"key9999\r\n");
        *shard.kept.lock() = Some(kept);
        Arc::new(shard)
    }

    fn kept_of(&self, bytes: &[u8]) -> Arc<Kept> {
        let mut grant = Grant::empty(&self.account);
        grant.spend(KEPT_BYTES).unwrap();
        let mut runs = Runs::new(&self.heap);
        runs.grow(bytes.len(), &mut grant).unwrap();
        runs.slice_from_mut(0)[..bytes.len()].copy_from_slice(bytes);
        let mut kept = Kept::empty(&self.account);
        kept.fill(Parts::Many(runs), bytes.len(), KEY_LEN);
        Arc::new(kept)
    }

    /// Looks, and pins what there is.
    fn pin(&self) -> Option<Item> {
        self.kept.lock().as_ref().map(Item::of)
    }

    /// Lets go of the item as a replacement or an eviction does: the last of it is dropped outside the lock.
    fn replace(&self, new: Option<Arc<Kept>>) {
        let mut kept = self.kept.lock();
        let old = std::mem::replace(&mut *kept, new);
        let old = old.and_then(|old| Body::Shared(old).release(&self.account));
        drop(kept);
        drop(old);
    }

    /// When nothing is held any more, nothing is paid for but the table of what there was.
    fn end(&self) {
        self.replace(None);
        self.heap.trim(u64::MAX);
        assert_eq!(self.account.pinned.load(Relaxed), 0);
        let usage = self.heap.usage();
        assert_eq!((usage.blocks_bytes, usage.free_bytes), (0, 0));
        assert_eq!(self.account.held(), usage.table_bytes);
    }
}

fn value(item: &Item) -> Vec<u8> {
    item.slices().collect::<Vec<_>>().concat()
}

/// Runs both at once, in every interleaving, and ends.
fn check(there: fn(&Shard), here: fn(&Shard)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let shard = Shard::new();
        let thread = {
            let shard = Arc::clone(&shard);
            thread::spawn(move || there(&shard))
        };
        here(&shard);
        thread.join().unwrap();
        shard.end();
    });
}

#[test]
fn a_pin_outlives_its_item_and_is_paid_for_until_it_goes() {
    check(
        |shard| {
            let Some(pin) = shard.pin() else { return };
            assert!(shard.account.held() > KEPT_BYTES);
            assert_eq!(value(&pin), b"9999\r\n");
        },
        |shard| shard.replace(None),
    );
}

#[test]
fn a_replaced_item_stays_what_it_was_for_whoever_pinned_it() {
    check(
        |shard| {
            let pin = shard.pin().unwrap();
            let (first, other) = (value(&pin), pin.clone());
            drop(pin);
            assert_eq!(value(&other), first);
            assert!(first == b"9999\r\n" || first == b"1\r\n", "{first:?}");
        },
        |shard| {
            let new = shard.kept_of(b"key1\r\n");
            shard.replace(Some(new));
        },
    );
}

#[test]
fn what_is_pinned_is_not_written_over() {
    check(
        |shard| {
            let pin = shard.pin().unwrap();
            let first = value(&pin);
            thread::yield_now();
            assert_eq!(value(&pin), first);
        },
        |shard| {
            let mut kept = shard.kept.lock();
            let kept = kept.as_mut().unwrap();
            let was_pinned = Arc::strong_count(kept) > 1;
            let wrote = Kept::write_over(kept, KEY_LEN, b"10");
            assert!(wrote || was_pinned, "nobody can have pinned it meanwhile");
        },
    );
}

#[test]
fn cells_that_come_back_while_others_are_lent_are_nobodys() {
    check(
        |shard| {
            let kept = shard.kept_of(b"keyvalue\r\n");
            drop(Body::Shared(kept).release(&shard.account));
        },
        |shard| {
            shard.replace(None);
            shard.heap.trim(u64::MAX);
        },
    );
}

const KEY_LEN: u8 = 3;
const BLOCK: usize = 16 << 10;
