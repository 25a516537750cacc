//! `stats conns`, and `stats larder`: what memcached has no name for.

use std::num::NonZeroU64;

use larder_store::{Seconds, Stats};

use super::Page;
use crate::budgets::Resource;
use crate::counters::{Count, Sums};
use crate::shared::Shared;
use crate::udp::OUTCOMES;

/// Every socket, by descriptor.
pub(super) fn push_connections(shared: &Shared, asking: i32, now: Seconds, page: &mut Page<'_>) {
    for listener in &shared.listeners {
        let descriptor = listener.descriptor;
        page.push(format_args!("{descriptor}:addr"), &listener.addr);
        page.push(format_args!("{descriptor}:state"), "conn_listening");
        page.push(format_args!("{descriptor}:secs_since_last_cmd"), shared.clock.uptime(now));
    }
    let mut records: Vec<_> = shared.rosters.iter().flat_map(|roster| roster.records()).collect();
    records.sort_by_key(|record| record.descriptor);
    for record in records {
        let descriptor = record.descriptor;
        let is_asking = descriptor == asking;
        let idle = if is_asking { 0 } else { now.since(record.last_command_at()) };
        page.push(format_args!("{descriptor}:addr"), &record.peer);
        if !record.local.is_empty() {
            page.push(format_args!("{descriptor}:listen_addr"), &record.local);
        }
        page.push(format_args!("{descriptor}:state"), record.state(Some(asking)));
        page.push(format_args!("{descriptor}:secs_since_last_cmd"), idle);
    }
}

/// Larder's own: its version, its budgets, why it closed connections, what its memory holds.
pub(super) fn push(shared: &Shared, page: &mut Page<'_>) {
    let sums = shared.sums();
    let budgets = &shared.budgets;
    page.push("larder_version", env!("CARGO_PKG_VERSION"));
    for (name, resource) in [
        ("unread_reply_bytes", Resource::UnreadReplyBytes),
        ("incomplete_value_bytes", Resource::IncompleteValueBytes),
        ("incomplete_command_bytes", Resource::IncompleteCommandBytes),
        ("replies_in_flight", Resource::RepliesInFlight),
    ] {
        page.push(name, budgets.used(resource));
        page.push(format_args!("{name}_limit"), budgets.limit(resource));
        let closed = resource.count().map_or(0, |count| sums.get(count));
        page.push(format_args!("{name}_closed"), closed);
    }
    page.push("spare_buffer_bytes", budgets.used(Resource::SpareBytes));
    let age = shared.config.budgets.half_command_age;
    page.push("half_command_seconds_limit", age.map_or(0, |age| age.as_secs()));
    page.push("half_command_seconds_closed", sums.get(Count::ClosedHalfCommand));
    page.push("idle_closed", sums.get(Count::ClosedIdle));
    page.push("lingering_bytes_closed", sums.get(Count::ClosedLingeringBytes));
    page.push("lingering_seconds_closed", sums.get(Count::ClosedLingeringSeconds));
    page.push("error_closed", sums.get(Count::ClosedOnError));
    page.push("watchers_rejected", shared.watchers.counts().rejected);
    page.push("dumps_overtaken", shared.crawl.overtaken());
    page.push("prefix_overflows", shared.prefixes.overflows());
    push_udp(shared, &sums, page);
    push_store(&shared.store.stats(), page);
}

/// What memory holds, and how the store came to hold just that.
fn push_store(items: &Stats, page: &mut Page<'_>) {
    page.push_all([
        ("memory_held_bytes", items.held_bytes),
        ("memory_segment_bytes", items.segment_bytes),
        ("memory_dead_bytes", items.dead_bytes),
        ("memory_block_bytes", items.block_bytes),
        ("memory_slack_bytes", items.slack_bytes),
        ("memory_index_bytes", items.index_bytes),
        ("memory_ghost_bytes", items.ghost_bytes),
        ("memory_draft_bytes", items.draft_bytes),
        ("memory_pinned_bytes", items.pinned_bytes),
        ("items_asked_bytes", items.asked_bytes),
        ("items_inserted_bytes", items.inserted_bytes),
        ("items_copied_bytes", items.copied_bytes),
        ("evicted_small", items.evicted_small),
        ("evicted_main", items.evicted_main),
        ("small_queue_percent", items.small_percent),
    ]);
    let (longest, shorter) = items.hit_ages.split_last().unwrap_or((&0, &[]));
    for (power, hits) in shorter.iter().enumerate() {
        page.push(format_args!("hit_age_under_{}s", 1_u64 << power), hits);
    }
    page.push("hit_age_longer", longest);
}

/// What became of datagrams: one of the outcomes for each that was received.
fn push_udp(shared: &Shared, sums: &Sums, page: &mut Page<'_>) {
    let config = &shared.config.udp;
    page.push("udp_reply_bytes_limit", config.reply_bytes_max);
    let rate = config.reply_bytes_per_second;
    page.push("udp_reply_bytes_per_second_limit", rate.map_or(0, NonZeroU64::get));
    page.push("udp_received", sums.get(Count::UdpReceived));
    for (name, count) in OUTCOMES {
        page.push(name, sums.get(count));
    }
}
