//! What must hold after every operation.

use larder_store::{Cursor, Stats};

use super::drafting::Drafting;
use super::pair::{LIMIT_USEFUL, Pair};
use super::shown::{Care, is_value};

impl Pair {
    /// The store shows what the map has, counts what it shows, and holds what it may.
    pub(super) fn check(&mut self) {
        // Of many items a walk takes long; whatever is wrong of them is seen a few operations later.
        self.steps += 1;
        if self.map.entries.len() <= FEW_ITEMS || self.steps.is_multiple_of(8) {
            self.check_walk();
        }
        for (index, (pin, value)) in self.pins.iter().enumerate() {
            assert_eq!(pin.value_len(), value.len());
            let care = self.care(index);
            assert!(is_value(value, pin.slices(), care), "a pinned value changed");
        }
        let stats = self.store.stats();
        self.check_held(&stats);
        self.check_counts(&stats);
        (self.held_before, self.wanted) = (stats.held_bytes, 0);
    }

    /// Everything that the map has is shown, once and unchanged, and nothing else.
    pub(super) fn check_walk(&mut self) {
        self.walks += 1;
        let mut seen = 0;
        let mut cursor = Some(Cursor::START);
        while let Some(at) = cursor {
            cursor = self.store.walk(at, self.now(), |visit| {
                let entry = self.map.entries.get(visit.key());
                let care = self.care(seen);
                let is_right = entry.is_some_and(|entry| entry.shown.is_of(&visit, care));
                assert!(is_right, "{visit:?} instead of {entry:?}");
                let last = entry.map(|entry| entry.walk.replace(self.walks));
                assert_ne!(last, Some(self.walks), "{visit:?} is there twice");
                seen += 1;
            });
        }
        assert_eq!(seen, self.map.entries.len(), "not as many items as there should be");
    }

    /// All of one value in sixteen is looked at, of another one each time.
    const fn care(&self, index: usize) -> Care {
        if (self.steps + index).is_multiple_of(16) { Care::All } else { Care::Ends }
    }

    fn check_held(&self, stats: &Stats) {
        // Pins of short values cannot be refused: they may pass the limit by what they take.
        let forced: usize = self.pins.iter().map(|(_, value)| value.len() + 400).sum();
        let held = stats.held_bytes;
        assert!(held <= self.ceiling + forced as u64, "{stats:?}, at most {}", self.ceiling);
        let values =
            self.map.entries.iter().map(|(key, entry)| key.len() + entry.shown.value.len());
        let asked = values.sum::<usize>() as u64;
        // Items that were flushed or have expired are asked about no more, but they may be there.
        assert!(stats.asked_bytes >= asked, "{stats:?}: {asked} bytes are kept");
        let room = stats.segment_bytes + stats.block_bytes;
        assert!(stats.dead_bytes + stats.asked_bytes <= room, "{stats:?}");
        let apart = stats.index_bytes + stats.segment_bytes + stats.slack_bytes;
        let known = apart + stats.draft_bytes + stats.pinned_bytes;
        assert!(held >= known, "{stats:?}: {known} are known of");
        let drafts = self.drafts.iter().map(Drafting::held_bytes).sum::<u64>();
        assert_eq!(stats.draft_bytes, drafts);
        if self.pins.is_empty() {
            assert_eq!(stats.pinned_bytes, 0);
        }
    }

    fn check_counts(&self, stats: &Stats) {
        let (items, bytes) = self.map.totals();
        let gone_items = self.map.gone.len() as u64;
        let gone_bytes = self.map.gone.values().map(|(bytes, _)| bytes).sum::<u64>();
        assert!((items..=items + gone_items).contains(&stats.items), "{stats:?}, {items} items");
        assert!((bytes..=bytes + gone_bytes).contains(&stats.bytes), "{stats:?}, {bytes} bytes");
        let told = (stats.evictions, stats.evicted_unfetched, stats.out_of_memory);
        let expected = (self.told.evictions, self.told.evicted_unfetched, self.told.out_of_memory);
        assert_eq!(told, expected, "evictions, those never fetched, refusals");
        assert_eq!(stats.evicted_small + stats.evicted_main, stats.evictions, "by queue");
        let classes = self.store.class_stats();
        assert_eq!(classes.len(), self.rules.size_classes.len() + 1);
        let mut sums = vec![(0, 0); classes.len()];
        for (key, entry) in &self.map.entries {
            let sum = &mut sums[self.rules.class_of(key, &entry.shown)];
            *sum = (sum.0 + 1, sum.1 + self.rules.bytes_of(key, &entry.shown));
        }
        for (class, (items, bytes)) in classes.iter().zip(sums) {
            assert!((items..=items + gone_items).contains(&class.items), "{class:?}, {items}");
            assert!((bytes..=bytes + gone_bytes).contains(&class.bytes), "{class:?}, {bytes}");
        }
        let total = classes.iter().map(|class| (class.items, class.bytes));
        let total = total.fold((0, 0), |sum, class| (sum.0 + class.0, sum.1 + class.1));
        assert_eq!(total, (stats.items, stats.bytes), "the classes are all there is");
    }

    /// A store that has room refuses nothing for want of it.
    pub(super) fn check_refusal(&self, len: usize) {
        let stats = self.store.stats();
        let limit = self.store.memory_limit();
        let wanted = len as u64 + self.outside();
        let kept = if self.evicts { 0 } else { stats.held_bytes };
        let is_useful = !self.is_starved() && limit >= LIMIT_USEFUL;
        let has_room = is_useful && (wanted + kept + self.grain()) * 4 <= limit;
        assert!(!has_room, "{len} bytes are refused of {limit}: {stats:?}");
    }

    /// When all is gone, nothing but the index is held, and some empty blocks, and there is room again.
    pub(super) fn end(mut self) {
        self.sweep_all();
        self.check();
        self.check_walk();
        for (pin, value) in self.pins.drain(..) {
            assert!(is_value(&value, pin.slices(), Care::All), "a pinned value changed");
        }
        self.drafts.clear();
        self.store.flush(self.now());
        self.map.flush();
        self.sweep_all();
        let stats = self.store.stats();
        assert_eq!((stats.items, stats.bytes), (0, 0), "{stats:?}");
        assert_eq!((stats.draft_bytes, stats.pinned_bytes), (0, 0), "{stats:?}");
        assert_eq!(stats.slack_bytes, stats.block_bytes, "{stats:?}");
        assert_eq!(
            stats.held_bytes,
            stats.index_bytes + stats.segment_bytes + stats.slack_bytes,
            "{stats:?}"
        );
        self.check();
        self.put_plainly(b"one more", 100);
        self.check();
    }
}

/// Of so many items, all are looked at after each operation.
const FEW_ITEMS: usize = 40;
