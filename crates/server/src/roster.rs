//! Who is connected, for `stats conns`: one record a connection, written by its worker, read by whoever asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use larder_connection::Phase;
use larder_store::Seconds;
use parking_lot::Mutex;

/// The connections of one worker, by descriptor.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    records: Mutex<BTreeMap<i32, Arc<Record>>>,
}

impl Roster {
    pub(crate) fn add(&self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        self.records.lock().insert(record.descriptor, Arc::clone(&record));
        record
    }

    pub(crate) fn remove(&self, record: &Record) {
        self.records.lock().remove(&record.descriptor);
    }

    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.records.lock().values().cloned().collect()
    }
}

/// What others may know of a connection.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) descriptor: i32,
    /// `tcp:1.2.3.4:5`, `tcp6:[::1]:5` or `unix:/path`.
    pub(crate) peer: String,
    /// Where it connected to, in the same form; empty for a socket that receives datagrams, whose `peer` is where it does.
    pub(crate) local: String,
    phase: AtomicU8,
    last_command_at: AtomicU32,
}

impl Record {
    /// The phase of a connection that has had no turn yet.
    const SILENT: u8 = u8::MAX;

    pub(crate) fn new(descriptor: i32, peer: String, local: String, now: Seconds) -> Self {
        Self {
            descriptor,
            peer,
            local,
            phase: AtomicU8::new(Self::SILENT),
            last_command_at: AtomicU32::new(now.0),
        }
    }

    /// What it is busy with after a turn; written only when it changed, so that the line stays shared.
    pub(crate) fn note(&self, phase: Phase, now: Seconds) {
        let phase = phase as u8;
        if self.phase.load(Ordering::Relaxed) != phase {
            self.phase.store(phase, Ordering::Relaxed);
        }
        if self.last_command_at.load(Ordering::Relaxed) != now.0 {
            self.last_command_at.store(now.0, Ordering::Relaxed);
        }
    }

    /// memcached's name for the state of the connection; `asking` is the one that wants to know.
    pub(crate) fn state(&self, asking: Option<i32>) -> &'static str {
        if asking == Some(self.descriptor) {
            return "conn_parse_cmd";
        }
        match self.phase.load(Ordering::Relaxed) {
            phase if phase == Phase::Value as u8 => "conn_nread",
            phase if phase == Phase::Skip as u8 => "conn_swallow",
            phase if phase == Phase::Reply as u8 => "conn_mwrite",
            phase if phase == Phase::Watch as u8 => "conn_watch",
            phase if phase == Phase::Closing as u8 => "conn_closing",
            Self::SILENT => "conn_new_cmd",
            _ => "conn_read",
        }
    }

    pub(crate) fn last_command_at(&self) -> Seconds {
        Seconds(self.last_command_at.load(Ordering::Relaxed))
    }
}
