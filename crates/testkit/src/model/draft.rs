//! Memory for a value that is still arriving, in small chunks.

use std::cell::Cell;
use std::rc::Rc;

use larder_connection::Draft;
use larder_protocol::{MetaFlags, Storage, StoreMode};

use super::Rules;
use super::value::Counted;

/// A value that is still arriving at a [`super::Model`].
#[derive(Debug)]
pub struct ModelDraft {
    head: Head,
    /// What was taken; the first `filled` bytes of it arrived.
    data: Vec<u8>,
    filled: usize,
    data_len: usize,
    chunk_len: usize,
    len_max: usize,
    _counted: Counted,
}

/// The storage line that a draft belongs to.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) mode: StoreMode,
    pub(super) key: Vec<u8>,
    pub(super) flags: u32,
    pub(super) exptime: i64,
    /// The flags that came with it; a classic command has none.
    pub(super) meta: MetaFlags,
    pub(super) is_key_encoded: bool,
}

impl ModelDraft {
    pub(super) fn new(request: &Storage<'_>, rules: &Rules, live: &Rc<Cell<usize>>) -> Self {
        let Storage { mode, key, flags, exptime, value_len, .. } = *request;
        Self {
            head: Head {
                mode,
                key: key.to_vec(),
                flags,
                exptime,
                meta: MetaFlags::NONE,
                is_key_encoded: false,
            },
            data: Vec::new(),
            filled: 0,
            data_len: value_len + b"\r\n".len(),
            chunk_len: rules.chunk_len,
            len_max: rules.draft_len_max,
            _counted: Counted::new(live),
        }
    }

    /// The same, with flags.
    pub(super) fn with_meta(mut self, flags: MetaFlags, is_key_encoded: bool) -> Self {
        (self.head.meta, self.head.is_key_encoded) = (flags, is_key_encoded);
        self
    }

    /// Lets it be stored only in the place of an item with this number, or joined to one.
    pub(super) fn require(&mut self, cas: u64) {
        match self.head.mode {
            StoreMode::Append | StoreMode::Prepend => self.head.meta.compare = Some(cas),
            _ => self.head.mode = StoreMode::Cas(cas),
        }
    }

    pub(super) fn into_parts(self) -> (Head, Vec<u8>) {
        assert_eq!(self.remaining(), 0, "only a complete value is committed");
        (self.head, self.data)
    }
}

impl Draft for ModelDraft {
    fn space(&mut self) -> Option<&mut [u8]> {
        if self.filled == self.data.len() && self.filled < self.data_len {
            let room = self.len_max.saturating_sub(self.filled);
            let more = self.chunk_len.min(self.remaining()).min(room);
            if more == 0 {
                return None;
            }
            self.data.resize(self.filled + more, 0);
        }
        self.data.get_mut(self.filled..)
    }

    fn filled(&mut self, len: usize) {
        assert!(self.filled + len <= self.data.len(), "more was filled than there was space for");
        self.filled += len;
    }

    fn remaining(&self) -> usize {
        self.data_len - self.filled
    }

    fn is_terminated(&self) -> bool {
        assert_eq!(self.remaining(), 0, "asked before the value was complete");
        self.data.ends_with(b"\r\n")
    }

    fn held_bytes(&self) -> usize {
        self.data.len()
    }
}
