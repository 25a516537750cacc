//! Statistics that look at the items themselves: `stats sizes` and `stats cachedump`.
//!
//! Both walk the store a slice at a time, so that nobody waits for a lock for long. The worker's other clients wait for the
//! walk, and then the next such request for their turns.

use std::collections::BTreeMap;

use larder_protocol::{Status, Words, parse_number, push_number};
use larder_store::{Cursor, Seconds, Visit};

use super::Page;
use crate::classes::CLASS_COUNT_MAX;
use crate::shared::Shared;

/// How many items there are of each size, in steps of 32 bytes; only if that was asked for at the start, as in memcached.
pub(super) fn push_sizes(shared: &Shared, now: Seconds, page: &mut Page<'_>) {
    if !shared.config.tuning.track_sizes {
        return page.push("sizes_status", "disabled");
    }
    let mut sizes: BTreeMap<u64, u64> = BTreeMap::new();
    walk(shared, now, |item| {
        *sizes.entry(item.item_bytes().next_multiple_of(SIZE_STEP)).or_default() += 1;
        true
    });
    for (size, count) in sizes {
        page.push(size, count);
    }
}

/// The keys of one class, with length and expiry: `stats cachedump CLASS LIMIT`, 2 MiB at most.
pub(super) fn dump_class(shared: &Shared, now: Seconds, mut words: Words<'_>, out: &mut Vec<u8>) {
    let (Some(class), Some(limit)) = (words.next(), words.next()) else {
        return out.extend_from_slice(b"CLIENT_ERROR bad command line\r\n");
    };
    let (Some(class), Some(limit)) = (parse_u32(class), parse_u32(limit)) else {
        return out.extend_from_slice(Status::BadFormat.line());
    };
    let Some(class) = usize::try_from(class).ok().filter(|&class| class <= CLASS_COUNT_MAX) else {
        return out.extend_from_slice(b"CLIENT_ERROR Illegal slab id\r\n");
    };
    // Classes are counted from 1 on the wire.
    let known = super::items::classes(shared);
    let kept =
        class.checked_sub(1).and_then(|index| known.get(index)).map_or(0, |class| class.items);
    let limit = if limit == 0 { kept } else { kept.min(limit.into()) };
    let end = out.len() + DUMP_BYTES_MAX;
    let mut count = 0;
    walk(shared, now, |item| {
        let goes_on = count < limit && out.len() < end;
        // What is larger than the last class counts in it.
        if goes_on && item.class().min(known.len() - 1) + 1 == class {
            push_item(shared, item, out);
            count += 1;
        }
        goes_on && count < limit
    });
    out.extend_from_slice(Status::End.line());
}

fn push_item(shared: &Shared, item: &Visit<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"ITEM ");
    out.extend_from_slice(item.key());
    out.extend_from_slice(b" [");
    push_number(out, item.value_len() as u64);
    out.extend_from_slice(b" b; ");
    let expiry = item.exptime().map_or(0, |at| shared.clock.unix(at));
    push_number(out, u64::try_from(expiry).unwrap_or(0));
    out.extend_from_slice(b" s]\r\n");
}

/// Shows every item to a closure until it says no.
fn walk(shared: &Shared, now: Seconds, mut see: impl FnMut(&Visit<'_>) -> bool) {
    let mut goes_on = true;
    let mut next = Some(Cursor::default());
    while let Some(cursor) = next.filter(|_| goes_on) {
        next = shared.store.walk(cursor, now, |item| goes_on = goes_on && see(&item));
    }
}

fn parse_u32(word: &[u8]) -> Option<u32> {
    parse_number(word).and_then(|number| u32::try_from(number).ok())
}

/// Sizes are counted in steps of so many bytes.
const SIZE_STEP: u64 = 32;

/// How much a dump of one class answers.
const DUMP_BYTES_MAX: usize = 2 << 20;
