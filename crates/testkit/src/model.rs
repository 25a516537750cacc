//! The semantics of memcached 1.6.45 over an ordered map: obvious, slow, with a clock that tests set.
//!
//! A [`Model`] answers a connection as a store would. It makes the hard cases common: values lie in many pieces, drafts
//! take memory in small chunks and may be told to run out of it, and every value and draft that lives is counted.

mod draft;
mod feed;
mod listing;
mod meta;
mod number;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use larder_connection::{MetaCount, MetaDetails, MetaReply, Place, Reply, Service, Stored};
use larder_protocol::{
    Change, Delta, KeyDump, Meta, MetaArithmetic, MetaFlags, MetaSet, OrderError, ShutdownMode,
    Status, Storage, StoreMode, Watch, Words, push_stat,
};

pub use draft::ModelDraft;
pub use feed::ModelFeed;
pub use listing::ModelListing;
pub use value::ModelValue;

/// A service that keeps its items in a map.
#[derive(Debug)]
pub struct Model {
    rules: Rules,
    now: i64,
    items: BTreeMap<Vec<u8>, Item>,
    last_cas: u64,
    /// Items stored up to this second vanish when it comes.
    flush: Option<i64>,
    calls: u64,
    values: Rc<Cell<usize>>,
    drafts: Rc<Cell<usize>>,
    listings: Rc<Cell<usize>>,
    feeds: Rc<Cell<usize>>,
    /// What watchers were not told yet.
    waiting: Rc<RefCell<Vec<u8>>>,
}

/// What a model is told about its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Largest item, in bytes, counted as memcached counts it (`-I`).
    pub item_len_max: usize,
    /// Bytes of a value that lie in one place.
    pub piece_len: usize,
    /// Bytes that a draft takes ahead of what arrived.
    pub chunk_len: usize,
    /// Bytes after which memory runs out for a draft.
    pub draft_len_max: usize,
    /// Whether items have CAS numbers (off under `-C`).
    pub has_cas: bool,
    /// Whether `flush_all` works (off under `-F`).
    pub can_flush: bool,
    /// Whether `shutdown` works (on under `-A`).
    pub can_shut_down: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            item_len_max: 1 << 20,
            piece_len: 3000,
            chunk_len: 1000,
            draft_len_max: usize::MAX,
            has_cas: true,
            can_flush: true,
            can_shut_down: false,
        }
    }
}

/// What a model keeps under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The client's own 32 bits.
    pub flags: u32,
    /// The second in which it is gone; none stays.
    pub expiry: Option<i64>,
    /// Its number; 0 where there are none.
    pub cas: u64,
    /// The value and its closing `\r\n`.
    pub data: Rc<Vec<u8>>,
    /// The second in which it was stored.
    pub stored: i64,
    /// The second in which it was stored or used.
    pub accessed: i64,
    /// Whether it was used since it was stored.
    pub was_fetched: bool,
    /// Whether it was invalidated.
    pub is_stale: bool,
    /// Whether a client has won its renewal.
    pub is_won: bool,
    /// Whether its key came in base64.
    pub is_key_encoded: bool,
}

impl Model {
    /// A model that keeps nothing, at second 1 700 000 000 of Unix time.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            now: 1_700_000_000,
            items: BTreeMap::new(),
            last_cas: 0,
            flush: None,
            calls: 0,
            values: Rc::default(),
            drafts: Rc::default(),
            listings: Rc::default(),
            feeds: Rc::default(),
            waiting: Rc::default(),
        }
    }

    /// The Unix time, in seconds.
    #[must_use]
    pub const fn now(&self) -> i64 {
        self.now
    }

    /// Sets the clock, in seconds of Unix time.
    pub fn set_now(&mut self, now: i64) {
        self.now = now;
        self.settle();
    }

    /// Everything that is kept, expired items that nobody looked at included.
    #[must_use]
    pub const fn items(&self) -> &BTreeMap<Vec<u8>, Item> {
        &self.items
    }

    /// How often it was asked anything.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.calls
    }

    /// Values that are pinned outside.
    #[must_use]
    pub fn live_values(&self) -> usize {
        self.values.get()
    }

    /// Drafts that are open outside.
    #[must_use]
    pub fn live_drafts(&self) -> usize {
        self.drafts.get()
    }

    /// Listings that are on their way outside.
    #[must_use]
    pub fn live_listings(&self) -> usize {
        self.listings.get()
    }

    /// Watchers.
    #[must_use]
    pub fn live_feeds(&self) -> usize {
        self.feeds.get()
    }

    /// Tells a watcher; of several, the first that asks.
    pub fn tell(&mut self, bytes: &[u8]) {
        self.waiting.borrow_mut().extend_from_slice(bytes);
    }

    /// Looks a key up as a retrieval does; `touch` is the item's new exptime.
    pub fn look_up(&mut self, key: &[u8], touch: Option<i64>) -> Option<Item> {
        self.calls += 1;
        self.visible(key)?;
        let expiry = touch.map(|exptime| self.expiry(exptime));
        let item = self.items.get_mut(key)?;
        item.expiry = expiry.unwrap_or(item.expiry);
        item.accessed = self.now;
        item.was_fetched = true;
        Some(item.clone())
    }

    /// The item under a key, if it is not expired; an expired one is let go.
    fn visible(&mut self, key: &[u8]) -> Option<&Item> {
        let now = self.now;
        if self.items.get(key)?.expiry.is_some_and(|expiry| expiry <= now) {
            self.items.remove(key);
        }
        self.items.get(key)
    }

    /// The second in which an item of this exptime is gone.
    fn expiry(&self, exptime: i64) -> Option<i64> {
        match exptime {
            0 => None,
            ..0 => Some(self.now),
            1..=RELATIVE_MAX => Some(self.now + exptime),
            _ => Some(exptime),
        }
    }

    /// Forgets what a `flush_all` with a delay announced, once its time has come.
    fn settle(&mut self) {
        if let Some(newest) = self.flush.filter(|&newest| newest <= self.now) {
            self.items.retain(|_, item| item.stored > newest);
            self.flush = None;
        }
    }

    fn is_too_large(&self, key: &[u8], flags: u32, data_len: usize) -> bool {
        self.item_len(key, flags, data_len) > self.rules.item_len_max
    }

    /// The length of an item as memcached counts it.
    const fn item_len(&self, key: &[u8], flags: u32, data_len: usize) -> usize {
        let cas_len = if self.rules.has_cas { 8 } else { 0 };
        let flags_len = if flags == 0 { 0 } else { 4 };
        48 + cas_len + key.len() + 1 + flags_len + data_len
    }

    fn next_cas(&mut self) -> u64 {
        if !self.rules.has_cas {
            return 0;
        }
        self.last_cas += 1;
        self.last_cas
    }

    fn keep(&mut self, key: &[u8], flags: u32, expiry: Option<i64>, data: Vec<u8>) -> Status {
        let cas = self.next_cas();
        let item = Item {
            flags,
            expiry,
            cas,
            data: Rc::new(data),
            stored: self.now,
            accessed: self.now,
            was_fetched: false,
            is_stale: false,
            is_won: false,
            is_key_encoded: false,
        };
        self.items.insert(key.to_vec(), item);
        Status::Stored
    }

    /// Stores old and new data as one value; flags and exptime stay the old ones.
    fn join(&mut self, key: &[u8], old: &Item, first: &[u8], last: &[u8]) -> Status {
        let value = first.strip_suffix(b"\r\n").unwrap_or(first);
        let data = [value, last].concat();
        if self.is_too_large(key, old.flags, data.len()) {
            return Status::NotStored;
        }
        self.keep(key, old.flags, old.expiry, data)
    }
}

impl Service for Model {
    type Value = ModelValue;
    type Draft = ModelDraft;
    type Listing = ModelListing;
    type Feed = ModelFeed;

    fn draft(&mut self, request: &Storage<'_>) -> Result<ModelDraft, Status> {
        self.calls += 1;
        if self.is_too_large(request.key, request.flags, request.value_len + 2) {
            // A value that its owner meant to replace must not be read again.
            if request.mode == StoreMode::Set {
                self.items.remove(request.key);
            }
            return Err(Status::TooLarge);
        }
        Ok(ModelDraft::new(request, &self.rules, &self.drafts))
    }

    fn commit(&mut self, mut draft: ModelDraft, compare: Option<u64>) -> Stored {
        if let Some(cas) = compare.filter(|_| self.rules.has_cas) {
            draft.require(cas);
        }
        self.store(draft)
    }

    fn abandon(&mut self, _: ModelDraft) -> Status {
        self.calls += 1;
        Status::OutOfMemoryReading
    }

    fn get(&mut self, key: &[u8], touch: Option<i64>, reply: &mut Reply<'_, ModelValue>) {
        let Some(item) = self.look_up(key, touch) else { return };
        let pieces = item.data.chunks(self.rules.piece_len);
        reply.value(key, item.flags, item.cas, item.data.len(), pieces, || {
            ModelValue::new(&item.data, self.rules.piece_len, &self.values)
        });
    }

    fn delete(&mut self, key: &[u8], compare: Option<u64>) -> Status {
        self.calls += 1;
        let Some(item) = self.visible(key) else { return Status::NotFound };
        if compare.is_some_and(|cas| cas != item.cas) {
            return Status::Exists;
        }
        self.items.remove(key);
        Status::Deleted
    }

    fn touch(&mut self, key: &[u8], exptime: i64) -> Status {
        match self.look_up(key, Some(exptime)) {
            Some(_) => Status::Touched,
            None => Status::NotFound,
        }
    }

    fn adjust(&mut self, key: &[u8], delta: Delta) -> Result<u64, Status> {
        self.calls += 1;
        let old = self.visible(key).ok_or(Status::NotFound)?;
        let number = number::read_counter(&old.data).ok_or(Status::NonNumeric)?;
        let number = match delta {
            Delta::Increment(step) => number.wrapping_add(step),
            Delta::Decrement(step) => number.saturating_sub(step),
        };
        let data = number::write_counter(number, old.data.len());
        self.recount(key, data, None);
        Ok(number)
    }

    fn meta_get(&mut self, key: &[u8], meta: &Meta<'_>, reply: &mut MetaReply<'_, ModelValue>) {
        let Some((item, data)) = self.meta_look_up(key, meta) else { return };
        let pieces = data.chunks(self.rules.piece_len);
        reply.item(&item, data.len(), pieces, || {
            ModelValue::new(&data, self.rules.piece_len, &self.values)
        });
    }

    fn meta_draft(&mut self, key: &[u8], request: &MetaSet<'_>) -> Result<ModelDraft, Status> {
        self.open_meta(key, request)
    }

    fn meta_delete(&mut self, key: &[u8], flags: &MetaFlags) -> Status {
        self.delete_meta(key, flags)
    }

    fn meta_adjust(
        &mut self,
        key: &[u8],
        request: &MetaArithmetic<'_>,
    ) -> Result<MetaCount, Status> {
        self.adjust_meta(key, request)
    }

    fn meta_details(&mut self, key: &[u8]) -> Option<MetaDetails> {
        self.details(key)
    }

    fn flush_all(&mut self, delay: i64) -> Status {
        self.calls += 1;
        if !self.rules.can_flush {
            return Status::FlushNotAllowed;
        }
        self.flush = self.expiry(delay).filter(|_| delay > 0).map(|second| second - 1);
        if self.flush.is_none() {
            self.items.clear();
        }
        self.settle();
        Status::Ok
    }

    fn stats(&mut self, mut topic: Words<'_>, out: &mut Vec<u8>) -> Option<ModelListing> {
        self.calls += 1;
        let is_prefix = |whole: &str, word: &[u8]| whole.as_bytes().starts_with(word);
        let status = match topic.next() {
            None => {
                push_stat(out, b"version", self.version().as_bytes());
                push_stat(out, b"curr_items", self.items.len().to_string().as_bytes());
                Status::End
            }
            Some(word) if is_prefix("reset", word) => Status::Reset,
            Some(word) if is_prefix("detail", word) => match topic.next() {
                Some(b"on" | b"off") => Status::Ok,
                Some(b"dump") => Status::End,
                _ => Status::DetailUsage,
            },
            Some(word) if is_prefix("settings", word) || b"extstore" == word => Status::End,
            Some(word) if is_prefix("conns", word) && word.len() > 1 => Status::End,
            Some(b"items" | b"slabs" | b"sizes") => Status::End,
            Some(_) => Status::Error,
        };
        out.extend_from_slice(status.line());
        None
    }

    /// Wherever the request stands: a machine's answers must not depend on the cuts of the network.
    fn list_keys(&mut self, request: &KeyDump<'_>, _: Place) -> Result<ModelListing, Status> {
        self.calls += 1;
        self.dump(request)
    }

    fn push_listing(&mut self, listing: &mut ModelListing, out: &mut Vec<u8>) -> bool {
        self.calls += 1;
        listing.push(out)
    }

    fn watch(&mut self, request: &Watch, _: Place) -> Result<ModelFeed, Status> {
        self.calls += 1;
        request.streams.ok_or(Status::Error)?;
        Ok(ModelFeed::new(&self.waiting, &self.feeds))
    }

    fn set_verbosity(&mut self, _: u8) -> Status {
        self.calls += 1;
        Status::Ok
    }

    fn set_memory_limit(&mut self, mebibytes: u32) -> Status {
        self.calls += 1;
        match mebibytes {
            0..8 => Status::MemoryLimitTooSmall,
            8..=1_000_000_000 => Status::Ok,
            _ => Status::MemoryLimitTooLarge,
        }
    }

    fn obey(&mut self, change: &Change<'_>) -> Status {
        self.calls += 1;
        match change {
            // Only a server that is started for tests lets clients change its clock.
            Change::Clock(_) => Status::Error,
            Change::Certificates => Status::Order(OrderError::TlsNotEnabled),
            Change::Crawler(true) => Status::Order(OrderError::CrawlerRuns),
            Change::Crawl(classes) if classes.is_hash() => Status::Order(OrderError::Unknown),
            Change::Crawl(classes) => {
                classes.classes().map_or_else(|status| status, |_| Status::Ok)
            }
            Change::Reassign { source, destination } if source == destination => {
                Status::Order(OrderError::SameClass)
            }
            Change::Reassign { source: 0..=39, destination: 0..=39 } => {
                Status::Order(OrderError::NoSparePage)
            }
            Change::Reassign { .. } => Status::Order(OrderError::NoSuchClass),
            Change::Automove(_)
            | Change::Crawler(false)
            | Change::CrawlerItems(_)
            | Change::CrawlerSleep(_)
            | Change::Lists(_)
            | Change::Shares(_)
            | Change::TemporaryTtl(_) => Status::Ok,
        }
    }

    fn shut_down(&mut self, mode: ShutdownMode) -> Result<(), Status> {
        self.calls += 1;
        match mode {
            _ if !self.rules.can_shut_down => Err(Status::ShutdownNotEnabled),
            ShutdownMode::Unknown => Err(Status::InvalidShutdownMode),
            ShutdownMode::Graceful | ShutdownMode::Immediate => Ok(()),
        }
    }

    fn version(&self) -> &str {
        "1.6.45"
    }
}

/// Longest exptime that counts from now, in seconds: 30 days. A longer one is a Unix time.
const RELATIVE_MAX: i64 = 2_592_000;
