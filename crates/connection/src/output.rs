//! Bytes waiting for the socket.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::Value;
use crate::reply::PIN_LEN_MIN;

/// Bytes waiting for the socket, in order: copied runs with pinned values between them.
///
/// ```text
///   bytes   | head ... | head ... | status status |
///                      ^ at       ^ at
///   splices            value 0    value 1
/// ```
///
/// INVARIANT: splices are ordered by `at`; `sent <= at <= bytes.len()`; only the first is sent in part; `pinned` is the
/// sum of their unsent bytes.
#[derive(Debug)]
pub struct Output<V> {
    bytes: Vec<u8>,
    sent: usize,
    splices: VecDeque<Splice<V>>,
    pinned: usize,
}

#[derive(Debug)]
struct Splice<V> {
    /// It comes before this byte of the copied ones.
    at: usize,
    /// Bytes of it that were sent.
    offset: usize,
    /// Bytes of it that are to be sent: all, or all but its line end.
    end: usize,
    value: V,
}

impl<V> Default for Output<V> {
    fn default() -> Self {
        Self { bytes: Vec::new(), sent: 0, splices: VecDeque::new(), pinned: 0 }
    }
}

impl<V: Value> Output<V> {
    /// The waiting bytes in order, in runs of which none is empty.
    pub fn chunks(&self) -> Chunks<'_, V> {
        Chunks { output: self, byte: self.sent, splice: 0, offset: self.front_offset() }
    }

    /// Forgets bytes that were sent, and lets go of the values that are sent whole.
    ///
    /// More than [`Self::unsent`] counts as all.
    pub fn advance(&mut self, len: usize) {
        let mut left = len;
        while left > 0 {
            let run_end = self.splices.front().map_or(self.bytes.len(), |splice| splice.at);
            let run = run_end - self.sent;
            if run > 0 {
                let step = run.min(left);
                self.sent += step;
                left -= step;
                continue;
            }
            let Some(splice) = self.splices.front_mut() else { break };
            let step = (splice.end - splice.offset).min(left);
            splice.offset += step;
            self.pinned -= step;
            left -= step;
            if splice.offset == splice.end {
                self.splices.pop_front();
            }
        }
        self.forget_sent();
    }

    /// Everything that waits, moved out: for I/O that needs bytes which neither move nor change until it completes.
    #[must_use]
    pub fn take(&mut self) -> Self {
        core::mem::take(self)
    }

    /// Bytes that wait, pinned ones included.
    pub fn unsent(&self) -> usize {
        self.copied() + self.pinned
    }

    /// Bytes that wait in memory of their own.
    pub fn copied(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Values that wait in item memory.
    pub fn pinned_count(&self) -> usize {
        self.splices.len()
    }

    /// Memory of its own that holds nothing: bytes that were sent, and room for more.
    pub fn spare(&self) -> usize {
        self.bytes.capacity() - self.copied()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.unsent() == 0
    }

    /// The end of the copied bytes, to append to.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends a value whose `len` bytes are all of `data`: a short one copied, a long one held by what `pin` returns.
    #[inline]
    pub(crate) fn push_value<'d>(
        &mut self,
        len: usize,
        data: impl IntoIterator<Item = &'d [u8]>,
        pin: impl FnOnce() -> V,
    ) {
        if len >= PIN_LEN_MIN {
            self.push_pinned(pin(), len);
            return;
        }
        for piece in data {
            self.bytes.extend_from_slice(piece);
        }
    }

    /// Appends the first `len` bytes of a value without copying them; at least one.
    pub(crate) fn push_pinned(&mut self, value: V, len: usize) {
        let end = len.min(value.data_len());
        self.pinned += end;
        self.splices.push_back(Splice { at: self.bytes.len(), offset: 0, end, value });
    }

    /// Lets go of everything, sent or not, but for capacity.
    pub(crate) fn clear(&mut self) {
        self.splices.clear();
        self.pinned = 0;
        self.forget_bytes();
    }

    /// Gives back spare capacity.
    pub(crate) fn trim(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        } else {
            self.bytes.shrink_to_fit();
        }
    }

    /// Forgets all copied bytes. Capacity stays for the next ones, but for what only an unusual reply needed.
    fn forget_bytes(&mut self) {
        self.sent = 0;
        self.bytes.clear();
        if self.bytes.capacity() > CAPACITY_KEPT_MAX {
            self.bytes = Vec::new();
        }
    }

    fn front_offset(&self) -> usize {
        self.splices.front().map_or(0, |splice| splice.offset)
    }

    /// Moves what waits to the front once at least as much was sent, so that a byte moves a constant number of times.
    fn forget_sent(&mut self) {
        if self.sent == self.bytes.len() && self.splices.is_empty() {
            self.forget_bytes();
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            for splice in &mut self.splices {
                splice.at -= self.sent;
            }
            self.sent = 0;
        }
    }
}

/// Capacity that an empty output keeps, in bytes: twice what a full one holds by default. Giving it back at every drain
/// would cost more than all the rest.
const CAPACITY_KEPT_MAX: usize = 512 * 1024;

/// Runs of waiting bytes, from [`Output::chunks`].
#[derive(Debug)]
pub struct Chunks<'a, V> {
    output: &'a Output<V>,
    byte: usize,
    splice: usize,
    offset: usize,
}

impl<'a, V: Value> Iterator for Chunks<'a, V> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let splice = self.output.splices.get(self.splice);
            let run_end = splice.map_or(self.output.bytes.len(), |splice| splice.at);
            if self.byte < run_end {
                let run = self.output.bytes.get(self.byte..run_end);
                self.byte = run_end;
                return run;
            }
            let splice = splice?;
            let piece = splice.value.piece(self.offset);
            let piece = piece.get(..splice.end - self.offset).unwrap_or(piece);
            if piece.is_empty() {
                self.splice += 1;
                self.offset = 0;
                continue;
            }
            self.offset += piece.len();
            return Some(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// A value in pieces of three bytes.
    #[derive(Debug)]
    struct Pieces(&'static [u8]);

    impl Value for Pieces {
        fn data_len(&self) -> usize {
            self.0.len()
        }

        fn piece(&self, offset: usize) -> &[u8] {
            let end = (offset / 3 * 3 + 3).min(self.0.len());
            self.0.get(offset..end).unwrap_or_default()
        }
    }

    fn sample() -> Output<Pieces> {
        let mut output = Output::default();
        output.push_pinned(Pieces(b"0123456\r\n"), 7);
        output.tail().extend_from_slice(b"ab");
        output.push_pinned(Pieces(b"789"), 3);
        output.push_pinned(Pieces(b"!?"), 2);
        output.tail().extend_from_slice(b"c");
        output
    }

    #[test]
    fn every_pace_sends_the_same_bytes() {
        for pace in 1..=16 {
            let (mut output, mut sent) = (sample(), vec![]);
            while !output.is_empty() {
                let waiting: Vec<u8> = output.chunks().flatten().copied().collect();
                assert!(output.chunks().all(|chunk| !chunk.is_empty()));
                assert_eq!(waiting.len(), output.unsent());
                let len = pace.min(waiting.len());
                sent.extend_from_slice(&waiting[..len]);
                output.advance(len);
            }
            assert_eq!(sent, b"0123456ab789!?c");
            assert_eq!(output.pinned_count(), 0);
        }
    }

    #[test]
    fn a_flight_leaves_nothing_behind() {
        let mut output = sample();
        output.advance(4);
        let flight = output.take();
        assert!(output.is_empty() && output.chunks().next().is_none());
        assert_eq!(flight.chunks().flatten().copied().collect::<Vec<u8>>(), b"456ab789!?c");
    }
}
