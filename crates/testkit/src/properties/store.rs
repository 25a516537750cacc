//! Properties of `larder-store`.
//!
//! The first bytes of an input say how a store is made; the rest is a sequence of operations, done to the store and to a plain
//! map with the same clock. The store tells of evictions, so the map knows exactly what is there.

mod checks;
mod drafting;
mod looking;
mod map;
mod operation;
mod pair;
mod seeds;
mod shown;
mod walker;
mod witness;

use larder_store::{Config, Eviction, Policy};

use crate::script::Choices;

use operation::{LIMITS, Operation};
use pair::Pair;
pub(crate) use seeds::store_seeds;

/// What a fuzzer runs: [`store_is_a_map`], and for every fourth input [`slices_change_nothing`].
///
/// # Panics
///
/// If the property does not hold.
pub fn store(input: &[u8]) {
    if input.first().is_some_and(|way| way % 4 == 3) {
        slices_change_nothing(input);
    } else {
        store_is_a_map(input);
    }
}

/// After any sequence of operations a store shows what a map would hold, less what it said that it evicts; it holds no more than
/// it may, counts what it holds, and when everything is gone nothing is held.
///
/// # Panics
///
/// If it does not.
pub fn store_is_a_map(input: &[u8]) {
    run(input, false);
}

/// The same with slices of background work between any two operations: sweeps of any budget, other limits, flushes.
///
/// # Panics
///
/// If it does not hold.
pub fn slices_change_nothing(input: &[u8]) {
    run(input, true);
}

fn run(input: &[u8], has_slices: bool) {
    let (head, rest) = input.split_at(input.len().min(HEAD_LEN));
    let mut pair = Pair::new(config(head));
    pair.check();
    let plan = head.get(PLAN_AT..).filter(|plan| !plan.is_empty()).unwrap_or(&[63]);
    let mut slices = Choices::endless(plan);
    let mut choices = Choices::new(rest);
    let mut done = Done(Vec::new());
    while !choices.is_empty() {
        if has_slices {
            done.apply(&mut pair, Operation::read_slice(&mut slices));
        }
        done.apply(&mut pair, Operation::read(&mut choices));
    }
    pair.end();
}

/// What was done so far: said when a property is broken.
struct Done(Vec<Operation>);

impl Done {
    fn apply(&mut self, pair: &mut Pair, operation: Operation) {
        self.0.push(operation.clone());
        pair.apply(operation);
        pair.check();
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for operation in &self.0[self.0.len().saturating_sub(SAID_MAX)..] {
                #[allow(clippy::print_stderr, reason = "beside the message of the panic")]
                {
                    eprintln!("after {operation:?}");
                }
            }
        }
    }
}

fn config(head: &[u8]) -> Config {
    let mut choices = Choices::new(head.get(1..).unwrap_or_default());
    // One in five has room for everything.
    let memory_bytes = match choices.byte() {
        byte @ 0..=199 => LIMITS[usize::from(byte) % LIMITS.len()],
        _ => 64 << 20,
    };
    let shards = Some(choices.pick(&[1, 1, 2, 4]));
    let kind = choices.byte();
    Config {
        eviction: if kind % 4 == 3 { Eviction::Disabled } else { Eviction::Enabled },
        cas: kind / 4 % 8 != 7,
        item_bytes_max: choices.pick(&[1 << 20, 1000, 300_000, 60_000, 2 << 20]),
        size_classes: Box::from(choices.pick(&[&[100, 1000, 10_000][..], &[], &[60, 61, 62, 63]])),
        shards,
        segment_bytes: Some(choices.pick(&[16 << 10, 16 << 10, 32 << 10, 64 << 10])),
        policy: policy(choices.byte()),
        seed: Some(choices.byte().into()),
        ..Config::new(memory_bytes)
    }
}

/// All that a store does to keep what is asked for, or all but a part of it.
fn policy(off: u8) -> Policy {
    let is_on = |bit: u8| off < 128 || off >> bit & 1 == 0;
    Policy {
        ghost: is_on(0),
        self_sizing: is_on(1),
        size_aware: is_on(2),
        ttl_streams: is_on(3),
        overwrite_in_place: is_on(4),
        compaction: is_on(5),
    }
}

/// Bytes before those that operations are read from.
const HEAD_LEN: usize = 16;

/// Where in them the plan of the slices begins.
const PLAN_AT: usize = 8;

/// How many operations are said.
const SAID_MAX: usize = 40;
