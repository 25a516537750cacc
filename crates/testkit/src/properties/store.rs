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

use larder_store::{Config, Eviction};

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
    while !choices.is_empty() {
        if has_slices {
            apply(&mut pair, Operation::read_slice(&mut slices));
        }
        apply(&mut pair, Operation::read(&mut choices));
    }
    pair.end();
}

fn apply(pair: &mut Pair, operation: Operation) {
    let doing = Doing(operation.clone());
    pair.apply(operation);
    pair.check();
    drop(doing);
}

/// Says what was being done when a property was broken.
struct Doing(Operation);

impl Drop for Doing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[allow(clippy::print_stderr, reason = "beside the message of the panic")]
            {
                eprintln!("it was broken by {:?}", self.0);
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
        seed: Some(choices.byte().into()),
        ..Config::new(memory_bytes)
    }
}

/// Bytes before those that operations are read from.
const HEAD_LEN: usize = 16;

/// Where in them the plan of the slices begins.
const PLAN_AT: usize = 8;
