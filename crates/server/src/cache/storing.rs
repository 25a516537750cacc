//! Storing a value: from the line that announces it to what became of it.

use larder_connection::Stored;
use larder_protocol::{Status, Storage, StoreMode, Streams};
use larder_store::{Condition, Outcome, Refusal, Terms};

use super::{Cache, ValueDraft};
use crate::counters::{ClassCount, Count};
use crate::prefixes::PrefixCount;

impl Cache {
    /// Memory for a value; one that `replaces` takes the old one with it even if it is refused.
    pub(super) fn open(&self, request: &Storage<'_>, replaces: bool) -> Result<ValueDraft, Status> {
        let Storage { mode, key, flags, exptime, value_len, .. } = *request;
        self.count_prefix(key, PrefixCount::Set);
        let store = &self.shared.store;
        let expiry = self.shared.clock.expiry(exptime, self.now);
        let draft = store
            .draft(key, flags, expiry, value_len, self.now)
            .map_err(|refusal| self.refuse(refusal, key, mode, replaces))?;
        let class = self.shared.classes.class_of(store.item_bytes(key.len(), flags, value_len));
        // Here and not when it is stored: memcached counts a value with a bad end too.
        self.count(Count::CmdSet);
        self.count_in_class(ClassCount::CmdSet, class);
        let terms = Terms::default();
        Ok(ValueDraft { draft, mode, terms, class, expiry, replaces })
    }

    /// Keeps a complete value, if its conditions hold, and tells watchers.
    pub(super) fn keep(&self, draft: ValueDraft) -> Stored {
        if self.watched.has_any(Streams::FETCHERS | Streams::MUTATIONS) {
            self.store_watched(draft)
        } else {
            self.store(draft)
        }
    }

    pub(super) fn store(&self, draft: ValueDraft) -> Stored {
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

    /// Counts a value that is refused, and forgets the one it should have replaced: a reader must not be served what the
    /// writer believes to be gone.
    pub(super) fn refuse(
        &self,
        refusal: Refusal,
        key: &[u8],
        mode: StoreMode,
        replaces: bool,
    ) -> Status {
        let (status, count) = match refusal {
            Refusal::TooLarge => (Status::TooLarge, Count::StoreTooLarge),
            Refusal::OutOfMemory | Refusal::Misused => (Status::OutOfMemory, Count::StoreNoMemory),
        };
        self.count(count);
        // Of the item itself nothing is told, as with memcached.
        self.tell_store(key, status, mode, None);
        if replaces {
            self.tell_lookup(key);
            self.shared.store.delete(key, self.now);
        }
        status
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
