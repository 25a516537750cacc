//! `stats`: what each topic answers, in memcached's names and order. What memcached has no name for is under the topic
//! `larder`.

mod general;
mod items;
mod larder;
mod settings;

use std::fmt::{self, Write as _};

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
    match name {
        b"reset" => {
            shared.reset_counts();
            out.extend_from_slice(Status::Reset.line());
        }
        b"detail" if !shared.config.dumps => {
            out.extend_from_slice(b"CLIENT_ERROR stats detail not allowed\r\n");
        }
        b"cachedump" if !shared.config.dumps => {
            out.extend_from_slice(b"CLIENT_ERROR stats cachedump not allowed\r\n");
        }
        b"detail" => detail(shared, topic.next(), out),
        b"settings" => page(out, |page| settings::push(shared, now, page)),
        b"items" => page(out, |page| items::push_items(shared, now, page)),
        b"slabs" => page(out, |page| items::push_slabs(shared, page)),
        b"sizes" if shared.config.tuning.track_sizes => return Some(Listing::of_sizes()),
        b"sizes" => page(out, |page| page.push("sizes_status", "disabled")),
        b"cachedump" => match Listing::of_class(topic) {
            Ok(listing) => return Some(listing),
            Err(line) => out.extend_from_slice(line),
        },
        b"conns" => page(out, |page| larder::push_connections(shared, asking, now, page)),
        b"larder" => page(out, |page| larder::push(shared, page)),
        _ => out.extend_from_slice(Status::Error.line()),
    }
    None
}

/// Counters by key prefix: on, off, or all of them.
fn detail(shared: &Shared, order: Option<&[u8]>, out: &mut Vec<u8>) {
    let status = match order {
        Some(b"on") => {
            shared.prefixes.enable(true);
            Status::Ok
        }
        Some(b"off") => {
            shared.prefixes.enable(false);
            Status::Ok
        }
        Some(b"dump") => {
            shared.prefixes.dump(out);
            Status::End
        }
        _ => Status::DetailUsage,
    };
    out.extend_from_slice(status.line());
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
