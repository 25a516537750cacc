//! What memcached would keep, as its documents describe it, with the friendliest assumptions: a model, not a measurement.
//!
//! An item takes a chunk of its slab class; every class shares its pages with all others at no cost, so no class starves; the
//! hash table is not counted, as memcached does not. The order is its segmented LRU: new items are hot; whoever was asked for
//! twice is warm when its turn to leave comes, others cold; cold ones that were asked for twice are warmed again, others go.

use super::cache::{Cache, Expiries, Holdings, place};
use super::chains::Chains;
use crate::Access;

/// Segmented LRU over the bytes of slab chunks. Expired items give their room back at once.
#[derive(Debug)]
pub(super) struct Memcached {
    limit: u64,
    classes: Vec<u64>,
    chains: Chains<3>,
    items: Vec<Item>,
    held: [u64; 3],
    expiries: Expiries,
    counted: Holdings,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    charge: u64,
    expires: Option<u32>,
    /// [`HOT`], [`WARM`], [`COLD`] or [`NOWHERE`].
    segment: usize,
    was_fetched: bool,
    /// Fetched again since.
    is_active: bool,
}

impl Memcached {
    /// A cache of `limit` bytes for this many keys.
    pub(super) fn new(limit: u64, keys: usize) -> Self {
        let item = Item {
            charge: 0,
            expires: None,
            segment: NOWHERE,
            was_fetched: false,
            is_active: false,
        };
        Self {
            limit,
            classes: classes(),
            chains: Chains::new(keys),
            items: vec![item; keys],
            held: [0; 3],
            expiries: Expiries::default(),
            counted: Holdings::default(),
        }
    }

    /// Bytes of a page that an item takes, its share of the page's unused rest included.
    fn charge(&self, access: &Access) -> u64 {
        let bytes = HEADER + u64::from(access.key_len) + 1 + u64::from(access.value_len) + 2;
        let at = self.classes.partition_point(|&chunk| chunk < bytes);
        match self.classes.get(at) {
            Some(chunk) => PAGE / (PAGE / chunk),
            // Larger ones lie in several chunks of the largest class.
            None => bytes.div_ceil(CHUNK_MAX) * CHUNK_MAX,
        }
    }

    fn enter(&mut self, key: u32, segment: usize) {
        let item = &mut self.items[key as usize];
        item.segment = segment;
        self.held[segment] += item.charge;
        self.chains.push(segment, key);
    }

    fn leave(&mut self, key: u32) {
        let item = &mut self.items[key as usize];
        let segment = std::mem::replace(&mut item.segment, NOWHERE);
        if segment != NOWHERE {
            self.held[segment] -= item.charge;
            self.chains.remove(segment, key);
        }
    }

    /// Moves the oldest of a segment on; an item that is cold and inactive goes.
    fn step(&mut self, from: usize) {
        let Some(key) = self.chains.oldest(from) else { return };
        self.leave(key);
        let item = &mut self.items[key as usize];
        if std::mem::take(&mut item.is_active) {
            self.enter(key, WARM);
        } else if from == COLD {
            self.counted.evicted += 1;
            self.counted.evicted_unfetched += u64::from(!item.was_fetched);
        } else {
            self.enter(key, COLD);
        }
    }

    /// What its maintenance thread does all the time: hot and warm keep to their shares.
    fn balance(&mut self) {
        for (segment, percent) in [(HOT, HOT_PERCENT), (WARM, WARM_PERCENT)] {
            while self.held[segment] > self.limit * percent / 100 {
                self.step(segment);
            }
        }
    }

    fn make_room(&mut self, charge: u64) {
        while self.held.iter().sum::<u64>() + charge > self.limit {
            let from = [COLD, WARM, HOT].into_iter().find(|&from| self.chains.len(from) > 0);
            let Some(from) = from else { return };
            self.step(from);
        }
    }
}

impl Cache for Memcached {
    fn get(&mut self, access: &Access, _: u32) -> bool {
        let key = place(access);
        let item = &mut self.items[key as usize];
        if item.segment == NOWHERE {
            return false;
        }
        if !std::mem::replace(&mut item.was_fetched, true) {
            return true;
        }
        item.is_active = true;
        if item.segment == COLD {
            item.is_active = false;
            self.leave(key);
            self.enter(key, WARM);
        }
        true
    }

    fn set(&mut self, access: &Access, _: u32, expires: Option<u32>) {
        let key = place(access);
        self.leave(key);
        let charge = self.charge(access);
        if charge > self.limit {
            self.counted.refused += 1;
            return;
        }
        self.balance();
        self.make_room(charge);
        let fresh =
            Item { charge, expires, segment: NOWHERE, was_fetched: false, is_active: false };
        self.items[key as usize] = fresh;
        self.enter(key, HOT);
        if let Some(expires) = expires {
            self.expiries.note(key, expires);
        }
    }

    fn delete(&mut self, access: &Access, _: u32) {
        self.leave(place(access));
    }

    fn tick(&mut self, now: u32) {
        while let Some((moment, keys)) = self.expiries.due(now) {
            for key in keys {
                let item = &self.items[key as usize];
                if item.segment != NOWHERE && item.expires == Some(moment) {
                    self.counted.expired += 1;
                    self.leave(key);
                }
            }
        }
    }

    fn holdings(&self) -> Holdings {
        let items = [HOT, WARM, COLD].map(|segment| self.chains.len(segment) as u64);
        Holdings { items: items.iter().sum(), held_bytes: self.held.iter().sum(), ..self.counted }
    }
}

/// Chunk sizes: 96 bytes first, each 1.25 times the one before in steps of 8, up to half a page.
fn classes() -> Vec<u64> {
    let mut classes = vec![CHUNK_MIN];
    while let Some(&last) = classes.last()
        && last * 5 / 4 < CHUNK_MAX
    {
        classes.push((last * 5 / 4).next_multiple_of(8));
    }
    classes.push(CHUNK_MAX);
    classes
}

/// The segments, by their numbers.
const HOT: usize = 0;
const WARM: usize = 1;
const COLD: usize = 2;
const NOWHERE: usize = 3;
/// memcached's defaults for their shares.
const HOT_PERCENT: u64 = 20;
const WARM_PERCENT: u64 = 40;

/// Header with a CAS number.
const HEADER: u64 = 56;
const PAGE: u64 = 1 << 20;
const CHUNK_MIN: u64 = 96;
const CHUNK_MAX: u64 = PAGE / 2;

#[cfg(test)]
mod tests {
    use super::{Memcached, classes};
    use crate::{Access, Verb};

    #[test]
    fn items_take_the_chunks_of_memcached() {
        assert_eq!(classes()[..6], [96, 120, 152, 192, 240, 304]);
        let model = Memcached::new(1 << 20, 1);
        let check = |key_len: u16, value_len: u32, expected: u64| {
            let access = Access { key: 0, at: 0, value_len, ttl: 0, key_len, verb: Verb::Get };
            assert_eq!(model.charge(&access), expected, "{key_len} + {value_len}");
        };
        // As measured: 8,947,712 items of 20 + 32 bytes and 5,592,064 of 20 + 100 fill 1024 MiB.
        check(20, 32, 120);
        check(20, 100, 192);
        check(20, 250, 384);
        check(20, 17, 96);
        check(20, 18, 120);
        check(20, 600_000, 2 << 19);
    }
}
