//! `larder-pressure time`, its ratios: a batch of lookups with prefetch against single ones, and a set that evicts
//! against a get. Both sides of a ratio take turns, so that what drifts on the machine cancels out.

use std::hint::black_box;

use larder_store::Store;

use super::items::{Key, NOW, fill, get, key, open, set_numbered};
use crate::clock::cpu_nanoseconds;
use crate::error::Error;
use crate::fill::scramble;
use crate::report::{Report, Table};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Items that are looked up.
    pub items: u64,
    /// Limit in MiB of the store that evicts.
    pub mebibytes: u64,
    /// Turns of each side.
    pub rounds: usize,
    /// Operations of a turn.
    pub operations: u64,
}

/// # Errors
/// A sentence when the store refuses an item.
pub fn run(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let columns = ["what", "ns each", "against", "ns each", "ratio", "lowest", "highest"];
    let mut table = Table::new("CPU time, medians of rounds", &columns);
    let batched = batches(plan)?;
    batched.row("a lookup of a batch of 8, prefetched", "a lookup alone", &mut table);
    let evicting = evictions(plan)?;
    evicting.row("a set that evicts", "a get", &mut table);
    report.push(table);
    let (one, other) = (batched.ratio(), evicting.ratio());
    report.check(
        one <= BATCH_GOAL,
        format!(
            "a batch of {BATCH} lookups of {} items: {one:.3} of single ones, goal {BATCH_GOAL}",
            plan.items
        ),
    );
    report.check(
        other <= EVICTION_GOAL,
        format!("a set that evicts: {other:.2} gets, goal {EVICTION_GOAL}"),
    );
    Ok(())
}

/// Random lookups in a store that holds everything.
fn batches(plan: &Plan) -> Result<Turns, Error> {
    let store = open(plan.items * ITEM_BYTES_MAX);
    for number in 0..plan.items {
        set_numbered(&store, number, LEN)?;
    }
    let stats = store.stats();
    if stats.evictions > 0 {
        return Err(Error::new(format!("{} items do not fit: {stats:?}", plan.items)));
    }
    let mut dice = 0;
    let mut draw = || -> Vec<Key> {
        let draw = |_| {
            dice += 1;
            key(scramble(dice) % plan.items)
        };
        (0..plan.operations / BATCH as u64 * BATCH as u64).map(draw).collect()
    };
    let mut turns = Turns::default();
    for round in 0..plan.rounds {
        let (one, other) = (draw(), draw());
        turns.take(
            round,
            || batched(&store, &one),
            || each(&store, &other),
            plan.operations / BATCH as u64 * BATCH as u64,
        )?;
    }
    Ok(turns)
}

fn batched(store: &Store, keys: &[Key]) -> Result<(), Error> {
    let mut reply = Vec::with_capacity(64);
    for batch in keys.chunks_exact(BATCH) {
        let mut names = [&[][..]; BATCH];
        for (name, key) in names.iter_mut().zip(batch) {
            *name = key;
        }
        store.prefetch(&names);
        for key in batch {
            found(get(store, key, NOW, &mut reply))?;
            black_box(&reply);
        }
    }
    Ok(())
}

fn each(store: &Store, keys: &[Key]) -> Result<(), Error> {
    let mut reply = Vec::with_capacity(64);
    for key in keys {
        found(get(store, key, NOW, &mut reply))?;
        black_box(&reply);
    }
    Ok(())
}

fn found(is_there: bool) -> Result<(), Error> {
    if is_there { Ok(()) } else { Err(Error::new("an item that fits is gone")) }
}

/// Sets of new keys in a full store, and gets of keys that are there.
fn evictions(plan: &Plan) -> Result<Turns, Error> {
    let store = open(plan.mebibytes << 20);
    let mut next = fill(&store, LEN)?;
    let kept = store.stats().items;
    let mut dice = 0;
    // What is asked for are the younger items; by and by some of them have earned to stay, as in a cache in use.
    let mut draw = |next: u64| -> Vec<Key> {
        let keys = (0..2 * plan.operations).map(|_| {
            dice += 1;
            key(next - 1 - scramble(dice) % (kept / 2))
        });
        // A miss would cost less than what is compared.
        let mut reply = Vec::new();
        let live = keys.filter(|key| get(&store, key, NOW, &mut reply));
        live.take(usize::try_from(plan.operations).unwrap_or(usize::MAX)).collect()
    };
    for _ in 0..kept / plan.operations.max(1) {
        draw(next);
        for number in next..next + plan.operations {
            set_numbered(&store, number, LEN)?;
        }
        next += plan.operations;
    }
    let mut turns = Turns::default();
    for round in 0..plan.rounds {
        let keys = draw(next);
        let operations = keys.len() as u64;
        let new: Vec<u64> = (next..next + operations).collect();
        next += operations;
        let before = store.stats().evictions;
        let sets = || new.iter().try_for_each(|&number| set_numbered(&store, number, LEN));
        // The gets first, or some of the keys may be gone.
        turns.take(1, sets, || each(&store, &keys), operations)?;
        let evicted = store.stats().evictions - before;
        if evicted < operations / 2 {
            return Err(Error::new(format!("round {round}: {operations} sets evicted {evicted}")));
        }
    }
    Ok(turns)
}

/// Rounds of two sides.
#[derive(Debug, Default)]
struct Turns {
    /// Nanoseconds an operation: of what is measured, and of what it is compared with.
    rounds: Vec<(f64, f64)>,
}

impl Turns {
    /// One turn of each; with an odd number, the other begins.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn take(
        &mut self,
        round: usize,
        one: impl FnOnce() -> Result<(), Error>,
        other: impl FnOnce() -> Result<(), Error>,
        operations: u64,
    ) -> Result<(), Error> {
        let each = |nanoseconds: u64| nanoseconds as f64 / operations.max(1) as f64;
        let turn = if round.is_multiple_of(2) {
            let one = cost(one)?;
            (one, cost(other)?)
        } else {
            let other = cost(other)?;
            (cost(one)?, other)
        };
        self.rounds.push((each(turn.0), each(turn.1)));
        Ok(())
    }

    fn row(&self, one: &str, other: &str, table: &mut Table) {
        let ratios = self.ratios();
        let of = |value: Option<&f64>| format!("{:.3}", value.copied().unwrap_or_default());
        table.row(&[
            &one,
            &format!("{:.0}", median(self.rounds.iter().map(|round| round.0).collect())),
            &other,
            &format!("{:.0}", median(self.rounds.iter().map(|round| round.1).collect())),
            &format!("{:.3}", self.ratio()),
            &of(ratios.first()),
            &of(ratios.last()),
        ]);
    }

    /// The median of the rounds' ratios.
    fn ratio(&self) -> f64 {
        median(self.ratios())
    }

    fn ratios(&self) -> Vec<f64> {
        let mut ratios: Vec<f64> = self.rounds.iter().map(|(one, other)| one / other).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }
}

fn cost(run: impl FnOnce() -> Result<(), Error>) -> Result<u64, Error> {
    let began = cpu_nanoseconds();
    run()?;
    Ok(cpu_nanoseconds() - began)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Stands in for [`Store`]'s own method of this name, which comes before it as soon as there is one.
#[allow(dead_code, reason = "not called any more when the store has its own")]
trait Prefetch {
    fn prefetch(&self, _keys: &[&[u8]]) {}
}

impl Prefetch for Store {}

const BATCH: usize = 8;
/// Bytes of values.
const LEN: usize = 32;
/// So many bytes an item are enough, with its index.
const ITEM_BYTES_MAX: u64 = 200;
const BATCH_GOAL: f64 = 0.30;
const EVICTION_GOAL: f64 = 2.0;
