//! What a store should hold: a plain map with the same clock, and what each change makes of an entry.
//!
//! A change is judged by what it said and what was there before: the result is what is there after, or what was wrong.

use std::collections::{BTreeMap, BTreeSet};

use larder_store::{
    AdjustError, Adjusted, Amended, Amendment, Committed, Condition, Counting, Delta, Miss,
    Outcome, Refusal, Seconds, Terms,
};

use super::shown::{Entry, Shown};

/// What is there after a change, unless the store said what it must not say.
pub(super) type Judged = Result<Option<Entry>, String>;

/// What the store was told when it was made.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) cas: bool,
    pub(super) item_bytes_max: u64,
    pub(super) size_classes: Vec<u32>,
}

impl Rules {
    /// Accounted bytes, by memcached's arithmetic.
    pub(super) fn item_bytes(&self, key_len: usize, flags: u32, value_len: usize) -> u64 {
        let head = 48 + if self.cas { 8 } else { 0 } + if flags == 0 { 0 } else { 4 };
        head + key_len as u64 + 1 + value_len as u64 + 2
    }

    pub(super) fn is_too_large(&self, key_len: usize, flags: u32, value_len: usize) -> bool {
        self.item_bytes(key_len, flags, value_len) > self.item_bytes_max
    }

    pub(super) fn bytes_of(&self, key: &[u8], shown: &Shown) -> u64 {
        self.item_bytes(key.len(), shown.flags, shown.value.len())
    }

    pub(super) fn class_of(&self, key: &[u8], shown: &Shown) -> usize {
        let bytes = self.bytes_of(key, shown);
        self.size_classes.iter().filter(|&&bound| u64::from(bound) < bytes).count()
    }

    /// The CAS number that is expected where this one was given; `None` is a new one.
    fn given(&self, cas: Option<u64>) -> Option<u64> {
        if self.cas { cas } else { Some(0) }
    }
}

/// Something that was committed, or would have been.
#[derive(Debug, Clone)]
pub(super) struct Offer<'o> {
    pub(super) key: &'o [u8],
    pub(super) value: &'o [u8],
    pub(super) flags: u32,
    pub(super) exptime: Option<Seconds>,
    pub(super) condition: Condition,
    pub(super) terms: Terms,
    pub(super) now: Seconds,
}

impl Offer<'_> {
    fn is_joining(&self) -> bool {
        matches!(self.condition, Condition::Append | Condition::Prepend)
    }

    /// Judges a commit that was not refused for want of memory.
    pub(super) fn judge(
        &self,
        rules: &Rules,
        before: Option<&Entry>,
        said: Result<Committed, Refusal>,
    ) -> Judged {
        let expected = match before {
            Some(before) if self.is_joining() => self.joined(rules, before),
            _ => self.placed(before),
        };
        let len = self.value.len();
        match (expected, said) {
            (
                Ok((entry, cas)),
                Ok(Committed { outcome: Outcome::Stored { cas: got }, value_len }),
            ) if value_len == entry.shown.value.len() && is_given(rules.given(cas), got) => {
                let shown = Shown { cas: got, ..entry.shown };
                Ok(Some(Entry::new(shown, entry.is_won)))
            }
            (Err(Ok(outcome)), Ok(Committed { outcome: got, value_len }))
                if outcome == got && value_len == len =>
            {
                let mut after = before.cloned();
                if let (Condition::Add, Some(entry)) = (self.condition, &mut after) {
                    // It is in use, but nobody has fetched it.
                    entry.shown.last_access = self.now;
                }
                Ok(after)
            }
            (Err(Err(refusal)), Err(got)) if refusal == got => Ok(before.cloned()),
            (expected, said) => Err(format!("{said:?} instead of {expected:?}")),
        }
    }

    /// What is stored with which number, or what is said instead.
    fn placed(
        &self,
        before: Option<&Entry>,
    ) -> Result<(Entry, Option<u64>), Result<Outcome, Refusal>> {
        let mut is_stale = false;
        match (self.condition, before) {
            (Condition::Add, Some(_)) | (Condition::Replace, None) => {
                return Err(Ok(Outcome::NotStored));
            }
            (Condition::Append | Condition::Prepend, None) if !self.terms.creates => {
                return Err(Ok(Outcome::NotStored));
            }
            (Condition::Cas(_), None) => return Err(Ok(Outcome::NotFound)),
            (Condition::Cas(cas), Some(before)) => {
                is_stale = self.terms.stales_when_older && cas < before.shown.cas;
                if cas == 0 || (cas != before.shown.cas && !is_stale) {
                    return Err(Ok(Outcome::Exists));
                }
            }
            _ => {}
        }
        let kept = before.filter(|_| is_stale);
        let shown = Shown {
            value: self.value.to_vec(),
            flags: self.flags,
            exptime: kept.map_or(self.exptime, |kept| kept.shown.exptime),
            cas: 0,
            last_access: self.now,
            was_fetched: false,
            is_stale,
            is_key_encoded: self.terms.is_key_encoded,
        };
        Ok((Entry::new(shown, kept.is_some_and(|kept| kept.is_won)), self.terms.cas))
    }

    fn joined(
        &self,
        rules: &Rules,
        before: &Entry,
    ) -> Result<(Entry, Option<u64>), Result<Outcome, Refusal>> {
        let old = &before.shown;
        if self.terms.compare.is_some_and(|cas| cas != 0 && cas != old.cas) {
            return Err(Ok(Outcome::Exists));
        }
        let value = if self.condition == Condition::Append {
            [&old.value, self.value].concat()
        } else {
            [self.value, &old.value].concat()
        };
        if rules.is_too_large(self.key.len(), old.flags, value.len()) {
            return Err(Err(Refusal::TooLarge));
        }
        let shown = Shown {
            value,
            flags: old.flags,
            exptime: old.exptime,
            cas: 0,
            last_access: self.now,
            was_fetched: false,
            is_stale: false,
            is_key_encoded: false,
        };
        Ok((Entry::new(shown, false), self.terms.cas))
    }
}

fn is_given(expected: Option<u64>, got: u64) -> bool {
    expected.is_none_or(|expected| expected == got)
}

/// Judges a counting that was not refused for want of memory.
pub(super) fn judge_adjust(
    (key, delta, counting): (&[u8], Delta, &Counting),
    rules: &Rules,
    before: Option<&Entry>,
    now: Seconds,
    said: Result<Adjusted, AdjustError>,
) -> Judged {
    match (adjusted(key, delta, counting, rules, before, now), said) {
        (Ok((mut entry, value)), Ok(got)) => {
            let exptime_before = before.and_then(|before| before.shown.exptime);
            entry.shown.cas = got.cas;
            let class = rules.class_of(key, &entry.shown);
            let expected = Adjusted { value, cas: got.cas, class, exptime_before };
            let is_right = got == expected && is_given(rules.given(counting.cas), got.cas);
            if is_right { Ok(Some(entry)) } else { Err(format!("{got:?}, not {expected:?}")) }
        }
        (Err(expected), Err(got)) if expected == got => Ok(before.cloned()),
        (expected, said) => Err(format!("{said:?} instead of {expected:?}")),
    }
}

fn adjusted(
    key: &[u8],
    delta: Delta,
    counting: &Counting,
    rules: &Rules,
    before: Option<&Entry>,
    now: Seconds,
) -> Result<(Entry, u64), AdjustError> {
    let mut entry = before.cloned().ok_or(AdjustError::NotFound)?;
    let shown = &mut entry.shown;
    if shown.value.is_empty() {
        return Err(AdjustError::NonNumeric);
    }
    if counting.compare.is_some_and(|cas| cas != 0 && cas != shown.cas) {
        return Err(AdjustError::Exists);
    }
    let number = number_in(&shown.value).filter(|_| shown.value.len() <= NUMBER_LEN_MAX);
    let number = number.ok_or(AdjustError::NonNumeric)?;
    let number = match delta {
        Delta::Increment(by) => number.wrapping_add(by),
        Delta::Decrement(by) => number.saturating_sub(by),
    };
    let width = shown.value.len();
    let mut value = number.to_string().into_bytes();
    value.resize(value.len().max(width), b' ');
    if value.len() > width {
        if rules.is_too_large(key.len(), shown.flags, value.len()) {
            return Err(AdjustError::Refused(Refusal::TooLarge));
        }
        // A new value, which nobody has used.
        (shown.was_fetched, shown.is_stale, shown.is_key_encoded) = (false, false, false);
        entry.is_won = false;
    }
    shown.value = value;
    shown.last_access = now;
    if let Some(exptime) = counting.exptime {
        shown.exptime = exptime;
    }
    Ok((entry, number))
}

/// Blanks, a `+`, digits, and then the end, a blank or a NUL.
fn number_in(value: &[u8]) -> Option<u64> {
    let blanks = value.iter().take_while(|byte| b" \t\n\x0b\x0c\r".contains(byte)).count();
    let text = &value[blanks..];
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_ended = text.get(digits).is_none_or(|byte| b" \t\n\x0b\x0c\r\0".contains(byte));
    let digits = std::str::from_utf8(&text[..digits]).ok()?;
    digits.parse().ok().filter(|_| is_ended)
}

/// What is longer is no number, whatever it begins with.
const NUMBER_LEN_MAX: usize = 64 << 10;

/// Judges an amendment that was not refused for want of memory; the entry's number is not told.
pub(super) fn judge_amend(
    key: &[u8],
    amendment: &Amendment,
    rules: &Rules,
    before: Option<&Entry>,
    now: Seconds,
    said: Result<Amended, Refusal>,
) -> Judged {
    let expected = match before {
        None => Amended::NotFound,
        Some(before) if amendment.compare.is_some_and(|cas| cas != before.shown.cas) => {
            Amended::Exists
        }
        Some(before) => Amended::Done { class: rules.class_of(key, &before.shown) },
    };
    if said != Ok(expected) {
        return Err(format!("{said:?} instead of {expected:?}"));
    }
    let mut after = before.cloned();
    if let (Some(entry), Amended::Done { .. }) = (&mut after, expected) {
        let shown = &mut entry.shown;
        if amendment.empties {
            let exptime = amendment.exptime.flatten();
            let cas = if rules.cas { amendment.cas.unwrap_or(shown.cas) } else { 0 };
            *shown = Shown { value: Vec::new(), flags: 0, exptime, cas, ..shown.clone() };
            (shown.was_fetched, shown.is_stale, shown.is_key_encoded) = (false, false, false);
            shown.last_access = now;
            entry.is_won = false;
        } else if let Some(exptime) = amendment.exptime {
            shown.exptime = exptime;
        }
        if amendment.stales {
            shown.is_stale = true;
            entry.is_won = false;
        }
    }
    Ok(after)
}

/// The items that should be live, and what may still be counted of those that are not.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) entries: BTreeMap<Vec<u8>, Entry>,
    /// Accounted bytes of items that time has taken, and since when, that nobody may have come across.
    pub(super) gone: BTreeMap<Vec<u8>, (u64, Seconds)>,
    /// Keys that a flush has taken, and that nobody may have come across.
    flushed: BTreeSet<Vec<u8>>,
    pub(super) now: Seconds,
    pub(super) flush_at: Option<Seconds>,
    rules: Rules,
}

impl Map {
    pub(super) fn new(rules: Rules, now: Seconds) -> Self {
        let (entries, gone, flushed) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { entries, gone, flushed, now, flush_at: None, rules }
    }

    /// What a key holds from now on.
    pub(super) fn put(&mut self, key: &[u8], entry: Option<Entry>) {
        match entry {
            Some(entry) if entry.shown.exptime.is_some_and(|at| at <= self.now) => {
                self.entries.remove(key);
                let bytes = self.rules.bytes_of(key, &entry.shown);
                self.gone.insert(key.to_vec(), (bytes, self.now));
            }
            Some(entry) => {
                self.come_across(key);
                self.entries.insert(key.to_vec(), entry);
            }
            None => drop(self.entries.remove(key)),
        }
    }

    /// Does what time does.
    pub(super) fn settle(&mut self) {
        let now = self.now;
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = None;
            self.forget(|_| true);
            self.flushed.extend(self.gone.keys().cloned());
        }
        self.forget(|shown| shown.exptime.is_some_and(|at| at <= now));
    }

    /// After a flush nothing is counted any more of what was there.
    pub(super) fn flush(&mut self) {
        self.forget(|_| true);
        self.flushed.extend(std::mem::take(&mut self.gone).into_keys());
        self.flush_at = None;
    }

    /// Everything that was flushed was come across, and what expired a while ago. Until then it may be left beside what has not
    /// expired, to be found together.
    pub(super) fn sweep(&mut self) {
        let now = self.now;
        self.gone.retain(|_, (_, since)| now.since(*since) <= RIPENING);
        self.flushed.clear();
    }

    /// Somebody looked for a key that is gone, which is told once.
    pub(super) fn check_miss(&mut self, key: &[u8], miss: Miss) {
        let (was_gone, was_flushed) = self.come_across(key);
        let is_right = match miss {
            Miss::Absent => true,
            Miss::Expired => was_gone,
            Miss::Flushed => was_flushed,
        };
        assert!(is_right, "{miss:?}, though nothing was there");
    }

    fn come_across(&mut self, key: &[u8]) -> (bool, bool) {
        (self.gone.remove(key).is_some(), self.flushed.remove(key))
    }

    fn forget(&mut self, is_gone: impl Fn(&Shown) -> bool) {
        let (rules, gone, now) = (&self.rules, &mut self.gone, self.now);
        self.entries.retain(|key, Entry { shown, .. }| {
            let goes = is_gone(shown);
            if goes {
                gone.insert(key.clone(), (rules.bytes_of(key, shown), now));
            }
            !goes
        });
    }

    /// Items and their accounted bytes.
    pub(super) fn totals(&self) -> (u64, u64) {
        let entries = self.entries.iter();
        let bytes = entries.map(|(key, entry)| self.rules.bytes_of(key, &entry.shown)).sum();
        (self.entries.len() as u64, bytes)
    }
}

/// Seconds for which what has expired may be left where it is.
const RIPENING: u32 = 30;
