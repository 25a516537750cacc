//! A watcher's own end of its buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_connection::Feed;

use super::Watchers;

/// What waits for one watcher; dropping it ends the watch.
///
/// Boxed, so that the state of a connection, which moves with every value, is no larger for those few who watch.
#[derive(Debug)]
pub(crate) struct LogFeed(Box<Place>);

/// A watcher's place among the others.
#[derive(Debug)]
struct Place {
    watchers: Arc<Watchers>,
    id: u64,
    has_lines: Arc<AtomicBool>,
    /// Taken out of the buffer, which got the empty one of before for it; the first `pushed` bytes went on.
    taken: Vec<u8>,
    pushed: usize,
}

impl LogFeed {
    pub(super) fn new(watchers: Arc<Watchers>, id: u64, has_lines: Arc<AtomicBool>) -> Self {
        Self(Box::new(Place { watchers, id, has_lines, taken: Vec::new(), pushed: 0 }))
    }
}

impl Place {
    /// Exchanges what was pushed for what waits.
    fn take(&mut self) {
        self.taken.clear();
        self.pushed = 0;
        let mut log = self.watchers.log.lock();
        self.has_lines.store(false, Ordering::Release);
        if let Some(buffer) = log.buffers.iter_mut().find(|buffer| buffer.id == self.id) {
            std::mem::swap(&mut self.taken, &mut buffer.lines);
        }
    }

    fn has_lines(&self) -> bool {
        self.pushed < self.taken.len() || self.has_lines.load(Ordering::Acquire)
    }

    /// Appends at most `room` bytes of what waits; returns how many.
    fn push_piece(&mut self, room: usize, out: &mut Vec<u8>) -> usize {
        if self.pushed == self.taken.len() {
            self.take();
        }
        let rest = self.taken.get(self.pushed..).unwrap_or_default();
        let piece = rest.get(..room).unwrap_or(rest);
        out.extend_from_slice(piece);
        self.pushed += piece.len();
        piece.len()
    }
}

impl Feed for LogFeed {
    fn has_lines(&self) -> bool {
        self.0.has_lines()
    }

    fn push_lines(&mut self, room: usize, out: &mut Vec<u8>) {
        let mut room = room;
        while room > 0 && self.0.has_lines() {
            room -= self.0.push_piece(room, out);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut log = self.watchers.log.lock();
        log.buffers.retain(|buffer| buffer.id != self.id);
        self.watchers.set_wanted(&log);
    }
}
