//! `larder-pressure bytes`: how many items fit a limit before the first is evicted, and what the process takes for it.

use larder_load::ValueSize;

use crate::error::Error;
use crate::fill::{Counts, Fill};
use crate::report::{Report, Table, ratio};
use crate::resident::bound;
use crate::server::{Program, Server};

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers, larder first.
    pub servers: Vec<Program>,
    /// Their limit.
    pub mebibytes: u64,
}

/// A law of value lengths, and the items that are to fit 1024 MiB.
#[derive(Debug, Clone, Copy)]
struct Case {
    sizes: ValueSize,
    goal: u64,
}

/// What one server held.
#[derive(Debug, Clone, Copy)]
struct Held {
    items: u64,
    resident: u64,
    peak: u64,
}

/// Fills each server with values of each law.
///
/// # Errors
/// A sentence: a server did not start or answer.
pub fn run(plan: &Plan, mut report: Report) -> Result<Report, Error> {
    let limit = plan.mebibytes << 20;
    report
        .note(format!("limit: -m {}; keys of 20 bytes; filled over the loopback", plan.mebibytes));
    let columns = [
        "value",
        "server",
        "items",
        "goal",
        "bytes of limit an item",
        "resident an item",
        "to the last",
    ];
    let mut table = Table::new("items until the first eviction", &columns);
    let mut verdicts = Vec::new();
    for case in CASES {
        let goal = case.goal * plan.mebibytes / GOAL_MEBIBYTES;
        let mut held = Vec::new();
        for program in &plan.servers {
            let one = measure(program, plan.mebibytes, case.sizes)?;
            held.push(one.items);
            let shown = if program.is_larder() { goal.to_string() } else { String::new() };
            let to_memcached = match &held[..] {
                [larder, memcached] => format!("{:.3}", ratio(*larder, *memcached)),
                _ => String::new(),
            };
            table.row(&[
                &case.sizes,
                &program.name,
                &one.items,
                &shown,
                &format!("{:.1}", ratio(limit, one.items)),
                &format!("{:.1}", ratio(one.resident, one.items)),
                &to_memcached,
            ]);
            println!("{} of {}: {} items", program.name, case.sizes, one.items);
            if program.is_larder() {
                verdicts.push((case.sizes, goal, one));
            }
        }
    }
    report.push(table);
    for (sizes, goal, held) in verdicts {
        let Held { items, peak, .. } = held;
        report.check(items >= goal, format!("values of {sizes}: {items} items, goal {goal}"));
        report.check(
            peak <= bound(limit),
            format!("values of {sizes}: resident {peak} at most, bound {}", bound(limit)),
        );
    }
    Ok(report)
}

fn measure(program: &Program, mebibytes: u64, sizes: ValueSize) -> Result<Held, Error> {
    let server = Server::start(program, mebibytes, &[])?;
    let mut wire = server.connect()?;
    let mut fill = Fill::new("bytes:", sizes)?;
    let items = fill.until_eviction(&mut wire, BATCH * mebibytes.clamp(64, 1024) / 1024)?;
    let resident = server.resident().bytes()?;
    // A full server goes on: now and then a table or a list grows late.
    fill.push(&mut wire, items / 10)?;
    wire.settle()?;
    let Counts { items: kept, .. } = Counts::read(&mut wire)?;
    if kept < items / 2 {
        return Err(Error::new(format!("{} holds {kept} of {items} items", program.name)));
    }
    Ok(Held { items, resident, peak: server.resident().peak_bytes()? })
}

/// Stores between two looks at the statistics, at 1024 MiB.
const BATCH: u64 = 8192;
/// The limit that the goals are for.
const GOAL_MEBIBYTES: u64 = 1024;

const CASES: [Case; 5] = [
    Case { sizes: ValueSize::Fixed(32), goal: 14_000_000 },
    Case { sizes: ValueSize::Fixed(100), goal: 7_100_000 },
    Case { sizes: ValueSize::Fixed(250), goal: 3_500_000 },
    Case { sizes: ValueSize::Fixed(1024), goal: 980_000 },
    Case { sizes: ValueSize::LogNormal { mean: 230 }, goal: 3_750_000 },
];
