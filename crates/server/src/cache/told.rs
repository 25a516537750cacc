//! What watchers are told of requests. Where nobody watches, each of these is a comparison with what was read at the
//! beginning of the turn.

use larder_connection::Stored;
use larder_protocol::{Status, StoreMode, Streams};
use larder_store::{Amended, Fetch, Miss, Visit};

use super::{Cache, ValueDraft};
use crate::watch::{self, Item};

impl Cache {
    /// Whether somebody is told of keys that are looked up: what tells, costs those who are not.
    #[inline]
    pub(super) fn tells_gets(&self) -> bool {
        self.watched.has_any(Streams::FETCHERS)
    }

    /// Says that a key was looked up, and what was found; if [`Self::tells_gets`].
    #[cold]
    pub(super) fn tell_get(&self, key: &[u8], found: Result<Item, Miss>) {
        let status = match found {
            Ok(_) => "found",
            Err(Miss::Absent) => "not_found",
            Err(Miss::Expired) => "expired",
            Err(Miss::Flushed) => "flushed",
        };
        let line = watch::item_get(key, status, found.ok(), self.descriptor);
        self.shared.watchers.record(Streams::FETCHERS, &line);
    }

    /// Says that a key is looked up by a request that is told less than watchers are: it is looked up for them, before. What
    /// somebody else does to the key in between, they may see in another order.
    pub(super) fn tell_lookup(&self, key: &[u8]) {
        if self.tells_gets() {
            self.tell_get(key, self.look(key));
        }
    }

    /// Says that an item was deleted.
    pub(super) fn tell_deleted(&self, key: &[u8], command: &str, item: Item) {
        if self.watched.has_any(Streams::DELETIONS) {
            let line = watch::deleted(key, command, item);
            self.shared.watchers.record(Streams::DELETIONS, &line);
        }
    }

    /// Forgets a key if its item has this CAS number, and says so.
    pub(super) fn delete_if(&self, key: &[u8], cas: u64, command: &str) -> Amended {
        let item =
            if self.watched.has_any(Streams::DELETIONS) { self.look(key).ok() } else { None };
        let amended = self.shared.store.delete_if(key, cas, self.now);
        if let (Amended::Done { .. }, Some(item)) = (amended, item) {
            self.tell_deleted(key, command, item);
        }
        amended
    }

    /// Says what became of a value that was to be stored.
    pub(super) fn tell_store(
        &self,
        key: &[u8],
        status: Status,
        mode: StoreMode,
        item: Option<Item>,
    ) {
        if !self.watched.has_any(Streams::MUTATIONS) {
            return;
        }
        let (status, command) = (store_status(status), command(mode));
        let line = watch::item_store(key, status, command, item, self.now, self.descriptor);
        self.shared.watchers.record(Streams::MUTATIONS, &line);
    }

    /// Stores a value for watchers to see: that its key was looked up, and what became of it.
    pub(super) fn store_watched(&self, draft: ValueDraft) -> Stored {
        let key: Box<[u8]> = draft.draft.key().into();
        let (mode, terms) = (draft.mode, draft.terms);
        let (value_len, exptime) = (draft.draft.value_len(), draft.expiry);
        let given = Item { class: draft.class, value_len, exptime };
        self.tell_lookup(&key);
        let stored = self.store(draft);
        // What was joined to an item, or stored stale, has that item's expiry, and maybe another class.
        let follows = matches!(mode, StoreMode::Append | StoreMode::Prepend);
        let item = match stored.status {
            Status::Stored if follows || terms.stales_when_older => {
                self.look(&key).unwrap_or(given)
            }
            _ => given,
        };
        self.tell_store(&key, stored.status, mode, Some(item));
        stored
    }

    fn look(&self, key: &[u8]) -> Result<Item, Miss> {
        let see = |item: Visit<'_>, _| Item::of(&item);
        self.shared.store.fetch(key, &Fetch::default(), self.now, see)
    }
}

const fn store_status(status: Status) -> &'static str {
    match status {
        Status::Stored => "stored",
        Status::Exists => "exists",
        Status::NotFound => "not_found",
        Status::TooLarge => "too_large",
        Status::OutOfMemory => "no_memory",
        _ => "not_stored",
    }
}

const fn command(mode: StoreMode) -> &'static str {
    match mode {
        StoreMode::Add => "add",
        StoreMode::Append => "append",
        StoreMode::Cas(_) => "cas",
        StoreMode::Prepend => "prepend",
        StoreMode::Replace => "replace",
        StoreMode::Set => "set",
    }
}
