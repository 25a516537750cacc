//! The place where a service puts the value of a key.

use larder_protocol::push_value_head;

use crate::{Output, Value};

/// Shortest data that is sent from item memory instead of being copied, in bytes. Copying wins up to 1 KiB and loses
/// from 2 KiB on (`cargo bench -p larder-benches --bench connection -- pin`).
pub const PIN_LEN_MIN: usize = 2048;

/// The answer to one key of a retrieval.
#[derive(Debug)]
pub struct Reply<'a, V> {
    output: &'a mut Output<V>,
    wants_cas: bool,
}

impl<'a, V: Value> Reply<'a, V> {
    pub(crate) const fn new(output: &'a mut Output<V>, wants_cas: bool) -> Self {
        Self { output, wants_cas }
    }

    /// Adds a hit. `data` are the pieces of the value, its closing `\r\n` included, `data_len` bytes in all. Short data is
    /// copied now; for long data `pin` is called instead, and what it returns is held until the socket has taken it.
    pub fn value<'d>(
        &mut self,
        key: &[u8],
        flags: u32,
        cas: u64,
        data_len: usize,
        data: impl IntoIterator<Item = &'d [u8]>,
        pin: impl FnOnce() -> V,
    ) {
        let value_len = data_len.saturating_sub(b"\r\n".len());
        push_value_head(self.output.tail(), key, flags, value_len, self.wants_cas.then_some(cas));
        if data_len >= PIN_LEN_MIN {
            self.output.push_pinned(pin());
        } else {
            for piece in data {
                self.output.tail().extend_from_slice(piece);
            }
        }
    }
}
