//! A service that keeps nothing and answers each key with itself.

use larder_connection::{
    Draft, MetaCount, MetaDetails, MetaReply, Place, Reply, Service, Stored, Value,
};
use larder_protocol::{
    Change, Delta, KeyDump, Meta, MetaArithmetic, MetaFlags, MetaSet, ShutdownMode, Status,
    Storage, Watch, Words,
};

/// Keeps nothing.
#[derive(Debug)]
pub(crate) struct Parrot;

/// A value that is its key.
#[derive(Debug)]
pub(crate) struct Echo(Vec<u8>);

/// Stores are refused before a draft is made, so there is none.
#[derive(Debug)]
pub(crate) enum NoDraft {}

/// There is nothing to list.
#[derive(Debug)]
pub(crate) enum NoListing {}

impl Value for Echo {
    fn data_len(&self) -> usize {
        self.0.len()
    }

    fn piece(&self, offset: usize) -> &[u8] {
        self.0.get(offset..).unwrap_or_default()
    }
}

impl Draft for NoDraft {
    fn space(&mut self) -> Option<&mut [u8]> {
        match *self {}
    }

    fn filled(&mut self, _: usize) {
        match *self {}
    }

    fn remaining(&self) -> usize {
        match *self {}
    }

    fn is_terminated(&self) -> bool {
        match *self {}
    }

    fn held_bytes(&self) -> usize {
        match *self {}
    }
}

impl Service for Parrot {
    type Value = Echo;
    type Draft = NoDraft;
    type Listing = NoListing;
    type Feed = ();

    fn draft(&mut self, _: &Storage<'_>) -> Result<NoDraft, Status> {
        Err(Status::OutOfMemory)
    }

    fn commit(&mut self, draft: NoDraft, _: Option<u64>) -> Stored {
        match draft {}
    }

    fn abandon(&mut self, draft: NoDraft) -> Status {
        match draft {}
    }

    fn get(&mut self, key: &[u8], _: Option<i64>, reply: &mut Reply<'_, Echo>) {
        let data = [key, b"\r\n"].concat();
        reply.value(key, 0, 0, data.len(), [&data[..]], || Echo(data.clone()));
    }

    fn delete(&mut self, _: &[u8], _: Option<u64>) -> Status {
        Status::NotFound
    }

    fn touch(&mut self, _: &[u8], _: i64) -> Status {
        Status::NotFound
    }

    fn adjust(&mut self, _: &[u8], _: Delta) -> Result<u64, Status> {
        Err(Status::NotFound)
    }

    fn meta_get(&mut self, _: &[u8], _: &Meta<'_>, _: &mut MetaReply<'_, Echo>) {}

    fn meta_draft(&mut self, _: &[u8], _: &MetaSet<'_>) -> Result<NoDraft, Status> {
        Err(Status::OutOfMemory)
    }

    fn meta_delete(&mut self, _: &[u8], _: &MetaFlags) -> Status {
        Status::NotFound
    }

    fn meta_adjust(&mut self, _: &[u8], _: &MetaArithmetic<'_>) -> Result<MetaCount, Status> {
        Err(Status::NotFound)
    }

    fn meta_details(&mut self, _: &[u8]) -> Option<MetaDetails> {
        None
    }

    fn flush_all(&mut self, _: i64) -> Status {
        Status::Ok
    }

    fn stats(&mut self, _: Words<'_>, out: &mut Vec<u8>) -> Option<NoListing> {
        out.extend_from_slice(Status::End.line());
        None
    }

    fn list_keys(&mut self, _: &KeyDump<'_>, _: Place) -> Result<NoListing, Status> {
        Err(Status::DumpNotAllowed)
    }

    fn push_listing(&mut self, listing: &mut NoListing, _: &mut Vec<u8>) -> bool {
        match *listing {}
    }

    fn watch(&mut self, _: &Watch, _: Place) -> Result<(), Status> {
        Err(Status::WatchNotAllowed)
    }

    fn set_verbosity(&mut self, _: u8) -> Status {
        Status::Ok
    }

    fn set_memory_limit(&mut self, _: u32) -> Status {
        Status::MemoryLimitTooLarge
    }

    fn obey(&mut self, _: &Change<'_>) -> Status {
        Status::Error
    }

    fn shut_down(&mut self, _: ShutdownMode) -> Result<(), Status> {
        Err(Status::ShutdownNotEnabled)
    }

    fn version(&self) -> &str {
        "1.6.45"
    }
}
