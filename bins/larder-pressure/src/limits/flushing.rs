//! `flush_all` of a full server: what others, who ask all the while, feel of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_load::ValueSize;

use super::Plan;
use crate::clock::now;
use crate::error::Error;
use crate::fill::{Counts, Fill};
use crate::report::{Report, Table, mebibytes};
use crate::server::Server;

pub(super) fn run(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let columns = [
        "server",
        "items",
        "flush_all ms",
        "p99 before us",
        "longest before",
        "p99 after us",
        "longest after",
        "resident MiB before",
        "after",
    ];
    let title = format!(
        "flush_all, -m {} full, one worker; waits of another client for {} s before and after, by the fastest of {REPEATS} runs",
        plan.flushed_mebibytes,
        SPELL.as_secs()
    );
    let mut table = Table::new(title, &columns);
    for program in &plan.servers {
        let mut runs = Vec::new();
        let server = Server::start(program, plan.flushed_mebibytes, &[])?;
        for _ in 0..REPEATS {
            runs.push(flush(&server)?);
        }
        // What the machine has made slow it has not made slow each time.
        let Some(run) = runs.into_iter().min_by_key(|run| run.after.longest) else { continue };
        table.row(&[
            &program.name,
            &run.items,
            &milliseconds(run.flushing),
            &microseconds(run.before.p99),
            &microseconds(run.before.longest),
            &microseconds(run.after.p99),
            &microseconds(run.after.longest),
            &mebibytes(run.resident.0),
            &mebibytes(run.resident.1),
        ]);
        if program.is_larder() {
            let goal = run.before.longest.max(LONGEST) * 2;
            report.check(
                run.after.longest <= goal,
                format!(
                    "flush_all of {} items: others waited {} us at most, goal {} us",
                    run.items,
                    microseconds(run.after.longest),
                    microseconds(goal)
                ),
            );
        }
    }
    report.push(table);
    Ok(())
}

#[derive(Debug)]
struct Flushed {
    items: u64,
    /// Until the command was answered.
    flushing: Duration,
    before: Waits,
    after: Waits,
    /// Bytes before, and when the others stopped asking.
    resident: (u64, u64),
}

fn flush(server: &Server) -> Result<Flushed, Error> {
    let mut wire = server.connect()?;
    let mut fill = Fill::new("flush:", ValueSize::Fixed(100))?;
    fill.until_eviction(&mut wire, 8192)?;
    let Counts { items, .. } = Counts::read(&mut wire)?;
    let resident = server.resident().bytes()?;
    let (is_over, waits) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let (at, flushing) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(server, &is_over, &waits));
        sleep(SPELL);
        let began = now();
        let reply = wire.ask("flush_all");
        let flushing = began.elapsed();
        // Storing goes on meanwhile: the memory is wanted again.
        let stored = fill.push(&mut wire, items / 10).and_then(|()| wire.settle());
        sleep(SPELL);
        is_over.store(true, Ordering::Relaxed);
        asking.join().map_err(|_| Error::new("the asking has failed"))??;
        stored?;
        if reply? == "OK" {
            Ok((began, flushing))
        } else {
            Err(Error::new("flush_all was refused"))
        }
    })?;
    let waits = waits.into_inner().unwrap_or_default();
    let of = |is_after: bool| {
        // One that was waiting when the flush came is after it.
        let waits = waits.iter().filter(|(end, _)| (*end > at) == is_after);
        Waits::of(waits.map(|&(_, wait)| wait).collect())
    };
    let resident = (resident, server.resident().bytes()?);
    Ok(Flushed { items, flushing, before: of(false), after: of(true), resident })
}

/// Asks for one item after the other, and notes when each was answered and how long that took.
fn ask(
    server: &Server,
    is_over: &AtomicBool,
    waits: &Mutex<Vec<(Instant, Duration)>>,
) -> Result<(), Error> {
    let mut wire = server.connect()?;
    let mut seen = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let began = now();
        wire.get_all(&[b"flush:00000000000001".to_vec()], |_| ())?;
        let end = now();
        seen.push((end, end - began));
    }
    if let Ok(mut waits) = waits.lock() {
        *waits = seen;
    }
    Ok(())
}

/// How long replies took.
#[derive(Debug)]
struct Waits {
    p99: Duration,
    longest: Duration,
}

impl Waits {
    fn of(mut waits: Vec<Duration>) -> Self {
        waits.sort_unstable();
        let at = |index: usize| waits.get(index).copied().unwrap_or_default();
        Self { p99: at(waits.len() / 100 * 99), longest: at(waits.len().saturating_sub(1)) }
    }
}

fn microseconds(time: Duration) -> String {
    time.as_micros().to_string()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// Of asking, before the flush and after it.
const SPELL: Duration = Duration::from_secs(2);
const REPEATS: usize = 3;
/// Twice as long may a wait be, or as the longest before the flush: what a busy machine takes to let a thread run again is in
/// both.
const LONGEST: Duration = Duration::from_millis(5);
