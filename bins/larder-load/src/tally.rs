//! What one thread counts.

use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::errors::CreationError;

/// Counts of one stage. Requests are counted when their reply is complete.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Retrievals answered, with or without values.
    pub(crate) gets: u64,
    /// Stores answered `STORED`.
    pub(crate) stored: u64,
    /// Keys that the answered retrievals asked for and got.
    pub(crate) hits: u64,
    /// Keys that the answered retrievals asked for and did not get.
    pub(crate) misses: u64,
    /// Requests answered by anything else.
    pub(crate) errors: u64,
    /// Values that were not what their key must hold.
    pub(crate) wrong_values: u64,
    /// Connections that ended before their time.
    pub(crate) lost_connections: u64,
    /// Requests whose reply never came.
    pub(crate) unanswered: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Nanoseconds from the call that sends a turn's requests to the read that completes a reply.
    pub(crate) latency: Histogram<u64>,
    /// The first thing that went wrong, in words.
    pub(crate) complaint: Option<String>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self, CreationError> {
        Ok(Self {
            gets: 0,
            stored: 0,
            hits: 0,
            misses: 0,
            errors: 0,
            wrong_values: 0,
            lost_connections: 0,
            unanswered: 0,
            bytes_sent: 0,
            bytes_received: 0,
            latency: Histogram::new_with_bounds(LATENCY_MIN_NS, LATENCY_MAX_NS, LATENCY_DIGITS)?,
            complaint: None,
        })
    }

    /// Requests whose reply came, whatever it said.
    pub(crate) fn requests(&self) -> u64 {
        self.gets + self.stored + self.errors
    }

    /// Counts `replies` that a read completed `latency` after their turn was sent.
    pub(crate) fn record(&mut self, latency: Duration, replies: u64) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record_n(nanoseconds, replies);
    }

    /// Keeps the first complaint; later ones are usually the same.
    pub(crate) fn complain(&mut self, complaint: impl FnOnce() -> String) {
        self.complaint.get_or_insert_with(complaint);
    }

    /// Adds another thread's counts.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.gets += other.gets;
        self.stored += other.stored;
        self.hits += other.hits;
        self.misses += other.misses;
        self.errors += other.errors;
        self.wrong_values += other.wrong_values;
        self.lost_connections += other.lost_connections;
        self.unanswered += other.unanswered;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        // Both have the same bounds, so nothing can fall outside.
        let added = self.latency.add(&other.latency);
        debug_assert!(added.is_ok(), "histograms of one stage have the same bounds");
        if self.complaint.is_none() {
            self.complaint = other.complaint;
        }
    }
}

/// Shortest latency told apart from none.
const LATENCY_MIN_NS: u64 = 100;

/// Longest latency told apart from longer ones: a minute.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// Significant digits of a latency: an error of at most 0.1 %.
const LATENCY_DIGITS: u8 = 3;
