//! Values on their way out, and on their way in.

use larder_connection::Value;
use larder_protocol::StoreMode;
use larder_store::{Draft, Item, Seconds, Terms};

/// A pinned value of the store.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(super) item: Item,
    pub(super) data_len: usize,
}

impl Value for Pinned {
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
    pub(super) draft: Draft,
    pub(super) mode: StoreMode,
    /// What came with it in flags.
    pub(super) terms: Terms,
    pub(super) class: usize,
    pub(super) expiry: Option<Seconds>,
    /// Whether the old value goes even if this one is refused.
    pub(super) replaces: bool,
}

impl ValueDraft {
    /// Lets it be stored only in the place of an item with this number, or joined to one.
    pub(super) fn require(&mut self, cas: u64) {
        match self.mode {
            StoreMode::Append | StoreMode::Prepend => self.terms.compare = Some(cas),
            _ => self.mode = StoreMode::Cas(cas),
        }
    }
}

impl larder_connection::Draft for ValueDraft {
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
