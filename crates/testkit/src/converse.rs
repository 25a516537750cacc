//! A driver without a socket: feeds a conversation to a connection in every way that a driver may.
//!
//! Which way is read from bytes, like the conversation: how much arrives at once, whether it is given to `receive` or
//! read where `read_into` points, how much of the output is sent and when, whether the output is sent in place or
//! taken as a flight. At every step the driver sees to what the machine promises about its memory and its progress.

use larder_connection::{Connection, Limits, Output, Protocols};
use larder_protocol::KEY_LEN_MAX;
use larder_protocol::binary::HEAD_LEN;

use crate::model::{Model, ModelValue};
use crate::script::Choices;

/// One conversation, being fed to a connection.
#[derive(Debug)]
pub struct Exchange<'e> {
    connection: Connection<Model>,
    limits: Limits,
    model: &'e mut Model,
    input: &'e [u8],
    plan: Choices<'e>,
    ending: Ending,
    has_ended: bool,
    arrived: usize,
    /// Longest read so far.
    read_len: usize,
    /// Longest value that may stand above the output limit.
    value_len: usize,
    flight: Output<ModelValue>,
    step_count: usize,
    /// What a driver reads into.
    scratch: Vec<u8>,
    sent: Vec<u8>,
}

/// What comes after the last byte of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The peer sends nothing more, and says so.
    Closed,
    /// The peer may go on some day.
    Open,
}

impl<'e> Exchange<'e> {
    /// A new connection, about to receive `input`. `value_len` is the longest value that the model may hold, in bytes.
    #[must_use]
    pub fn new(
        limits: Limits,
        model: &'e mut Model,
        input: &'e [u8],
        plan: Choices<'e>,
        ending: Ending,
        value_len: usize,
    ) -> Self {
        Self {
            connection: Connection::new(limits),
            limits,
            model,
            input,
            plan,
            ending,
            has_ended: false,
            arrived: 0,
            read_len: 0,
            value_len,
            flight: Output::default(),
            step_count: 0,
            scratch: vec![0xee; READ_LEN_MAX],
            sent: Vec::new(),
        }
    }

    /// The same, with a connection that speaks one of these protocols.
    #[must_use]
    pub fn speaking(self, protocols: Protocols) -> Self {
        Self { connection: Connection::speaking(protocols, self.limits), ..self }
    }

    /// Goes on to the end. Returns the connection and everything it sent.
    ///
    /// # Panics
    ///
    /// If the machine breaks a promise on the way.
    #[must_use]
    pub fn run(mut self) -> (Connection<Model>, Vec<u8>) {
        while self.step() {}
        (self.connection, self.sent)
    }

    /// Breaks off, whatever is on its way.
    #[must_use]
    pub fn into_connection(self) -> Connection<Model> {
        self.connection
    }

    /// Does one thing that a driver does: reads, writes, or both. Returns whether there is more to do.
    ///
    /// # Panics
    ///
    /// If the machine breaks a promise.
    pub fn step(&mut self) -> bool {
        self.step_count += 1;
        let decision = self.plan.byte();
        let may_read = self.connection.wants_read();
        let can_send = self.connection.wants_write() || !self.flight.is_empty();
        let reads = may_read && !self.input.is_empty() && !(can_send && decision.is_multiple_of(4));
        if reads {
            self.read(decision);
        } else if self.is_ending() && (may_read || decision.is_multiple_of(2)) {
            self.connection.receive_end(self.model);
            self.has_ended = true;
        } else if !can_send && !self.connection.has_work() {
            self.check_rest();
            return false;
        }
        self.check_promises();
        if !reads || !decision.is_multiple_of(3) {
            self.write(decision);
        }
        if self.connection.has_work() {
            let progress = self.connection.progress();
            self.connection.receive(&[], self.model);
            // A request that took long ends a turn; it must have been answered for that.
            let has_moved = self.connection.progress() != progress;
            assert!(has_moved || !self.connection.has_work(), "it stopped without a cause");
            self.check_promises();
        }
        true
    }

    /// Whether the end of the input is next.
    const fn is_ending(&self) -> bool {
        matches!(self.ending, Ending::Closed) && self.input.is_empty() && !self.has_ended
    }

    const fn is_hurried(&self) -> bool {
        self.step_count > STEPS_MAX
    }

    /// Gives the machine a part of the input.
    fn read(&mut self, decision: u8) {
        let len = match decision >> 6 {
            0 => 1 + usize::from(decision % 3),
            1 => 1 + usize::from(self.plan.byte()),
            2 => 1 + 16 * usize::from(self.plan.byte()),
            _ => READ_LEN_MAX,
        };
        let len = if self.is_hurried() { READ_LEN_MAX } else { len }.min(self.input.len());
        if decision.is_multiple_of(2) {
            let (arrived, rest) = self.input.split_at(len);
            self.read_len = self.read_len.max(len);
            self.input = rest;
            self.arrived += len;
            self.connection.receive(arrived, self.model);
            return;
        }
        let scratch = &mut self.scratch[..len];
        let mut taken = 0;
        for slice in self.connection.read_into(scratch) {
            let step = slice.len().min(self.input.len());
            let (arrived, rest) = self.input.split_at(step);
            slice[..step].copy_from_slice(arrived);
            self.input = rest;
            taken += step;
        }
        assert!(taken > 0, "a read of nothing looks like the end of the input");
        self.arrived += taken;
        self.read_len = self.read_len.max(len);
        self.connection.read_done(taken, scratch, self.model);
    }

    /// Sends a part of what waits.
    fn write(&mut self, decision: u8) {
        if self.flight.is_empty() && decision.is_multiple_of(5) {
            self.flight = self.connection.output().take();
            assert!(self.connection.output().is_empty(), "a flight leaves nothing behind");
        }
        let pace = match decision >> 5 {
            0 => 1,
            1..4 => 1 + usize::from(self.plan.byte()),
            _ => usize::MAX,
        };
        let pace = if self.is_hurried() { usize::MAX } else { pace };
        // What is in flight goes first.
        let output =
            if self.flight.is_empty() { self.connection.output() } else { &mut self.flight };
        let mut left = pace.min(output.unsent());
        let len = left;
        for chunk in output.chunks() {
            assert!(!chunk.is_empty(), "an empty run");
            let step = chunk.len().min(left);
            self.sent.extend_from_slice(&chunk[..step]);
            left -= step;
            if left == 0 {
                break;
            }
        }
        assert_eq!(left, 0, "more was announced than there is");
        output.advance(len);
    }

    /// What holds at every moment: the memory of a connection is bounded.
    fn check_promises(&mut self) {
        let unfinished = self.connection.unfinished();
        // The word at the end of a retrieval that is longer than a line, and perhaps a carriage return; or a frame up to
        // its value, with the longest extras there are.
        let unread_max = self.limits.line_len.max(HEAD_LEN + 20 + KEY_LEN_MAX);
        let (held, allowed) = (unfinished.command_bytes, unread_max + self.read_len);
        assert!(held <= allowed, "{held} bytes of commands, {allowed} are allowed");
        let allowed = self.arrived + DRAFT_CHUNK_MAX;
        assert!(unfinished.value_bytes <= allowed, "a value takes memory before it arrives");
        let unsent = self.connection.output().unsent();
        let above = (self.value_len + HEAD_LEN_MAX).max(LISTED_LEN_MAX);
        let allowed = self.limits.output_len + above;
        assert!(unsent <= allowed, "{unsent} bytes of replies, {allowed} are allowed");
        assert_eq!(unsent > 0, self.connection.wants_write());
        assert!(!self.has_ended || !self.connection.wants_read(), "it reads after the end");
    }

    /// What holds when nothing happens any more: everything was said, nothing is held but half a request.
    fn check_rest(&self) {
        let unfinished = self.connection.unfinished();
        assert_eq!((unfinished.reply_bytes, unfinished.replies_in_flight), (0, 0));
        assert_eq!(self.model.live_values(), 0, "a value is pinned that was sent");
        if self.connection.is_finished() {
            assert_eq!(self.model.live_drafts(), 0, "a closed connection holds a draft");
            assert_eq!(self.model.live_listings(), 0, "a closed connection holds a listing");
            assert_eq!(unfinished, larder_connection::Unfinished::default());
            return;
        }
        assert!(self.input.is_empty() && self.ending == Ending::Open, "it stopped on its way");
        let is_half_way = unfinished.command_bytes > 0 || self.model.live_drafts() > 0;
        assert!(self.connection.is_half_way() || !is_half_way, "it forgot what it waits for");
    }
}

/// After so many steps the rest goes fast, so that no test takes long.
const STEPS_MAX: usize = 500;

/// Longest read, in bytes.
const READ_LEN_MAX: usize = 20_000;

/// Largest step in which a model's draft takes memory, in bytes.
pub const DRAFT_CHUNK_MAX: usize = 4096;

/// Longest line of a dump, in bytes: a key in which every byte takes three, and eight numbers with their names.
const LISTED_LEN_MAX: usize = 3 * 250 + 8 * 28;

/// Longest line before a value, in bytes: `VALUE key flags length cas`.
const HEAD_LEN_MAX: usize = 6 + 250 + 1 + 10 + 1 + 10 + 1 + 20 + 2;
