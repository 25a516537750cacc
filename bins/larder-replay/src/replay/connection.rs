//! One connection: the accesses dealt to it, the turn under way, and what came of it.

use std::collections::VecDeque;
use std::time::Duration;

use super::exchange::Exchange;
use super::replies::{Replies, Reply};
use super::{Error, Plan, Tally};
use crate::{Access, Verb};

/// A connection and its part of the trace.
#[derive(Debug)]
pub(super) struct Connection {
    exchange: Exchange,
    replies: Replies,
    /// Accesses that were dealt and not sent.
    queue: VecDeque<Access>,
    /// What is sent in this turn, in the order in which it is answered.
    turn: Vec<Request>,
    /// How much of the turn is written to `out`, and how much is answered.
    encoded: usize,
    answered: usize,
    /// Bytes of the value that the last encoded request still owes, its line end left out.
    value_left: u32,
    out: Vec<u8>,
    sent: usize,
    /// Stores of what this turn missed; they begin the next one.
    fills: Vec<Access>,
    /// Retrievals that came too early to find what the fills bring.
    again: Vec<Access>,
    tally: Tally,
    ttls: Ttls,
}

/// A request of a turn.
#[derive(Debug, Clone, Copy)]
struct Request {
    access: Access,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ask,
    /// A store of what was missed.
    Fill,
    /// A store that the trace itself has.
    Store,
    Remove,
}

/// What becomes of the trace's TTLs.
#[derive(Debug, Clone, Copy)]
struct Ttls {
    are_sent: bool,
    speed: f64,
}

impl Connection {
    pub(super) fn connect(plan: &Plan) -> Result<Self, Error> {
        Ok(Self {
            exchange: Exchange::connect(plan)?,
            replies: Replies::new(),
            queue: VecDeque::new(),
            turn: Vec::new(),
            encoded: 0,
            answered: 0,
            value_left: 0,
            out: Vec::new(),
            sent: 0,
            fills: Vec::new(),
            again: Vec::new(),
            tally: Tally::default(),
            ttls: Ttls { are_sent: plan.has_ttls, speed: plan.speed.unwrap_or(1.0) },
        })
    }

    /// Deals an access to this connection.
    pub(super) fn queue(&mut self, access: Access) {
        self.queue.push_back(access);
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn waited(&self) -> Duration {
        self.exchange.waited()
    }

    /// Waits for what the turn still owes.
    pub(super) fn finish_turn(&mut self) -> Result<(), Error> {
        while self.answered < self.turn.len() {
            if !self.receive()? {
                self.exchange.wait(false)?;
            }
        }
        self.turn.clear();
        (self.encoded, self.answered) = (0, 0);
        Ok(())
    }

    /// Sends the next turn: what was missed, what has to be asked again, what was dealt. False if that is nothing.
    pub(super) fn begin_turn(&mut self) -> Result<bool, Error> {
        let fills = self.fills.drain(..).map(|access| Request { access, kind: Kind::Fill });
        self.turn.extend(fills);
        while let Some(access) = self.again.pop() {
            self.queue.push_front(access);
        }
        let first_dealt = self.turn.len();
        while let Some(access) = self.queue.front() {
            let kind = match access.verb {
                Verb::Get => Kind::Ask,
                Verb::Set => Kind::Store,
                Verb::Delete => Kind::Remove,
            };
            // Should a retrieval of this turn miss, its value must be stored before this access, not after it.
            let asks =
                |request: &Request| request.kind == Kind::Ask && request.access.key == access.key;
            if kind != Kind::Ask && self.turn[first_dealt..].iter().any(asks) {
                break;
            }
            self.turn.push(Request { access: *access, kind });
            self.queue.pop_front();
        }
        self.send_turn()?;
        Ok(!self.turn.is_empty())
    }

    /// Sends all of the turn. Reads replies where the server would otherwise stop.
    fn send_turn(&mut self) -> Result<(), Error> {
        loop {
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
                self.encode();
                if self.out.is_empty() {
                    return Ok(());
                }
            }
            let len = self.exchange.send(&self.out[self.sent..])?;
            self.sent += len;
            if len == 0 && self.exchange.wait(true)?.is_readable {
                self.receive()?;
            }
        }
    }

    /// Writes as much of the turn as a send of a reasonable length takes.
    fn encode(&mut self) {
        while self.out.len() < OUT_LEN {
            if self.value_left > 0 {
                let room = u32::try_from(OUT_LEN - self.out.len()).unwrap_or(u32::MAX);
                let len = self.value_left.min(room);
                self.out.resize(self.out.len() + usize::try_from(len).unwrap_or(0), FILLER);
                self.value_left -= len;
                if self.value_left == 0 {
                    self.out.extend_from_slice(b"\r\n");
                }
                continue;
            }
            let Some(Request { access, kind }) = self.turn.get(self.encoded) else { return };
            self.encoded += 1;
            match kind {
                Kind::Ask => self.out.extend_from_slice(b"get "),
                Kind::Fill | Kind::Store => self.out.extend_from_slice(b"set "),
                Kind::Remove => self.out.extend_from_slice(b"delete "),
            }
            access.push_key(&mut self.out);
            if matches!(kind, Kind::Fill | Kind::Store) {
                self.out.extend_from_slice(b" 0 ");
                push_number(&mut self.out, self.ttls.exptime(access.ttl));
                self.out.push(b' ');
                push_number(&mut self.out, access.value_len);
                self.value_left = access.value_len;
                if access.value_len == 0 {
                    self.out.extend_from_slice(b"\r\n");
                }
            }
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Reads once and takes what came; false if nothing did.
    fn receive(&mut self) -> Result<bool, Error> {
        let len = self.exchange.receive(self.replies.room())?;
        self.replies.extend(len);
        self.take_replies()?;
        Ok(len > 0)
    }

    fn take_replies(&mut self) -> Result<(), Error> {
        while let Some(reply) = self.replies.next_reply()? {
            let Some(request) = self.turn.get(self.answered) else {
                return Err(Error::Protocol("more than it was asked".to_owned()));
            };
            let Request { access, kind } = *request;
            self.answered += 1;
            self.take_reply(&access, kind, reply)?;
        }
        Ok(())
    }

    fn take_reply(&mut self, access: &Access, kind: Kind, reply: Reply) -> Result<(), Error> {
        let tally = &mut self.tally;
        let bytes = u64::from(access.key_len) + u64::from(access.value_len);
        match (kind, reply) {
            (Kind::Ask, Reply::Hit) => {
                tally.gets += 1;
                tally.asked_bytes += bytes;
            }
            (Kind::Ask, Reply::Miss) if self.fills.iter().any(|fill| fill.key == access.key) => {
                tally.asked_again += 1;
                self.again.push(*access);
            }
            (Kind::Ask, Reply::Miss) => {
                tally.gets += 1;
                tally.asked_bytes += bytes;
                tally.misses += 1;
                tally.missed_bytes += bytes;
                self.fills.push(*access);
            }
            (Kind::Fill, Reply::Stored) => tally.fills += 1,
            (Kind::Store, Reply::Stored) => tally.sets += 1,
            (Kind::Fill | Kind::Store, Reply::Refused) => tally.refused += 1,
            (Kind::Remove, Reply::Gone) => tally.deletes += 1,
            (_, reply) => {
                return Err(Error::Protocol(format!("{reply:?} to what asks for something else")));
            }
        }
        Ok(())
    }
}

impl Ttls {
    /// The exptime of a request. More than 30 days would be a date, so it is never more.
    fn exptime(self, ttl: u32) -> u32 {
        if !self.are_sent || ttl == 0 {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a conversion of floats ends at the limits of the integer"
        )]
        let seconds = (f64::from(ttl) / self.speed).ceil() as u32;
        seconds.clamp(1, EXPTIME_MAX_S)
    }
}

fn push_number(out: &mut Vec<u8>, mut number: u32) {
    let start = out.len();
    loop {
        out.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

/// Bytes of requests that are in memory at once, an access's head above.
const OUT_LEN: usize = 64 << 10;
/// What values are made of.
const FILLER: u8 = b'v';
/// Thirty days.
const EXPTIME_MAX_S: u32 = 2_592_000;

#[cfg(test)]
mod tests {
    use super::{Ttls, push_number};

    #[test]
    fn ttls_follow_the_speed_of_the_replay() {
        let check = |are_sent: bool, speed: f64, ttl: u32, expected: u32| {
            assert_eq!(Ttls { are_sent, speed }.exptime(ttl), expected, "{ttl} at {speed}");
        };
        check(false, 1.0, 60, 0);
        check(true, 1.0, 60, 60);
        check(true, 1.0, 0, 0);
        check(true, 100.0, 60, 1);
        check(true, 100.0, 250, 3);
        check(true, 1.0, u32::MAX, 2_592_000);
        check(true, 1e-300, 60, 2_592_000);
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 1_000_000, u32::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
