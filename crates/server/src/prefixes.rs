//! Counters by key prefix, for `stats detail`: off until somebody asks for them.
//!
//! Each worker counts in a map of its own, so that no two requests meet at a lock; a dump adds the maps up. All maps
//! together take a bounded number of bytes: whoever invents keys cannot grow them without end.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use larder_protocol::push_number;
use parking_lot::Mutex;

use crate::listing::push_key;

/// What is counted for a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrefixCount {
    Delete,
    Hit,
    Miss,
    Set,
}

/// The prefixes of all workers.
#[derive(Debug)]
pub(crate) struct Prefixes {
    is_enabled: AtomicBool,
    delimiter: u8,
    workers: Box<[Mutex<Map>]>,
    /// Memory that the prefixes of all workers take, about.
    bytes: AtomicUsize,
    overflows: AtomicU64,
}

type Map = BTreeMap<Box<[u8]>, Counts>;

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    get: u64,
    hit: u64,
    set: u64,
    delete: u64,
}

impl Prefixes {
    pub(crate) fn new(delimiter: u8, is_enabled: bool, workers: usize) -> Self {
        Self {
            is_enabled: AtomicBool::new(is_enabled),
            delimiter,
            workers: (0..workers).map(|_| Mutex::default()).collect(),
            bytes: AtomicUsize::new(0),
            overflows: AtomicU64::new(0),
        }
    }

    pub(crate) fn enable(&self, is_enabled: bool) {
        self.is_enabled.store(is_enabled, Ordering::Relaxed);
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.is_enabled.load(Ordering::Relaxed)
    }

    /// Counts for the part of a key before its first delimiter; a key without one counts nowhere.
    pub(crate) fn add(&self, worker: usize, key: &[u8], count: PrefixCount) {
        if !self.is_enabled() {
            return;
        }
        let Some(len) = memchr::memchr(self.delimiter, key) else { return };
        let prefix = &key[..len];
        let mut map = self.workers[worker].lock();
        if let Some(counts) = map.get_mut(prefix) {
            counts.add(count);
        } else if self.take(PREFIX_OVERHEAD + prefix.len()) {
            map.entry(prefix.into()).or_default().add(count);
        } else {
            self.overflows.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forgets all prefixes.
    pub(crate) fn clear(&self) {
        for worker in &self.workers {
            let map = std::mem::take(&mut *worker.lock());
            let bytes = map.keys().map(|prefix| PREFIX_OVERHEAD + prefix.len()).sum();
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Takes memory for a prefix, if there is any left.
    fn take(&self, bytes: usize) -> bool {
        let take = |taken: usize| taken.checked_add(bytes).filter(|&sum| sum <= PREFIX_BYTES_MAX);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Counts that found no place.
    pub(crate) fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// Appends lines of the prefixes behind `after`, at most [`PREFIXES_PER_PIECE`] of them, in memcached's form; returns the
    /// last of them, none when all have been said.
    pub(crate) fn push_after(&self, after: Option<&[u8]>, out: &mut Vec<u8>) -> Option<Box<[u8]>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut sums = Map::new();
        for worker in &self.workers {
            let map = worker.lock();
            let piece = map.range::<[u8], _>((start, Bound::Unbounded)).take(PREFIXES_PER_PIECE);
            for (prefix, counts) in piece {
                sums.entry(prefix.clone()).or_default().merge(counts);
            }
        }
        let mut last = None;
        // Behind these, one worker may have prefixes that another's piece did not come to.
        for (prefix, counts) in sums.into_iter().take(PREFIXES_PER_PIECE) {
            out.extend_from_slice(b"PREFIX ");
            push_key(out, &prefix);
            let Counts { get, hit, set, delete } = counts;
            for (name, number) in [("get", get), ("hit", hit), ("set", set), ("del", delete)] {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
                out.push(b' ');
                push_number(out, number);
            }
            out.extend_from_slice(b"\r\n");
            last = Some(prefix);
        }
        last
    }
}

impl Counts {
    const fn add(&mut self, count: PrefixCount) {
        match count {
            PrefixCount::Delete => self.delete += 1,
            PrefixCount::Hit => {
                self.get += 1;
                self.hit += 1;
            }
            PrefixCount::Miss => self.get += 1,
            PrefixCount::Set => self.set += 1,
        }
    }

    const fn merge(&mut self, other: &Self) {
        self.get += other.get;
        self.hit += other.hit;
        self.set += other.set;
        self.delete += other.delete;
    }
}

/// Prefixes that one piece of a dump says.
const PREFIXES_PER_PIECE: usize = 256;

/// Memory for the prefixes of all workers, in bytes.
const PREFIX_BYTES_MAX: usize = 8 << 20;

/// What a prefix takes beside its bytes, about: counts, a pointer, its part of a node, an allocation's head.
const PREFIX_OVERHEAD: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_counted_once_enabled() {
        let prefixes = Prefixes::new(b':', false, 2);
        prefixes.add(0, b"a:1", PrefixCount::Set);
        prefixes.enable(true);
        for (worker, key, count) in [
            (0, &b"b:1"[..], PrefixCount::Hit),
            (0, b"a:1", PrefixCount::Set),
            (1, b"a:2:3", PrefixCount::Hit),
            (1, b"a:3", PrefixCount::Miss),
            (0, b"a:1", PrefixCount::Delete),
            (0, b"none", PrefixCount::Set),
        ] {
            prefixes.add(worker, key, count);
        }
        let expected = "PREFIX a get 2 hit 1 set 1 del 1\r\nPREFIX b get 1 hit 1 set 0 del 0\r\n";
        assert_eq!(pieces(&prefixes).concat(), expected);
    }

    /// What a dump says, piece by piece.
    fn pieces(prefixes: &Prefixes) -> Vec<String> {
        let (mut pieces, mut last) = (Vec::new(), None);
        loop {
            let mut out = Vec::new();
            last = prefixes.push_after(last.as_deref(), &mut out);
            pieces.push(String::from_utf8(out).unwrap());
            if last.is_none() {
                return pieces;
            }
        }
    }

    #[test]
    fn a_dump_is_said_in_pieces() {
        let prefixes = Prefixes::new(b':', true, 2);
        // Each has the whole beginning, the second every third of the rest, and the empty prefix is one too.
        for number in 0..1000 {
            for worker in 0..2 {
                if worker == 0 || number < 300 || number % 3 == 0 {
                    let key = format!("{}:x", "p".repeat(number / 10) + &format!("{number:04}"));
                    prefixes.add(worker, key.as_bytes(), PrefixCount::Set);
                }
            }
        }
        prefixes.add(1, b":", PrefixCount::Hit);
        let pieces = pieces(&prefixes);
        let lens: Vec<usize> = pieces.iter().map(|piece| piece.lines().count()).collect();
        assert_eq!(lens, [256, 256, 256, 233, 0]);
        let all = pieces.concat();
        let said: Vec<&str> = all.lines().collect();
        assert_eq!(said[0], "PREFIX  get 1 hit 1 set 0 del 0");
        let is_sorted = said[1..].is_sorted_by_key(|line| line.split(' ').nth(1));
        assert!(is_sorted, "{all}");
        let sets = said.iter().map(|line| line.split(' ').nth(7).unwrap().parse::<u32>().unwrap());
        assert_eq!(sets.sum::<u32>(), 1000 + 300 + 234);
    }

    #[test]
    fn prefixes_take_bounded_memory() {
        let prefixes = Prefixes::new(b':', true, 4);
        for worker in 0..4 {
            for number in 0..20_000 {
                let key = format!("{:>0200}:", worker * 100_000 + number);
                prefixes.add(worker, key.as_bytes(), PrefixCount::Set);
            }
        }
        let kept: usize = prefixes.workers.iter().map(|map| map.lock().len()).sum();
        assert_eq!(kept, PREFIX_BYTES_MAX / (PREFIX_OVERHEAD + 200));
        assert_eq!(prefixes.overflows(), 80_000 - kept as u64);
        prefixes.clear();
        assert_eq!(prefixes.bytes.load(Ordering::Relaxed), 0);
    }
}
