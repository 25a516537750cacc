//! `stats`: what each topic answers, in memcached's names and order. What memcached has no name for is under the topic
//! `larder`.

mod general;
mod items;
mod larder;
mod settings;

use std::fmt::{self, Write as _};
use std::sync::atomic::Ordering::Relaxed;

use larder_protocol::{Status, Words, push_stat};
use larder_store::Seconds;

use crate::listing::Listing;
use crate::shared::Shared;

pub(crate) use items::class_pages;

/// Appends the whole answer to `stats` and these words, or returns one that looks at every item.
pub(crate) fn answer(
    shared: &Shared,
    asking: i32,
    now: Seconds,
    mut topic: Words<'_>,
    out: &mut Vec<u8>,
) -> Option<Listing> {
    let Some(name) = topic.next() else {
        page(out, |page| general::push(shared, now, page));
        return None;
    };
    match topic_of(name) {
        "reset" => {
            shared.reset_counts();
            out.extend_from_slice(Status::Reset.line());
        }
        "detail" if !shared.config.dumps => {
            out.extend_from_slice(b"CLIENT_ERROR stats detail not allowed\r\n");
        }
        "cachedump" if !shared.config.dumps => {
            out.extend_from_slice(b"CLIENT_ERROR stats cachedump not allowed\r\n");
        }
        "detail" => return detail(shared, topic.next(), out),
        "settings" => page(out, |page| settings::push(shared, page)),
        "items" => page(out, |page| items::push_items(shared, now, page)),
        "slabs" => page(out, |page| items::push_slabs(shared, page)),
        "sizes" if shared.track_sizes.load(Relaxed) => return Some(Listing::of_sizes()),
        "sizes" => page(out, |page| page.push("sizes_status", "disabled")),
        "sizes_enable" => track_sizes(shared, true, out),
        "sizes_disable" => track_sizes(shared, false, out),
        "cachedump" => match Listing::of_class(topic) {
            Ok(listing) => return Some(listing),
            Err(line) => out.extend_from_slice(line),
        },
        "conns" => page(out, |page| larder::push_connections(shared, asking, now, page)),
        // There is no second tier; what there is of it is the end.
        "extstore" => page(out, |_| {}),
        "larder" => page(out, |page| larder::push(shared, page)),
        _ => out.extend_from_slice(Status::Error.line()),
    }
    None
}

/// The topic that a word means. As in memcached, the beginning of some is enough; the first in this order counts.
fn topic_of(word: &[u8]) -> &'static str {
    let by_beginning = ABBREVIATED.iter().find(|topic| topic.as_bytes().starts_with(word));
    let whole = || WHOLE.iter().find(|topic| topic.as_bytes() == word);
    by_beginning.or_else(whole).copied().unwrap_or_default()
}

/// Topics that may be abbreviated.
const ABBREVIATED: &[&str] = &["reset", "detail", "settings", "cachedump", "conns"];

/// Topics that may not.
const WHOLE: &[&str] =
    &["extstore", "items", "larder", "sizes", "sizes_disable", "sizes_enable", "slabs"];

/// Lets `stats sizes` count, or not. Nothing has to be kept for it: it looks at the items when it is asked.
fn track_sizes(shared: &Shared, is_on: bool, out: &mut Vec<u8>) {
    shared.track_sizes.store(is_on, Relaxed);
    page(out, |page| page.push("sizes_status", if is_on { "enabled" } else { "disabled" }));
}

/// Counters by key prefix: on, off, or all of them.
fn detail(shared: &Shared, order: Option<&[u8]>, out: &mut Vec<u8>) -> Option<Listing> {
    let status = match order {
        Some(b"on") => {
            shared.prefixes.enable(true);
            Status::Ok
        }
        Some(b"off") => {
            shared.prefixes.enable(false);
            Status::Ok
        }
        Some(b"dump") => return Some(Listing::of_prefixes()),
        _ => Status::DetailUsage,
    };
    out.extend_from_slice(status.line());
    None
}

fn page(out: &mut Vec<u8>, fill: impl FnOnce(&mut Page<'_>)) {
    fill(&mut Page { out, text: String::new() });
    out.extend_from_slice(Status::End.line());
}

/// Statistics on their way out, a line each.
struct Page<'a> {
    out: &'a mut Vec<u8>,
    text: String,
}

impl Page<'_> {
    fn push(&mut self, name: impl fmt::Display, value: impl fmt::Display) {
        self.text.clear();
        // Writing to a string fails only if a `Display` does, and those of numbers and texts do not.
        let _ = write!(self.text, "{name}");
        let name_len = self.text.len();
        let _ = write!(self.text, "{value}");
        let (name, value) = self.text.split_at(name_len);
        push_stat(self.out, name.as_bytes(), value.as_bytes());
    }

    fn push_all<T: fmt::Display>(&mut self, stats: impl IntoIterator<Item = (&'static str, T)>) {
        for (name, value) in stats {
            self.push(name, value);
        }
    }
}

/// memcached's `yes` and `no`.
const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
