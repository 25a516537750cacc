//! Answers that are long: those that look at every item, dumps of keys, `stats sizes` and `stats cachedump`, and
//! `stats detail dump`.
//!
//! A listing walks the store a slice at a time and holds no lock between two of them, so that nobody waits for it: the
//! machine asks for the next piece when its reader has made room, and gives other connections their turns.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use larder_connection::Place;
use larder_protocol::{
    ClassSet, DumpForm, KeyDump, Status, Words, encode_key, is_key_plain, parse_number,
    push_number, push_stat, push_uri_encoded,
};
use larder_store::{Cursor, Seconds, Visit};

use crate::classes::CLASS_COUNT_MAX;
use crate::crawl::TurnId;
use crate::shared::Shared;

/// A walk over the store, and what becomes of the items it sees.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Where it goes on; none when all items have been seen.
    cursor: Option<Cursor>,
    has_begun: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// `lru_crawler metadump` and `mgdump`.
    Keys { form: DumpForm, classes: ClassSet, turn: Turn },
    /// `stats cachedump`.
    OfClass { class: u8, items_left: u64, bytes_left: usize },
    /// `stats detail dump`: the last prefix that was said.
    Prefixes(Option<Box<[u8]>>),
    /// `stats sizes`: how many items there are of each size.
    Sizes(BTreeMap<u64, u64>),
}

impl Listing {
    /// All keys of some classes.
    ///
    /// # Errors
    ///
    /// The reply when that is not allowed, when no such class exists, or when somebody else is listing them.
    pub(crate) fn of_keys(
        shared: &Arc<Shared>,
        request: &KeyDump<'_>,
        place: Place,
        now: Seconds,
    ) -> Result<Self, Status> {
        if !shared.maintenance.lock().crawler {
            return Err(Status::CrawlerDisabled);
        }
        if !shared.config.dumps {
            return Err(Status::DumpNotAllowed);
        }
        if place == Place::AfterOthers {
            return Err(Status::DumpNotFirst);
        }
        let classes = request.classes.classes()?;
        let turn = Turn::take(shared, now).ok_or(Status::Busy)?;
        Ok(Self::new(Kind::Keys { form: request.form, classes, turn }))
    }

    /// The keys of one class, with length and expiry: `stats cachedump CLASS LIMIT`, 2 MiB at most.
    ///
    /// # Errors
    ///
    /// What to answer when the words mean no class.
    pub(crate) fn of_class(mut words: Words<'_>) -> Result<Self, &'static [u8]> {
        let (Some(class), Some(limit)) = (words.next(), words.next()) else {
            return Err(b"CLIENT_ERROR bad command line\r\n");
        };
        let (Some(class), Some(limit)) = (parse_u32(class), parse_u32(limit)) else {
            return Err(Status::BadFormat.line());
        };
        let class = u8::try_from(class).ok().filter(|&class| usize::from(class) <= CLASS_COUNT_MAX);
        let class = class.ok_or(&b"CLIENT_ERROR Illegal slab id\r\n"[..])?;
        let items_left = if limit == 0 { u64::MAX } else { limit.into() };
        Ok(Self::new(Kind::OfClass { class, items_left, bytes_left: CLASS_BYTES_MAX }))
    }

    /// How many items there are of each size, in steps of 32 bytes.
    pub(crate) const fn of_sizes() -> Self {
        Self::new(Kind::Sizes(BTreeMap::new()))
    }

    /// The counters of all key prefixes.
    pub(crate) fn of_prefixes() -> Self {
        Self { cursor: None, ..Self::new(Kind::Prefixes(None)) }
    }

    /// Whether there are items that it will look at.
    pub(crate) const fn wants_items(&self) -> bool {
        self.cursor.is_some()
    }

    const fn new(kind: Kind) -> Self {
        Self { cursor: Some(Cursor::START), has_begun: false, kind }
    }

    /// Appends what one slice of the store comes to; returns whether there is more.
    pub(crate) fn push(&mut self, shared: &Shared, now: Seconds, out: &mut Vec<u8>) -> bool {
        if let Kind::Keys { turn, .. } = &self.kind {
            shared.crawl.note_move(turn.id, now);
            if !self.has_begun {
                out.extend_from_slice(Status::Ok.line());
            }
        }
        self.has_begun = true;
        if let Some(cursor) = self.cursor {
            let mut goes_on = true;
            let kind = &mut self.kind;
            let next = shared.store.walk(cursor, now, |item| {
                goes_on = goes_on && kind.see(shared, &item, out);
            });
            self.cursor = next.filter(|_| goes_on);
            return true;
        }
        let has_more = match &mut self.kind {
            Kind::Prefixes(last) => {
                *last = shared.prefixes.push_after(last.as_deref(), out);
                last.is_some()
            }
            Kind::Sizes(sizes) => push_sizes(sizes, out),
            Kind::Keys { .. } | Kind::OfClass { .. } => false,
        };
        if has_more {
            return true;
        }
        out.extend_from_slice(match self.kind {
            Kind::Keys { form: DumpForm::Requests, .. } => b"EN\r\n",
            _ => Status::End.line(),
        });
        false
    }
}

impl Kind {
    /// Takes an item into account; returns whether others are wanted.
    fn see(&mut self, shared: &Shared, item: &Visit<'_>, out: &mut Vec<u8>) -> bool {
        // As memcached counts them, from 1.
        let number = u8::try_from(item.class() + 1).unwrap_or(u8::MAX);
        match self {
            Self::Keys { form, classes, .. } => {
                if classes.has(number) {
                    match form {
                        DumpForm::Details => push_details(shared, item, number, out),
                        DumpForm::Requests => push_request(item, out),
                    }
                }
                true
            }
            Self::OfClass { class, items_left, bytes_left } => {
                if *items_left > 0 && number == *class {
                    let before = out.len();
                    push_item(shared, item, out);
                    *items_left -= 1;
                    *bytes_left = bytes_left.saturating_sub(out.len() - before);
                }
                *items_left > 0 && *bytes_left > 0
            }
            Self::Prefixes(_) => false,
            Self::Sizes(sizes) => {
                *sizes.entry(item.item_bytes().next_multiple_of(SIZE_STEP)).or_default() += 1;
                true
            }
        }
    }
}

/// The one place for a dump of keys; given back when it is dropped.
#[derive(Debug)]
struct Turn {
    shared: Arc<Shared>,
    id: TurnId,
}

impl Turn {
    fn take(shared: &Arc<Shared>, now: Seconds) -> Option<Self> {
        let id = shared.crawl.take_turn(now)?;
        Some(Self { shared: Arc::clone(shared), id })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.crawl.give_back(self.id);
    }
}

/// A line of `metadump`; it ends in a blank and a bare newline, as memcached's does.
fn push_details(shared: &Shared, item: &Visit<'_>, class: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"key=");
    push_uri_encoded(out, item.key());
    out.extend_from_slice(b" exp=");
    match item.exptime() {
        None => out.extend_from_slice(b"-1"),
        Some(at) => push_number(out, unix(shared, at)),
    }
    let fetch = if item.was_fetched() { "yes" } else { "no" };
    let (last_access, cas) = (unix(shared, item.last_access()), item.cas());
    let (size, flags) = (item.item_bytes(), item.flags());
    // Writing to a vector cannot fail.
    let _ = writeln!(
        out,
        " la={last_access} cas={cas} fetch={fetch} cls={class} size={size} flags={flags} "
    );
}

/// A line of `mgdump`: what to say to read the item.
fn push_request(item: &Visit<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"mg ");
    if item.is_key_encoded() || !is_key_plain(item.key()) {
        encode_key(out, item.key());
        out.extend_from_slice(b" b");
    } else {
        out.extend_from_slice(item.key());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a key to a line that has no other way to say it: as it is, unless its bytes would end the line or the word.
pub(crate) fn push_key(out: &mut Vec<u8>, key: &[u8]) {
    if is_key_plain(key) {
        out.extend_from_slice(key);
    } else {
        push_uri_encoded(out, key);
    }
}

/// A line of `stats cachedump`.
fn push_item(shared: &Shared, item: &Visit<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"ITEM ");
    push_key(out, item.key());
    out.extend_from_slice(b" [");
    push_number(out, item.value_len() as u64);
    out.extend_from_slice(b" b; ");
    push_number(out, item.exptime().map_or(0, |at| unix(shared, at)));
    out.extend_from_slice(b" s]\r\n");
}

/// Lines of `stats sizes`, smallest first, each said once; false if there were none.
fn push_sizes(sizes: &mut BTreeMap<u64, u64>, out: &mut Vec<u8>) -> bool {
    let mut has_any = false;
    for _ in 0..SIZES_PER_PIECE {
        let Some((size, count)) = sizes.pop_first() else { break };
        push_stat(out, size.to_string().as_bytes(), count.to_string().as_bytes());
        has_any = true;
    }
    has_any
}

fn unix(shared: &Shared, at: Seconds) -> u64 {
    u64::try_from(shared.clock.unix(at)).unwrap_or(0)
}

fn parse_u32(word: &[u8]) -> Option<u32> {
    parse_number(word).and_then(|number| u32::try_from(number).ok())
}

/// Sizes are counted in steps of so many bytes.
const SIZE_STEP: u64 = 32;

/// Sizes that one piece of an answer says.
const SIZES_PER_PIECE: usize = 512;

/// How much a dump of one class answers, in bytes.
const CLASS_BYTES_MAX: usize = 2 << 20;
