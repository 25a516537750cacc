//! Looking at items, and changing them without storing: visits, fetches, counting, amendments, deletions.

use larder_store::{
    AdjustError, Amended, Amendment, Counting, Creation, Delta, Fetch, Fetched, Miss, Recache,
    Refusal, Seconds,
};

use super::map::{Judged, judge_adjust, judge_amend};
use super::operation::{Again, Created, Number, When};
use super::pair::Pair;
use super::shown::{Entry, Shown};

impl Pair {
    /// Judges what a visit said, which may have given the item another expiry.
    pub(super) fn visited(
        &mut self,
        key: &[u8],
        exptime: Option<Option<Seconds>>,
        said: Result<Shown, Miss>,
    ) {
        let now = self.now();
        if let Err(miss) = said {
            self.map.check_miss(key, miss);
        }
        self.change(key, |_, before| match (before, &said) {
            (None, Err(_)) => Ok(None),
            (Some(before), Ok(said)) => {
                let mut after = before.clone();
                after.shown.exptime = exptime.unwrap_or(after.shown.exptime);
                if after.shown != *said {
                    return Err(format!("{said:?} instead of {:?}", after.shown));
                }
                after.shown.mark(now);
                Ok(Some(after))
            }
            (before, said) => Err(format!("{said:?} instead of {before:?}")),
        });
    }

    pub(super) fn touch(&mut self, key: &[u8], exptime: Option<u32>) {
        let (now, exptime) = (self.now(), self.later(exptime));
        let said = self.store.touch(key, exptime, now);
        self.change(key, |_, before| {
            let mut after = before.cloned();
            if let Some(entry) = &mut after {
                entry.shown.exptime = exptime;
                entry.shown.mark(now);
            }
            if said == after.is_some() { Ok(after) } else { Err(format!("touched: {said}")) }
        });
    }

    /// Touches an item, or visits it.
    pub(super) fn refresh(&mut self, key: &[u8], exptime: When) {
        if let Some(exptime) = exptime {
            if key.len().is_multiple_of(2) {
                self.touch(key, exptime);
            } else {
                self.fetch(key, true, Some(exptime), Again::As(Recache::Never), None);
            }
        } else {
            let said = self.store.visit(key, self.now(), |visit| Shown::of(&visit));
            self.visited(key, None, said);
        }
    }

    pub(super) fn delete(&mut self, key: &[u8]) {
        let said = self.store.visit_deleting(key, self.now(), |visit| Shown::of(&visit));
        self.change(key, |_, before| match (before, &said) {
            (None, None) => Ok(None),
            (Some(before), Some(said)) if before.shown == *said => Ok(None),
            _ => Err(format!("{said:?} was deleted instead of {before:?}")),
        });
    }

    pub(super) fn delete_if(&mut self, key: &[u8], cas: Number) {
        let cas = cas.of(self.own_cas(key));
        let said = self.store.delete_if(key, cas, self.now());
        self.change(key, |rules, before| {
            let (expected, after) = match before {
                None => (Amended::NotFound, None),
                Some(before) if before.shown.cas == cas => {
                    (Amended::Done { class: rules.class_of(key, &before.shown) }, None)
                }
                Some(before) => (Amended::Exists, Some(before.clone())),
            };
            if said == expected { Ok(after) } else { Err(format!("{said:?}, not {expected:?}")) }
        });
    }

    pub(super) fn adjust(
        &mut self,
        key: &[u8],
        delta: Delta,
        compare: Option<Number>,
        counting: Counting,
        exptime: When,
    ) {
        let (now, own) = (self.now(), self.own_cas(key));
        let exptime = exptime.map(|exptime| self.later(exptime));
        let compare = compare.map(|number| number.of(own));
        let counting = Counting { compare, exptime, ..counting };
        let said = self.store.adjust_with(key, delta, &counting, now);
        if said == Err(AdjustError::Refused(Refusal::OutOfMemory)) {
            self.absorb();
            self.refused(100);
            return;
        }
        self.change(key, |rules, before| {
            judge_adjust((key, delta, &counting), rules, before, now, said)
        });
        self.walker.note(key);
        if let (Ok(adjusted), None) = (said, counting.cas) {
            self.number(key, adjusted.cas);
        }
    }

    pub(super) fn amend(
        &mut self,
        key: &[u8],
        compare: Option<Number>,
        amendment: Amendment,
        exptime: When,
    ) {
        let (now, own) = (self.now(), self.own_cas(key));
        let exptime = exptime.map(|exptime| self.later(exptime));
        let compare = compare.map(|number| number.of(own));
        let amendment = Amendment { compare, exptime, ..amendment };
        let said = self.store.amend(key, &amendment, now);
        if said == Err(Refusal::OutOfMemory) {
            self.absorb();
            self.check_refusal(key.len() + 2);
            return;
        }
        self.change(key, |rules, before| judge_amend(key, &amendment, rules, before, now, said));
        self.walker.note(key);
        if amendment.stales && matches!(said, Ok(Amended::Done { .. })) {
            self.learn_number(key, amendment.cas);
        }
    }

    /// Looks what CAS number an item has got, which nobody said.
    fn learn_number(&mut self, key: &[u8], given: Option<u64>) {
        let now = self.now();
        let cas = self.store.fetch(key, &Fetch::default(), now, |visit, _| visit.cas());
        let expired = self.map.gone.contains_key(key);
        let (Some(entry), Ok(cas)) = (self.map.entries.get_mut(key), cas) else {
            assert!(cas.is_err() && expired, "{}: {cas:?}", key.escape_ascii());
            return;
        };
        entry.shown.cas = cas;
        match given {
            Some(given) if self.rules.cas => assert_eq!(cas, given),
            _ => self.number(key, cas),
        }
    }

    pub(super) fn fetch(
        &mut self,
        key: &[u8],
        marks_hit: bool,
        exptime: When,
        recache: Again,
        creation: Option<Created>,
    ) {
        let now = self.now();
        let recache = match recache {
            Again::As(recache) => recache,
            Again::Within(seconds) => Recache::Before(Seconds(now.0 + seconds)),
        };
        let creation = creation
            .map(|created| Creation { exptime: self.later(created.exptime), cas: created.cas });
        let exptime = exptime.map(|exptime| self.later(exptime));
        let fetch = Fetch { marks_hit, exptime, recache, creation };
        let said = self.store.fetch(key, &fetch, now, |visit, told| (Shown::of(&visit), told));
        let is_too_large = key.len() > 255 || self.rules.is_too_large(key.len(), 0, 0);
        let miss = match &said {
            Err(miss) => Some(*miss),
            Ok((_, told)) => told.created_after,
        };
        if let Some(miss) = miss {
            self.map.check_miss(key, miss);
        }
        if said.is_err() && creation.is_some() && !is_too_large {
            self.absorb();
            self.check_refusal(key.len() + 2);
            return;
        }
        self.change(key, |_, before| match (before, &said) {
            (Some(before), Ok((shown, told))) => fetched(&fetch, before, now, (shown, *told)),
            (None, Ok((shown, told))) => created(&fetch, now, (shown, *told)),
            (None, Err(_)) => Ok(None),
            (Some(before), Err(miss)) => Err(format!("{miss:?} instead of {before:?}")),
        });
        if let (Ok((shown, told)), Some(Creation { cas: None, .. })) = (&said, creation)
            && told.created_after.is_some()
        {
            self.number(key, shown.cas);
        }
    }
}

/// Judges a fetch of an item that was there.
fn fetched(
    fetch: &Fetch,
    before: &Entry,
    now: Seconds,
    (shown, told): (&Shown, Fetched),
) -> Judged {
    let mut after = before.clone();
    let is_wanted = match fetch.recache {
        Recache::Never => false,
        Recache::WhenStale => before.shown.is_stale,
        Recache::Before(moment) => {
            before.shown.is_stale || before.shown.exptime.is_some_and(|at| at < moment)
        }
        Recache::Always => true,
    };
    let expected = Fetched {
        exptime_before: before.shown.exptime,
        was_won: before.is_won,
        wins: is_wanted && !before.is_won,
        created_after: None,
    };
    after.shown.exptime = fetch.exptime.unwrap_or(after.shown.exptime);
    if (shown, told) != (&after.shown, expected) {
        return Err(format!("{shown:?}, {told:?} instead of {after:?}, {expected:?}"));
    }
    after.is_won |= told.wins;
    if fetch.marks_hit {
        after.shown.mark(now);
    }
    Ok(Some(after))
}

/// Judges a fetch that has created an item.
fn created(fetch: &Fetch, now: Seconds, (shown, told): (&Shown, Fetched)) -> Judged {
    let Some(creation) = fetch.creation else { return Err(format!("{shown:?} was made up")) };
    let expected = Shown {
        value: Vec::new(),
        flags: 0,
        exptime: creation.exptime,
        cas: shown.cas,
        last_access: now,
        was_fetched: false,
        is_stale: false,
        is_key_encoded: false,
    };
    let is_first = Fetched { exptime_before: None, was_won: false, wins: true, ..told } == told;
    let is_given = creation.cas.is_none_or(|cas| cas == shown.cas || shown.cas == 0);
    if *shown != expected || !is_first || !is_given || told.created_after.is_none() {
        return Err(format!("{shown:?}, {told:?} was created"));
    }
    let mut after = Entry::new(expected, true);
    if fetch.marks_hit {
        after.shown.mark(now);
    }
    Ok(Some(after))
}
