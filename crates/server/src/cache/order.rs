//! Orders of an operator's.

use larder_protocol::{Automove, Change, ListMode, ListShares, OrderError, Status};

use super::Cache;
use crate::maintenance::Maintenance;
use crate::stats;

/// Does what is ordered, as far as there is something to do: what tunes memcached's inside is kept and shown.
pub(super) fn obey(cache: &mut Cache, change: &Change<'_>) -> Status {
    let shared = &cache.shared;
    match *change {
        Change::Certificates => Status::Order(OrderError::TlsNotEnabled),
        Change::Clock(_) if !shared.config.debug_commands => Status::Error,
        Change::Clock(change) => {
            shared.clock.change(change);
            // What came with the order and after it is of the new time already.
            cache.now = shared.clock.now();
            Status::Ok
        }
        Change::Crawl(_) if !shared.maintenance.lock().crawler => Status::CrawlerDisabled,
        Change::Crawl(classes) if classes.is_hash() => Status::Order(OrderError::Unknown),
        Change::Crawl(classes) => match classes.classes() {
            // The store looks for expired items of all classes at once.
            Ok(_) => {
                shared.store.hurry();
                shared.crawl.want();
                Status::Ok
            }
            Err(status) => status,
        },
        Change::Reassign { source, destination } => reassign(cache, source, destination),
        _ => match tune(&mut shared.maintenance.lock(), change) {
            Ok(()) => Status::Ok,
            Err(status) => status,
        },
    }
}

/// Keeps what an order says about memcached's maintenance threads.
fn tune(maintenance: &mut Maintenance, change: &Change<'_>) -> Result<(), Status> {
    match *change {
        Change::Crawler(true) if maintenance.crawler => {
            return Err(Status::Order(OrderError::CrawlerRuns));
        }
        Change::Crawler(is_on) => maintenance.crawler = is_on,
        Change::CrawlerItems(items) => maintenance.crawler_items = items,
        Change::CrawlerSleep(micros) => maintenance.crawler_sleep_micros = micros,
        Change::Lists(_) | Change::TemporaryTtl(_) if !maintenance.list_maintainer => {
            return Err(Status::Error);
        }
        Change::Lists(mode) => maintenance.segmented = mode == ListMode::Segmented,
        Change::TemporaryTtl(ttl) => {
            maintenance.temporary_list = ttl >= 0;
            maintenance.temporary_ttl = u32::try_from(ttl).unwrap_or(maintenance.temporary_ttl);
        }
        Change::Shares(ListShares { hot_percent, warm_percent, hot_factor, warm_factor }) => {
            maintenance.hot_percent = hot_percent;
            maintenance.warm_percent = warm_percent;
            maintenance.hot_factor = hot_factor.value();
            maintenance.warm_factor = warm_factor.value();
        }
        Change::Automove(Automove::FreeRatio(ratio)) => {
            maintenance.automove_free_ratio = ratio.value();
        }
        Change::Automove(Automove::Level(level)) => maintenance.automove = level,
        Change::Automove(Automove::Ratio(ratio)) => maintenance.automove_ratio = ratio.value(),
        Change::Automove(Automove::Window(seconds)) => maintenance.automove_window = seconds,
        Change::Certificates | Change::Clock(_) | Change::Crawl(_) | Change::Reassign { .. } => {}
    }
    Ok(())
}

/// Says what memcached would of pages that its classes had; all memory is at the disposal of every class already.
fn reassign(cache: &Cache, source: i32, destination: i32) -> Status {
    let shared = &cache.shared;
    if !shared.maintenance.lock().reassign {
        return Status::Order(OrderError::ReassignDisabled);
    }
    if source == destination {
        return Status::Order(OrderError::SameClass);
    }
    let pages = stats::class_pages(shared);
    let is_class = |number: i32| usize::try_from(number).is_ok_and(|number| number <= pages.len());
    // Number 0 is the pool of pages that no class has, and empty.
    let has_spare = |number: i32| {
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        index.and_then(|index| pages.get(index)).is_some_and(|&pages| pages > 1)
    };
    let status = match source {
        _ if !is_class(destination) => Err(OrderError::NoSuchClass),
        // Whichever class has one to spare.
        -1 if pages.iter().any(|&pages| pages > 1) => Ok(()),
        _ if !is_class(source) => Err(OrderError::NoSuchClass),
        _ if !has_spare(source) => Err(OrderError::NoSparePage),
        _ => Ok(()),
    };
    status.map_or_else(Status::Order, |()| Status::Ok)
}
