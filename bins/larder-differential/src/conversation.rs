//! What several clients say to a server, as a strategy of proptest.

use std::collections::BTreeSet;

use larder_testkit::script::{self, Choices};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::strategy::BoxedStrategy;

use crate::frames;
use crate::known::{self, Known};
use crate::request::Request;

/// A conversation of up to four clients with one server.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    /// What happens, in order: each step is answered before the next begins.
    pub steps: Vec<Step>,
    /// At its end, and on a connection of its own, something that the servers are known to answer in two ways.
    pub probe: Option<Probe>,
}

impl Conversation {
    /// Keys that may have items after it.
    pub(crate) fn keys(&self) -> BTreeSet<Vec<u8>> {
        let of_step = |step: &Step| match step {
            Step::Advance(_) => Vec::new(),
            Step::Say { requests, .. } => {
                requests.iter().flat_map(|request| request.keys.clone()).collect()
            }
        };
        let mut keys: BTreeSet<Vec<u8>> = self.steps.iter().flat_map(of_step).collect();
        if self.probe.is_some() {
            keys.extend(PROBE_KEYS.iter().map(|key| key.to_vec()));
        }
        keys
    }

    /// Whether a frame is too large for an item.
    pub(crate) fn has_large_frames(&self) -> bool {
        let has_one = |step: &Step| match step {
            Step::Advance(_) => false,
            Step::Say { requests, .. } => requests.iter().any(|request| request.has_large_frames),
        };
        self.steps.iter().any(has_one)
    }
}

/// One thing that happens in a conversation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The clock of both servers moves on by so many seconds.
    Advance(u32),
    /// A client sends requests.
    Say {
        /// Which client.
        connection: usize,
        /// What it sends, mostly in one write.
        requests: Vec<Request>,
        /// Where the writes are cut: places in the bytes of the step, modulo their count.
        cuts: Vec<usize>,
    },
}

/// A request that the servers are known to answer in two ways.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// The difference it is about.
    pub known: &'static Known,
    /// What shows it.
    pub request: Request,
}

/// Conversations of every kind.
pub(crate) fn conversation() -> impl Strategy<Value = Conversation> {
    let step = proptest::prop_oneof![
        12 => say(),
        1 => (0..ADVANCES.len()).prop_map(|place| Step::Advance(ADVANCES[place])),
    ];
    (vec(step, 1..STEPS_MAX), probe()).prop_map(|(mut steps, probe)| {
        remember_flushes(&mut steps);
        Conversation { steps, probe }
    })
}

/// Leaves out flushes with a delay that come after another flush: see the known difference `flush-forgotten`.
fn remember_flushes(steps: &mut [Step]) {
    let mut was_flushed = false;
    for step in steps {
        let Step::Say { requests, .. } = step else { continue };
        requests.retain(|request| {
            let is_late = was_flushed && request.flushes.iter().any(|&delay| delay > 0);
            was_flushed |= !request.flushes.is_empty();
            !is_late
        });
    }
}

fn say() -> impl Strategy<Value = Step> {
    let connection = proptest::prop_oneof![6 => Just(0_usize), 3 => 1..FIRST_OF_FRAMES];
    let lines = (connection, vec(request(), 1..REQUESTS_MAX));
    let frames = vec(any::<u8>(), 1..DECISIONS_MAX)
        .prop_map(|bytes| frames::grown(&mut Choices::new(&bytes)));
    let frames = (FIRST_OF_FRAMES..CONNECTIONS, vec(frames, 1..REQUESTS_MAX));
    let cuts = proptest::prop_oneof![
        4 => Just(Vec::new()),
        1 => vec(any::<u16>().prop_map(usize::from), 1..4),
    ];
    (proptest::prop_oneof![3 => lines, 2 => frames], cuts)
        .prop_map(|((connection, requests), cuts)| Step::Say { connection, requests, cuts })
}

fn request() -> impl Strategy<Value = Request> {
    vec(any::<u8>(), 1..DECISIONS_MAX).prop_map(|bytes| {
        let mut choices = Choices::new(&bytes);
        let written = match choices.below(32) {
            0..8 => script::meta_requests(&mut choices),
            8 => return Request::of_operator(&mut choices),
            _ => script::request(&mut choices, LINE_LEN),
        };
        Request::settled(&written)
    })
}

fn probe() -> BoxedStrategy<Option<Probe>> {
    let probe = (0..known::all().count(), vec(any::<u8>(), 1..8)).prop_map(|(place, bytes)| {
        let known = known::all().nth(place)?;
        let text = (known.probe)(&mut Choices::endless(&bytes));
        Some(Probe { known, request: Request::of_probe(&text) })
    });
    proptest::prop_oneof![9 => Just(None), 1 => probe].boxed()
}

/// Keys that probes store.
const PROBE_KEYS: &[&[u8]] = &[b"probe", b"\x01\n ", b"pro\0be", b"pro\x02be"];

/// Clients of a conversation.
pub(crate) const CONNECTIONS: usize = 4;

/// The first of those that speak the binary protocol.
pub(crate) const FIRST_OF_FRAMES: usize = 2;

/// Steps of a conversation, less one.
const STEPS_MAX: usize = 12;

/// Requests of a step, less one.
const REQUESTS_MAX: usize = 10;

/// Decisions of a request, less one.
const DECISIONS_MAX: usize = 40;

/// What the grammar takes for the longest line: it writes longer ones, which are not sent.
const LINE_LEN: usize = 1990;

/// By how many seconds the clock may move: to the ends of the exptimes that the grammar likes, and a month on.
const ADVANCES: &[u32] = &[1, 2, 59, 61, 99, 100, 101, 2_592_000];
