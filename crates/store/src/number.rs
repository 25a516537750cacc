//! Counting: a value that is a decimal number, up and down.

use std::sync::Arc;

use crate::account::{Grant, Need};
use crate::draft::Refusal;
use crate::entry::Marks;
use crate::filling::Filling;
use crate::heap::Heap;
use crate::item::{Kept, LINE_END, Slices};
use crate::record::Record;
use crate::seconds::{Expiry, Seconds};
use crate::shard::{Attributes, Found, Items, Released};
use crate::store::{Inner, Store};

/// Which way to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delta {
    /// Up, around at 2^64.
    Increment(u64),
    /// Down, to 0 and no further.
    Decrement(u64),
}

impl Delta {
    const fn applied_to(self, number: u64) -> u64 {
        match self {
            Self::Increment(by) => number.wrapping_add(by),
            Self::Decrement(by) => number.saturating_sub(by),
        }
    }
}

/// What counting made of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjusted {
    /// The new number.
    pub value: u64,
    /// The item's new CAS number; 0 in a store without.
    pub cas: u64,
    /// Number of the size class it is counted in.
    pub class: usize,
    /// When the item expired before it was counted, unless never.
    pub exptime_before: Option<Seconds>,
}

/// Why a value was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjustError {
    /// There is no item of this key.
    NotFound,
    /// Its value is not a decimal number below 2^64.
    NonNumeric,
    /// The item has another CAS number than [`Counting::compare`].
    Exists,
    /// The number became longer, and there is no room for that.
    Refused(Refusal),
}

/// What else is asked of counting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counting {
    /// The CAS number that the item must have; 0 is everybody's.
    pub compare: Option<u64>,
    /// The CAS number that it gets instead of a new one.
    pub cas: Option<u64>,
    /// The item's new expiry; without one it stays.
    pub exptime: Option<Option<Seconds>>,
}

impl Store {
    /// Counts a value up or down. A shorter number is followed by blanks, so that the value keeps its length. Flags and expiry
    /// stay; the CAS number is new. It is an access, as in memcached. A number that becomes longer is a new value, which
    /// nobody has fetched.
    ///
    /// Leading blanks are skipped, and a blank ends the number: memcached's rules.
    ///
    /// # Errors
    /// No item, no number, or no room.
    pub fn adjust(&self, key: &[u8], delta: Delta, now: Seconds) -> Result<Adjusted, AdjustError> {
        self.adjust_with(key, delta, &Counting::default(), now)
    }

    /// Like [`Self::adjust`], and what else is asked happens in the same moment. A number that becomes longer than its value
    /// was is a new value, which has none of the marks that the old one had.
    ///
    /// # Errors
    /// No item, one with another CAS number, no number, or no room.
    pub fn adjust_with(
        &self,
        key: &[u8],
        delta: Delta,
        counting: &Counting,
        now: Seconds,
    ) -> Result<Adjusted, AdjustError> {
        let inner = &*self.inner;
        let hash = inner.hash(key);
        let home = inner.shard_index(hash);
        let asked = Asked { key, hash, delta, counting, now };
        // A long value that grows: what was had of it stays from one attempt to the next.
        let mut pending = None;
        let adjusted =
            inner.with_room(home, || now, |grant| inner.try_adjust(asked, grant, &mut pending))?;
        adjusted.ok_or_else(|| {
            let size = inner.rules.item_bytes(key.len(), 0, DIGITS_MAX);
            inner.shards[home].lock(now).count_refusal(size);
            AdjustError::Refused(Refusal::OutOfMemory)
        })
    }
}

/// One request to count.
#[derive(Clone, Copy)]
struct Asked<'a> {
    key: &'a [u8],
    hash: u64,
    delta: Delta,
    counting: &'a Counting,
    now: Seconds,
}

impl Inner {
    fn try_adjust(
        &self,
        asked: Asked<'_>,
        grant: &mut Grant<'_>,
        pending: &mut Option<Filling>,
    ) -> Result<Result<Adjusted, Need>, AdjustError> {
        let Asked { key, hash, counting, now, .. } = asked;
        let shard = self.shard(hash);
        let mut bodies = Released::default();
        let mut items = shard.lock(now);
        let Found::Live(index) = items.find_live(hash, key, now, &mut bodies) else {
            return Err(AdjustError::NotFound);
        };
        let sum = Sum::of(items.at(index), asked)?;
        let expiry = counting.exptime.map_or(Expiry::NEVER, Expiry::from);
        let cas = items.coming_cas(counting.cas);
        let index = match items.widen(index, hash, expiry, cas, now, grant) {
            Ok(index) => index,
            Err(need) => return Ok(Err(need)),
        };
        let (index, cas) = if items.write_text(index, sum.digits()) {
            items.set_access(index, now);
            if counting.exptime.is_some() {
                items.set_expiry(index, expiry);
            }
            (index, items.renew_cas(index, counting.cas))
        } else {
            let size = self.rules.item_bytes(key.len(), sum.with.flags, sum.len);
            if size > self.item_bytes_max {
                return Err(AdjustError::Refused(Refusal::TooLarge));
            }
            match items.put_sum(index, asked, &sum, &shard.heap, grant, pending) {
                Ok((index, cas, old)) => {
                    bodies.push(old);
                    (index, cas)
                }
                Err(need) => return Ok(Err(need)),
            }
        };
        let class = items.class(index).into();
        items.tend(now, &mut bodies);
        let Sum { value, exptime_before, .. } = sum;
        Ok(Ok(Adjusted { value, cas, class, exptime_before }))
    }
}

impl Items {
    /// Puts a number in the place of one that is too short for it, or pinned: in other memory, so that what was pinned stays
    /// as it is. Returns its handle, its CAS number, and the old body to drop.
    fn put_sum(
        &mut self,
        old: u32,
        asked: Asked<'_>,
        sum: &Sum,
        heap: &Arc<Heap>,
        grant: &mut Grant<'_>,
        pending: &mut Option<Filling>,
    ) -> Result<(u32, u64, Option<Arc<Kept>>), Need> {
        let item_len = asked.key.len() + sum.len + LINE_END.len();
        let plan = self.prepare_other(old, item_len, sum.with, asked.now, grant)?;
        let mut filling = match pending.take() {
            Some(filling) if filling.len() == item_len => filling,
            _ => Filling::new(item_len, heap),
        };
        if let Err(need) = filling.reserve(heap, grant) {
            *pending = Some(filling);
            return Err(need);
        }
        pad(&mut filling, asked.key, sum.digits(), sum.len);
        let body = filling.into_body(self.at(old).entry.key_len());
        let (index, cas, body) = self.replace(old, asked.hash, body, &plan, asked.now);
        self.set_fetched(index, sum.was_fetched);
        Ok((index, cas, body))
    }
}

/// What counting makes of an item.
struct Sum {
    value: u64,
    text: [u8; DIGITS_MAX],
    digits: usize,
    /// What the item is if it has to lie elsewhere, and the length of its value then.
    with: Attributes,
    len: usize,
    was_fetched: bool,
    exptime_before: Option<Seconds>,
}

impl Sum {
    /// # Errors
    /// What is not counted, in memcached's order: who has no value is no number, whatever their CAS number is.
    fn of(record: Record<'_>, asked: Asked<'_>) -> Result<Self, AdjustError> {
        let Asked { delta, counting, .. } = asked;
        let value_len = record.value_len();
        if value_len == 0 {
            return Err(AdjustError::NonNumeric);
        }
        if counting.compare.is_some_and(|cas| cas != 0 && cas != record.cas()) {
            return Err(AdjustError::Exists);
        }
        let number = parse(record.data(), value_len).ok_or(AdjustError::NonNumeric)?;
        let value = delta.applied_to(number);
        let mut text = [b' '; DIGITS_MAX];
        let digits = write(value, &mut text).len();
        // What is longer is a new value, as in memcached: without marks, and nobody has used it.
        let is_longer = digits > value_len;
        let marks = if is_longer { Marks::default() } else { record.marks() };
        let expiry = counting.exptime.map_or_else(|| record.expiry(), Expiry::from);
        Ok(Self {
            value,
            text,
            digits,
            with: Attributes { flags: record.flags(), expiry, cas: counting.cas, marks },
            len: digits.max(value_len),
            was_fetched: record.was_fetched() && !is_longer,
            exptime_before: record.expiry().into(),
        })
    }

    fn digits(&self) -> &[u8] {
        &self.text[DIGITS_MAX - self.digits..]
    }
}

/// The key and a value of this length: digits, then blanks.
fn pad(filling: &mut Filling, key: &[u8], digits: &[u8], len: usize) {
    filling.push_all(key);
    filling.push_all(digits);
    let mut blanks = len - digits.len();
    while blanks > 0 {
        let some = blanks.min(BLANKS.len());
        filling.push_all(&BLANKS[..some]);
        blanks -= some;
    }
    filling.push_all(&LINE_END);
}

/// What `strtoull` would read, without its sign: blanks, one `+`, digits, and then the end, a blank or a NUL.
fn parse(slices: Slices<'_>, value_len: usize) -> Option<u64> {
    if value_len > NUMBER_LEN_MAX {
        return None;
    }
    let mut text =
        slices.flatten().copied().take(value_len).skip_while(|&byte| is_blank(byte)).peekable();
    text.next_if_eq(&b'+');
    text.peek().filter(|first| first.is_ascii_digit())?;
    let mut number = 0_u64;
    for byte in text {
        if is_blank(byte) || byte == 0 {
            break;
        }
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn write(mut number: u64, space: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut start = space.len();
    for place in space.iter_mut().rev() {
        // A remainder by ten is one digit.
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    space.get(start..).unwrap_or_default()
}

const BLANKS: [u8; 64] = [b' '; 64];
/// A longer value is no number, whatever is in it: it would be read under the lock.
const NUMBER_LEN_MAX: usize = 64 << 10;
/// 2^64 - 1 has so many.
const DIGITS_MAX: usize = 20;
