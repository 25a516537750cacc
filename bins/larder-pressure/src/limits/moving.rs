//! A limit that is lowered and raised while a load runs: how soon the process follows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::Plan;
use crate::clock::now;
use crate::error::Error;
use crate::fill::scramble;
use crate::report::{Report, Table, mebibytes};
use crate::resident::bound;
use crate::server::{Program, Server};
use crate::wire::Stored;

pub(super) fn run(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let columns = ["server", "limit MiB", "follows after s", "resident MiB then", "out of memory"];
    let title = format!("cache_memlimit under load, -m {} at first", plan.moving_mebibytes);
    let mut table = Table::new(title, &columns);
    for program in &plan.servers {
        // The goal is larder's; what memcached does in a few seconds it does.
        let patience = if program.is_larder() { PATIENCE } else { PATIENCE / 6 };
        for step in follow(plan, program, patience)? {
            let Step { limit, after, resident, refused } = step;
            let shown = after.map_or_else(
                || format!("not in {}", patience.as_secs()),
                |after| format!("{:.1}", after.as_secs_f64()),
            );
            table.row(&[&program.name, &limit, &shown, &mebibytes(resident), &refused]);
            if program.is_larder() {
                report.check(
                    after.is_some() && refused == 0,
                    format!(
                        "cache_memlimit {limit}: followed after {shown} s, goal {} s; {refused} stores refused",
                        PATIENCE.as_secs()
                    ),
                );
            }
        }
    }
    report.push(table);
    Ok(())
}

/// What one change of the limit has brought.
#[derive(Debug)]
struct Step {
    limit: u64,
    /// Until the process was within the bound of a lower limit, or used a higher one.
    after: Option<Duration>,
    resident: u64,
    refused: u64,
}

fn follow(plan: &Plan, program: &Program, patience: Duration) -> Result<Vec<Step>, Error> {
    let server = Server::start(program, plan.moving_mebibytes, &[])?;
    let (is_over, refused) = (AtomicBool::new(false), AtomicU64::new(0));
    let full = plan.moving_mebibytes;
    let steps = [full, full / 4, full * 2, full / 2, full];
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load(&server, full << 20, &is_over, &refused));
        let watched = watch(&server, &steps, &refused, patience);
        is_over.store(true, Ordering::Relaxed);
        let loaded = load.join().map_err(|_| Error::new("the load has failed"))?;
        loaded.and(watched)
    })
}

/// Stores and gets, small values and larger ones, until it is over.
fn load(
    server: &Server,
    bytes: u64,
    is_over: &AtomicBool,
    refused: &AtomicU64,
) -> Result<(), Error> {
    let mut wire = server.connect()?;
    // So many keys that the highest limit is too low for their values.
    let keys = bytes * 4 / 1000;
    let mut step = 0;
    while !is_over.load(Ordering::Relaxed) {
        let key = |dice: u64| format!("moving:{}", dice % keys).into_bytes();
        let batch: Vec<_> = (step..step + BATCH).map(|step| key(scramble(step))).collect();
        let len = |number: u64| match scramble(!number) % 100 {
            0 => 50_000,
            1..20 => 2_000,
            _ => 200,
        };
        let lens = (step..step + BATCH).map(|step| len(scramble(step) % keys));
        let items = batch.iter().map(Vec::as_slice).zip(lens);
        wire.set_all(items, |stored| {
            refused.fetch_add(u64::from(stored != Stored::Yes), Ordering::Relaxed);
        })?;
        wire.get_all(&batch, |_| ())?;
        step += BATCH;
    }
    Ok(())
}

fn watch(
    server: &Server,
    steps: &[u64],
    refused: &AtomicU64,
    patience: Duration,
) -> Result<Vec<Step>, Error> {
    let mut wire = server.connect()?;
    let mut seen = Vec::new();
    for &limit in steps {
        let reply = wire.ask(&format!("cache_memlimit {limit}"))?;
        if reply != "OK" {
            return Err(Error::new(format!("to `cache_memlimit {limit}` it said `{reply}`")));
        }
        let began = now();
        let bytes = limit << 20;
        let follows = loop {
            let resident = server.resident().bytes()?;
            // Higher: it is used. Lower: it is kept.
            if resident >= bytes / 10 * 8 && resident <= bound(bytes) {
                break Some(began.elapsed());
            }
            if began.elapsed() > patience {
                break None;
            }
            sleep(PAUSE);
        };
        // A while longer, because it must stay so.
        server.resident().forget_peak();
        sleep(STAY);
        let peak = server.resident().peak_bytes()?;
        let after = follows.filter(|_| peak <= bound(bytes));
        seen.push(Step {
            limit,
            after,
            resident: peak,
            refused: refused.swap(0, Ordering::Relaxed),
        });
    }
    Ok(seen)
}

/// Requests that go out together.
const BATCH: u64 = 100;
/// The process must follow within so long.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// How long it must have stayed within the bound.
const STAY: Duration = Duration::from_secs(1);
