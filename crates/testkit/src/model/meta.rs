//! Meta commands over the map: flags are worked off one after the other, as they stand.

use std::rc::Rc;

use larder_connection::{MetaCount, MetaDetails, MetaItem, Stored};
use larder_protocol::{
    Delta, Meta, MetaArithmetic, MetaFlags, MetaSet, Status, Storage, StoreMode, Words,
};

use super::{Item, Model, ModelDraft, number};

impl Model {
    /// Looks a key up as `mg` does, or creates it; returns what is told of it, and its data.
    pub fn meta_look_up(&mut self, key: &[u8], meta: &Meta<'_>) -> Option<(MetaItem, Rc<Vec<u8>>)> {
        self.calls += 1;
        let flags = meta.flags;
        let is_new = self.visible(key).is_none();
        if is_new {
            if flags.vivify.is_none() || self.is_too_large(key, 0, 2) {
                return None;
            }
            self.keep(key, 0, None, b"\r\n".to_vec());
            self.give_cas(key, flags.cas);
        }
        let now = self.now;
        let mut wins = is_new;
        let ttl = self.work_off(key, meta.words, is_new, |item, moment| {
            wins |= !is_new && !item.is_won && item.expiry.is_some_and(|expiry| expiry < moment);
        });
        let item = self.items.get_mut(key)?;
        let was_won = item.is_won;
        wins |= item.is_stale && !was_won;
        let told = MetaItem {
            flags: item.flags,
            cas: item.cas,
            is_key_encoded: item.is_key_encoded,
            ttl,
            idle: seconds(now - item.accessed),
            was_fetched: item.was_fetched,
            is_stale: item.is_stale,
            was_won,
            wins,
        };
        item.is_won |= wins;
        if !flags.no_bump {
            item.was_fetched = true;
            item.accessed = now;
        }
        Some((told, Rc::clone(&item.data)))
    }

    /// Gives an item the exptimes of the flags, and says what is left of its life where `t` stands.
    fn work_off(
        &mut self,
        key: &[u8],
        words: Words<'_>,
        is_new: bool,
        mut at_recache: impl FnMut(&Item, i64),
    ) -> Option<u32> {
        let mut ttl = None;
        for word in words {
            let exptime = std::str::from_utf8(&word[1..]).ok().and_then(|text| text.parse().ok());
            let expiry = self.expiry(exptime.unwrap_or(0));
            let now = self.now;
            let Some(item) = self.items.get_mut(key) else { continue };
            match word[0] {
                b'T' => item.expiry = expiry,
                b'N' if is_new => item.expiry = expiry,
                b'R' => {
                    if let Some(moment) = expiry {
                        at_recache(item, moment);
                    }
                }
                b't' => ttl = item.expiry.map(|expiry| seconds(expiry - now)),
                _ => {}
            }
        }
        ttl
    }

    pub(super) fn open_meta(
        &mut self,
        key: &[u8],
        request: &MetaSet<'_>,
    ) -> Result<ModelDraft, Status> {
        self.calls += 1;
        let MetaSet { meta, mode, value_len } = *request;
        let flags = meta.flags.client_flags;
        if self.is_too_large(key, flags, value_len + 2) {
            self.items.remove(key);
            return Err(Status::TooLarge);
        }
        let exptime = meta.flags.touch.map_or(0, |touch| touch.exptime);
        let head = Storage { mode, key, flags, exptime, value_len, quiet: false };
        let draft = ModelDraft::new(&head, &self.rules, &self.drafts);
        Ok(draft.with_meta(meta.flags, meta.key.is_encoded))
    }

    pub(super) fn store(&mut self, draft: ModelDraft) -> Stored {
        self.calls += 1;
        let (head, data) = draft.into_parts();
        let refused = |status| Stored { status, cas: 0, value_len: data.len() - 2 };
        let (flags, is_key_encoded) = (head.meta, head.is_key_encoded);
        let old = self.visible(&head.key).cloned();
        let (mut expiry, mut joined) = (self.expiry(head.exptime), None);
        let (mut is_stale, mut is_won) = (false, false);
        match (head.mode, &old) {
            (StoreMode::Cas(_), None) => return refused(Status::NotFound),
            (StoreMode::Cas(cas), Some(old)) if cas != 0 && cas == old.cas => {}
            (StoreMode::Cas(cas), Some(old)) if flags.invalidate && cas != 0 && cas < old.cas => {
                (expiry, is_stale, is_won) = (old.expiry, true, old.is_won);
            }
            (StoreMode::Cas(_), Some(_)) => return refused(Status::Exists),
            (StoreMode::Add, Some(_)) | (StoreMode::Replace, None) => {
                return refused(Status::NotStored);
            }
            (StoreMode::Append | StoreMode::Prepend, None) => match flags.vivify {
                Some(vivify) => expiry = self.expiry(vivify.exptime),
                None => return refused(Status::NotStored),
            },
            (StoreMode::Append | StoreMode::Prepend, Some(old)) => {
                if flags.compare.is_some_and(|cas| cas != 0 && cas != old.cas) {
                    return refused(Status::Exists);
                }
                joined = Some(if head.mode == StoreMode::Append {
                    self.join(&head.key, old, &old.data, &data)
                } else {
                    self.join(&head.key, old, &data, &old.data)
                });
            }
            _ => {}
        }
        match joined {
            Some(Status::Stored) => {}
            Some(status) => return refused(status),
            None => drop(self.keep(&head.key, head.flags, expiry, data.clone())),
        }
        self.give_cas(&head.key, flags.cas);
        let Some(item) = self.items.get_mut(&head.key) else { return refused(Status::Error) };
        if joined.is_none() {
            (item.is_stale, item.is_won, item.is_key_encoded) = (is_stale, is_won, is_key_encoded);
        }
        Stored { status: Status::Stored, cas: item.cas, value_len: item.data.len() - 2 }
    }

    pub(super) fn delete_meta(&mut self, key: &[u8], flags: &MetaFlags) -> Status {
        self.calls += 1;
        let Some(old) = self.visible(key).cloned() else { return Status::NotFound };
        if flags.compare.is_some_and(|cas| cas != old.cas) {
            return Status::Exists;
        }
        if !flags.invalidate && !flags.drop_value {
            self.items.remove(key);
            return Status::Deleted;
        }
        let touch = flags.touch.map(|touch| self.expiry(touch.exptime));
        if flags.drop_value {
            self.keep(key, 0, touch.flatten(), b"\r\n".to_vec());
            self.give_cas(key, flags.cas.or(Some(old.cas)));
        }
        if flags.invalidate {
            let cas = self.next_cas();
            let Some(item) = self.items.get_mut(key) else { return Status::NotFound };
            item.cas = cas;
            item.expiry = touch.unwrap_or(item.expiry);
            (item.is_stale, item.is_won) = (true, false);
            self.give_cas(key, flags.cas);
        }
        Status::Deleted
    }

    pub(super) fn adjust_meta(
        &mut self,
        key: &[u8],
        request: &MetaArithmetic<'_>,
    ) -> Result<MetaCount, Status> {
        self.calls += 1;
        let flags = request.meta.flags;
        let (number, is_new) = match self.visible(key) {
            None if flags.vivify.is_none() => return Err(Status::NotFound),
            None => {
                let data = format!("{}\r\n", flags.initial).into_bytes();
                if self.is_too_large(key, 0, data.len()) {
                    return Err(Status::TooLarge);
                }
                self.keep(key, 0, None, data);
                self.give_cas(key, flags.cas);
                (flags.initial, true)
            }
            Some(old) => {
                if old.data.len() == 2 {
                    return Err(Status::NonNumeric);
                }
                if flags.compare.is_some_and(|cas| cas != 0 && cas != old.cas) {
                    return Err(Status::Exists);
                }
                let number = number::read_counter(&old.data).ok_or(Status::NonNumeric)?;
                let number = match request.delta {
                    Delta::Increment(step) => number.wrapping_add(step),
                    Delta::Decrement(step) => number.saturating_sub(step),
                };
                let data = number::write_counter(number, old.data.len());
                self.recount(key, data, flags.cas);
                (number, false)
            }
        };
        let ttl = self.work_off(key, request.meta.words, is_new, |_, _| {});
        if is_new {
            // A binary request has no flags to stand in any order.
            let expiry = flags.exptime(true).and_then(|exptime| self.expiry(exptime));
            self.items.entry(key.to_vec()).and_modify(|item| item.expiry = expiry);
        }
        let cas = self.items.get(key).map_or(0, |item| item.cas);
        Ok(MetaCount { number, cas, ttl, is_new })
    }

    /// Puts a number in the place of another. One that is longer is a new value, without the marks of the old one.
    pub(super) fn recount(&mut self, key: &[u8], data: Vec<u8>, cas: Option<u64>) {
        let Some(old) = self.items.get(key).cloned() else { return };
        let is_longer = data.len() > old.data.len();
        self.keep(key, old.flags, old.expiry, data);
        self.give_cas(key, cas);
        let Some(item) = self.items.get_mut(key) else { return };
        item.accessed = old.accessed;
        if !is_longer {
            item.was_fetched = old.was_fetched;
            item.is_stale = old.is_stale;
            item.is_won = old.is_won;
            item.is_key_encoded = old.is_key_encoded;
        }
    }

    pub(super) fn details(&mut self, key: &[u8]) -> Option<MetaDetails> {
        self.calls += 1;
        let (now, has_cas) = (self.now, self.rules.has_cas);
        let item = self.visible(key)?;
        let sizes = [48, key.len() + 1, item.data.len()];
        let cas_len = if has_cas { 8 } else { 0 };
        let flags_len = if item.flags == 0 { 0 } else { 4 };
        Some(MetaDetails {
            is_key_encoded: item.is_key_encoded,
            ttl: item.expiry.map(|expiry| seconds(expiry - now)),
            idle: seconds(now - item.accessed),
            cas: item.cas,
            was_fetched: item.was_fetched,
            // A model has no classes; those of transcripts are small.
            class: 1,
            item_bytes: (sizes.iter().sum::<usize>() + cas_len + flags_len) as u64,
        })
    }

    fn give_cas(&mut self, key: &[u8], cas: Option<u64>) {
        let Some(cas) = cas.filter(|_| self.rules.has_cas) else { return };
        if let Some(item) = self.items.get_mut(key) {
            item.cas = cas;
        }
    }
}

fn seconds(count: i64) -> u32 {
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}
