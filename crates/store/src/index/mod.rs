//! The index of a shard: from the hash of a key to the handle of its item.
//!
//! One table: buckets of twelve in a row, each a cache line. An item's home is the bucket where its hash falls on the row;
//! if that is full, it is a guest in one other bucket, a few lines on, which its tag tells.
//!
//! ```text
//!   hash ──► home ─┬─ an entry with its tag? ──► is it the item?
//!   (scale)        └─ has such a one gone? ────► the other bucket ──► is it the item?
//!                  └─ is one in the stash? ────► the stash        (hardly ever)
//! ```
//!
//! What holds at any moment:
//!
//! - A look-up sees one bucket, and a second one only where an entry with such a tag went there: three misses in a hundred.
//! - What is removed leaves nothing behind: a guest comes home to where there is room now. There are no tombstones.
//! - A full bucket is never the end: entries make room for each other two steps deep, and what still has no room
//!   lies in the stash, which grows as it must. Hashes that all agree make it slow, and nothing else.
//! - The table is never rebuilt. It gets a page or some more when it is 17/20 full, and then with each item that comes or goes
//!   a few homes move to where they belong now ([`resize`]). So it is well filled at any number of items, and no call
//!   takes longer than some microseconds.
//!
//! A hash of which the highest 20 bits choose the shard leaves 44 for this.

mod bucket;
mod pages;
mod resize;
mod scale;
mod stash;
mod walk;

use std::sync::Arc;

use bucket::{Entry, Matches, Sent, Stay};
use pages::Pages;
use resize::Resize;
pub(crate) use resize::{Ahead, Rehash};
use scale::{Home, Scale};
use stash::{Stash, Stashed};

use crate::account::{Account, Grant, Need};
use crate::arena::Arena;

/// Handles by hash. A handle is any number; which item it means is known to who asks.
#[derive(Debug)]
pub(crate) struct Index {
    pages: Pages,
    stash: Stash,
    /// Where what has not moved lies, while a change of scale is under way.
    scale: Scale,
    resize: Resize,
    items: usize,
}

impl Index {
    /// One that takes its memory from this arena, a segment at a time, but for as much as a segment's, which is the allocator's;
    /// and none before there is an item. Segments of 16 KiB are good: 256 buckets, room for about 2,600 items.
    pub(crate) fn new(arena: Arc<Arena>) -> Self {
        Self {
            pages: Pages::new(arena),
            stash: Stash::default(),
            scale: Scale::EMPTY,
            resize: Resize::default(),
            items: 0,
        }
    }

    /// Memory that all of it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages.bytes() + self.stash.bytes()
    }

    /// The handle under this hash that is the right one. Those that are asked about had the same tag, which is one in a hundred
    /// of the others.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let home = self.home(hash);
        let bucket = self.pages.get(home.bucket)?;
        let handles = bucket::matches(bucket, home.tag).map(|place| bucket::handle(bucket, place));
        for handle in handles {
            if is_it(handle) {
                return Some(handle);
            }
        }
        if bucket::has_sent(bucket, home.tag) {
            let other = self.pages.get(home.bucket + bucket::distance(home.tag))?;
            for place in bucket::matches(other, home.tag) {
                let handle = bucket::handle(other, place);
                if is_it(handle) {
                    return Some(handle);
                }
            }
        }
        if bucket::has_stashed(bucket) { self.stash.find(hash, is_it) } else { None }
    }

    /// Starts to fetch what [`Self::find`] looks at first.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.pages.prefetch(self.home(hash).bucket);
    }

    /// Shows handles that [`Self::find`] will ask about, so that their items can be fetched, and starts to fetch what else
    /// it looks at. For later than [`Self::prefetch`].
    #[inline]
    pub(crate) fn prefetch_candidates(&self, hash: u64, see: impl FnMut(u32)) {
        let home = self.home(hash);
        let Some(bucket) = self.pages.get(home.bucket) else { return };
        bucket::matches(bucket, home.tag).map(|place| bucket::handle(bucket, place)).for_each(see);
        if bucket::has_sent(bucket, home.tag) {
            self.pages.prefetch(home.bucket + bucket::distance(home.tag));
        }
    }

    /// Sees to it that one [`Self::insert`], of this hash, takes no memory. If that fails, everything is as before, or grew.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn prepare(
        &mut self,
        hash: u64,
        items: impl Rehash,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        self.prefetch(hash);
        self.make_room(&items, grant)?;
        self.stash.reserve(1, grant)
    }

    /// Adds a handle, which [`Self::prepare`] has seen to.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, handle: u32) {
        self.put(self.home(hash), handle, || hash);
        self.items += 1;
    }

    /// Takes a handle out, if it is there. Its item may be gone; those of the others must be there.
    pub(crate) fn remove(&mut self, hash: u64, handle: u32, items: impl Rehash, account: &Account) {
        let home = self.home(hash);
        match self.locate(hash, home, handle) {
            Some(Spot::Bucket { at, place }) => {
                self.take(at, place);
                self.bring_home(at);
                self.items -= 1;
            }
            Some(Spot::Stash(position)) => {
                self.stash.take(position);
                self.note_stashed(home.bucket);
                self.items -= 1;
            }
            None => {}
        }
        self.make_small(&items, account);
    }

    /// Puts another handle in the place of one that is there under this hash, and says whether it was. Nothing else changes.
    pub(crate) fn replace(&mut self, hash: u64, old: u32, new: u32) -> bool {
        match self.locate(hash, self.home(hash), old) {
            Some(Spot::Bucket { at, place }) => {
                self.change(at, |bucket| bucket::set_handle(bucket, place, new));
                true
            }
            Some(Spot::Stash(position)) => {
                self.stash.get_mut(position).map(|stashed| stashed.handle = new).is_some()
            }
            None => false,
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> Home {
        let home = self.scale.home(hash);
        if self.resize.has_moved(home.bucket) { self.resize.next().home(hash) } else { home }
    }

    fn locate(&self, hash: u64, home: Home, handle: u32) -> Option<Spot> {
        let find = |at: usize| {
            let bucket = self.pages.get(at)?;
            let mut places: Matches = bucket::matches(bucket, home.tag);
            let place = places.find(|&place| bucket::handle(bucket, place) == handle)?;
            Some(Spot::Bucket { at, place })
        };
        let bucket = self.pages.get(home.bucket)?;
        let mut spot = find(home.bucket);
        if spot.is_none() && bucket::has_sent(bucket, home.tag) {
            spot = find(home.bucket + bucket::distance(home.tag));
        }
        if spot.is_none() && bucket::has_stashed(bucket) {
            let is_it = |stashed: &Stashed| stashed.hash == hash && stashed.handle == handle;
            spot = self.stash.position(is_it).map(Spot::Stash);
        }
        spot
    }

    /// Puts a handle where there is room for it.
    #[inline]
    fn put(&mut self, home: Home, handle: u32, hash: impl FnOnce() -> u64) {
        let entry = Entry { handle, tag: home.tag, stay: Stay::Resident };
        match self.pages.get_mut(home.bucket) {
            Some(bucket) if !bucket::is_full(bucket) => bucket::push(bucket, entry),
            _ => self.put_elsewhere(home.bucket, entry, hash),
        }
    }

    /// As a guest; or at home, where another goes; or, where all have gone that can, in the stash.
    #[cold]
    fn put_elsewhere(&mut self, home: usize, entry: Entry, hash: impl FnOnce() -> u64) {
        let other = home + bucket::distance(entry.tag);
        if self.has_room(other) {
            self.send(home, entry);
        } else if self.relieve(home, 0) {
            self.change(home, |bucket| bucket::push(bucket, entry));
        } else if self.relieve(other, 0) {
            self.send(home, entry);
        } else if self.relieve(home, 1) {
            self.change(home, |bucket| bucket::push(bucket, entry));
        } else {
            self.stash.push(Stashed { hash: hash(), handle: entry.handle });
            self.change(home, |bucket| bucket::set_stashed(bucket, Sent::Some));
        }
    }

    /// Makes room by sending a resident away, or by first making room where it goes; says whether there was a way.
    fn relieve(&mut self, at: usize, depth: u32) -> bool {
        let Some(&bucket) = self.pages.get(at) else { return false };
        for place in bucket::residents(&bucket) {
            let entry = bucket::entry(&bucket, place);
            let other = at + bucket::distance(entry.tag);
            let has_room = self.has_room(other) || depth > 0 && self.relieve(other, depth - 1);
            if has_room {
                self.change(at, |bucket| bucket::swap_remove(bucket, place));
                self.send(at, entry);
                return true;
            }
        }
        false
    }

    fn has_room(&self, at: usize) -> bool {
        self.pages.get(at).is_some_and(|bucket| !bucket::is_full(bucket))
    }

    /// Makes an entry a guest.
    fn send(&mut self, home: usize, entry: Entry) {
        let guest = Entry { stay: Stay::Guest, ..entry };
        self.change(home + bucket::distance(entry.tag), |bucket| bucket::push(bucket, guest));
        let way = bucket::way(entry.tag);
        self.change(home, |bucket| bucket::set_sent(bucket, way, Sent::Some));
    }

    /// Takes the entry out that is in this place.
    fn take(&mut self, at: usize, place: usize) {
        let Some(bucket) = self.pages.get_mut(at) else { return };
        let entry = bucket::entry(bucket, place);
        bucket::swap_remove(bucket, place);
        let way = bucket::way(entry.tag);
        if entry.stay == Stay::Guest && bucket::guests(bucket, way).next().is_none() {
            let home = at - bucket::distance(entry.tag);
            self.change(home, |bucket| bucket::set_sent(bucket, way, Sent::None));
        }
    }

    /// Brings a guest home to a bucket that has room now; and so on where the guest was.
    fn bring_home(&mut self, mut home: usize) {
        while let Some(way) = self.pages.get(home).and_then(|bucket| bucket::ways(bucket).next()) {
            let at = home + way + 1;
            let Some(bucket) = self.pages.get(at) else { return };
            let Some(place) = bucket::guests(bucket, way).next() else { return };
            let entry = Entry { stay: Stay::Resident, ..bucket::entry(bucket, place) };
            self.take(at, place);
            self.change(home, |bucket| bucket::push(bucket, entry));
            home = at;
        }
        if self.pages.get(home).is_some_and(bucket::has_stashed) {
            let is_of_it = |stashed: &Stashed| self.home(stashed.hash).bucket == home;
            if let Some(position) = self.stash.position(is_of_it) {
                let Stashed { hash, handle } = self.stash.take(position);
                self.note_stashed(home);
                self.put(self.home(hash), handle, || hash);
            }
        }
    }

    /// Notes whether there are some of this home in the stash.
    fn note_stashed(&mut self, home: usize) {
        let is_of_it = |stashed: &Stashed| self.home(stashed.hash).bucket == home;
        let stashed = if self.stash.position(is_of_it).is_some() { Sent::Some } else { Sent::None };
        self.change(home, |bucket| bucket::set_stashed(bucket, stashed));
    }

    /// Changes a bucket that is there.
    #[inline]
    fn change(&mut self, at: usize, change: impl FnOnce(&mut bucket::Bucket)) {
        let bucket = self.pages.get_mut(at);
        debug_assert!(bucket.is_some(), "bucket {at}");
        if let Some(bucket) = bucket {
            change(bucket);
        }
    }
}

/// Where a handle lies.
#[derive(Debug, Clone, Copy)]
enum Spot {
    Bucket { at: usize, place: usize },
    Stash(usize),
}

#[cfg(test)]
mod tests;
