//! Plain `stats`: memcached's keys and no others, because parsers of monitors are strict.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use larder_store::{Seconds, Stats};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::Page;
use crate::cache::VERSION;
use crate::counters::{Count, Sums};
use crate::maintenance::Maintenance;
use crate::shared::Shared;
use crate::worker::READ_LEN;

pub(super) fn push(shared: &Shared, now: Seconds, page: &mut Page<'_>) {
    let sums = shared.sums();
    push_process(shared, now, page);
    push_connections(shared, page);
    let items = shared.store.stats();
    push_commands(&sums, &items, page);
    push_server(shared, &sums, &items, page);
    let maintenance = *shared.maintenance.lock();
    push_maintenance(shared, &maintenance, page);
    push_log(shared, page);
    push_items(&maintenance, &items, page);
}

fn push_process(shared: &Shared, now: Seconds, page: &mut Page<'_>) {
    page.push("pid", std::process::id());
    page.push("uptime", shared.clock.uptime(now));
    page.push("time", shared.clock.unix(now));
    page.push("version", VERSION);
    page.push("libevent", "none");
    page.push("pointer_size", usize::BITS);
    let (user, system) = cpu_times();
    page.push("rusage_user", Micros(user));
    page.push("rusage_system", Micros(system));
}

fn push_connections(shared: &Shared, page: &mut Page<'_>) {
    let connections = &shared.connections;
    page.push("max_connections", shared.config.connections_max);
    // As in memcached, where a socket for datagrams is a connection that never ends.
    let sockets = shared.udp.addrs.len() * shared.config.threads;
    page.push("curr_connections", connections.current.load(Relaxed) + sockets);
    page.push("total_connections", connections.total.load(Relaxed) + sockets as u64);
    page.push("rejected_connections", connections.rejected.load(Relaxed));
    let objects: usize = shared.objects.iter().map(|objects| objects.load(Relaxed)).sum();
    page.push("connection_structures", objects + sockets);
    page.push_all([("response_obj_oom", 0), ("response_obj_count", 0), ("response_obj_bytes", 0)]);
    // One read buffer a worker, shared by its connections.
    let threads = shared.config.threads;
    page.push("read_buf_count", threads);
    page.push("read_buf_bytes", threads * READ_LEN);
    page.push("read_buf_bytes_free", threads * READ_LEN);
    page.push("read_buf_oom", 0);
    page.push("reserved_fds", reserved_descriptors(shared));
}

fn push_commands(sums: &Sums, items: &Stats, page: &mut Page<'_>) {
    page.push_all(
        [
            ("cmd_get", Count::CmdGet),
            ("cmd_set", Count::CmdSet),
            ("cmd_flush", Count::CmdFlush),
            ("cmd_touch", Count::CmdTouch),
        ]
        .map(|(name, count)| (name, sums.get(count))),
    );
    page.push("cmd_meta", sums.get(Count::CmdMeta));
    page.push("get_hits", sums.get(Count::GetHits));
    page.push("get_misses", sums.get(Count::GetMisses));
    // By the store, which knows what any verb met.
    page.push("get_expired", items.missed_expired);
    page.push("get_flushed", items.missed_flushed);
    page.push_all(
        [
            ("delete_misses", Count::DeleteMisses),
            ("delete_hits", Count::DeleteHits),
            ("incr_misses", Count::IncrMisses),
            ("incr_hits", Count::IncrHits),
            ("decr_misses", Count::DecrMisses),
            ("decr_hits", Count::DecrHits),
            ("cas_misses", Count::CasMisses),
            ("cas_hits", Count::CasHits),
            ("cas_badval", Count::CasBadval),
            ("touch_hits", Count::TouchHits),
            ("touch_misses", Count::TouchMisses),
            ("store_too_large", Count::StoreTooLarge),
            ("store_no_memory", Count::StoreNoMemory),
        ]
        .map(|(name, count)| (name, sums.get(count))),
    );
    page.push_all([("auth_cmds", 0), ("auth_errors", 0)]);
    page.push("bytes_read", sums.get(Count::BytesRead));
    page.push("bytes_written", sums.get(Count::BytesWritten));
}

fn push_server(shared: &Shared, sums: &Sums, items: &Stats, page: &mut Page<'_>) {
    let connections = &shared.connections;
    let index_bytes = items.index_bytes;
    page.push("limit_maxbytes", shared.store.memory_limit());
    page.push("accepting_conns", u8::from(!connections.is_paused.load(Relaxed)));
    page.push("listen_disabled_num", connections.pauses.load(Relaxed));
    page.push("time_in_listen_disabled_us", connections.paused_micros.load(Relaxed));
    page.push("threads", shared.config.threads);
    page.push("conn_yields", sums.get(Count::ConnYields));
    // The power of two of as many pointers as the index has bytes: what memcached's number says of its table.
    page.push("hash_power_level", (index_bytes / 8).max(1).ilog2());
    page.push("hash_bytes", index_bytes);
    page.push("hash_is_expanding", 0);
}

/// What memcached's crawler, list maintainer and page mover do. Without them it leaves out what they would count.
fn push_maintenance(shared: &Shared, maintenance: &Maintenance, page: &mut Page<'_>) {
    if maintenance.reassign {
        page.push_all(
            [
                "slab_reassign_rescues",
                "slab_reassign_chunk_rescues",
                "slab_reassign_evictions_nomem",
                "slab_reassign_inline_reclaim",
                "slab_reassign_busy_items",
                "slab_reassign_busy_deletes",
                "slab_reassign_running",
                "slabs_moved",
            ]
            .map(|name| (name, 0)),
        );
    }
    if maintenance.crawler {
        page.push("lru_crawler_running", u8::from(shared.crawl.is_running()));
        page.push("lru_crawler_starts", shared.crawl.starts());
    }
    if maintenance.list_maintainer {
        page.push("lru_maintainer_juggles", 0);
    }
}

fn push_log(shared: &Shared, page: &mut Page<'_>) {
    page.push_all(
        [
            "malloc_fails",
            // Lines go straight to the watchers: no worker keeps any that it could drop.
            "log_worker_dropped",
        ]
        .map(|name| (name, 0)),
    );
    let watchers = shared.watchers.counts();
    page.push_all([
        ("log_worker_written", watchers.written),
        ("log_watcher_skipped", watchers.skipped),
        ("log_watcher_sent", watchers.sent),
        ("log_watchers", watchers.watchers as u64),
    ]);
    page.push_all(["unexpected_napi_ids", "round_robin_fallback"].map(|name| (name, 0)));
}

fn push_items(maintenance: &Maintenance, items: &Stats, page: &mut Page<'_>) {
    let is_maintained = maintenance.list_maintainer;
    page.push_all([
        ("bytes", items.bytes),
        ("curr_items", items.items),
        ("total_items", items.total_items),
        ("slab_global_page_pool", 0),
        ("expired_unfetched", items.expired_unfetched),
        ("evicted_unfetched", items.evicted_unfetched),
    ]);
    if is_maintained {
        page.push("evicted_active", items.evicted_active);
    }
    page.push_all([
        ("evictions", items.evictions),
        ("reclaimed", items.reclaimed),
        ("crawler_reclaimed", items.swept),
        ("crawler_items_checked", items.looked_at),
        ("lrutail_reflocked", 0),
    ]);
    if is_maintained {
        page.push_all(
            [
                "moves_to_cold",
                "moves_to_warm",
                "moves_within_lru",
                "direct_reclaims",
                "lru_bumps_dropped",
            ]
            .map(|name| (name, 0)),
        );
    }
}

/// Descriptors that are not clients': standard streams, pollers, listeners and the one in reserve.
fn reserved_descriptors(shared: &Shared) -> usize {
    const STREAMS: usize = 3;
    const PER_POLLER: usize = 4;
    STREAMS + PER_POLLER * (shared.config.threads + 1) + shared.listeners.len() + 1
}

/// User and system time of the process.
fn cpu_times() -> (Duration, Duration) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Default::default() };
    let duration = |micros: i64| Duration::from_micros(micros.unsigned_abs());
    (
        duration(usage.user_time().num_microseconds()),
        duration(usage.system_time().num_microseconds()),
    )
}

/// Seconds and six digits.
struct Micros(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}
