//! What a whole conversation is answered, read from its first byte to its last without any state machine.

use larder_connection::{Draft, MetaDetails, Place, Protocols, Service};
use larder_protocol::{ClassList, KeyDump, Request, Status, Storage, Streams, Watch, Words};

use super::meta::{self, MetaCommand, MetaMeaning};
use super::{Meaning, read};
use crate::model::{Model, ModelDraft};

/// Answers a conversation of which every byte is there, and no more will come. Lines may have `line_len` bytes, but for
/// retrievals.
#[must_use]
pub fn answers(conversation: &[u8], line_len: usize, model: &mut Model) -> Vec<u8> {
    answers_speaking(Protocols::Auto, conversation, line_len, model)
}

/// Answers it in one of these protocols.
#[must_use]
pub fn answers_speaking(
    protocols: Protocols,
    conversation: &[u8],
    line_len: usize,
    model: &mut Model,
) -> Vec<u8> {
    let begins_as_frame = conversation.first() == Some(&0x80);
    if protocols == Protocols::Binary || (protocols == Protocols::Auto && begins_as_frame) {
        return super::frames::answers(conversation, model);
    }
    let mut server = Server { rest: conversation, line_len, model, out: Vec::new() };
    while server.answer_next().is_some() {}
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
            Meaning::Meta(meta) => self.answer_meta(&meta),
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
            Meaning::Delete { key, quiet } => (quiet, self.model.delete(&key, None)),
            Meaning::FlushAll { delay, quiet } => (quiet, self.model.flush_all(delay)),
            Meaning::MemoryLimit { mebibytes, quiet } => {
                (quiet, self.model.set_memory_limit(mebibytes))
            }
            Meaning::MetaDebug { key } => {
                let told = self.model.meta_details(&key);
                self.tell(&key, told);
                return Some(());
            }
            Meaning::MetaNoop => {
                self.out.extend_from_slice(b"MN\r\n");
                return Some(());
            }
            Meaning::KeyDump { form, classes } => {
                let classes = ClassList::new(&classes);
                match self.model.list_keys(&KeyDump { form, classes }, Place::First) {
                    Ok(mut listing) => {
                        while self.model.push_listing(&mut listing, &mut self.out) {}
                        return Some(());
                    }
                    Err(status) => (false, status),
                }
            }
            Meaning::Order { change, quiet } => (quiet, self.model.obey(&change.change())),
            Meaning::Shutdown(mode) => (false, self.model.shut_down(mode).err()?),
            Meaning::Stats { topic } => {
                self.model.stats(Words::new(&topic.join(&b' ')), &mut self.out);
                return Some(());
            }
            Meaning::Touch { key, exptime, quiet } => (quiet, self.model.touch(&key, exptime)),
            Meaning::Verbosity { level, quiet } => (quiet, self.model.set_verbosity(level)),
            Meaning::Watch { streams } => {
                let watch = Watch { streams: streams.map(Streams::from_bits) };
                match self.model.watch(&watch, Place::First) {
                    Ok(_) => {
                        self.say(false, Status::Ok);
                        // Nothing that it sends is a request any more, and nothing comes up.
                        return None;
                    }
                    Err(status) => (false, status),
                }
            }
            Meaning::Version => {
                self.out.extend_from_slice(b"VERSION 1.6.45\r\n");
                return Some(());
            }
            _ => return None,
        };
        self.say(quiet, status);
        Some(())
    }

    fn answer_key(&mut self, key: &[u8], cas: bool, touch: Option<i64>) {
        let Some(item) = self.model.look_up(key, touch) else { return };
        let cas = if cas { format!(" {}", item.cas) } else { String::new() };
        let head = format!(" {} {}{cas}\r\n", item.flags, item.data.len() - 2);
        for part in [b"VALUE ", key, head.as_bytes(), &item.data] {
            self.out.extend_from_slice(part);
        }
    }

    fn answer_meta(&mut self, meta: &MetaMeaning) -> Option<()> {
        let quiet = meta.flags.quiet;
        match meta.command {
            MetaCommand::Arithmetic(_) => self.answer_meta_sum(meta),
            MetaCommand::Delete => {
                let status = self.model.meta_delete(&meta.key, &meta.flags);
                if !(quiet && status == Status::Deleted) {
                    self.out.extend(meta.outcome(status, |_| None));
                }
            }
            MetaCommand::Get => self.answer_meta_key(meta),
            MetaCommand::Set(_, value_len) => return self.answer_meta_set(meta, value_len),
        }
        Some(())
    }

    fn answer_meta_sum(&mut self, meta: &MetaMeaning) {
        let model = &mut *self.model;
        let sum = meta.with_request(|key, request| match request {
            Request::MetaArithmetic(arithmetic) => model.meta_adjust(key, &arithmetic),
            _ => Err(Status::Error),
        });
        let reply = match sum {
            Err(status) => meta.outcome(status, |_| None),
            Ok(sum) if meta.flags.quiet && !sum.is_new => return,
            Ok(sum) => {
                let number = sum.number.to_string();
                let tell = |letter| match letter {
                    'c' => Some(sum.cas.to_string()),
                    't' => Some(seconds(sum.ttl)),
                    _ => None,
                };
                let (code, value) = if meta.flags.value {
                    (format!("VA {}", number.len()), format!("\r\n{number}\r\n"))
                } else {
                    ("HD".into(), "\r\n".into())
                };
                [&meta.reply(&code, meta.is_encoded, tell)[..], value.as_bytes()].concat()
            }
        };
        self.out.extend(reply);
    }

    fn answer_meta_key(&mut self, meta: &MetaMeaning) {
        let model = &mut *self.model;
        let found = meta.with_request(|key, request| match request {
            Request::MetaGet(meta) => model.meta_look_up(key, &meta),
            _ => None,
        });
        let Some((item, data)) = found else {
            if !meta.flags.quiet {
                self.out.extend(meta.reply("EN", meta.is_encoded, |_| None));
                self.out.extend_from_slice(b"\r\n");
            }
            return;
        };
        let has_value = meta.flags.value && meta.flags.compare != Some(item.cas);
        let len = data.len() - 2;
        let code = if has_value { format!("VA {len}") } else { "HD".into() };
        let mut reply = meta.reply(&code, item.is_key_encoded, |letter| match letter {
            'c' => Some(item.cas.to_string()),
            'f' => Some(item.flags.to_string()),
            'h' => Some(u8::from(item.was_fetched).to_string()),
            'l' => Some(item.idle.to_string()),
            's' => Some(len.to_string()),
            't' => Some(seconds(item.ttl)),
            _ => None,
        });
        for (is_set, mark) in [(item.was_won, " Z"), (item.is_stale, " X"), (item.wins, " W")] {
            reply.extend(if is_set { mark } else { "" }.bytes());
        }
        reply.extend(b"\r\n");
        reply.extend(if has_value { &data[..] } else { b"" });
        self.out.extend(reply);
    }

    fn answer_meta_set(&mut self, meta: &MetaMeaning, value_len: usize) -> Option<()> {
        let model = &mut *self.model;
        let draft = meta.with_request(|key, request| match request {
            Request::MetaSet(set) => model.meta_draft(key, &set),
            _ => Err(Status::Error),
        });
        let Some(draft) = self.fill(draft, value_len, false)? else { return Some(()) };
        let stored = self.model.commit(draft, None);
        if !(meta.flags.quiet && stored.status == Status::Stored) {
            self.out.extend(meta.outcome(stored.status, |letter| match letter {
                'c' => Some(stored.cas.to_string()),
                's' => Some(stored.value_len.to_string()),
                _ => None,
            }));
        }
        Some(())
    }

    fn tell(&mut self, key: &[u8], told: Option<MetaDetails>) {
        let Some(item) = told else { return self.out.extend_from_slice(b"EN\r\n") };
        let fetch = if item.was_fetched { "yes" } else { "no" };
        let rest = format!(
            " exp={} la={} cas={} fetch={fetch} cls={} size={}\r\n",
            seconds(item.ttl),
            item.idle,
            item.cas,
            item.class,
            item.item_bytes
        );
        let key = meta::spoken(key, item.is_key_encoded).0;
        self.out.extend([b"ME ", &key[..], rest.as_bytes()].concat());
    }

    fn answer_storage(&mut self, storage: &Storage<'_>) -> Option<()> {
        let draft = self.model.draft(storage);
        if let Some(draft) = self.fill(draft, storage.value_len, storage.quiet)? {
            let status = self.model.commit(draft, None).status;
            self.say(storage.quiet, status);
        }
        Some(())
    }

    /// Reads a data block into a draft; none in it if there is none to keep, none at all if its end is not there.
    fn fill(
        &mut self,
        draft: Result<ModelDraft, Status>,
        value_len: usize,
        quiet: bool,
    ) -> Option<Option<ModelDraft>> {
        let mut draft = match draft {
            Ok(draft) => draft,
            Err(status) => {
                self.say(quiet, status);
                return self.skip(value_len + 2).map(|()| None);
            }
        };
        while draft.remaining() > 0 {
            let Some(space) = draft.space() else {
                let remaining = draft.remaining();
                let status = self.model.abandon(draft);
                self.say(quiet, status);
                return self.skip(remaining).map(|()| None);
            };
            let len = space.len().min(self.rest.len());
            let (arrived, rest) = self.rest.split_at(len);
            space[..len].copy_from_slice(arrived);
            self.rest = rest;
            draft.filled(len);
            if len == 0 {
                return None;
            }
        }
        if !draft.is_terminated() {
            self.say(quiet, Status::BadDataChunk);
            return Some(None);
        }
        Some(Some(draft))
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
                let touch = Some(super::read_exptime(exptime)?);
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

fn seconds(seconds: Option<u32>) -> String {
    seconds.map_or_else(|| "-1".into(), |seconds| seconds.to_string())
}
