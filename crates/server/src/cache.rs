//! The service behind every connection of a worker: memcached's commands in terms of the store.

mod meta;
mod order;
mod storing;
mod told;
mod value;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_connection::{MetaCount, MetaDetails, MetaReply, Place, Reply, Service, Stored};
use larder_poller::Waker;
use larder_protocol::{
    Change, Delta, KeyDump, Meta, MetaArithmetic, MetaFlags, MetaSet, ShutdownMode, Status,
    Storage, StoreMode, Streams, Watch, Words,
};
use larder_store::{AdjustError, Adjusted, Amended, Counting, Miss, Refusal, Seconds, Visit};

use crate::counters::{ClassCount, Count, Counters};
use crate::listing::Listing;
use crate::prefixes::PrefixCount;
use crate::shared::Shared;
use crate::stats;
use crate::watch::{Item, LogFeed};

use value::{Pinned, ValueDraft};

/// What one worker asks the store with: its counters, and the time of this turn.
#[derive(Debug)]
pub(crate) struct Cache {
    shared: Arc<Shared>,
    worker: usize,
    now: Seconds,
    /// Whose turn it is; `stats conns` and the log name it.
    descriptor: i32,
    /// Whether it is a datagram's, which nobody can prove to come from where it says.
    is_datagram: bool,
    /// Whether a request of this turn walked the store.
    has_walked: bool,
    /// What somebody watched at the beginning of this turn.
    watched: Streams,
    /// Wakes this worker when there is something to tell to a watcher of its.
    waker: Waker,
}

impl Cache {
    pub(crate) fn new(shared: Arc<Shared>, worker: usize, waker: Waker) -> Self {
        let now = shared.clock.now();
        Self {
            shared,
            worker,
            now,
            descriptor: -1,
            is_datagram: false,
            has_walked: false,
            watched: Streams::NONE,
            waker,
        }
    }

    pub(crate) fn begin_round(&mut self, now: Seconds) {
        self.now = now;
    }

    pub(crate) fn begin_turn(&mut self, descriptor: i32) {
        self.descriptor = descriptor;
        self.is_datagram = false;
        self.watched = self.shared.watchers.wanted();
    }

    pub(crate) fn begin_datagram(&mut self, descriptor: i32) {
        self.begin_turn(descriptor);
        self.is_datagram = true;
        self.has_walked = false;
    }

    /// Whether a request of this datagram walked the store.
    pub(crate) fn has_walked(&self) -> bool {
        self.has_walked
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn now(&self) -> Seconds {
        self.now
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.descriptor
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters[self.worker]
    }

    fn count(&self, count: Count) {
        self.counters().add_one(count);
    }

    fn count_in_class(&self, count: ClassCount, class: usize) {
        self.counters().add_one_in_class(count, class);
    }

    fn count_prefix(&self, key: &[u8], count: PrefixCount) {
        self.shared.prefixes.add(self.worker, key, count);
    }

    /// Forgets a key, by the command of this name.
    fn remove(&self, key: &[u8], compare: Option<u64>, command: &str) -> Status {
        self.count_prefix(key, PrefixCount::Delete);
        self.tell_lookup(key);
        let removed = match compare {
            None => {
                let see = |item: Visit<'_>| Item::of(&item);
                let removed = self.shared.store.visit_deleting(key, self.now, see);
                removed
                    .inspect(|&item| self.tell_deleted(key, command, item))
                    .map(|item| item.class)
            }
            Some(cas) => match self.delete_if(key, cas, command) {
                Amended::Done { class } => Some(class),
                Amended::NotFound => None,
                Amended::Exists => return Status::Exists,
            },
        };
        match removed {
            Some(class) => {
                self.count(Count::DeleteHits);
                self.count_in_class(ClassCount::DeleteHits, class);
                Status::Deleted
            }
            None => {
                self.count(Count::DeleteMisses);
                Status::NotFound
            }
        }
    }

    /// Changes a counter, and counts that if there is one.
    fn count_with(
        &self,
        key: &[u8],
        delta: Delta,
        counting: &Counting,
    ) -> Result<Adjusted, AdjustError> {
        let (delta, hits, class_hits) = match delta {
            Delta::Increment(by) => {
                (larder_store::Delta::Increment(by), Count::IncrHits, ClassCount::IncrHits)
            }
            Delta::Decrement(by) => {
                (larder_store::Delta::Decrement(by), Count::DecrHits, ClassCount::DecrHits)
            }
        };
        self.tell_lookup(key);
        let adjusted = self.shared.store.adjust_with(key, delta, counting, self.now)?;
        self.count(hits);
        self.count_in_class(class_hits, adjusted.class);
        Ok(adjusted)
    }

    /// Says why there is no such counter, and counts that.
    fn refuse_count(&self, error: AdjustError, delta: Delta) -> Status {
        match error {
            AdjustError::NotFound => {
                self.count(match delta {
                    Delta::Increment(_) => Count::IncrMisses,
                    Delta::Decrement(_) => Count::DecrMisses,
                });
                Status::NotFound
            }
            AdjustError::NonNumeric => Status::NonNumeric,
            AdjustError::Exists => Status::Exists,
            AdjustError::Refused(_) => {
                self.count(Count::StoreNoMemory);
                Status::OutOfMemory
            }
        }
    }
}

impl Service for Cache {
    type Value = Pinned;
    type Draft = ValueDraft;
    type Listing = Listing;
    type Feed = LogFeed;

    fn draft(&mut self, request: &Storage<'_>) -> Result<ValueDraft, Status> {
        self.open(request, request.mode == StoreMode::Set)
    }

    fn commit(&mut self, mut draft: ValueDraft, compare: Option<u64>) -> Stored {
        // Without numbers there is nothing to compare with.
        if let Some(cas) = compare.filter(|_| self.shared.config.cas) {
            draft.require(cas);
        }
        self.keep(draft)
    }

    fn abandon(&mut self, draft: ValueDraft) -> Status {
        let ValueDraft { draft, mode, replaces, .. } = draft;
        let key: Box<[u8]> = draft.key().into();
        drop(draft);
        self.refuse(Refusal::OutOfMemory, &key, mode, replaces)
    }

    fn get(&mut self, key: &[u8], touch: Option<i64>, reply: &mut Reply<'_, Pinned>) {
        let (tells, mut seen) = (self.tells_gets(), None);
        let see = |item: Visit<'_>| {
            let data_len = item.value_len() + LINE_END_LEN;
            let pin = || Pinned { item: item.pin(), data_len };
            reply.value(key, item.flags(), item.cas(), data_len, item.slices(), pin);
            if tells {
                seen = Some(Item::of(&item));
            }
            item.class()
        };
        let (store, now) = (&self.shared.store, self.now);
        let visited = match touch {
            None => store.visit(key, now, see),
            Some(exptime) => {
                let expiry = self.shared.clock.expiry(exptime, now);
                store.visit_touching(key, expiry, now, see)
            }
        };
        if tells {
            self.tell_get(key, visited.and_then(|_| seen.ok_or(Miss::Absent)));
        }
        self.count(if touch.is_some() { Count::CmdTouch } else { Count::CmdGet });
        match visited {
            Ok(class) => {
                self.count_prefix(key, PrefixCount::Hit);
                let (count, class_count) = match touch {
                    None => (Count::GetHits, ClassCount::GetHits),
                    Some(_) => (Count::TouchHits, ClassCount::TouchHits),
                };
                self.count(count);
                self.count_in_class(class_count, class);
            }
            Err(_) => {
                self.count_prefix(key, PrefixCount::Miss);
                self.count(if touch.is_some() { Count::TouchMisses } else { Count::GetMisses });
            }
        }
    }

    fn delete(&mut self, key: &[u8], compare: Option<u64>) -> Status {
        self.remove(key, compare, "delete")
    }

    fn touch(&mut self, key: &[u8], exptime: i64) -> Status {
        let expiry = self.shared.clock.expiry(exptime, self.now);
        self.count(Count::CmdTouch);
        let see = |item: Visit<'_>| Item::of(&item);
        let touched = self.shared.store.visit_touching(key, expiry, self.now, see);
        if self.tells_gets() {
            self.tell_get(key, touched);
        }
        match touched {
            Ok(item) => {
                self.count(Count::TouchHits);
                self.count_in_class(ClassCount::TouchHits, item.class);
                Status::Touched
            }
            Err(_) => {
                self.count(Count::TouchMisses);
                Status::NotFound
            }
        }
    }

    fn adjust(&mut self, key: &[u8], delta: Delta) -> Result<u64, Status> {
        match self.count_with(key, delta, &Counting::default()) {
            Ok(adjusted) => Ok(adjusted.value),
            Err(error) => Err(self.refuse_count(error, delta)),
        }
    }

    fn meta_get(&mut self, key: &[u8], meta: &Meta<'_>, reply: &mut MetaReply<'_, Pinned>) {
        meta::get(self, key, &meta.flags, reply);
    }

    fn meta_draft(&mut self, key: &[u8], request: &MetaSet<'_>) -> Result<ValueDraft, Status> {
        meta::draft(self, key, request)
    }

    fn meta_delete(&mut self, key: &[u8], flags: &MetaFlags) -> Status {
        meta::delete(self, key, flags)
    }

    fn meta_adjust(
        &mut self,
        key: &[u8],
        request: &MetaArithmetic<'_>,
    ) -> Result<MetaCount, Status> {
        meta::adjust(self, key, request)
    }

    fn meta_details(&mut self, key: &[u8]) -> Option<MetaDetails> {
        meta::details(self, key)
    }

    fn flush_all(&mut self, delay: i64) -> Status {
        if !self.shared.config.flush {
            return Status::FlushNotAllowed;
        }
        self.count(Count::CmdFlush);
        let when = match self.shared.clock.expiry(delay, self.now) {
            Some(when) if when > self.now => {
                self.shared.store.flush_at(when);
                when
            }
            _ => {
                self.shared.store.flush(self.now);
                self.now
            }
        };
        self.shared.flushed_at.store(when.0, Ordering::Relaxed);
        Status::Ok
    }

    fn stats(&mut self, topic: Words<'_>, out: &mut Vec<u8>) -> Option<Listing> {
        self.has_walked = true;
        let listing = stats::answer(&self.shared, self.descriptor, self.now, topic, out);
        if !self.is_datagram {
            return listing;
        }
        // A datagram is answered in one go, or not at all.
        match listing {
            Some(listing) if listing.wants_items() => {
                out.extend_from_slice(b"CLIENT_ERROR not over UDP\r\n");
            }
            Some(mut listing) => while self.push_listing(&mut listing, out) {},
            None => {}
        }
        None
    }

    fn list_keys(&mut self, request: &KeyDump<'_>, place: Place) -> Result<Listing, Status> {
        if self.is_datagram {
            return Err(Status::DumpNotAllowed);
        }
        Listing::of_keys(&self.shared, request, place, self.now)
    }

    fn push_listing(&mut self, listing: &mut Listing, out: &mut Vec<u8>) -> bool {
        listing.push(&self.shared, self.now, out)
    }

    fn watch(&mut self, request: &Watch, place: Place) -> Result<LogFeed, Status> {
        // A datagram has nobody behind it to whom lines could go.
        if !self.shared.config.watch || self.is_datagram {
            return Err(Status::WatchNotAllowed);
        }
        if place == Place::AfterOthers {
            return Err(Status::WatchPipelined);
        }
        let streams = request.streams.ok_or(Status::Error)?;
        self.shared.watchers.add(streams, self.waker.clone())
    }

    fn set_verbosity(&mut self, level: u8) -> Status {
        self.shared.verbosity.store(level, Ordering::Relaxed);
        (self.shared.config.on_verbosity)(level);
        Status::Ok
    }

    fn set_memory_limit(&mut self, mebibytes: u32) -> Status {
        match mebibytes {
            ..MEMORY_MEBIBYTES_MIN => Status::MemoryLimitTooSmall,
            MEMORY_MEBIBYTES_MIN..=MEMORY_MEBIBYTES_MAX => {
                self.shared.store.set_memory_limit(u64::from(mebibytes) << 20, self.now);
                log::info!("the memory limit is {mebibytes} MiB now");
                Status::Ok
            }
            _ => Status::MemoryLimitTooLarge,
        }
    }

    fn obey(&mut self, change: &Change<'_>) -> Status {
        order::obey(self, change)
    }

    fn shut_down(&mut self, mode: ShutdownMode) -> Result<(), Status> {
        // Whoever can forge an address must not be able to stop the server.
        if !self.shared.config.shutdown || self.is_datagram {
            return Err(Status::ShutdownNotEnabled);
        }
        match mode {
            ShutdownMode::Graceful => self.shared.stop.want_gracefully(),
            ShutdownMode::Immediate => self.shared.stop.want(),
            ShutdownMode::Unknown => return Err(Status::InvalidShutdownMode),
        }
        Ok(())
    }

    fn version(&self) -> &str {
        VERSION
    }
}

/// What `version` answers: the version of memcached whose behaviour this is, because clients read features from it.
/// Larder's own version is in `stats larder`.
pub(crate) const VERSION: &str = "1.6.45";

const LINE_END_LEN: usize = b"\r\n".len();

/// memcached's bounds for `cache_memlimit`.
const MEMORY_MEBIBYTES_MIN: u32 = 8;
const MEMORY_MEBIBYTES_MAX: u32 = 1_000_000_000;
