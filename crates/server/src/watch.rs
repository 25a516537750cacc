//! `watch`: log lines for whoever asks for them.
//!
//! What happens is written down by the thread on which it happens, straight into a buffer for each watcher that asked for its
//! stream, and under one lock: that is what makes numbers rise and lines stand in their order. Nobody ever waits for a
//! watcher: where a buffer is full, the line is left out and counted, and the watcher is told how many were left out as
//! soon as there is room.
//!
//! ```text
//!   worker, sweeper ──► record() ──► Buffer ──► Feed::push_lines ──► Output ──► socket
//!                          │ was empty                ▲
//!                          └──► the watcher's worker is woken
//! ```
//!
//! While nobody watches, that costs a worker one look at [`Watchers::wanted`] a turn.

mod feed;
mod lines;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use larder_poller::Waker;
use larder_protocol::{Status, Streams, push_number};
use larder_store::{Observer, Seconds, Visit};
use parking_lot::Mutex;

use crate::clock;

pub(crate) use feed::LogFeed;
pub(crate) use lines::{Item, conn_close, conn_new, deleted, item_get, item_store};

/// Everybody who watches.
#[derive(Debug)]
pub(crate) struct Watchers {
    wanted: Wanted,
    buffer_len: usize,
    log: Mutex<Log>,
}

/// The streams that somebody watches, on a line that nothing else is written to.
#[derive(Debug)]
#[repr(align(128))]
struct Wanted(AtomicU32);

impl Watchers {
    /// Nobody, and so many bytes of lines at most for each who comes.
    pub(crate) fn new(buffer_len: usize) -> Self {
        let wanted = Wanted(AtomicU32::new(Streams::NONE.bits()));
        Self { wanted, buffer_len, log: Mutex::new(Log::default()) }
    }

    /// The streams that somebody watches.
    pub(crate) fn wanted(&self) -> Streams {
        Streams::from_bits(self.wanted.0.load(Ordering::Relaxed))
    }

    /// Adds a watcher.
    ///
    /// # Errors
    ///
    /// The reply when there are too many.
    pub(crate) fn add(self: &Arc<Self>, streams: Streams, waker: Waker) -> Result<LogFeed, Status> {
        let mut log = self.log.lock();
        if log.buffers.len() >= WATCHERS_MAX {
            log.counts.rejected += 1;
            return Err(Status::TooManyWatchers);
        }
        log.last_id += 1;
        let (id, has_lines) = (log.last_id, Arc::new(AtomicBool::new(false)));
        log.buffers.push(Buffer {
            id,
            streams,
            lines: Vec::new(),
            skipped: 0,
            has_lines: Arc::clone(&has_lines),
            waker,
        });
        self.set_wanted(&log);
        Ok(LogFeed::new(Arc::clone(self), id, has_lines))
    }

    /// Writes a line for whoever watches this stream; `text` is what follows its number.
    pub(crate) fn record(&self, stream: Streams, text: &[u8]) {
        let at = clock::wall_time();
        let mut woken = Vec::new();
        let mut log = self.log.lock();
        let Log { buffers, counts, last_gid, line, .. } = &mut *log;
        if !buffers.iter().any(|buffer| buffer.streams.has_any(stream)) {
            // The last of them has just left.
            return;
        }
        *last_gid += 1;
        counts.written += 1;
        line.clear();
        line.extend_from_slice(b"ts=");
        push_number(line, at.as_secs());
        line.push(b'.');
        // As memcached prints it: without the zeros before it.
        push_number(line, at.subsec_micros().into());
        line.extend_from_slice(b" gid=");
        push_number(line, *last_gid);
        line.push(b' ');
        line.extend_from_slice(text);
        line.push(b'\n');
        for buffer in buffers.iter_mut().filter(|buffer| buffer.streams.has_any(stream)) {
            if buffer.push(line, self.buffer_len) {
                counts.sent += 1;
                if !buffer.has_lines.swap(true, Ordering::AcqRel) {
                    woken.push(buffer.waker.clone());
                }
            } else {
                counts.skipped += 1;
            }
        }
        drop(log);
        woken.iter().for_each(wake);
    }

    pub(crate) fn counts(&self) -> Counts {
        let log = self.log.lock();
        Counts { watchers: log.buffers.len(), ..log.counts }
    }

    /// Begins counting anew.
    pub(crate) fn reset_counts(&self) {
        self.log.lock().counts = Counts::default();
    }

    /// Says to the workers what somebody watches now.
    fn set_wanted(&self, log: &Log) {
        let streams = log.buffers.iter().map(|buffer| buffer.streams);
        let wanted = streams.fold(Streams::NONE, |all, streams| all | streams);
        self.wanted.0.store(wanted.bits(), Ordering::Relaxed);
    }
}

impl Observer for Watchers {
    fn evicts(&self, item: Visit<'_>, now: Seconds) {
        if self.wanted().has_any(Streams::EVICTIONS) {
            self.record(Streams::EVICTIONS, &lines::eviction(item, now));
        }
    }
}

/// What `stats` tells of watchers; lines but for the first and the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) watchers: usize,
    pub(crate) written: u64,
    /// Into buffers of watchers.
    pub(crate) sent: u64,
    /// Because the buffer of a watcher was full.
    pub(crate) skipped: u64,
    /// Watchers that found no place.
    pub(crate) rejected: u64,
}

/// What is known under the lock.
#[derive(Debug, Default)]
struct Log {
    /// At most [`WATCHERS_MAX`].
    buffers: Vec<Buffer>,
    counts: Counts,
    last_gid: u64,
    last_id: u64,
    /// Where a line is put together.
    line: Vec<u8>,
}

/// What waits for one watcher.
#[derive(Debug)]
struct Buffer {
    id: u64,
    streams: Streams,
    /// Whole lines, a bounded number of bytes.
    lines: Vec<u8>,
    /// Lines left out since the last that was not.
    skipped: u64,
    /// Whether `lines` is not empty: what the feed looks at without the lock.
    has_lines: Arc<AtomicBool>,
    waker: Waker,
}

impl Buffer {
    /// Adds a line, and before it how many were left out; false if there is no room for both.
    fn push(&mut self, line: &[u8], len_max: usize) -> bool {
        let mark = self.lines.len();
        if self.skipped > 0 {
            self.lines.extend_from_slice(b"skipped=");
            push_number(&mut self.lines, self.skipped);
            self.lines.push(b'\n');
        }
        if self.lines.len() + line.len() > len_max {
            self.lines.truncate(mark);
            self.skipped += 1;
            return false;
        }
        self.lines.extend_from_slice(line);
        self.skipped = 0;
        true
    }
}

fn wake(waker: &Waker) {
    if let Err(error) = waker.wake() {
        log::error!("cannot wake the worker of a watcher: {error}");
    }
}

/// How many may watch at once, as with memcached.
const WATCHERS_MAX: usize = 20;

#[cfg(test)]
mod tests;
