//! What a whole conversation is answered, read from its first byte to its last without any state machine.

use larder_connection::{Draft, Service};
use larder_protocol::{Status, Storage, Words};

use super::{Meaning, read};
use crate::model::Model;

/// Answers a conversation of which every byte is there, and no more will come. Lines may have `line_len` bytes, but for
/// retrievals.
#[must_use]
pub fn answers(conversation: &[u8], line_len: usize, model: &mut Model) -> Vec<u8> {
    let mut server = Server { rest: conversation, line_len, model, out: Vec::new() };
    if conversation.first() != Some(&0x80) {
        while server.answer_next().is_some() {}
    }
    server.out
}

/// One conversation, on its way.
struct Server<'c> {
    rest: &'c [u8],
    line_len: usize,
    model: &'c mut Model,
    out: Vec<u8>,
}

impl Server<'_> {
    /// Answers the next request; none when the conversation is over.
    fn answer_next(&mut self) -> Option<()> {
        let newline = self.rest.iter().position(|&byte| byte == b'\n');
        let Some(newline) = newline.filter(|&newline| newline <= self.line_len) else {
            return self.answer_long_line();
        };
        let line = &self.rest[..newline];
        self.rest = &self.rest[newline + 1..];
        match read(line) {
            Meaning::Refused { reason, quiet, skip_len } => {
                self.say(quiet, reason.status()?);
                self.skip(skip_len)
            }
            Meaning::Get { cas, touch, keys } => {
                keys.iter().for_each(|key| self.answer_key(key, cas, touch));
                self.say(false, Status::End);
                Some(())
            }
            Meaning::Storage { mode, key, flags, exptime, value_len, quiet } => {
                let storage = Storage { mode, key: &key, flags, exptime, value_len, quiet };
                self.answer_storage(&storage)
            }
            other => self.answer_short(other),
        }
    }

    /// Answers what has neither keys in plenty nor a data block.
    fn answer_short(&mut self, meaning: Meaning) -> Option<()> {
        let (quiet, status) = match meaning {
            Meaning::Arithmetic { key, delta, quiet } => match self.model.adjust(&key, delta) {
                Ok(number) if !quiet => {
                    self.out.extend_from_slice(format!("{number}\r\n").as_bytes());
                    return Some(());
                }
                Ok(_) => return Some(()),
                Err(status) => (quiet, status),
            },
            Meaning::Delete { key, quiet } => (quiet, self.model.delete(&key)),
            Meaning::FlushAll { delay, quiet } => (quiet, self.model.flush_all(delay)),
            Meaning::MemoryLimit { mebibytes, quiet } => {
                (quiet, self.model.set_memory_limit(mebibytes))
            }
            Meaning::Shutdown(mode) => (false, self.model.shut_down(mode).err()?),
            Meaning::Stats { topic } => {
                self.model.stats(Words::new(&topic.join(&b' ')), &mut self.out);
                return Some(());
            }
            Meaning::Touch { key, exptime, quiet } => (quiet, self.model.touch(&key, exptime)),
            Meaning::Verbosity { level, quiet } => (quiet, self.model.set_verbosity(level)),
            Meaning::Version => {
                self.out.extend_from_slice(b"VERSION 1.6.45\r\n");
                return Some(());
            }
            _ => return None,
        };
        self.say(quiet, status);
        Some(())
    }

    fn answer_key(&mut self, key: &[u8], cas: bool, touch: Option<i32>) {
        let Some(item) = self.model.look_up(key, touch) else { return };
        let cas = if cas { format!(" {}", item.cas) } else { String::new() };
        let head = format!(" {} {}{cas}\r\n", item.flags, item.data.len() - 2);
        for part in [b"VALUE ", key, head.as_bytes(), &item.data] {
            self.out.extend_from_slice(part);
        }
    }

    fn answer_storage(&mut self, storage: &Storage<'_>) -> Option<()> {
        let block_len = storage.value_len + 2;
        let mut draft = match self.model.draft(storage) {
            Ok(draft) => draft,
            Err(status) => {
                self.say(storage.quiet, status);
                return self.skip(block_len);
            }
        };
        while draft.remaining() > 0 {
            let Some(space) = draft.space() else {
                let remaining = draft.remaining();
                let status = self.model.abandon(draft);
                self.say(storage.quiet, status);
                return self.skip(remaining);
            };
            let (&byte, rest) = self.rest.split_first()?;
            space[0] = byte;
            self.rest = rest;
            draft.filled(1);
        }
        let status =
            if draft.is_terminated() { self.model.commit(draft) } else { Status::BadDataChunk };
        self.say(storage.quiet, status);
        Some(())
    }

    /// A line that has no newline in its first `line_len` bytes: half a line, somebody's attack, or a retrieval.
    fn answer_long_line(&mut self) -> Option<()> {
        let head = self.rest.get(..=self.line_len)?;
        let (name, words) = head.split_at(head.iter().position(|&byte| byte == b' ')?);
        let (cas, touch, head_len) = match name {
            b"get" => (false, None, name.len()),
            b"gets" => (true, None, name.len()),
            b"gat" | b"gats" => {
                let blank_count = words.iter().position(|&byte| byte != b' ')?;
                let words = &words[blank_count..];
                let exptime = &words[..words.iter().position(|&byte| byte == b' ')?];
                let touch = Some(super::signed(exptime)?);
                (name == b"gats", touch, name.len() + blank_count + exptime.len())
            }
            _ => return None,
        };
        let newline = self.rest.iter().position(|&byte| byte == b'\n');
        let line_end = newline.unwrap_or(self.rest.len());
        let keys = &self.rest[head_len..line_end];
        let keys = if newline.is_some() { keys.strip_suffix(b"\r").unwrap_or(keys) } else { keys };
        self.rest = newline.map_or(&[], |newline| &self.rest[newline + 1..]);
        let mut words = keys.split(|&byte| byte == b' ').peekable();
        while let Some(key) = words.next() {
            // The last word of half a line may go on, and may end in the carriage return of the line end.
            let is_half = newline.is_none() && words.peek().is_none();
            if key.len() > 250 + usize::from(is_half) {
                self.say(false, Status::BadFormat);
                return newline.map(|_| ());
            }
            if !is_half && !key.is_empty() {
                self.answer_key(key, cas, touch);
            }
        }
        newline?;
        self.say(false, Status::End);
        Some(())
    }

    fn say(&mut self, quiet: bool, status: Status) {
        if !quiet {
            self.out.extend_from_slice(status.line());
        }
    }

    /// Throws away a data block; none if its end is not there.
    fn skip(&mut self, len: usize) -> Option<()> {
        self.rest = self.rest.get(len..)?;
        Some(())
    }
}
