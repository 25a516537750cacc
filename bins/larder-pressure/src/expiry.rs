//! `larder-pressure expiry`: items that expire and that nobody asks for: when their memory is free, and what that costs.

use std::thread::sleep;
use std::time::Duration;

use larder_load::ValueSize;

use crate::clock::now;
use crate::error::Error;
use crate::fill::{Counts, Fill};
use crate::report::{Report, Table};
use crate::server::{Program, Server};
use crate::wire::Wire;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers, larder first.
    pub servers: Vec<Program>,
    /// Items that expire at once, beside others that never do.
    pub expiring: u64,
    /// How long these live: long enough to store them all on a busy machine.
    pub life: Duration,
    /// Limit in MiB that holds both.
    pub mebibytes: u64,
    /// Limit in MiB of a full server whose sweeper is watched.
    pub swept_mebibytes: u64,
    /// For so long.
    pub watched: Duration,
}

/// # Errors
/// A sentence: a server did not start or answer.
pub fn run(plan: &Plan, mut report: Report) -> Result<Report, Error> {
    reuse(plan, &mut report)?;
    let sweeper = plan.servers.iter().filter(|program| program.is_larder());
    for program in sweeper {
        watch(plan, program, &mut report)?;
    }
    Ok(report)
}

/// When the memory of expired items is free.
fn reuse(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let columns = [
        "server",
        "expire",
        "stay",
        "gone after s",
        "stored then",
        "evicted by that",
        "sweeper ms",
    ];
    let mut table = Table::new(
        format!("items that expire at once and that nobody reads, -m {}", plan.mebibytes),
        &columns,
    );
    for program in &plan.servers {
        let expired = expire(plan, program)?;
        let Expired { staying, gone, stored, evicted, sweeper } = expired;
        let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
        let after = gone.map_or_else(|| format!("more than {}", PATIENCE.as_secs()), seconds);
        let sweeper =
            sweeper.map_or_else(String::new, |time| format!("{:.0}", time.as_secs_f64() * 1000.0));
        table.row(&[&program.name, &plan.expiring, &staying, &after, &stored, &evicted, &sweeper]);
        if program.is_larder() {
            report.check(
                gone.is_some() && evicted == 0,
                format!(
                    "{} expired items: gone after {after} s (goal {} s), {stored} stored in their place evict {evicted}",
                    plan.expiring,
                    PATIENCE.as_secs()
                ),
            );
        }
    }
    report.push(table);
    Ok(())
}

/// What became of items that have expired.
#[derive(Debug)]
struct Expired {
    staying: u64,
    /// Since the last of them expired; none if they were still counted when patience ended.
    gone: Option<Duration>,
    /// New ones, nearly as many.
    stored: u64,
    evicted: u64,
    /// CPU time of larder's sweeper from the first expiry on.
    sweeper: Option<Duration>,
}

fn expire(plan: &Plan, program: &Program) -> Result<Expired, Error> {
    let server = Server::start(program, plan.mebibytes, &[])?;
    let mut wire = server.connect()?;
    let capacity = capacity(plan, program)?;
    // Nearly full, so that what is stored afterwards needs the memory of what has expired.
    let staying = (capacity / 100 * FULL_PERCENT).checked_sub(plan.expiring);
    let staying =
        staying.ok_or_else(|| Error::new(format!("-m {} is too little", plan.mebibytes)))?;
    let mut stays = Fill::new("stays:", SIZES)?;
    let mut expires = Fill::new("expires:", SIZES)?;
    let began = now();
    for part in 1..=PARTS {
        stays.push(&mut wire, staying * part / PARTS - staying * (part - 1) / PARTS)?;
        // All at one moment, whenever each is stored.
        let left = plan.life.saturating_sub(began.elapsed());
        let left = u32::try_from(left.as_secs()).unwrap_or(0);
        if left < TTL_MIN {
            return Err(Error::new("storing took longer than the items were to live"));
        }
        expires.lives(left, 1);
        let share = plan.expiring * part / PARTS - plan.expiring * (part - 1) / PARTS;
        expires.push(&mut wire, share)?;
    }
    wire.settle()?;
    let before = Counts::read(&mut wire)?;
    if before.items < staying + plan.expiring || before.evictions > 0 {
        return Err(Error::new(format!("{} holds only {} items", program.name, before.items)));
    }
    let cpu = || server.resident().thread_cpu_nanoseconds(SWEEPER).ok();
    let cpu_before = cpu();
    let gone = until_gone(&mut wire, began + plan.life, staying + plan.expiring / 100)?;
    let sweeper = cpu().zip(cpu_before).map(|(after, before)| Duration::from_nanos(after - before));
    let stored = plan.expiring / 100 * FULL_PERCENT;
    stays.push(&mut wire, stored)?;
    wire.settle()?;
    let evicted = Counts::read(&mut wire)?.evictions;
    Ok(Expired { staying, gone, stored, evicted, sweeper })
}

/// Items that fit until the first eviction.
fn capacity(plan: &Plan, program: &Program) -> Result<u64, Error> {
    let server = Server::start(program, plan.mebibytes, &[])?;
    let mut wire = server.connect()?;
    Fill::new("stays:", SIZES)?.until_eviction(&mut wire, 1024)
}

/// Waits until there are so few items; statistics touch none. Returns how long after the expiry that was.
fn until_gone(
    wire: &mut Wire,
    expiry: std::time::Instant,
    items: u64,
) -> Result<Option<Duration>, Error> {
    loop {
        let is_gone = Counts::read(wire)?.items <= items;
        // Clocks of servers are whole seconds, and may be one behind.
        let since = now().saturating_duration_since(expiry);
        if is_gone || since > PATIENCE {
            return Ok(is_gone.then_some(since));
        }
        sleep(PAUSE);
    }
}

/// What the sweeper costs while a full server is left alone.
fn watch(plan: &Plan, program: &Program, report: &mut Report) -> Result<(), Error> {
    let seconds = plan.watched.as_secs();
    let columns = ["items live for", "items before", "items after", "sweeper ms", "of a core"];
    let title = format!("larder-sweeper over {seconds} s, -m {} full", plan.swept_mebibytes);
    let mut table = Table::new(title, &columns);
    let mut highest = 0.0_f64;
    for (name, shortest, span) in LIVES {
        let server = Server::start(program, plan.swept_mebibytes, &[])?;
        let mut wire = server.connect()?;
        let mut fill = Fill::new("swept:", SIZES)?;
        if let Some(span) = span {
            fill.lives(shortest, span);
        }
        fill.until_eviction(&mut wire, 8192)?;
        let before = Counts::read(&mut wire)?.items;
        let cpu_before = server.resident().thread_cpu_nanoseconds(SWEEPER)?;
        sleep(plan.watched);
        let cpu = server.resident().thread_cpu_nanoseconds(SWEEPER)? - cpu_before;
        let after = Counts::read(&mut wire)?.items;
        let share = Duration::from_nanos(cpu).as_secs_f64() / plan.watched.as_secs_f64();
        highest = highest.max(share);
        table.row(&[
            &name,
            &before,
            &after,
            &format!("{:.1}", Duration::from_nanos(cpu).as_secs_f64() * 1000.0),
            &format!("{:.3} %", share * 100.0),
        ]);
    }
    report.push(table);
    report.check(
        highest <= SWEEPER_GOAL,
        format!(
            "the sweeper of a full server of {} MiB: {:.3} % of a core, goal {:.0} %",
            plan.swept_mebibytes,
            highest * 100.0,
            SWEEPER_GOAL * 100.0
        ),
    );
    Ok(())
}

const SIZES: ValueSize = ValueSize::Fixed(100);
/// Less than that could end before the last has been stored.
const TTL_MIN: u32 = 3;
/// Items that stay and such that expire are stored in turns.
const PARTS: u64 = 100;
/// Of what fits; what is left is for expiries, which make items longer.
const FULL_PERCENT: u64 = 95;
/// The goal: expired items' bytes can be used again within so long.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
const SWEEPER: &str = "larder-sweeper";
/// Of a core, for each GiB.
const SWEEPER_GOAL: f64 = 0.01;
/// Names, shortest lives, and how many seconds longer others may be.
const LIVES: [(&str, u32, Option<u32>); 3] =
    [("ever", 0, None), ("an hour or two", 3600, Some(3600)), ("up to ten minutes", 5, Some(595))];
