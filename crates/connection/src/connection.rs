//! The state machine: theory of operation.
//!
//! Bytes arrive by [`Connection::receive`] (or straight in a value's own memory, by [`Connection::read_into`]) and are
//! worked off by `process` in place. What cannot be worked off yet, the beginning of a line or whatever
//! came after the output was full, is copied to the backlog; the next bytes first complete what the backlog begins.
//!
//! ```text
//!                       storage line            last byte
//!                Line ───────────────► Value ───────────────► Line
//!   complete     │ ▲ ▲                   │ memory ran out
//!   retrieval    │ │ └───── Skip ◄───────┘           quit, HTTP, a line too long ───► Closing
//!                ▼ │ line end
//!                Keys ──► SkipLine (a key too long in a line too long to be checked whole)
//! ```
//!
//! `Line` and `Keys` are what the state `Request` can be waiting for.
//!
//! An answer that is too long to be made in one go is the state `Listing`, between two states `Line`: a piece whenever there
//! is room, and the next request when there is no more.
//!
//! The first byte of a connection decides for good whether it speaks in lines or in frames. A frame is a line to this picture:
//! what ends it is its head, which says how long it is, and no newline. `Keys` and `SkipLine` are for lines only.
//!
//! A peer that watches is in the state `Watch` for the rest of its life: what it sends is thrown away, and what its feed
//! has to say is taken whenever there is room.
//!
//! The machine cannot fail: what the peer does wrong becomes a reply or the state `Closing`.

mod frames;
mod listing;
mod values;
mod watching;

use alloc::vec::Vec;

use larder_protocol::{
    KEY_LEN_MAX, Request, Retrieval, Status, Token, next_token, parse_line, parse_retrieval_head,
};

use crate::answer::Answer;
use crate::classic::{self, Next};
use crate::limits::{Limits, Unfinished};
use crate::meta::Echo;
use crate::protocols::Codec;
use crate::reply::Form;
use crate::service::Place;
use crate::state::{Awaited, Phase, State, Step};
use crate::{Draft, Output, Protocols, Reply, Service, binary};

/// One client's side of the protocol, from its first byte to its last.
#[derive(Debug)]
pub struct Connection<S: Service> {
    limits: Limits,
    protocols: Protocols,
    /// What it speaks; none before its first byte.
    codec: Option<Codec>,
    /// Bytes that arrived and were not worked off. INVARIANT: empty while a value arrives or is skipped.
    backlog: Vec<u8>,
    /// Bytes at its beginning that were worked off since: fewer than those behind them.
    worked_off: usize,
    state: State<S::Draft, S::Listing, S::Feed>,
    output: Output<S::Value>,
    has_ended: bool,
    has_given_up: bool,
    /// A full output, or a request that took long, kept the backlog from being worked off.
    is_stalled: bool,
    /// The last request took long: others get their turn before the next.
    has_taken_long: bool,
    /// Requests were answered whose replies were not on their way when the present one came.
    is_pipelined: bool,
    progress: u64,
}

impl<S: Service> Connection<S> {
    /// A connection that has received nothing, and speaks what its first byte says.
    pub fn new(limits: Limits) -> Self {
        Self::speaking(Protocols::Auto, limits)
    }

    /// A connection that has received nothing, and speaks one of these.
    pub fn speaking(protocols: Protocols, limits: Limits) -> Self {
        Self {
            limits,
            protocols,
            codec: None,
            backlog: Vec::new(),
            worked_off: 0,
            state: State::Request(Awaited::Line { searched: 0 }),
            output: Output::default(),
            has_ended: false,
            has_given_up: false,
            is_stalled: false,
            has_taken_long: false,
            is_pipelined: false,
            progress: 0,
        }
    }

    /// Takes bytes that arrived, and answers the requests they complete. Call it with none to go on where a full output
    /// stopped it.
    pub fn receive(&mut self, input: &[u8], service: &mut S) {
        self.is_pipelined &= !self.output.is_empty();
        let rest = if self.backlog.is_empty() {
            input
        } else {
            self.receive_after_backlog(input, service)
        };
        if self.backlog.is_empty() {
            let used = self.process(rest, service);
            self.backlog.extend_from_slice(&rest[used..]);
        } else {
            self.backlog.extend_from_slice(rest);
        }
        self.take_lines();
        if self.has_ended && !self.is_stalled {
            self.close();
        }
    }

    /// Where the next read should land: the rest of an arriving value, then `scratch`.
    pub fn read_into<'b>(&'b mut self, scratch: &'b mut [u8]) -> [&'b mut [u8]; 2] {
        let State::Value(arriving) = &mut self.state else { return [&mut [], scratch] };
        let owed = arriving.owed();
        match arriving.space() {
            None => [&mut [], scratch],
            // More of the value follows this space: better a short read than bytes to copy.
            Some(space) if space.len() < owed => [space, &mut []],
            Some(space) => [space, scratch],
        }
    }

    /// Says that a read put `len` bytes where [`Self::read_into`] pointed; `scratch` is the buffer that it was given.
    pub fn read_done(&mut self, len: usize, scratch: &[u8], service: &mut S) {
        let mut in_value = 0;
        if let State::Value(arriving) = &mut self.state
            && let Some(space) = arriving.space()
        {
            in_value = space.len().min(len);
            arriving.draft.filled(in_value);
            self.note_progress(in_value);
            self.finish_value(service);
        }
        let in_scratch = (len - in_value).min(scratch.len());
        self.receive(&scratch[..in_scratch], service);
    }

    /// The peer will send nothing more; what it sent before is still answered.
    pub fn receive_end(&mut self, service: &mut S) {
        self.has_ended = true;
        self.receive(&[], service);
    }

    /// Replies that wait for the socket.
    pub fn output(&mut self) -> &mut Output<S::Value> {
        &mut self.output
    }

    /// Whether to read from the socket: not while the output is full or requests wait ([`Self::has_work`]), and not once the
    /// connection closes.
    pub fn wants_read(&self) -> bool {
        !self.has_ended && !self.is_closing() && !self.is_full() && !self.is_stalled
    }

    /// Whether replies wait for the socket.
    pub fn wants_write(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether requests wait that could be answered now: a full output, or the length of a turn, kept them from it. Or
    /// lines that a watcher can be told.
    pub fn has_work(&self) -> bool {
        (self.is_stalled && !self.is_full()) || self.has_lines()
    }

    /// Whether the connection is over: close the socket.
    pub fn is_finished(&self) -> bool {
        self.is_closing() && self.output.is_empty()
    }

    /// Whether it is over because what the peer sent belongs to no protocol that is spoken here.
    pub fn has_given_up(&self) -> bool {
        self.has_given_up
    }

    /// What the connection is busy with.
    pub fn phase(&self) -> Phase {
        self.state.phase(self.wants_write())
    }

    /// What the connection holds for work that its peer has not finished.
    pub fn unfinished(&self) -> Unfinished {
        Unfinished {
            reply_bytes: self.output.copied(),
            replies_in_flight: self.output.pinned_count(),
            command_bytes: self.backlog.len() - self.worked_off,
            value_bytes: match &self.state {
                State::Value(arriving) => arriving.draft.held_bytes(),
                _ => 0,
            },
        }
    }

    /// Memory of its buffers that holds nothing; [`Self::trim`] gives it back.
    pub fn spare_bytes(&self) -> usize {
        self.output.spare() + self.backlog.capacity() - self.backlog.len() + self.worked_off
    }

    /// Whether the peer owes the rest of a command or of a value.
    pub fn is_half_way(&self) -> bool {
        match self.state {
            State::Value(_) | State::Skip { .. } | State::SkipLine => true,
            State::Request(Awaited::Line { .. }) => !self.backlog.is_empty() && !self.is_stalled,
            State::Request(Awaited::Keys { .. }) => !self.is_stalled,
            State::Listing(_) | State::Watch(_) | State::Closing => false,
        }
    }

    /// A number that changes whenever the peer came further: with each complete line or key, and with each piece of a value.
    pub fn progress(&self) -> u64 {
        self.progress
    }

    /// Reads nothing more; what was answered is still sent.
    pub fn close(&mut self) {
        self.state = State::Closing;
        self.backlog.clear();
        self.worked_off = 0;
        self.is_stalled = false;
    }

    /// Gives back spare capacity; for connections that have been idle for a while.
    pub fn trim(&mut self) {
        self.output.trim();
        self.backlog.drain(..core::mem::take(&mut self.worked_off));
        self.backlog.shrink_to_fit();
    }

    /// Becomes a connection that has received nothing; buffers keep their capacity for the next client.
    pub fn reset(&mut self) {
        self.output.clear();
        self.backlog.clear();
        self.worked_off = 0;
        self.state.go_on(Awaited::Line { searched: 0 });
        self.codec = None;
        self.has_ended = false;
        self.has_given_up = false;
        self.is_stalled = false;
        self.is_pipelined = false;
    }

    /// Works off the backlog, completed request by request from `input`. Returns what of the input the backlog did not need;
    /// it is not empty only if the backlog is, or if the machine stopped.
    fn receive_after_backlog<'i>(&mut self, input: &'i [u8], service: &mut S) -> &'i [u8] {
        let mut rest = input;
        let mut held = core::mem::take(&mut self.backlog);
        let mut done = core::mem::take(&mut self.worked_off);
        loop {
            done += self.process(&held[done..], service);
            if done == held.len() || rest.is_empty() || self.is_stalled {
                break;
            }
            let len = match self.codec {
                Some(Codec::Binary) => binary::missing_len(&held[done..]),
                _ => memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1),
            };
            let (completion, after) = rest.split_at(len.min(rest.len()));
            held.extend_from_slice(completion);
            rest = after;
        }
        // Whoever stops after every reply must not have the rest moved for each.
        if done >= held.len() - done {
            held.drain(..done);
            done = 0;
        }
        self.worked_off = done;
        self.backlog = held;
        rest
    }

    /// Works off bytes until they run out or the output is full; returns how many it is done with.
    fn process(&mut self, bytes: &[u8], service: &mut S) -> usize {
        let mut used = 0;
        self.is_stalled = false;
        loop {
            let rest = &bytes[used..];
            let step = match &mut self.state {
                State::Request(Awaited::Line { .. }) => self.process_request(rest, service),
                State::Request(Awaited::Keys { retrieval }) => {
                    let retrieval = *retrieval;
                    self.process_key(rest, retrieval, service)
                }
                State::Value(_) => self.process_value(rest, service),
                State::Listing(_) => self.process_listing(service),
                State::Skip { .. } | State::SkipLine => Step::Used(self.state.skip(rest)),
                State::Watch(_) | State::Closing => return bytes.len(),
            };
            match step {
                Step::Used(len) => {
                    used += len;
                    self.note_progress(len);
                }
                Step::Short(len) => return used + len,
                Step::Full => {
                    self.is_stalled = true;
                    return used;
                }
            }
            let has_taken_long = core::mem::take(&mut self.has_taken_long);
            if used == bytes.len() && !matches!(self.state, State::Listing(_)) {
                return used;
            }
            if has_taken_long {
                self.is_stalled = true;
                return used;
            }
        }
    }

    fn process_request(&mut self, rest: &[u8], service: &mut S) -> Step {
        if self.is_full() {
            return Step::Full;
        }
        let Some(&first) = rest.first() else { return Step::Short(0) };
        let codec = self.protocols.codec(first);
        match *self.codec.get_or_insert(codec) {
            Codec::Binary => self.process_frame(rest, service),
            Codec::Text => self.process_line(rest, service),
        }
    }

    fn process_line(&mut self, rest: &[u8], service: &mut S) -> Step {
        let searched = match self.state {
            State::Request(Awaited::Line { searched }) => searched.min(rest.len()),
            _ => 0,
        };
        let newline = memchr::memchr(b'\n', &rest[searched..]).map(|newline| searched + newline);
        let kept_len = self.limits.unfinished_line_len.min(self.limits.line_len);
        match newline {
            Some(newline) if newline <= self.limits.line_len => {
                self.state.go_on(Awaited::Line { searched: 0 });
                Step::Used(self.answer_line(&rest[..newline], service))
            }
            None if rest.len() <= kept_len => {
                self.state.go_on(Awaited::Line { searched: rest.len() });
                Step::Short(0)
            }
            // Only what has certainly arrived is looked at, however much more did: cuts must not matter.
            _ => match parse_retrieval_head(&rest[..=kept_len]) {
                Some((retrieval, keys_at)) => {
                    self.state.go_on(Awaited::Keys { retrieval });
                    Step::Used(keys_at)
                }
                None => {
                    self.give_up();
                    Step::Used(rest.len())
                }
            },
        }
    }

    /// Answers a complete line, given without its newline. Returns how many bytes it is done with: all and the newline,
    /// or, for a retrieval, those before its keys.
    fn answer_line(&mut self, line: &[u8], service: &mut S) -> usize {
        let whole = line.len() + 1;
        let place = if self.is_pipelined { Place::AfterOthers } else { Place::First };
        self.is_pipelined = true;
        match parse_line(line) {
            Ok(Request::Get(get)) => {
                self.state.go_on(Awaited::Keys { retrieval: get.retrieval });
                return get.keys_at;
            }
            Ok(Request::Storage(storage)) => {
                let answer = Answer::Status { quiet: storage.quiet };
                self.begin_value(service.draft(&storage), storage.value_len, answer);
            }
            Ok(Request::MetaSet(set)) => {
                let answer = Answer::Meta { quiet: set.meta.flags.quiet, echo: Echo::new(&set) };
                let draft = service.meta_draft(set.meta.key.decode().as_ref(), &set);
                self.begin_value(draft, set.value_len, answer);
            }
            Ok(Request::KeyDump(dump)) => self.begin_key_dump(&dump, place, service),
            Ok(Request::Watch(watch)) => self.begin_watch(&watch, place, service),
            Ok(request) => self.answer(request, service),
            Err(refused) => {
                match refused.reason.status() {
                    None => self.give_up(),
                    Some(status) if !refused.quiet => self.push(status),
                    Some(_) => {}
                }
                self.skip(refused.skip_len);
            }
        }
        whole
    }

    fn answer(&mut self, request: Request<'_>, service: &mut S) {
        let next = classic::answer(&request, &mut self.output, service);
        self.go_on(next);
    }

    fn go_on(&mut self, next: Next<S::Listing>) {
        match next {
            Next::Go => {}
            Next::Flush => self.is_pipelined = false,
            Next::List(listing) => self.state = State::Listing(listing),
            Next::Yield => self.has_taken_long = true,
            Next::Close => self.close(),
        }
    }

    /// Answers the next key of a retrieval, or ends it.
    fn process_key(&mut self, rest: &[u8], retrieval: Retrieval, service: &mut S) -> Step {
        if self.is_full() {
            return Step::Full;
        }
        match next_token(rest) {
            (Token::Word(key), used) if key.len() <= KEY_LEN_MAX => {
                let mut reply =
                    Reply::new(&mut self.output, Form::Line { wants_cas: retrieval.cas });
                service.get(key, retrieval.touch, &mut reply);
                Step::Used(used)
            }
            // The carriage return of a line end may be the last byte of a word that is not finished.
            (Token::Unfinished(word), used) if word.len() <= KEY_LEN_MAX + 1 => Step::Short(used),
            (Token::LineEnd, used) => {
                self.push(Status::End);
                self.state.go_on(Awaited::Line { searched: 0 });
                self.is_pipelined = false;
                Step::Used(used)
            }
            (Token::Word(_) | Token::Unfinished(_), _) => {
                self.push(Status::BadFormat);
                self.state = State::SkipLine;
                Step::Used(0)
            }
        }
    }

    /// Bytes were worked off; none are no progress, as when the machine is only asked to go on.
    const fn note_progress(&mut self, len: usize) {
        if len > 0 {
            self.progress = self.progress.wrapping_add(1);
        }
    }

    fn give_up(&mut self) {
        self.has_given_up = true;
        self.close();
    }

    fn skip(&mut self, remaining: usize) {
        if remaining > 0 {
            self.state = State::Skip { remaining };
        }
    }

    fn push(&mut self, status: Status) {
        self.output.tail().extend_from_slice(status.line());
    }

    fn is_full(&self) -> bool {
        self.output.unsent() >= self.limits.output_len
    }

    const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing)
    }
}
