//! What a connection asks, and of whom: the seam between the protocol and the items.

use alloc::vec::Vec;
use core::fmt;

use larder_protocol::{
    Change, Delta, KeyDump, Meta, MetaArithmetic, MetaFlags, MetaSet, ShutdownMode, Status,
    Storage, Watch, Words,
};

use crate::{MetaCount, MetaDetails, MetaReply, Reply};

/// Answers the requests that a connection has read.
pub trait Service {
    /// A kept value; holding one keeps its bytes in place and unchanged.
    type Value: Value;
    /// Memory for a value that is still arriving.
    type Draft: Draft;
    /// An answer that is too long to be made in one go; dropping it ends the work on it.
    type Listing: fmt::Debug;
    /// What a watcher is told; dropping it ends that.
    type Feed: Feed;

    /// Opens memory for the data block that follows a storage line.
    ///
    /// # Errors
    ///
    /// The reply to a value that cannot be taken; its data block is then thrown away.
    fn draft(&mut self, request: &Storage<'_>) -> Result<Self::Draft, Status>;
    /// Keeps a complete value, if the conditions it came with hold. With a number in `compare`, which only the binary protocol
    /// gives, the item must have that one: a value that is not joined to another then goes by [`larder_protocol::StoreMode::Cas`].
    fn commit(&mut self, draft: Self::Draft, compare: Option<u64>) -> Stored;
    /// Lets go of a value for which memory ran out while it arrived; says what to answer.
    fn abandon(&mut self, draft: Self::Draft) -> Status;
    /// Answers for one key: a [`Reply::value`] if it is kept, nothing if it is not. `touch` is the item's new exptime.
    fn get(&mut self, key: &[u8], touch: Option<i64>, reply: &mut Reply<'_, Self::Value>);
    /// Forgets a key; with a number in `compare`, only if the item has that one.
    fn delete(&mut self, key: &[u8], compare: Option<u64>) -> Status;
    /// Gives a key a new exptime.
    fn touch(&mut self, key: &[u8], exptime: i64) -> Status;
    /// Changes a counter and returns the new number.
    ///
    /// # Errors
    ///
    /// The reply when there is no such counter.
    fn adjust(&mut self, key: &[u8], delta: Delta) -> Result<u64, Status>;
    /// Answers `mg`: a [`MetaReply::item`] if the key is kept or was created, nothing if it is not.
    fn meta_get(&mut self, key: &[u8], meta: &Meta<'_>, reply: &mut MetaReply<'_, Self::Value>);
    /// Opens memory for the data block that follows `ms`.
    ///
    /// # Errors
    ///
    /// The reply to a value that cannot be taken; its data block is then thrown away.
    fn meta_draft(&mut self, key: &[u8], request: &MetaSet<'_>) -> Result<Self::Draft, Status>;
    /// Answers `md`: forgets a key, marks its item stale or drops its value.
    fn meta_delete(&mut self, key: &[u8], flags: &MetaFlags) -> Status;
    /// Answers `ma`: changes a counter, or creates it.
    ///
    /// # Errors
    ///
    /// The reply when there is no such counter.
    fn meta_adjust(
        &mut self,
        key: &[u8],
        request: &MetaArithmetic<'_>,
    ) -> Result<MetaCount, Status>;
    /// Says what is known of an item, which does not count as its use.
    fn meta_details(&mut self, key: &[u8]) -> Option<MetaDetails>;
    /// Forgets everything, now or later.
    fn flush_all(&mut self, delay: i64) -> Status;
    /// Appends the whole answer to `stats` and these words, its end included; or returns it to be made in pieces.
    fn stats(&mut self, topic: Words<'_>, out: &mut Vec<u8>) -> Option<Self::Listing>;
    /// Begins to list all items.
    ///
    /// # Errors
    ///
    /// The reply when that cannot be, or not now.
    fn list_keys(&mut self, request: &KeyDump<'_>, place: Place) -> Result<Self::Listing, Status>;
    /// Appends the next piece of an answer, its end included; returns whether there is more. A piece has a bounded length
    /// and takes bounded time; it may be empty.
    fn push_listing(&mut self, listing: &mut Self::Listing, out: &mut Vec<u8>) -> bool;
    /// Lets the peer watch what happens.
    ///
    /// # Errors
    ///
    /// The reply when that cannot be, or not now.
    fn watch(&mut self, request: &Watch, place: Place) -> Result<Self::Feed, Status>;
    /// Changes how much is logged.
    fn set_verbosity(&mut self, level: u8) -> Status;
    /// Changes the memory limit.
    fn set_memory_limit(&mut self, mebibytes: u32) -> Status;
    /// Does what an operator orders.
    fn obey(&mut self, change: &Change<'_>) -> Status;
    /// Stops the server; the connection closes.
    ///
    /// # Errors
    ///
    /// The reply when that is not allowed.
    fn shut_down(&mut self, mode: ShutdownMode) -> Result<(), Status>;
    /// The version number that clients read.
    fn version(&self) -> &str;
}

/// Where a request stands among those that arrived with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// All replies before it are on their way, as far as memcached would have sent them.
    First,
    /// Replies to requests before it wait to be sent with its own.
    AfterOthers,
}

/// What became of a value that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// [`Status::Stored`], `NotStored`, `Exists`, `NotFound`, or an error.
    pub status: Status,
    /// The item's CAS number; 0 if the value is not kept.
    pub cas: u64,
    /// Length of the item's value now, or of the refused one.
    pub value_len: usize,
}

/// A kept value with its closing `\r\n`, readable piece by piece: one piece for most, several for a value that is larger
/// than what the store keeps in one place.
pub trait Value {
    /// All bytes, the closing `\r\n` included.
    fn data_len(&self) -> usize;
    /// The bytes from `offset` to the end of the piece they lie in; empty only at the end of the value.
    fn piece(&self, offset: usize) -> &[u8];
}

/// Memory for a value that is still arriving, its closing `\r\n` included. It may take memory as bytes arrive, so that a
/// peer who announces much and sends little holds little.
pub trait Draft {
    /// Where the next bytes go; empty only when the value is complete. None when memory ran out.
    fn space(&mut self) -> Option<&mut [u8]>;
    /// Says that the first `len` bytes of the space are filled.
    fn filled(&mut self, len: usize);
    /// Bytes that have not arrived yet, the closing `\r\n` included.
    fn remaining(&self) -> usize;
    /// Whether the last two bytes are `\r\n`; asked when nothing remains.
    fn is_terminated(&self) -> bool;
    /// Memory that it holds, in bytes.
    fn held_bytes(&self) -> usize;
}

/// Log lines for one watcher. They come up while others are served; whoever drives the connection has to learn of it by
/// its own means, and looks at [`crate::Connection::has_work`] then.
pub trait Feed: fmt::Debug {
    /// Whether lines wait.
    fn has_lines(&self) -> bool;
    /// Appends what waits, `room` bytes at most.
    fn push_lines(&mut self, room: usize, out: &mut Vec<u8>);
}

/// A feed in which nothing ever comes up.
impl Feed for () {
    fn has_lines(&self) -> bool {
        false
    }

    fn push_lines(&mut self, _: usize, _: &mut Vec<u8>) {}
}
