//! Storing, in one go or a piece at a time.

use std::fmt;

use larder_store::{Condition, Draft, Refusal, Seconds, Terms};

use super::map::Offer;
use super::operation::{Announced, DRAFTS_MAX, Kind, Manner};
use super::pair::Pair;
use super::shown::value;

/// A draft that is arriving.
pub(super) struct Drafting {
    draft: Draft,
    announced: Announced,
    exptime: Option<Seconds>,
    /// The value and its line end.
    bytes: Vec<u8>,
    sent: usize,
}

impl Drafting {
    pub(super) fn held_bytes(&self) -> u64 {
        self.draft.held_bytes()
    }

    /// Sends so many bytes more, and one byte too many at the end.
    fn feed(&mut self, len: usize, in_place: bool) -> Result<(), Refusal> {
        let end = self.bytes.len().min(self.sent.saturating_add(len));
        let fed = if in_place { self.write(end) } else { self.push(end) };
        self.sent = self.bytes.len() - self.draft.missing();
        assert!(self.sent <= end, "more arrived than was sent");
        if fed.is_ok() {
            assert_eq!(self.sent, end, "what was sent has arrived");
        }
        self.check();
        fed
    }

    fn push(&mut self, end: usize) -> Result<(), Refusal> {
        let pushed = self.draft.push(&self.bytes[self.sent..end])?;
        assert_eq!(pushed, end - self.sent);
        if end == self.bytes.len() {
            assert_eq!(self.draft.push(b"x"), Ok(0), "no more than was announced");
        }
        Ok(())
    }

    fn write(&mut self, end: usize) -> Result<(), Refusal> {
        let mut at = self.sent;
        while at < end {
            let space = self.draft.space()?;
            let len = space.len().min(end - at);
            assert!(len > 0, "there is no space while bytes are missing");
            space[..len].copy_from_slice(&self.bytes[at..at + len]);
            self.draft.filled(len);
            at += len;
        }
        Ok(())
    }

    fn check(&self) {
        let Self { draft, announced, bytes, sent, .. } = self;
        assert_eq!(draft.key(), announced.key);
        assert_eq!(draft.value_len(), announced.value.len());
        assert_eq!(draft.missing(), bytes.len() - sent);
        assert_eq!(
            (draft.is_complete(), draft.is_terminated()),
            (*sent == bytes.len(), *sent == bytes.len())
        );
        let arrived = (announced.key.len() + sent) as u64;
        let held = draft.held_bytes();
        assert!(held >= arrived && held <= arrived + AHEAD_MAX, "{held} bytes for {arrived}");
    }
}

impl fmt::Debug for Drafting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draft.fmt(f)
    }
}

impl Pair {
    pub(super) fn put(&mut self, announced: Announced, manner: Manner) {
        if let Some(drafting) = self.start(announced) {
            self.send_and_commit(drafting, manner);
        }
    }

    /// Stores a value of this length, as most do.
    pub(super) fn put_plainly(&mut self, key: &[u8], len: usize) {
        let seed = u8::try_from(self.told.evictions % 251).unwrap_or(0);
        let (key, value) = (key.to_vec(), value(len, seed));
        let announced = Announced { key, flags: 0, exptime: None, value };
        let manner = Manner { kind: Kind::Set, terms: Terms::default(), compare: None };
        self.put(announced, manner);
    }

    fn send_and_commit(&mut self, mut drafting: Drafting, manner: Manner) {
        let fed = drafting.feed(usize::MAX, false);
        self.absorb();
        match fed {
            Ok(()) => self.commit(drafting, manner),
            Err(refusal) => {
                assert_eq!(refusal, Refusal::OutOfMemory);
                let len = drafting.bytes.len();
                drop(drafting);
                self.refused(len);
            }
        }
    }

    pub(super) fn begin(&mut self, announced: Announced) {
        if self.drafts.len() < DRAFTS_MAX
            && let Some(drafting) = self.start(announced)
        {
            self.drafts.push(drafting);
        }
    }

    /// A draft, or a refusal that is right.
    fn start(&mut self, announced: Announced) -> Option<Drafting> {
        let Announced { key, flags, value, .. } = &announced;
        let exptime = self.later(announced.exptime);
        self.wanted += (key.len() + value.len()) as u64 + HEAD_BYTES;
        let said = self.store.draft(key, *flags, exptime, value.len(), self.now());
        self.absorb();
        let is_too_large =
            key.len() > 255 || self.rules.is_too_large(key.len(), *flags, value.len());
        let expected = if is_too_large { Refusal::TooLarge } else { Refusal::OutOfMemory };
        match said {
            Ok(draft) => {
                assert!(!is_too_large, "{} bytes are too large", value.len());
                let bytes = [value, &b"\r\n"[..]].concat();
                let drafting = Drafting { draft, announced, exptime, bytes, sent: 0 };
                drafting.check();
                Some(drafting)
            }
            Err(refusal) => {
                assert_eq!(refusal, expected, "{} bytes", value.len());
                if !is_too_large {
                    self.refused(value.len());
                }
                None
            }
        }
    }

    pub(super) fn feed(&mut self, index: usize, len: usize, in_place: bool) {
        let Some(drafting) = self.drafts.get_mut(index) else { return };
        self.wanted += drafting.bytes.len() as u64;
        let fed = drafting.feed(len, in_place);
        let len = drafting.bytes.len();
        self.absorb();
        if let Err(refusal) = fed {
            assert_eq!(refusal, Refusal::OutOfMemory);
            self.refused(len);
        }
    }

    pub(super) fn abandon(&mut self, index: usize) {
        if index < self.drafts.len() {
            self.drafts.swap_remove(index);
        }
    }

    pub(super) fn commit_of(&mut self, index: usize, manner: Manner) {
        if index < self.drafts.len() {
            let drafting = self.drafts.swap_remove(index);
            self.commit(drafting, manner);
        }
    }

    fn commit(&mut self, drafting: Drafting, manner: Manner) {
        let Drafting { draft, announced, exptime, bytes, sent } = drafting;
        let key = announced.key.as_slice();
        let own = self.own_cas(key);
        let condition = match manner.kind {
            Kind::Add => Condition::Add,
            Kind::Append => Condition::Append,
            Kind::Cas(number) => Condition::Cas(number.of(own)),
            Kind::Prepend => Condition::Prepend,
            Kind::Replace => Condition::Replace,
            Kind::Set => Condition::Set,
        };
        let compare = manner.compare.map(|number| number.of(own));
        let terms = Terms { compare, ..manner.terms };
        let now = self.now();
        let joins = matches!(condition, Condition::Append | Condition::Prepend);
        let old = self.map.entries.get(key).filter(|_| joins);
        let old_len = old.map_or(0, |entry| entry.shown.value.len());
        self.wanted += (bytes.len() + old_len) as u64 + HEAD_BYTES;
        let said = self.store.commit_with(draft, condition, &terms, now);
        if sent < bytes.len() {
            assert_eq!(said, Err(Refusal::Misused), "a draft that is not complete");
            self.absorb();
            return;
        }
        if said == Err(Refusal::OutOfMemory) {
            self.absorb();
            self.refused(2 * (bytes.len() + old_len));
            return;
        }
        let (value, flags) = (announced.value.as_slice(), announced.flags);
        let offer = Offer { key, value, flags, exptime, condition, terms, now };
        self.change(key, |rules, before| offer.judge(rules, before, said));
        if let (Ok(committed), None) = (said, terms.cas)
            && let larder_store::Outcome::Stored { cas } = committed.outcome
        {
            self.number(key, cas);
        }
    }
}

/// What a draft may hold of bytes that have not arrived.
const AHEAD_MAX: u64 = (64 << 10) + 1024;

/// What an item takes beside its bytes, at most: index, rounding.
const HEAD_BYTES: u64 = 10_000;
