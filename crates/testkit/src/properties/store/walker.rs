//! A walk that takes its time, other operations between its slices.

use std::collections::BTreeSet;

use larder_store::{Cursor, Seconds, Store};

use super::map::Map;
use super::shown::Care;

/// Where a walk is and what it has shown.
#[derive(Debug, Default)]
pub(super) struct Walker {
    cursor: Cursor,
    /// Keys whose items were there when it began and have not been stored again or gone since.
    whole: BTreeSet<Vec<u8>>,
    /// Keys that were shown and not stored again since.
    shown: BTreeSet<Vec<u8>>,
    is_walking: bool,
}

impl Walker {
    /// A key was stored, or is gone.
    pub(super) fn note(&mut self, key: &[u8]) {
        self.whole.remove(key);
        self.shown.remove(key);
    }

    /// Everything is gone.
    pub(super) fn note_all(&mut self) {
        self.whole.clear();
        self.shown.clear();
    }

    /// Walks one slice, and begins anew after the last one. What is shown is what the map has, and comes once.
    pub(super) fn step(&mut self, store: &Store, map: &Map, now: Seconds) {
        if !self.is_walking {
            *self = Self { is_walking: true, ..Self::default() };
            self.whole = map.entries.keys().cloned().collect();
        }
        // What time has taken meanwhile is not seen.
        self.whole.retain(|key| map.entries.contains_key(key));
        let shown = &mut self.shown;
        let next = store.walk(self.cursor, now, |visit| {
            let entry = map.entries.get(visit.key());
            let is_right = entry.is_some_and(|entry| entry.shown.is_of(&visit, Care::Ends));
            assert!(is_right, "{visit:?} is shown instead of {entry:?}");
            assert!(shown.insert(visit.key().to_vec()), "{visit:?} is shown twice in a walk");
        });
        match next {
            Some(cursor) => self.cursor = cursor,
            None => {
                let missed: Vec<_> = self.whole.difference(&self.shown).collect();
                assert!(missed.is_empty(), "a walk has not shown {missed:?}");
                self.is_walking = false;
            }
        }
    }
}
