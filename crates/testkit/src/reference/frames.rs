//! What a conversation in frames is answered, read field by field as the protocol's document has them.

use larder_connection::{Draft, Service};
use larder_protocol::binary::Status as FrameStatus;
use larder_protocol::{
    Delta, Meta, MetaArithmetic, MetaFlags, MetaKey, Placed, Status, Storage, StoreMode, Words,
};

use super::binary::{self, Reading};
use crate::model::Model;

/// Answers a conversation of which every byte is there, and no more will come.
pub(super) fn answers(conversation: &[u8], model: &mut Model) -> Vec<u8> {
    let mut server = Server { rest: conversation, model, out: Vec::new() };
    while server.answer_next().is_some() {}
    server.out
}

/// One conversation, on its way.
struct Server<'c> {
    rest: &'c [u8],
    model: &'c mut Model,
    out: Vec<u8>,
}

/// One request, but for its value.
struct Frame<'c> {
    opcode: u8,
    opaque: &'c [u8],
    cas: u64,
    extras: &'c [u8],
    key: &'c [u8],
    value_len: usize,
}

impl<'c> Frame<'c> {
    /// The opcode that is the same but not quiet.
    fn verb(&self) -> u8 {
        match self.opcode {
            0x09 => 0x00,
            0x0d => 0x0c,
            0x11..=0x16 => self.opcode - 0x10,
            0x17 | 0x18 => self.opcode - 0x10,
            0x19 | 0x1a => self.opcode - 0x0b,
            0x1e => 0x1d,
            0x24 => 0x23,
            loud => loud,
        }
    }

    fn is_quiet(&self) -> bool {
        self.verb() != self.opcode
    }

    fn exptime(&self, at: usize) -> i64 {
        i64::try_from(number(&self.extras[at..at + 4])).unwrap_or(0)
    }
}

impl<'c> Server<'c> {
    /// Answers the next request; none when the conversation is over.
    fn answer_next(&mut self) -> Option<()> {
        let bytes = self.rest;
        let head = match binary::read(bytes) {
            Reading::Asked(head, _) => head,
            Reading::Unfinished => return None,
            Reading::Refused(refused) => {
                let code = match refused.status? {
                    FrameStatus::UnknownCommand => UNKNOWN,
                    _ => INVALID,
                };
                let opaque = refused.opaque.to_be_bytes();
                self.respond(refused.opcode, &opaque, code, text(code));
                return self.skip(24 + refused.skip_len?);
            }
        };
        let (extras, rest) = bytes[24..].split_at(head.extras_len);
        let frame = Frame {
            opcode: bytes[1],
            opaque: &bytes[12..16],
            cas: head.cas,
            extras,
            key: &rest[..head.key_len],
            value_len: head.value_len,
        };
        self.skip(24 + head.args_len())?;
        self.answer(&frame)
    }

    fn answer(&mut self, frame: &Frame<'_>) -> Option<()> {
        let compare = Some(frame.cas).filter(|&cas| cas != 0);
        match frame.verb() {
            0x00 | 0x0c => self.retrieve(frame, None),
            0x1c | 0x1d | 0x23 => self.retrieve(frame, Some(frame.exptime(0))),
            0x01..=0x03 | 0x0e | 0x0f => return self.store(frame, compare),
            0x04 => {
                let status = self.model.delete(frame.key, compare);
                self.say(frame, status);
            }
            0x05 | 0x06 => self.count(frame, compare),
            0x07 => {
                self.say(frame, Status::Ok);
                return None;
            }
            0x08 => {
                let delay = if frame.extras.is_empty() { 0 } else { frame.exptime(0) };
                let status = self.model.flush_all(delay);
                self.say(frame, status);
            }
            0x0b => self.push(frame, 0, 0, b"", b"", b"1.6.45"),
            0x10 => self.tell(frame),
            _ => self.say(frame, Status::Ok),
        }
        Some(())
    }

    fn retrieve(&mut self, frame: &Frame<'_>, touch: Option<i64>) {
        let key = if matches!(frame.verb(), 0x0c | 0x23) { frame.key } else { b"" };
        match self.model.look_up(frame.key, touch) {
            Some(item) => {
                let value = item.data.strip_suffix(b"\r\n").unwrap_or_default();
                let value = if frame.verb() == 0x1c { b"" } else { value };
                self.push(frame, 0, item.cas, &item.flags.to_be_bytes(), key, value);
            }
            None if frame.is_quiet() => {}
            None if key.is_empty() => self.push(frame, 1, 0, b"", b"", b"Not found"),
            None => self.push(frame, 1, 0, b"", key, b""),
        }
    }

    fn store(&mut self, frame: &Frame<'_>, compare: Option<u64>) -> Option<()> {
        let has_extras = !frame.extras.is_empty();
        let mode = match frame.verb() {
            0x01 => StoreMode::Set,
            0x02 => StoreMode::Add,
            0x03 => StoreMode::Replace,
            0x0e => StoreMode::Append,
            _ => StoreMode::Prepend,
        };
        let flags = if has_extras { number(&frame.extras[..4]) } else { 0 };
        let draft = self.model.draft(&Storage {
            mode,
            key: frame.key,
            flags: u32::try_from(flags).unwrap_or(0),
            exptime: if has_extras { frame.exptime(4) } else { 0 },
            value_len: frame.value_len,
            quiet: frame.is_quiet(),
        });
        let mut draft = match draft {
            Ok(draft) => draft,
            Err(status) => {
                self.say(frame, status);
                return self.skip(frame.value_len);
            }
        };
        while draft.remaining() > 0 {
            let remaining = draft.remaining();
            let Some(space) = draft.space() else {
                let status = self.model.abandon(draft);
                self.say(frame, status);
                return self.skip(remaining.saturating_sub(2));
            };
            // The end of a kept value is not sent.
            let mut arrived = match remaining {
                1 => &b"\n"[..],
                2 => b"\r\n",
                _ => &self.rest[..self.rest.len().min(remaining - 2)],
            };
            arrived = &arrived[..arrived.len().min(space.len())];
            space[..arrived.len()].copy_from_slice(arrived);
            if remaining > 2 {
                self.rest = &self.rest[arrived.len()..];
            }
            let len = arrived.len();
            draft.filled(len);
            if len == 0 {
                return None;
            }
        }
        let stored = self.model.commit(draft, compare);
        if stored.status != Status::Stored {
            self.say(frame, stored.status);
        } else if !frame.is_quiet() {
            self.push(frame, 0, stored.cas, b"", b"", b"");
        }
        Some(())
    }

    fn count(&mut self, frame: &Frame<'_>, compare: Option<u64>) {
        let delta = number(&frame.extras[..8]);
        let delta =
            if frame.verb() == 0x05 { Delta::Increment(delta) } else { Delta::Decrement(delta) };
        let creates = frame.extras[16..] != [0xff; 4];
        let flags = MetaFlags {
            vivify: creates.then(|| Placed { exptime: frame.exptime(16), place: 0 }),
            initial: number(&frame.extras[8..16]),
            compare,
            ..MetaFlags::NONE
        };
        let key = MetaKey { word: frame.key, is_encoded: false };
        let meta = Meta { key, flags, words: Words::new(b"") };
        match self.model.meta_adjust(frame.key, &MetaArithmetic { meta, delta }) {
            Err(status) => self.say(frame, status),
            Ok(_) if frame.is_quiet() => {}
            Ok(count) => self.push(frame, 0, count.cas, b"", b"", &count.number.to_be_bytes()),
        }
    }

    fn tell(&mut self, frame: &Frame<'_>) {
        let begins = |word: &str| frame.key.starts_with(word.as_bytes());
        if frame.key.is_empty() {
            let count = self.model.items().len().to_string();
            self.push(frame, 0, 0, b"", b"version", b"1.6.45");
            self.push(frame, 0, 0, b"", b"curr_items", count.as_bytes());
        } else if begins("detail dump") {
            self.push(frame, 0, 0, b"", b"detailed", b"END\r\n");
        } else if !["reset", "settings", "detail on", "detail off"].into_iter().any(begins)
            && !matches!(frame.key, b"items" | b"slabs" | b"sizes")
        {
            self.push(frame, 1, 0, b"", b"", b"Not found");
            return;
        }
        self.push(frame, 0, 0, b"", b"", b"");
    }

    /// Says how a request ended; a success to a quiet one is not said.
    fn say(&mut self, frame: &Frame<'_>, status: Status) {
        let code = match status {
            Status::Exists => 2,
            Status::NotFound => 1,
            Status::NotStored => match frame.verb() {
                0x02 => 2,
                0x03 => 1,
                _ => 5,
            },
            Status::TooLarge => 3,
            Status::NonNumeric => 6,
            Status::OutOfMemory | Status::OutOfMemoryReading => 0x82,
            Status::FlushNotAllowed => 0x20,
            _ if frame.is_quiet() => return,
            _ => 0,
        };
        self.respond(frame.opcode, frame.opaque, code, text(code));
    }

    fn respond(&mut self, opcode: u8, opaque: &[u8], code: u16, text: &str) {
        let frame = Frame { opcode, opaque, cas: 0, extras: b"", key: b"", value_len: 0 };
        self.push(&frame, code, 0, b"", b"", text.as_bytes());
    }

    fn push(
        &mut self,
        frame: &Frame<'_>,
        code: u16,
        cas: u64,
        extras: &[u8],
        key: &[u8],
        value: &[u8],
    ) {
        let body = [extras, key, value].concat();
        let key_len = u16::try_from(key.len()).unwrap_or(0).to_be_bytes();
        let extras_len = u8::try_from(extras.len()).unwrap_or(0);
        let body_len = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
        self.out.extend([0x81, frame.opcode, key_len[0], key_len[1], extras_len, 0]);
        self.out.extend(code.to_be_bytes());
        self.out.extend(body_len);
        self.out.extend(frame.opaque);
        self.out.extend(cas.to_be_bytes());
        self.out.extend(body);
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.rest = self.rest.get(len..)?;
        Some(())
    }
}

/// A number of at most eight bytes, the highest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

const fn text(code: u16) -> &'static str {
    match code {
        0x00 => "",
        0x01 => "Not found",
        0x02 => "Data exists for key.",
        0x03 => "Too large.",
        INVALID => "Invalid arguments",
        0x05 => "Not stored.",
        0x06 => "Non-numeric server-side value for incr or decr",
        0x20 => "Auth failure.",
        UNKNOWN => "Unknown command",
        _ => "Out of memory allocating item",
    }
}

const INVALID: u16 = 0x04;
const UNKNOWN: u16 = 0x81;
