//! An item whose value is still arriving.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::account::{Account, Grant};
use crate::filling::Filling;
use crate::item::{Body, LINE_END, Slices};
use crate::seconds::{Expiry, Seconds};
use crate::shard::Attributes;
use crate::store::{Inner, Store};

/// Memory for an item whose value is arriving, its `\r\n` included; nobody sees it before [`Store::commit`].
///
/// ```text
///   loop { space()? ─► bytes are read into it ─► filled(n) }   until is_complete()
/// ```
///
/// A short item, of up to an eighth of a segment ([`crate::Config::segment_bytes`]) with its key, has all its memory from the
/// start. A larger one takes it as bytes arrive, a segment's length ahead of them at most. By default these are 8 and 64 KiB;
/// below a limit of 16 MiB, a quarter. Dropping a draft gives everything back.
pub struct Draft {
    /// `None` once its bytes have been moved into an item.
    filling: Option<Filling>,
    account: Arc<Account>,
    /// To make room for more; only a draft that grows has it.
    store: Option<Arc<Inner>>,
    pub(crate) hash: u64,
    pub(crate) attributes: Attributes,
    pub(crate) key_len: u8,
    started: Seconds,
}

/// Why the store does not take an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is larger than the largest that is allowed, or its key longer than 255 bytes.
    TooLarge,
    /// There is no memory for it, and nothing may be evicted to make some.
    OutOfMemory,
    /// The caller's mistake: the draft is not complete, or it is of another store.
    Misused,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the item is too large",
            Self::OutOfMemory => "there is no memory for the item",
            Self::Misused => "the draft is incomplete or of another store",
        })
    }
}

impl std::error::Error for Refusal {}

impl Store {
    /// Memory for a new item: of the whole value, or of the first bytes of a large one. Items may be evicted for it.
    ///
    /// # Errors
    /// [`Refusal::TooLarge`] or [`Refusal::OutOfMemory`]. An item that is kept under this key stays as it is.
    pub fn draft(
        &self,
        key: &[u8],
        flags: u32,
        exptime: Option<Seconds>,
        value_len: usize,
        now: Seconds,
    ) -> Result<Draft, Refusal> {
        let inner = &self.inner;
        let key_len = u8::try_from(key.len()).map_err(|_| Refusal::TooLarge)?;
        let len = value_len.checked_add(key.len() + LINE_END.len()).ok_or(Refusal::TooLarge)?;
        let item_bytes = inner.rules.item_bytes(key.len(), flags, value_len);
        if item_bytes > inner.item_bytes_max {
            return Err(Refusal::TooLarge);
        }
        let hash = inner.hash(key);
        let index = inner.shard_index(hash);
        let shard = &inner.shards[index];
        let fits = Filling::whole_bytes(len, &shard.heap) <= inner.pool.ceiling();
        let mut filling = Filling::new(len, &shard.heap);
        let start = |grant: &mut Grant<'_>| Ok::<_, Refusal>(filling.start(&shard.heap, grant));
        if !fits || inner.with_room(index, || now, start)?.is_none() {
            shard.lock(now).count_refusal(item_bytes);
            return Err(Refusal::OutOfMemory);
        }
        filling.push(key);
        shard.account.drafts.fetch_add(filling.charged(), Relaxed);
        Ok(Draft {
            store: filling.is_partial().then(|| Arc::clone(inner)),
            filling: Some(filling),
            account: Arc::clone(&shard.account),
            hash,
            attributes: Attributes::new(flags, Expiry::from(exptime)),
            key_len,
            started: now,
        })
    }
}

impl Draft {
    /// Where the next bytes go: the value, then its `\r\n`. Not empty until all is there.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`] if a large value cannot have more memory; what is there stays, and it can be tried again.
    pub fn space(&mut self) -> Result<&mut [u8], Refusal> {
        self.grow()?;
        Ok(self.filling.as_mut().map(Filling::space).unwrap_or_default())
    }

    /// Bytes have been written to the beginning of [`Self::space`]; more than it had room for are not counted.
    pub fn filled(&mut self, count: usize) {
        if let Some(filling) = &mut self.filling {
            filling.advance(count);
        }
    }

    /// Copies bytes to where they go, as many as are still missing; says how many.
    ///
    /// # Errors
    /// [`Refusal::OutOfMemory`] if a large value cannot have more memory; bytes that were copied before count.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let mut count = 0;
        loop {
            self.grow()?;
            let rest = bytes.get(count..).unwrap_or_default();
            match self.filling.as_mut().map_or(0, |filling| filling.push(rest)) {
                0 => return Ok(count),
                more => count += more,
            }
        }
    }

    /// Whether value and `\r\n` are all there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.filling.as_ref().is_some_and(|filling| filling.filled() == filling.len())
    }

    /// Whether it is complete and ends, as a data block must, with `\r\n`.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.filling.as_ref().is_some_and(Filling::is_terminated)
    }

    /// Length of the value that was announced, without its `\r\n`.
    #[must_use]
    pub fn value_len(&self) -> usize {
        let len = self.filling.as_ref().map_or(0, Filling::len);
        len.saturating_sub(usize::from(self.key_len) + LINE_END.len())
    }

    /// Bytes still missing, the `\r\n` included.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.filling.as_ref().map_or(0, |filling| filling.len() - filling.filled())
    }

    /// Memory it holds now.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.filling.as_ref().map_or(0, Filling::charged)
    }

    fn grow(&mut self) -> Result<(), Refusal> {
        let (Some(filling), Some(store)) = (&mut self.filling, &self.store) else { return Ok(()) };
        if !filling.wants_room() {
            return Ok(());
        }
        let before = filling.charged();
        let index = store.shard_index(self.hash);
        // A draft may have been arriving for hours: the shard knows better what time it is.
        let now = || store.shards[index].lock_any_time().latest.max(self.started);
        let grown = store.with_room::<_, Refusal>(index, now, |grant| Ok(filling.grow(grant)))?;
        self.account.drafts.fetch_add(filling.charged() - before, Relaxed);
        if grown.is_none() {
            let value_len = self.value_len();
            let size =
                store.rules.item_bytes(self.key_len.into(), self.attributes.flags, value_len);
            store.shards[index].lock_any_time().count_refusal(size);
            return Err(Refusal::OutOfMemory);
        }
        Ok(())
    }

    pub(crate) fn is_of(&self, account: &Arc<Account>) -> bool {
        Arc::ptr_eq(&self.account, account)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        // It lies before the value, in the first piece.
        let first = self.filling.as_ref().and_then(|filling| filling.data(0).next());
        first.and_then(|first| first.get(..self.key_len.into())).unwrap_or_default()
    }

    /// Length of key, value and `\r\n`.
    pub(crate) fn item_len(&self) -> usize {
        self.filling.as_ref().map_or(0, Filling::len)
    }

    /// The key, to be had when the bytes are gone.
    pub(crate) fn key_copy(&self) -> KeyCopy {
        let mut copy = KeyCopy { bytes: [0; u8::MAX as usize], len: self.key_len };
        let key = self.key();
        if let Some(bytes) = copy.bytes.get_mut(..key.len()) {
            bytes.copy_from_slice(key);
        }
        copy
    }

    pub(crate) fn data(&self) -> Option<Slices<'_>> {
        self.filling.as_ref().map(|filling| filling.data(self.key_len))
    }

    /// The bytes, to be kept; they are a draft's no longer.
    pub(crate) fn take_body(&mut self) -> Option<Body> {
        let filling = self.filling.take()?;
        self.account.drafts.fetch_sub(filling.charged(), Relaxed);
        Some(filling.into_body(self.key_len))
    }
}

/// A key outside its item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyCopy {
    bytes: [u8; u8::MAX as usize],
    len: u8,
}

impl KeyCopy {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(filling) = self.filling.take() {
            self.account.drafts.fetch_sub(filling.charged(), Relaxed);
            let owed = filling.owed();
            drop(filling);
            self.account.credit(owed);
        }
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("key", &self.key().escape_ascii())
            .field("value_len", &self.value_len())
            .field("missing", &self.missing())
            .finish_non_exhaustive()
    }
}
