//! `stats items` and `stats slabs`: memcached's classes, computed; the store has none.

use larder_store::{ClassStats, Seconds};

use super::Page;
use crate::classes::PAGE_BYTES;
use crate::counters::{ClassCount, Sums};
use crate::shared::Shared;

pub(super) fn push_items(shared: &Shared, now: Seconds, page: &mut Page<'_>) {
    let sums = shared.sums();
    let is_maintained = shared.maintenance.lock().list_maintainer;
    for (class, stats) in shared.store.class_stats().into_iter().enumerate() {
        if stats.items == 0 {
            continue;
        }
        let age = stats.oldest_access.map_or(0, |oldest| now.since(oldest));
        let hits = sums.get_in_class(ClassCount::GetHits, class);
        for (name, value) in lines(&stats, age.into(), hits) {
            if is_maintained || !OF_SEVERAL_LISTS.contains(&name) {
                page.push(format_args!("items:{}:{name}", class + 1), value);
            }
        }
    }
}

/// What memcached says of a class. All items are shown as cold: there is one list, and it is what can be evicted.
const fn lines(stats: &ClassStats, age: u64, hits: u64) -> [(&'static str, u64); 28] {
    [
        ("number", stats.items),
        ("number_hot", 0),
        ("number_warm", 0),
        ("number_cold", stats.items),
        ("age_hot", 0),
        ("age_warm", 0),
        ("age", age),
        ("mem_requested", stats.bytes),
        ("evicted", stats.evicted),
        ("evicted_nonzero", stats.evicted_nonzero),
        ("evicted_time", stats.last_evicted_age as u64),
        ("outofmemory", stats.out_of_memory),
        ("tailrepairs", 0),
        ("reclaimed", stats.reclaimed),
        ("expired_unfetched", stats.expired_unfetched),
        ("evicted_unfetched", stats.evicted_unfetched),
        ("evicted_active", 0),
        ("crawler_reclaimed", stats.swept),
        ("crawler_items_checked", stats.looked_at),
        ("lrutail_reflocked", 0),
        ("moves_to_cold", 0),
        ("moves_to_warm", 0),
        ("moves_within_lru", 0),
        ("direct_reclaims", 0),
        ("hits_to_hot", 0),
        ("hits_to_warm", 0),
        ("hits_to_cold", hits),
        ("hits_to_temp", 0),
    ]
}

/// What memcached leaves out where a class has one list.
const OF_SEVERAL_LISTS: &[&str] = &[
    "number_hot",
    "number_warm",
    "number_cold",
    "age_hot",
    "age_warm",
    "evicted_active",
    "moves_to_cold",
    "moves_to_warm",
    "moves_within_lru",
    "direct_reclaims",
    "hits_to_hot",
    "hits_to_warm",
    "hits_to_cold",
    "hits_to_temp",
];

pub(super) fn push_slabs(shared: &Shared, page: &mut Page<'_>) {
    let sums = shared.sums();
    let (mut active, mut malloced) = (0_u64, 0_u64);
    for (class, stats) in shared.store.class_stats().into_iter().enumerate() {
        if stats.items == 0 {
            continue;
        }
        let Some(&chunk_size) = shared.classes.chunk_sizes().get(class) else { continue };
        let chunks = chunks(&stats, chunk_size);
        active += 1;
        malloced += chunks.pages * u64::from(PAGE_BYTES);
        push_class(class, chunk_size, &chunks, &sums, page);
    }
    page.push("active_slabs", active);
    page.push("total_malloced", malloced);
}

fn push_class(class: usize, chunk_size: u32, chunks: &Chunks, sums: &Sums, page: &mut Page<'_>) {
    let number = class + 1;
    for (name, value) in [
        ("chunk_size", u64::from(chunk_size)),
        ("chunks_per_page", chunks.per_page),
        ("total_pages", chunks.pages),
        ("total_chunks", chunks.pages * chunks.per_page),
        ("used_chunks", chunks.used),
        ("free_chunks", chunks.pages * chunks.per_page - chunks.used),
        ("free_chunks_end", 0),
    ] {
        page.push(format_args!("{number}:{name}"), value);
    }
    for (name, count) in [
        ("get_hits", ClassCount::GetHits),
        ("cmd_set", ClassCount::CmdSet),
        ("delete_hits", ClassCount::DeleteHits),
        ("incr_hits", ClassCount::IncrHits),
        ("decr_hits", ClassCount::DecrHits),
        ("cas_hits", ClassCount::CasHits),
        ("cas_badval", ClassCount::CasBadval),
        ("touch_hits", ClassCount::TouchHits),
    ] {
        page.push(format_args!("{number}:{name}"), sums.get_in_class(count, class));
    }
}

/// The chunks that the items of a class would take in memcached.
struct Chunks {
    per_page: u64,
    pages: u64,
    used: u64,
}

fn chunks(stats: &ClassStats, chunk_size: u32) -> Chunks {
    let per_page = u64::from((PAGE_BYTES / chunk_size.max(1)).max(1));
    let chunk_size = u64::from(chunk_size.max(1));
    // Only in the last class can items be larger than a chunk; they take several.
    let used = if stats.bytes <= stats.items * chunk_size {
        stats.items
    } else {
        stats.bytes.div_ceil(chunk_size)
    };
    Chunks { per_page, pages: used.div_ceil(per_page), used }
}

/// How many of memcached's pages each class would have.
pub(crate) fn class_pages(shared: &Shared) -> Vec<u64> {
    let sizes = shared.classes.chunk_sizes().iter();
    let classes = shared.store.class_stats();
    classes.iter().zip(sizes).map(|(stats, &size)| chunks(stats, size).pages).collect()
}
