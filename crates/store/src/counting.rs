//! What a shard counts as items come and go.

use crate::log::Queue;
use crate::reap::SLICE;
use crate::seconds::Seconds;
use crate::shard::{Farewell, Items};
use crate::stats::ClassStats;

impl Items {
    /// Counts a refusal for want of memory.
    pub(crate) fn count_refusal(&mut self, bytes: u64) {
        let class = self.rules.class(bytes);
        self.counters.classes[usize::from(class)].out_of_memory += 1;
    }

    /// Adds what is known by class, the oldest accesses included.
    pub(crate) fn add_classes_to(&self, classes: &mut [ClassStats]) {
        for (sum, class) in classes.iter_mut().zip(&self.counters.classes) {
            sum.merge(class);
        }
        for queue in [Queue::Small, Queue::Main] {
            let mut left = SLICE as usize;
            let mut patience = 16 * SLICE as usize;
            let mut number = self.log.oldest(queue);
            while let Some(now) = number.filter(|_| left > 0 && patience > 0) {
                self.see_oldest(now, &mut left, &mut patience, classes);
                number = self.log.next(now);
            }
        }
    }

    fn see_oldest(
        &self,
        number: u32,
        left: &mut usize,
        patience: &mut usize,
        classes: &mut [ClassStats],
    ) {
        let Some(slot) = self.log.slot(number) else { return };
        if slot.generation != self.generation {
            return;
        }
        let mut at = slot.cursor;
        while *left > 0 {
            let Ok(offset) = self.log.next_living(number, at, patience) else { return };
            let handle = self.log.handle(number, offset);
            let entry = self.log.entry(handle);
            if let Some(class) = classes.get_mut(usize::from(self.class(handle))) {
                class.saw(entry.last_access(self.latest));
            }
            at = offset + u32::try_from(entry.len()).unwrap_or(u32::MAX);
            *left -= 1;
        }
    }

    pub(crate) fn count_in(&mut self, handle: u32) {
        let record = self.at(handle);
        let (charged, expiry) = (record.charged(), record.expiry());
        let asked = (record.key().len() + record.value_len()) as u64;
        let bytes = self.item_bytes(handle);
        let class = self.rules.class(bytes);
        self.counters.add(class, bytes, asked);
        self.counters.total_items += 1;
        self.counters.inserted_bytes += charged;
        self.log.weigh(handle, charged);
        self.pass.note(expiry);
    }

    pub(crate) fn count_out(&mut self, handle: u32) {
        if self.log.slot_of(handle).generation == self.generation {
            let record = self.at(handle);
            let asked = (record.key().len() + record.value_len()) as u64;
            let bytes = self.item_bytes(handle);
            self.counters.remove(self.rules.class(bytes), bytes, asked);
        } else {
            self.flushed -= 1;
        }
    }

    pub(crate) fn count_expired(&mut self, handle: u32, farewell: Farewell) {
        let was_fetched = self.at(handle).was_fetched();
        let class = self.class(handle);
        let class = &mut self.counters.classes[usize::from(class)];
        if farewell == Farewell::Swept {
            class.swept += 1;
        } else {
            class.reclaimed += 1;
        }
        class.expired_unfetched += u64::from(!was_fetched);
    }

    pub(crate) fn count_evicted(&mut self, handle: u32, now: Seconds) {
        let record = self.at(handle);
        let (was_fetched, can_expire) = (record.was_fetched(), record.expiry().is_some());
        let age = now.since(record.entry.last_access(self.latest));
        let queue = self.log.slot_of(handle).queue;
        self.counters.evicted_active += u64::from(record.entry.frequency() > 0);
        self.counters.evicted_from[queue as usize] += 1;
        let class = self.class(handle);
        let class = &mut self.counters.classes[usize::from(class)];
        class.evicted += 1;
        class.evicted_nonzero += u64::from(can_expire);
        class.evicted_unfetched += u64::from(!was_fetched);
        class.last_evicted_age = age;
        class.last_evicted_at = now;
    }
}
