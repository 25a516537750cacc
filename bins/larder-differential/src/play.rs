//! One conversation with both servers, and whether it went the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use crate::conversation::{CONNECTIONS, Conversation, FIRST_OF_FRAMES, Probe, Step};
use crate::frames;
use crate::pair::{Counters, Pair, word};
use crate::replies::{Excuses, Numbers, compare, is_cut_short, shown};
use crate::request::{Piece, Request};
use crate::wire::{Wire, exchange};

/// What came of a conversation.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Commands that were sent and whose replies were compared.
    pub commands: u64,
    /// Known differences that were met, with how often.
    pub excuses: Excuses,
    /// What was said, by whom and to whom, for a person to read.
    pub said: Vec<Said>,
    /// The first thing that went another way.
    pub difference: Option<String>,
}

/// A part of what was said.
#[derive(Clone, Debug)]
pub enum Said {
    /// The clock moved.
    Advanced(u32),
    /// A client sent this to Larder and got these replies, without the fence.
    Exchanged {
        /// Which client; none for what is asked at the end.
        connection: Option<usize>,
        /// What Larder was sent.
        sent: Vec<u8>,
        /// What Larder and memcached replied.
        replies: [Vec<u8>; 2],
        /// Whether they closed the connection.
        closed: [bool; 2],
    },
}

/// Plays a conversation; a server that says nothing for `patience` has nothing to say.
///
/// # Errors
///
/// A server is gone, or does not answer where no conversation is: the pair is of no use any more.
pub(crate) fn play(
    pair: &mut Pair,
    conversation: &Conversation,
    patience: Duration,
) -> io::Result<Verdict> {
    let keys = conversation.keys();
    let before = pair.reset(&keys)?;
    let mut play = Play {
        pair,
        patience,
        clients: BTreeMap::new(),
        unsettled: BTreeSet::new(),
        numbers: Numbers::default(),
        passed: 0,
        flushes: BTreeSet::new(),
        is_probing: false,
        verdict: Verdict::default(),
    };
    let difference = play.all(conversation, &keys, &before)?;
    play.verdict.difference = difference.err();
    Ok(play.verdict)
}

struct Play<'p> {
    pair: &'p mut Pair,
    patience: Duration,
    clients: BTreeMap<usize, [Wire; 2]>,
    /// Those whose workers may still hold what they sent last.
    unsettled: BTreeSet<usize>,
    numbers: Numbers,
    /// Seconds since the conversation began.
    passed: u32,
    /// When something is flushed, in the same seconds.
    flushes: BTreeSet<u32>,
    /// What is said now is a probe.
    is_probing: bool,
    verdict: Verdict,
}

/// The inner error is a difference, the outer one the end of the pair.
type Outcome<T = ()> = io::Result<Result<T, String>>;

/// Goes on unless there is a difference.
macro_rules! agreed {
    ($outcome:expr) => {
        match $outcome? {
            Ok(value) => value,
            Err(difference) => return Ok(Err(difference)),
        }
    };
}

impl Play<'_> {
    fn all(
        &mut self,
        conversation: &Conversation,
        keys: &BTreeSet<Vec<u8>>,
        before: &[Counters; 2],
    ) -> Outcome {
        for step in &conversation.steps {
            match step {
                Step::Advance(seconds) => {
                    // Nobody looks in the second before a flush: see the known difference flush-second.
                    let passed = self.passed + seconds;
                    let seconds = seconds + u32::from(self.flushes.contains(&(passed + 1)));
                    self.passed += seconds;
                    self.pair.advance(seconds)?;
                    self.verdict.said.push(Said::Advanced(seconds));
                }
                Step::Say { connection, requests, cuts } => {
                    let flushes = requests.iter().flat_map(|request| &request.flushes);
                    let passed = self.passed;
                    self.flushes.extend(
                        flushes.filter_map(|&delay| u32::try_from(i64::from(passed) + delay).ok()),
                    );
                    let is_fit = |request: &&Request| self.pair.takes(request);
                    let fit: Vec<&Request> = requests.iter().filter(is_fit).collect();
                    agreed!(self.say(*connection, &fit, cuts));
                }
            }
        }
        agreed!(self.leave());
        agreed!(self.look_at(keys));
        // Only now: what has expired stays in memory until somebody looks at it.
        let after = self.pair.counters()?;
        let mut left_out = Vec::new();
        if !self.pair.is_plain() {
            // memcached counts also the flushes that -F refuses.
            left_out.push("cmd_flush");
        }
        if conversation.has_large_frames() {
            // See the known difference large-uncounted.
            left_out.push("store_too_large");
        }
        if let Err(difference) = compare_counters(before, &after, &left_out) {
            return Ok(Err(difference));
        }
        if let Some(probe) = conversation.probe.as_ref().filter(|_| self.pair.is_plain()) {
            return self.probe(probe);
        }
        Ok(Ok(()))
    }

    /// A client sends the requests of a step and gets its replies.
    fn say(&mut self, connection: usize, requests: &[&Request], cuts: &[usize]) -> Outcome {
        let pieces: Vec<&Piece> = requests.iter().flat_map(|request| &request.pieces).collect();
        if pieces.contains(&&Piece::Fence) {
            agreed!(self.settle(connection));
        }
        for pieces in pieces.split(|piece| **piece == Piece::Fence) {
            if !pieces.is_empty() {
                agreed!(self.say_at_once(connection, pieces, cuts));
            }
        }
        self.verdict.commands += requests.iter().map(|request| request.commands).sum::<u64>();
        Ok(Ok(()))
    }

    /// Waits until no worker holds an item of a reply to another client: a server adds in place only where nobody does, and
    /// a worker of Larder may let go of it only after its client has the reply. When it answers again, it has let go.
    fn settle(&mut self, speaker: usize) -> Outcome {
        for connection in std::mem::take(&mut self.unsettled) {
            let (fence, reply) = self.fence(connection);
            let Some(wires) = self.clients.get_mut(&connection) else { continue };
            if connection == speaker || wires[0].is_closed {
                continue;
            }
            wires.iter_mut().for_each(|wire| wire.say(vec![fence.clone()], &reply));
            exchange(wires, self.patience)?;
            if wires.iter().any(|wire| wire.received != reply) {
                return Ok(Err(format!("connection {connection} says something after its fence")));
            }
        }
        Ok(Ok(()))
    }

    /// What ends the requests of a client, and the reply to it.
    fn fence(&mut self, connection: usize) -> (Vec<u8>, Vec<u8>) {
        if has_frames(connection) { self.pair.fence_frame() } else { self.pair.fence() }
    }

    fn say_at_once(&mut self, connection: usize, pieces: &[&Piece], cuts: &[usize]) -> Outcome {
        let cas = agreed!(self.cas_numbers(pieces));
        let has_frames = has_frames(connection);
        let mut first = Vec::new();
        if !self.clients.contains_key(&connection) {
            self.clients.insert(connection, self.pair.connect()?);
            if has_frames && !self.is_probing {
                // Whatever its requests are, the first byte says what they are meant to be.
                (first, _) = frames::fence(0);
            }
        }
        self.unsettled.insert(connection);
        let (fence, reply) = self.fence(connection);
        let Some(wires) = self.clients.get_mut(&connection) else { return Ok(Ok(())) };
        // Its servers are rid of it already: so they agreed.
        if wires[0].is_closed {
            return Ok(Ok(()));
        }
        let mut sent = Vec::new();
        for (side, wire) in wires.iter_mut().enumerate() {
            let number = |key: &[u8]| cas.get(key).map_or(1, |numbers| numbers[side]);
            let mut bytes = first.clone();
            bytes.extend(pieces.iter().flat_map(|piece| piece.bytes(number)));
            if side == 0 {
                sent.clone_from(&bytes);
            }
            bytes.extend_from_slice(&fence);
            wire.say(cut(&bytes, cuts), &reply);
        }
        let answered = exchange(wires, self.patience)?;
        let closed = [&wires[0], &wires[1]].map(|wire| wire.is_closed);
        let mut are_fenced = [true; 2];
        let replies = [0, 1].map(|side| {
            let mut received = std::mem::take(&mut wires[side].received);
            are_fenced[side] = received.ends_with(&reply);
            if are_fenced[side] {
                received.truncate(received.len() - reply.len());
            }
            received
        });
        // What a probe is answered is compared with what is known of it.
        let compared = match (self.is_probing, has_frames) {
            (true, _) => Ok(()),
            (false, true) => frames::compare(&replies[0], &replies[1], &mut self.numbers),
            (false, false)
                if closed == [true; 2] && is_cut_short(&replies, sent.len() + fence.len()) =>
            {
                *self.verdict.excuses.entry("cut-short").or_default() += 1;
                Ok(())
            }
            (false, false) => self.compare(&replies),
        };
        let connection = Some(connection);
        self.verdict.said.push(Said::Exchanged { connection, sent, replies, closed });
        let ends = ends_agree(answered, closed, are_fenced);
        // What comes after its replies is no part of a probe, but they must come.
        let ends = if self.is_probing && answered { Ok(()) } else { ends };
        Ok(compared.and(ends))
    }

    fn compare(&mut self, [larder, memcached]: &[Vec<u8>; 2]) -> Result<(), String> {
        compare(larder, memcached, &mut self.numbers, &mut self.verdict.excuses)
    }

    /// Asks for the CAS numbers that pieces of requests are about, on both.
    fn cas_numbers(&mut self, pieces: &[&Piece]) -> Outcome<BTreeMap<Vec<u8>, [u64; 2]>> {
        let mut numbers = BTreeMap::new();
        for piece in pieces {
            let Piece::Cas { key, .. } = piece else { continue };
            let replies = self.pair.ask(&[b"mg ", &word(key)[..], b" c u\r\n"].concat())?;
            if let Err(difference) = self.compare(&replies) {
                return Ok(Err(format!("the CAS number of {}: {difference}", shown(key))));
            }
            let found = replies.map(|reply| {
                let text = String::from_utf8_lossy(&reply).into_owned();
                text.strip_prefix("HD c").and_then(|number| number.trim_end().parse().ok())
            });
            if let [Some(larder), Some(memcached)] = found {
                numbers.insert(key.clone(), [larder, memcached]);
            }
        }
        Ok(Ok(numbers))
    }

    /// Every client says nothing more; nothing more is to come.
    fn leave(&mut self) -> Outcome {
        for (connection, mut wires) in std::mem::take(&mut self.clients) {
            if wires[0].is_closed {
                continue;
            }
            wires.iter_mut().for_each(Wire::say_nothing_more);
            if !exchange(&mut wires, self.patience)? {
                return Ok(Err(format!("connection {connection} is not closed after its end")));
            }
            let [larder, memcached] = wires.map(|wire| wire.received);
            if !larder.is_empty() || !memcached.is_empty() {
                return Ok(Err(format!("connection {connection} says more after its fence")));
            }
        }
        Ok(Ok(()))
    }

    /// Compares what is known of each key.
    fn look_at(&mut self, keys: &BTreeSet<Vec<u8>>) -> Outcome {
        let mut requests = Vec::new();
        let mut frames = Vec::new();
        for key in keys {
            let word = word(key);
            requests.extend([b"mg ", &word[..], b" s v f t c h l u"].concat());
            // See the known difference key-in-line.
            requests.extend_from_slice(if word == *key { b" k\r\n" } else { b"\r\n" });
            if word == *key {
                requests.extend([b"me ", &word[..], b"\r\ngets ", &word, b"\r\n"].concat());
            } else {
                // In base64 it may be too long for a line.
                frames.extend(frames::of_key(GET_K, key));
            }
        }
        let replies = self.pair.ask(&requests)?;
        let compared = self.compare(&replies);
        let kept = self.kept(requests, replies, compared);
        if kept.is_err() || frames.is_empty() {
            return Ok(kept);
        }
        let replies = self.pair.ask_frames(&frames)?;
        let compared = frames::compare(&replies[0], &replies[1], &mut self.numbers);
        Ok(self.kept(frames, replies, compared))
    }

    /// Notes how a look at what is kept went.
    fn kept(
        &mut self,
        sent: Vec<u8>,
        replies: [Vec<u8>; 2],
        compared: Result<(), String>,
    ) -> Result<(), String> {
        if compared.is_err() {
            let said = Said::Exchanged { connection: None, sent, replies, closed: [false; 2] };
            self.verdict.said.push(said);
        }
        compared.map_err(|difference| format!("of what is kept, {difference}"))
    }

    /// Says what the servers are known to answer in two ways, and sees that they do.
    fn probe(&mut self, probe: &Probe) -> Outcome {
        let first = self.verdict.said.len();
        self.is_probing = true;
        let is_frame = probe.request.begins_with(frames::REQUEST);
        let connection = if is_frame { PROBE_OF_FRAMES } else { PROBE_CONNECTION };
        agreed!(self.say(connection, &[&probe.request], &[]));
        let mut replies = [Vec::new(), Vec::new()];
        for said in &self.verdict.said[first..] {
            let Said::Exchanged { replies: more, .. } = said else { continue };
            replies.iter_mut().zip(more).for_each(|(replies, more)| replies.extend(more));
        }
        let [larder, memcached] = &replies;
        let known = probe.known;
        if (known.is_met)(larder, memcached) {
            *self.verdict.excuses.entry(known.name).or_default() += 1;
            return Ok(Ok(()));
        }
        Ok(Err(format!(
            "the known difference {} is not as it is known: larder says {}, memcached {}",
            known.name,
            shown(larder),
            shown(memcached)
        )))
    }
}

/// Whether a client speaks the binary protocol.
pub(crate) fn has_frames(connection: usize) -> bool {
    (FIRST_OF_FRAMES..CONNECTIONS).contains(&connection) || connection == PROBE_OF_FRAMES
}

/// Whether both servers had said all they would when the replies had come, or not come.
fn ends_agree(answered: bool, closed: [bool; 2], are_fenced: [bool; 2]) -> Result<(), String> {
    let problem = match (closed, answered, are_fenced) {
        ([true, false], ..) => "only larder closes the connection",
        ([false, true], ..) => "only memcached closes the connection",
        (_, false, [false, true]) => "larder waits for more",
        (_, false, [true, false]) => "memcached waits for more",
        (_, false, _) => "both wait for more, which no conversation means",
        _ => return Ok(()),
    };
    Err(problem.to_owned())
}

/// What both counted over a conversation.
fn compare_counters(
    before: &[Counters; 2],
    after: &[Counters; 2],
    left_out: &[&str],
) -> Result<(), String> {
    let each = COUNTERS.iter().map(std::slice::from_ref).chain([REMOVED]);
    for names in each.filter(|names| !names.iter().any(|name| left_out.contains(name))) {
        let name = names.join(" + ");
        let sum = |counters: &Counters| {
            names.iter().map(|name| counters.get(*name).copied()).sum::<Option<u64>>()
        };
        let counted = [0, 1].map(|side| Some(sum(&after[side])?.wrapping_sub(sum(&before[side])?)));
        let [Some(larder), Some(memcached)] = counted else {
            return Err(format!("no counter {name}"));
        };
        if larder != memcached {
            let [larder, memcached] = [larder, memcached].map(u64::cast_signed);
            return Err(format!("{name} grew by {larder} in larder, by {memcached} in memcached"));
        }
    }
    Ok(())
}

/// Cuts bytes into writes.
fn cut(bytes: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = places.iter().map(|place| place % bytes.len()).collect();
    places.sort_unstable();
    let mut writes = Vec::new();
    let mut start = 0;
    for place in places.into_iter().chain([bytes.len()]) {
        writes.push(bytes[start..place].to_vec());
        start = place;
    }
    writes
}

/// Counters that tell what conversations did, and nothing of how a server does it.
const COUNTERS: &[&str] = &[
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "cmd_meta",
    "get_hits",
    "get_misses",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
    "store_too_large",
    "store_no_memory",
    "total_items",
    "curr_items",
    "bytes",
];

/// Items that were past their time or flushed when somebody met them. Who does is each server's own: where memcached needs
/// memory it looks first at the items of the same class that are longest unused. But each is met once, and in the end all
/// keys are looked at, so that the sum tells whether both lost the same.
const REMOVED: &[&str] = &["get_expired", "get_flushed", "reclaimed", "crawler_reclaimed"];

/// The opcode of a get that says the key.
const GET_K: u8 = 0x0c;

/// The connection that probes are said on: none of the conversation's.
const PROBE_CONNECTION: usize = CONNECTIONS;

/// The same for probes of the binary protocol.
const PROBE_OF_FRAMES: usize = CONNECTIONS + 1;

const _: () = assert!(PROBE_OF_FRAMES < 9, "a transcript knows nine connections");
