//! Meta commands in terms of the store: flags into what it is asked, and counted as memcached counts them.

use larder_connection::{MetaCount, MetaDetails, MetaItem, MetaReply};
use larder_protocol::{MetaArithmetic, MetaFlags, MetaSet, Status, Storage, StoreMode};
use larder_store::{
    AdjustError, Amended, Amendment, Condition, Counting, Creation, Fetch, Fetched, Outcome,
    Recache, Refusal, Seconds, Terms, Visit,
};

use super::{Cache, LINE_END_LEN, Pinned, ValueDraft};
use crate::counters::{ClassCount, Count};
use crate::prefixes::PrefixCount;
use crate::watch::Item;

pub(super) fn get(cache: &Cache, key: &[u8], flags: &MetaFlags, reply: &mut MetaReply<'_, Pinned>) {
    let now = cache.now;
    let fetch = Fetch {
        marks_hit: !flags.no_bump,
        exptime: flags.touch.map(|touch| cache.expiry(touch.exptime)),
        recache: recache(cache, flags),
        creation: flags.vivify.map(|_| Creation {
            exptime: flags.exptime(true).and_then(|exptime| cache.expiry(exptime)),
            cas: flags.cas,
        }),
    };
    let see = |item: Visit<'_>, fetched: Fetched| {
        let data_len = item.value_len() + LINE_END_LEN;
        let is_new = fetched.created_after.is_some();
        let found = MetaItem {
            flags: item.flags(),
            cas: item.cas(),
            is_key_encoded: item.is_key_encoded(),
            ttl: cache.ttl(flags, is_new, fetched.exptime_before),
            idle: now.since(item.last_access()),
            was_fetched: item.was_fetched(),
            is_stale: item.is_stale(),
            was_won: fetched.was_won,
            wins: fetched.wins,
        };
        let pin = || Pinned { item: item.pin(), data_len };
        reply.item(&found, data_len, item.slices(), pin);
        (Item::of(&item), fetched.created_after)
    };
    let fetched = cache.shared.store.fetch(key, &fetch, now, see);
    if cache.tells_gets() {
        let found = fetched.and_then(|(item, created_after)| created_after.map_or(Ok(item), Err));
        cache.tell_get(key, found);
    }
    match fetched {
        Ok((item, _)) => {
            cache.count_prefix(key, PrefixCount::Hit);
            let (command, count, class_count) = match flags.touch {
                None => (Count::CmdGet, Count::GetHits, ClassCount::GetHits),
                Some(_) => (Count::CmdTouch, Count::TouchHits, ClassCount::TouchHits),
            };
            cache.count(command);
            cache.count(count);
            cache.count_in_class(class_count, item.class);
        }
        Err(_) => {
            // A miss is one of a retrieval, with a new exptime or without.
            cache.count(Count::CmdGet);
            cache.count(Count::GetMisses);
            cache.count_prefix(key, PrefixCount::Miss);
        }
    }
}

/// When the client wins the renewal of the item. A new exptime that stands before the flag `R` is the one that counts.
fn recache(cache: &Cache, flags: &MetaFlags) -> Recache {
    let Some(recache) = flags.recache else { return Recache::WhenStale };
    let Some(moment) = cache.expiry(recache.exptime) else { return Recache::WhenStale };
    match flags.exptime_at(recache.place, false) {
        None => Recache::Before(moment),
        Some(exptime) => match cache.expiry(exptime) {
            Some(expiry) if expiry < moment => Recache::Always,
            _ => Recache::WhenStale,
        },
    }
}

pub(super) fn draft(
    cache: &Cache,
    key: &[u8],
    request: &MetaSet<'_>,
) -> Result<ValueDraft, Status> {
    let MetaSet { meta, mode, value_len } = *request;
    let flags = meta.flags;
    let joins = matches!(mode, StoreMode::Append | StoreMode::Prepend);
    let creation = flags.vivify.filter(|_| joins);
    let exptime = creation.or(flags.touch).map_or(0, |placed| placed.exptime);
    let head = Storage { mode, key, flags: flags.client_flags, exptime, value_len, quiet: false };
    // Whatever the mode, a value that is too large takes the old one with it.
    let draft = cache.open(&head, true)?;
    let terms = Terms {
        compare: flags.compare,
        stales_when_older: flags.invalidate,
        creates: creation.is_some(),
        cas: flags.cas,
        is_key_encoded: meta.key.is_encoded,
    };
    Ok(ValueDraft { terms, ..draft })
}

pub(super) fn delete(cache: &Cache, key: &[u8], flags: &MetaFlags) -> Status {
    let changes = flags.invalidate || flags.drop_value;
    if !changes && flags.compare.is_none() {
        return cache.remove(key, None, "md");
    }
    cache.count_prefix(key, PrefixCount::Delete);
    cache.tell_lookup(key);
    let amended = match flags.compare {
        Some(cas) if !changes => Ok(cache.delete_if(key, cas, "md")),
        _ => {
            let amendment = Amendment {
                compare: flags.compare,
                stales: flags.invalidate,
                empties: flags.drop_value,
                exptime: flags.touch.map(|touch| cache.expiry(touch.exptime)),
                cas: flags.cas,
            };
            cache.shared.store.amend(key, &amendment, cache.now)
        }
    };
    match amended {
        Ok(Amended::Done { class }) => {
            if !changes {
                cache.count(Count::DeleteHits);
                cache.count_in_class(ClassCount::DeleteHits, class);
            }
            Status::Deleted
        }
        Ok(Amended::Exists) => {
            cache.count(Count::DeleteMisses);
            Status::Exists
        }
        Ok(Amended::NotFound) => {
            cache.count(Count::DeleteMisses);
            Status::NotFound
        }
        Err(_) => {
            cache.count(Count::StoreNoMemory);
            Status::OutOfMemory
        }
    }
}

pub(super) fn adjust(
    cache: &Cache,
    key: &[u8],
    request: &MetaArithmetic<'_>,
) -> Result<MetaCount, Status> {
    let MetaArithmetic { meta, delta } = *request;
    let flags = &meta.flags;
    let counting = Counting {
        compare: flags.compare,
        cas: flags.cas,
        exptime: flags.touch.map(|touch| cache.expiry(touch.exptime)),
    };
    loop {
        let error = match cache.count_with(key, delta, &counting) {
            Ok(adjusted) => {
                let ttl = cache.ttl(flags, false, adjusted.exptime_before);
                let (number, cas) = (adjusted.value, adjusted.cas);
                return Ok(MetaCount { number, cas, ttl, is_new: false });
            }
            Err(error) => error,
        };
        if error != AdjustError::NotFound || flags.vivify.is_none() {
            return Err(cache.refuse_count(error, delta));
        }
        match create(cache, key, flags) {
            Ok(Outcome::Stored { cas }) => {
                let ttl = cache.ttl(flags, true, None);
                return Ok(MetaCount { number: flags.initial, cas, ttl, is_new: true });
            }
            // Somebody else has stored in between: theirs is counted.
            Ok(_) => {}
            Err(refusal) => return Err(cache.refuse(refusal, key, StoreMode::Add, false)),
        }
    }
}

/// Keeps a counter that begins with the number the client gave, if there is none.
fn create(cache: &Cache, key: &[u8], flags: &MetaFlags) -> Result<Outcome, Refusal> {
    let digits = flags.initial.to_string();
    let expiry = flags.exptime(true).and_then(|exptime| cache.expiry(exptime));
    let store = &cache.shared.store;
    let mut draft = store.draft(key, 0, expiry, digits.len(), cache.now)?;
    draft.push(digits.as_bytes())?;
    draft.push(b"\r\n")?;
    let terms = Terms { cas: flags.cas, ..Terms::default() };
    cache.tell_lookup(key);
    let outcome = store.commit_with(draft, Condition::Add, &terms, cache.now)?.outcome;
    if matches!(outcome, Outcome::Stored { .. }) {
        // memcached gives it its expiry later, and so tells of none.
        let bytes = store.item_bytes(key.len(), 0, digits.len());
        let class = cache.shared.classes.class_of(bytes);
        let item = Item { class, value_len: digits.len(), exptime: None };
        cache.tell_store(key, Status::Stored, StoreMode::Add, Some(item));
    }
    Ok(outcome)
}

pub(super) fn details(cache: &Cache, key: &[u8]) -> Option<MetaDetails> {
    cache.count(Count::CmdMeta);
    let now = cache.now;
    let see = |item: Visit<'_>, _| {
        (
            Item::of(&item),
            MetaDetails {
                is_key_encoded: item.is_key_encoded(),
                ttl: item.exptime().map(|at| at.since(now)),
                idle: now.since(item.last_access()),
                cas: item.cas(),
                was_fetched: item.was_fetched(),
                class: item.class() + 1,
                item_bytes: item.item_bytes(),
            },
        )
    };
    let seen = cache.shared.store.fetch(key, &Fetch::default(), now, see);
    if cache.tells_gets() {
        cache.tell_get(key, seen.map(|(item, _)| item));
    }
    seen.ok().map(|(_, details)| details)
}

impl Cache {
    fn expiry(&self, exptime: i64) -> Option<Seconds> {
        self.shared.clock.expiry(exptime, self.now)
    }

    /// Seconds that an item has left where the flag `t` stands; none if it never expires.
    fn ttl(&self, flags: &MetaFlags, is_new: bool, before: Option<Seconds>) -> Option<u32> {
        let given = flags.exptime_at(flags.ttl_place, is_new);
        let at = given.map_or(before, |exptime| self.expiry(exptime));
        at.map(|at| at.since(self.now))
    }
}
