//! `stats settings`: what the server was started with, and what memcached would say of switches that mean nothing here.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use super::{Page, yes};
use crate::config::{Eviction, Protocols};
use crate::shared::Shared;

pub(super) fn push(shared: &Shared, page: &mut Page<'_>) {
    push_network(shared, page);
    push_protocol(shared, page);
    push_tuning(shared, page);
    page.push_all([
        ("ext_item_size", "512"),
        ("ext_item_age", "4294967295"),
        ("ext_low_ttl", "0"),
        ("ext_recache_rate", "2000"),
        ("ext_wbuf_size", "4194304"),
        ("ext_compact_under", "0"),
        ("ext_drop_under", "0"),
        ("ext_max_sleep", "1000000"),
        ("ext_max_frag", "0.80"),
    ]);
    let free_ratio = shared.maintenance.lock().automove_free_ratio;
    page.push("slab_automove_freeratio", format_args!("{free_ratio:.3}"));
    page.push_all([
        ("ext_drop_unread", "no"),
        ("ssl_enabled", "no"),
        ("num_napi_ids", "(null)"),
        ("memory_file", "(null)"),
    ]);
}

fn push_network(shared: &Shared, page: &mut Page<'_>) {
    let config = &shared.config;
    page.push("maxbytes", shared.store.memory_limit());
    page.push("maxconns", config.connections_max);
    page.push("tcpport", config.listen.first().map_or(0, |addr| shared.port_of(addr)));
    page.push("udpport", shared.udp.addrs.first().map_or(0, SocketAddr::port));
    page.push("inter", shared.interface());
    page.push("verbosity", shared.verbosity.load(Relaxed));
    page.push("oldest", shared.flushed_at.load(Relaxed));
    page.push("evictions", if config.eviction == Eviction::Enabled { "on" } else { "off" });
    let unix = config.unix.as_ref();
    page.push(
        "domain_socket",
        unix.map_or_else(|| "NULL".into(), |unix| unix.path.to_string_lossy()),
    );
    page.push("umask", format_args!("{:o}", unix.map_or(0o700, |unix| unix.mode)));
    page.push("shutdown_command", yes(config.shutdown));
}

fn push_protocol(shared: &Shared, page: &mut Page<'_>) {
    let config = &shared.config;
    let tuning = &config.tuning;
    page.push("growth_factor", format_args!("{:.2}", tuning.growth_factor));
    page.push("chunk_size", tuning.chunk_size);
    page.push("num_threads", config.threads);
    page.push("num_threads_per_udp", config.threads);
    page.push("stat_key_prefix", char::from(tuning.prefix_delimiter));
    page.push("detail_enabled", yes(shared.prefixes.is_enabled()));
    page.push("reqs_per_event", tuning.requests_per_event);
    page.push("cas_enabled", yes(config.cas));
    page.push("tcp_backlog", config.backlog);
    page.push(
        "binding_protocol",
        match config.protocols {
            Protocols::Ascii => "ascii",
            Protocols::Auto => "auto-negotiate",
            Protocols::Binary => "binary",
        },
    );
    page.push("auth_enabled_sasl", "no");
    page.push("auth_enabled_ascii", "no");
    page.push("item_size_max", config.item_bytes_max);
    page.push("maxconns_fast", "yes");
}

fn push_tuning(shared: &Shared, page: &mut Page<'_>) {
    let config = &shared.config;
    let tuning = &config.tuning;
    let maintenance = *shared.maintenance.lock();
    page.push("hashpower_init", tuning.hash_power);
    page.push("slab_reassign", yes(maintenance.reassign));
    page.push("slab_automove", maintenance.automove);
    page.push("slab_automove_ratio", format_args!("{:.2}", maintenance.automove_ratio));
    page.push("slab_automove_window", maintenance.automove_window);
    page.push("slab_chunk_max", tuning.slab_chunk_max);
    page.push("lru_crawler", yes(maintenance.crawler));
    page.push("lru_crawler_sleep", maintenance.crawler_sleep_micros);
    page.push("lru_crawler_tocrawl", maintenance.crawler_items);
    page.push("tail_repair_time", maintenance.tail_repair_seconds);
    page.push("flush_enabled", yes(config.flush));
    page.push("dump_enabled", yes(config.dumps));
    page.push("hash_algorithm", &tuning.hash_algorithm);
    page.push("lru_maintainer_thread", yes(maintenance.list_maintainer));
    page.push("lru_segmented", yes(maintenance.segmented));
    page.push("hot_lru_pct", maintenance.hot_percent);
    page.push("warm_lru_pct", maintenance.warm_percent);
    page.push("hot_max_factor", format_args!("{:.2}", maintenance.hot_factor));
    page.push("warm_max_factor", format_args!("{:.2}", maintenance.warm_factor));
    page.push("temp_lru", yes(maintenance.temporary_list));
    page.push("temporary_ttl", maintenance.temporary_ttl);
    page.push("idle_timeout", config.idle_timeout.map_or(0, |timeout| timeout.as_secs()));
    page.push("watcher_logbuf_size", config.watcher_log_bytes);
    page.push("worker_logbuf_size", tuning.worker_log_bytes);
    page.push("read_buf_mem_limit", config.budgets.incomplete_command_bytes);
    page.push("track_sizes", yes(shared.track_sizes.load(Relaxed)));
    page.push("inline_ascii_response", "no");
}
