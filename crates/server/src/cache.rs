//! The service behind every connection of a worker: memcached's commands in terms of the store.

mod meta;
mod order;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_connection::{
    self as connection, MetaCount, MetaDetails, MetaReply, Place, Reply, Service, Stored,
};
use larder_protocol::{
    Change, Delta, KeyDump, Meta, MetaArithmetic, MetaFlags, MetaSet, ShutdownMode, Status,
    Storage, StoreMode, Words,
};
use larder_store::{
    AdjustError, Adjusted, Amended, Condition, Counting, Draft, Item, Outcome, Refusal, Seconds,
    Terms, Visit,
};

use crate::counters::{ClassCount, Count, Counters};
use crate::listing::Listing;
use crate::prefixes::PrefixCount;
use crate::shared::Shared;
use crate::stats;

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
}

impl Cache {
    pub(crate) fn new(shared: Arc<Shared>, worker: usize) -> Self {
        let now = shared.clock.now();
        Self { shared, worker, now, descriptor: -1, is_datagram: false, has_walked: false }
    }

    pub(crate) fn begin_round(&mut self, now: Seconds) {
        self.now = now;
    }

    pub(crate) fn begin_turn(&mut self, descriptor: i32) {
        self.descriptor = descriptor;
        self.is_datagram = false;
    }

    pub(crate) fn begin_datagram(&mut self, descriptor: i32) {
        self.descriptor = descriptor;
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

    /// Counts a value that is refused, and forgets the one it should have replaced: a reader must not be served what the
    /// writer believes to be gone.
    fn refuse(&self, refusal: Refusal, key: &[u8], mode: StoreMode) -> Status {
        if mode == StoreMode::Set {
            self.shared.store.delete(key, self.now);
        }
        match refusal {
            Refusal::TooLarge => {
                self.count(Count::StoreTooLarge);
                Status::TooLarge
            }
            Refusal::OutOfMemory | Refusal::Misused => {
                self.count(Count::StoreNoMemory);
                Status::OutOfMemory
            }
        }
    }

    /// Keeps a complete value, if its conditions hold.
    fn store(&self, draft: ValueDraft) -> Stored {
        let ValueDraft { draft, mode, terms, class, .. } = draft;
        let refused = |status, value_len| Stored { status, cas: 0, value_len };
        let value_len = draft.value_len();
        let condition = match mode {
            StoreMode::Add => Condition::Add,
            StoreMode::Append => Condition::Append,
            StoreMode::Cas(number) => Condition::Cas(number),
            StoreMode::Prepend => Condition::Prepend,
            StoreMode::Replace => Condition::Replace,
            StoreMode::Set => Condition::Set,
        };
        let committed = self.shared.store.commit_with(draft, condition, &terms, self.now);
        let outcome = committed.map(|committed| committed.outcome);
        let value_len = committed.map_or(value_len, |committed| committed.value_len);
        let stored = match outcome {
            Ok(Outcome::Stored { cas }) => Stored { status: Status::Stored, cas, value_len },
            Ok(Outcome::NotStored) | Err(Refusal::TooLarge) => {
                refused(Status::NotStored, value_len)
            }
            Ok(Outcome::Exists) => refused(Status::Exists, value_len),
            Ok(Outcome::NotFound) => refused(Status::NotFound, value_len),
            Err(Refusal::OutOfMemory | Refusal::Misused) => {
                self.count(Count::StoreNoMemory);
                return refused(Status::OutOfMemory, value_len);
            }
        };
        if matches!(mode, StoreMode::Cas(_)) {
            self.count_cas(stored.status, class);
        }
        stored
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

    fn count_cas(&self, status: Status, class: usize) {
        let (count, class_count) = match status {
            Status::Stored => (Count::CasHits, ClassCount::CasHits),
            Status::Exists => (Count::CasBadval, ClassCount::CasBadval),
            _ => return self.count(Count::CasMisses),
        };
        self.count(count);
        self.count_in_class(class_count, class);
    }
}

impl Service for Cache {
    type Value = Pinned;
    type Draft = ValueDraft;
    type Listing = Listing;

    fn draft(&mut self, request: &Storage<'_>) -> Result<ValueDraft, Status> {
        let Storage { mode, key, flags, exptime, value_len, .. } = *request;
        self.count_prefix(key, PrefixCount::Set);
        let store = &self.shared.store;
        let expiry = self.shared.clock.expiry(exptime, self.now);
        let draft = store
            .draft(key, flags, expiry, value_len, self.now)
            .map_err(|refusal| self.refuse(refusal, key, mode))?;
        let class = self.shared.classes.class_of(store.item_bytes(key.len(), flags, value_len));
        // Here and not when it is stored: memcached counts a value with a bad end too.
        self.count(Count::CmdSet);
        self.count_in_class(ClassCount::CmdSet, class);
        // Only a draft that can run out of memory later has to know whose old value goes with it.
        let abandoned_key =
            (mode == StoreMode::Set && value_len > WHOLE_LEN_MAX).then(|| key.into());
        Ok(ValueDraft { draft, mode, terms: Terms::default(), class, abandoned_key })
    }

    fn commit(&mut self, mut draft: ValueDraft, compare: Option<u64>) -> Stored {
        // Without numbers there is nothing to compare with.
        if let Some(cas) = compare.filter(|_| self.shared.config.cas) {
            draft.require(cas);
        }
        self.store(draft)
    }

    fn abandon(&mut self, draft: ValueDraft) -> Status {
        let ValueDraft { draft, abandoned_key, .. } = draft;
        drop(draft);
        let mode = if abandoned_key.is_some() { StoreMode::Set } else { StoreMode::Add };
        self.refuse(Refusal::OutOfMemory, &abandoned_key.unwrap_or_default(), mode)
    }

    fn get(&mut self, key: &[u8], touch: Option<i64>, reply: &mut Reply<'_, Pinned>) {
        let see = |item: Visit<'_>| {
            let data_len = item.value_len() + LINE_END_LEN;
            let pin = || Pinned { item: item.pin(), data_len };
            reply.value(key, item.flags(), item.cas(), data_len, item.slices(), pin);
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
        self.count_prefix(key, PrefixCount::Delete);
        let store = &self.shared.store;
        let deleted = match compare {
            None => store.visit_deleting(key, self.now, |item| item.class()),
            Some(cas) => match store.delete_if(key, cas, self.now) {
                Amended::Done { class } => Some(class),
                Amended::NotFound => None,
                Amended::Exists => return Status::Exists,
            },
        };
        match deleted {
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

    fn touch(&mut self, key: &[u8], exptime: i64) -> Status {
        let expiry = self.shared.clock.expiry(exptime, self.now);
        self.count(Count::CmdTouch);
        match self.shared.store.visit_touching(key, expiry, self.now, |item| item.class()) {
            Ok(class) => {
                self.count(Count::TouchHits);
                self.count_in_class(ClassCount::TouchHits, class);
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
        match self.shared.clock.expiry(delay, self.now) {
            Some(when) if when > self.now => self.shared.store.flush_at(when),
            _ => self.shared.store.flush(self.now),
        }
        Status::Ok
    }

    fn stats(&mut self, topic: Words<'_>, out: &mut Vec<u8>) -> Option<Listing> {
        self.has_walked = true;
        let listing = stats::answer(&self.shared, self.descriptor, self.now, topic, out);
        if listing.is_some() && self.is_datagram {
            out.extend_from_slice(b"CLIENT_ERROR not over UDP\r\n");
            return None;
        }
        listing
    }

    fn list_keys(&mut self, request: &KeyDump<'_>, place: Place) -> Result<Listing, Status> {
        if self.is_datagram {
            return Err(Status::DumpNotAllowed);
        }
        Listing::of_keys(&self.shared, request, place)
    }

    fn push_listing(&mut self, listing: &mut Listing, out: &mut Vec<u8>) -> bool {
        listing.push(&self.shared, self.now, out)
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

/// A pinned value of the store.
#[derive(Debug)]
pub(crate) struct Pinned {
    item: Item,
    data_len: usize,
}

impl connection::Value for Pinned {
    fn data_len(&self) -> usize {
        self.data_len
    }

    fn piece(&self, offset: usize) -> &[u8] {
        self.item.slice_from(offset)
    }
}

/// A value that is arriving, and what is to become of it.
#[derive(Debug)]
pub(crate) struct ValueDraft {
    draft: Draft,
    mode: StoreMode,
    /// What came with it in flags.
    terms: Terms,
    class: usize,
    abandoned_key: Option<Box<[u8]>>,
}

impl ValueDraft {
    /// Lets it be stored only in the place of an item with this number, or joined to one.
    fn require(&mut self, cas: u64) {
        match self.mode {
            StoreMode::Append | StoreMode::Prepend => self.terms.compare = Some(cas),
            _ => self.mode = StoreMode::Cas(cas),
        }
    }
}

impl connection::Draft for ValueDraft {
    fn space(&mut self) -> Option<&mut [u8]> {
        self.draft.space().ok()
    }

    fn filled(&mut self, len: usize) {
        self.draft.filled(len);
    }

    fn remaining(&self) -> usize {
        self.draft.missing()
    }

    fn is_terminated(&self) -> bool {
        self.draft.is_terminated()
    }

    fn held_bytes(&self) -> usize {
        usize::try_from(self.draft.held_bytes()).unwrap_or(usize::MAX)
    }
}

/// What `version` answers: the version of memcached whose behaviour this is, because clients read features from it.
/// Larder's own version is in `stats larder`.
pub(crate) const VERSION: &str = "1.6.45";

const LINE_END_LEN: usize = b"\r\n".len();

/// Values up to this length have all their memory from the start.
const WHOLE_LEN_MAX: usize = 32 * 1024;

/// memcached's bounds for `cache_memlimit`.
const MEMORY_MEBIBYTES_MIN: u32 = 8;
const MEMORY_MEBIBYTES_MAX: u32 = 1_000_000_000;
