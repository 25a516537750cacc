//! The place where a service puts the value of a key.

use alloc::vec::Vec;

use larder_protocol::binary::{Frame, Head, Opcode};
use larder_protocol::push_value_head;

use crate::{Output, Value};

/// Shortest data that is sent from item memory instead of being copied, in bytes. Where both are possible copying wins up to
/// 1 KiB and loses from 2 KiB on (`cargo bench -p larder-benches --bench connection -- pin`); but a store may keep what is
/// shorter than this together with other items, and a pin would be a copy of its own.
pub const PIN_LEN_MIN: usize = 8 << 10;

/// The answer to one key of a retrieval.
#[derive(Debug)]
pub struct Reply<'a, V> {
    output: &'a mut Output<V>,
    form: Form<'a>,
    has_value: bool,
}

/// What a value looks like on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form<'a> {
    /// A line, then the value and its line end.
    Line { wants_cas: bool },
    /// The response to this head: the value without its line end, or nothing of it.
    Frame(&'a Head),
}

impl<'a, V: Value> Reply<'a, V> {
    pub(crate) const fn new(output: &'a mut Output<V>, form: Form<'a>) -> Self {
        Self { output, form, has_value: false }
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
        self.has_value = true;
        let value_len = data_len.saturating_sub(b"\r\n".len());
        match self.form {
            Form::Line { wants_cas } => {
                let cas = wants_cas.then_some(cas);
                push_value_head(self.output.tail(), key, flags, value_len, cas);
                self.output.push_value(data_len, data, pin);
            }
            Form::Frame(head) => {
                let left = push_frame_head(self.output.tail(), head, key, flags, cas, value_len);
                self.push_without_end(left, data, pin);
            }
        }
    }

    /// Adds so many bytes of a value: all but its line end, or none. Apart from lines, which are slower with it among them.
    #[inline(never)]
    fn push_without_end<'d>(
        &mut self,
        mut left: usize,
        data: impl IntoIterator<Item = &'d [u8]>,
        pin: impl FnOnce() -> V,
    ) {
        if left >= PIN_LEN_MIN {
            self.output.push_pinned(pin(), left);
            return;
        }
        for piece in data {
            let (piece, _) = piece.split_at(piece.len().min(left));
            self.output.tail().extend_from_slice(piece);
            left -= piece.len();
        }
    }

    /// Whether there was a hit.
    pub(crate) const fn has_value(&self) -> bool {
        self.has_value
    }
}

/// Appends what stands before the value in the response to a head. Returns how much of the value follows: a touch wants none
/// of it.
#[inline(never)]
fn push_frame_head(
    out: &mut Vec<u8>,
    head: &Head,
    key: &[u8],
    flags: u32,
    cas: u64,
    value_len: usize,
) -> usize {
    let sent_len = if head.opcode == Opcode::Touch { 0 } else { value_len };
    let key = if head.opcode.wants_key() { key } else { b"" };
    let response = Frame::response(head.opcode as u8, head.opaque);
    Frame { cas, extras: &flags.to_be_bytes(), key, ..response }.push_before(sent_len, out);
    sent_len
}
