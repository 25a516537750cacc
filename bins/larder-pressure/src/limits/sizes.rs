//! Values of every size under one limit; the least limit; and a limit without eviction.

use super::Plan;
use crate::error::Error;
use crate::fill::Counts;
use crate::report::{Report, Table, mebibytes};
use crate::resident::bound;
use crate::server::{Program, Server};
use crate::wire::{Stored, Wire};

/// Values from nothing to the longest, each size until it could have filled the memory, then the next, twice over.
pub(super) fn every_size(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let columns = ["server", "stored", "out of memory", "too large", "read back", "resident MiB"];
    let (limit, longest) = (plan.sizes_mebibytes, plan.value_mebibytes << 20);
    let title = format!("values of 0 bytes to {} MiB, -m {limit}", plan.value_mebibytes);
    let mut table = Table::new(title, &columns);
    let item_max = format!("{}m", plan.value_mebibytes * 2);
    for program in &plan.servers {
        let server = Server::start(program, limit, &["-I", &item_max])?;
        let mut wire = server.connect()?;
        let mut seen = Seen::default();
        for turn in 0..2 {
            for len in lengths(longest) {
                let count = ((limit << 20) / (len as u64 + 60)).clamp(READ, COUNT_MAX);
                seen.size(&mut wire, turn, len, count)?;
            }
        }
        let peak = server.resident().peak_bytes()?;
        table.row(&[
            &program.name,
            &seen.stored,
            &seen.out_of_memory,
            &seen.too_large,
            &format!("{} of {}", seen.right, seen.asked),
            &mebibytes(peak),
        ]);
        if program.is_larder() {
            let refused = seen.out_of_memory + seen.too_large;
            report.check(
                refused == 0 && seen.right == seen.asked,
                format!(
                    "values of 0 bytes to {} MiB: {refused} refused, {} of the {} latest read back",
                    plan.value_mebibytes, seen.right, seen.asked
                ),
            );
            within(
                report,
                &format!("values of 0 bytes to {} MiB", plan.value_mebibytes),
                peak,
                limit,
            );
        }
    }
    report.push(table);
    Ok(())
}

/// Nothing, and from one byte on ten times as many, up to the longest.
fn lengths(longest: u64) -> Vec<usize> {
    let mut lengths = vec![0];
    let mut len = 1;
    while len < longest {
        lengths.push(usize::try_from(len).unwrap_or(usize::MAX));
        len *= 10;
    }
    lengths.push(usize::try_from(longest).unwrap_or(usize::MAX));
    lengths
}

#[derive(Debug, Default)]
struct Seen {
    stored: u64,
    out_of_memory: u64,
    too_large: u64,
    /// Values that were asked for right after they had been stored, and such as were there.
    asked: u64,
    right: u64,
}

impl Seen {
    fn size(&mut self, wire: &mut Wire, turn: u64, len: usize, count: u64) -> Result<(), Error> {
        let key = |number: u64| format!("size:{turn}:{len}:{number}").into_bytes();
        let keys: Vec<Vec<u8>> = (0..count).map(key).collect();
        wire.set_all(keys.iter().map(|key| (key.as_slice(), len)), |stored| self.note(stored))?;
        // The latest: whoever stores that much more may find any other evicted.
        if let Some(latest) = keys.last() {
            self.asked += 1;
            let right = &mut self.right;
            wire.get_all(std::slice::from_ref(latest), |got| {
                *right += u64::from(got == Some(len));
            })?;
        }
        Ok(())
    }

    fn note(&mut self, stored: Stored) {
        match stored {
            Stored::Yes => self.stored += 1,
            Stored::OutOfMemory => self.out_of_memory += 1,
            Stored::TooLarge => self.too_large += 1,
        }
    }
}

/// Small and large values in the least memory that is of use.
pub(super) fn least(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let columns = ["server", "value", "stored", "out of memory", "items", "resident MiB"];
    let mut table = Table::new(format!("the least memory, -m {LEAST}"), &columns);
    for program in &plan.servers {
        let server = Server::start(program, LEAST, &[])?;
        let mut wire = server.connect()?;
        for (len, count) in
            [(100, 50_000), (10_000, 1000), (100_000, 100), (500_000, 20), (10, 50_000)]
        {
            let mut seen = Seen::default();
            seen.size(&mut wire, 0, len, count)?;
            let Counts { items, .. } = Counts::read(&mut wire)?;
            let peak = server.resident().peak_bytes()?;
            let shown = mebibytes(peak);
            table.row(&[&program.name, &len, &seen.stored, &seen.out_of_memory, &items, &shown]);
            if program.is_larder() {
                let refused = seen.out_of_memory + seen.too_large;
                report.check(
                    refused == 0 && seen.right == seen.asked,
                    format!("-m {LEAST}, values of {len}: {refused} of {count} refused"),
                );
            }
        }
        if program.is_larder() {
            within(report, &format!("-m {LEAST}"), server.resident().peak_bytes()?, LEAST);
        }
    }
    report.push(table);
    Ok(())
}

/// With `-M` a full server refuses, keeps all it has, and takes again what room is made for.
pub(super) fn without_eviction(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let limit = plan.moving_mebibytes / 4;
    let columns =
        ["server", "items", "evicted", "refused", "after 100 deletions stored", "resident MiB"];
    let mut table = Table::new(format!("no eviction, -m {limit} -M"), &columns);
    for program in &plan.servers {
        let Kept { items, evicted, refused, again, peak } = refuse(program, limit)?;
        let shown = mebibytes(peak);
        table.row(&[&program.name, &items, &evicted, &refused, &again, &shown]);
        if program.is_larder() {
            report.check(
                refused > 0 && evicted == 0 && again >= 90,
                format!(
                    "-M: {items} items kept, {refused} refused, {again} stored after 100 deletions"
                ),
            );
            within(report, "-M", peak, limit);
        }
    }
    report.push(table);
    Ok(())
}

#[derive(Debug)]
struct Kept {
    items: u64,
    evicted: u64,
    refused: u64,
    /// Stored after as many had been deleted as were tried then.
    again: u64,
    peak: u64,
}

fn refuse(program: &Program, limit: u64) -> Result<Kept, Error> {
    let server = Server::start(program, limit, &["-M"])?;
    let mut wire = server.connect()?;
    let key = |number: u64| format!("kept:{number:012}").into_bytes();
    let mut refused = 0_u64;
    let mut next = 0;
    while refused < 1000 {
        let keys: Vec<_> = (next..next + 1000).map(key).collect();
        next += 1000;
        let items = keys.iter().map(|key| (key.as_slice(), 100));
        wire.set_all(items, |stored| refused += u64::from(stored != Stored::Yes))?;
    }
    let Counts { items, evictions, .. } = Counts::read(&mut wire)?;
    for number in 0..DELETED {
        let reply = wire.ask(&format!("delete kept:{number:012}"))?;
        if reply != "DELETED" {
            return Err(Error::new(format!("item {number} of {} is gone: {reply}", program.name)));
        }
    }
    let mut again = 0;
    for number in 0..DELETED {
        again += u64::from(wire.set(&key(next + number), 100)? == Stored::Yes);
    }
    let peak = server.resident().peak_bytes()?;
    Ok(Kept { items, evicted: evictions, refused, again, peak })
}

fn within(report: &mut Report, what: &str, peak: u64, limit: u64) {
    let bound = bound(limit << 20);
    report.check(
        peak <= bound,
        format!("{what}: at most {} MiB resident, bound {} MiB", mebibytes(peak), mebibytes(bound)),
    );
}

/// In MiB.
const LEAST: u64 = 2;
/// Stores of one size: at least so many, and so many at most.
const READ: u64 = 8;
const COUNT_MAX: u64 = 200_000;
const DELETED: u64 = 100;
