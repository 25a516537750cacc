//! An item as it lies in a segment: a head of 8 bytes, what is not the default, the key, the value.
//!
//! ```text
//!   0        1      3         6           8
//!   | key_len | bits | access | data_len | cas? | exptime? | flags? | cas, high half? | key | value \r\n | pad? |
//! ```
//!
//! Numbers are little-endian and lie anywhere: nothing is aligned but the beginning, to 2 bytes. What an option is for is
//! said in `bits`. The data of a large item is the number of its body.

use crate::seconds::{Expiry, Seconds};

/// An item in its segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The item that begins at an offset.
    pub(crate) fn at(segment: &'a [u8], offset: usize) -> Self {
        Self { bytes: &segment[offset..] }
    }

    pub(crate) fn key_len(self) -> u8 {
        self.bytes[0]
    }

    pub(crate) fn bits(self) -> Bits {
        Bits(u16::from_le_bytes([self.bytes[1], self.bytes[2]]))
    }

    fn data_len(self) -> usize {
        usize::from(u16::from_le_bytes([self.bytes[6], self.bytes[7]]))
    }

    fn word(self, at: usize) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_le_bytes(word)
    }

    /// All that it takes in its segment.
    pub(crate) fn len(self) -> usize {
        let end = self.key_at() + usize::from(self.key_len()) + self.data_len();
        end.next_multiple_of(GRANULE)
    }

    fn key_at(self) -> usize {
        HEAD_LEN + self.bits().options_len()
    }

    pub(crate) fn key(self) -> &'a [u8] {
        let at = self.key_at();
        &self.bytes[at..at + usize::from(self.key_len())]
    }

    /// The value and its line end, or the number of the body.
    pub(crate) fn data(self) -> &'a [u8] {
        let at = self.key_at() + usize::from(self.key_len());
        &self.bytes[at..at + self.data_len()]
    }

    /// The key and what follows it.
    pub(crate) fn content(self) -> &'a [u8] {
        let at = self.key_at();
        &self.bytes[at..at + usize::from(self.key_len()) + self.data_len()]
    }

    /// The number of a large item's body.
    pub(crate) fn body(self) -> Option<u32> {
        let at = self.key_at() + usize::from(self.key_len());
        self.bits().has(Bits::LARGE).then(|| self.word(at))
    }

    pub(crate) fn cas(self) -> u64 {
        let bits = self.bits();
        let low = if bits.has(Bits::CAS) { self.word(HEAD_LEN) } else { 0 };
        let high = if bits.has(Bits::CAS_HIGH) { self.word(self.key_at() - 4) } else { 0 };
        u64::from(high) << 32 | u64::from(low)
    }

    pub(crate) fn expiry(self) -> Expiry {
        let bits = self.bits();
        if bits.has(Bits::EXPTIME) {
            Expiry::from_word(self.word(bits.exptime_at()))
        } else {
            Expiry::NEVER
        }
    }

    pub(crate) fn flags(self) -> u32 {
        let bits = self.bits();
        if bits.has(Bits::FLAGS) { self.word(bits.flags_at()) } else { 0 }
    }

    /// The last access, which is not after `latest`; one that is more than half a year ago may seem later than it was.
    pub(crate) fn last_access(self, latest: Seconds) -> Seconds {
        let stored = u32::from_le_bytes([self.bytes[3], self.bytes[4], self.bytes[5], 0]);
        Seconds(latest.0.wrapping_sub(latest.0.wrapping_sub(stored) & ACCESS_MASK))
    }

    pub(crate) fn frequency(self) -> u8 {
        self.bytes[1] & FREQUENCY_MASK
    }

    pub(crate) fn is_dead(self) -> bool {
        self.bits().has(Bits::DEAD)
    }
}

/// An item in its segment, to be changed in place.
#[derive(Debug)]
pub(crate) struct EntryMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> EntryMut<'a> {
    pub(crate) fn at(segment: &'a mut [u8], offset: usize) -> Self {
        Self { bytes: &mut segment[offset..] }
    }

    pub(crate) fn as_ref(&self) -> Entry<'_> {
        Entry { bytes: self.bytes }
    }

    /// Writes the item as it begins: of this shape, without frequency.
    pub(crate) fn write(&mut self, shape: &Shape, with: &Words, now: Seconds) {
        self.bytes[0] = shape.key_len;
        self.set_bits(shape.bits);
        self.set_access(now);
        self.bytes[6..8].copy_from_slice(&shape.data_len.to_le_bytes());
        self.set_words(with);
    }

    /// Writes what the options hold, as far as there is room for them.
    fn set_words(&mut self, with: &Words) {
        self.set_cas(with.cas);
        self.set_expiry(with.expiry);
        let bits = self.as_ref().bits();
        if bits.has(Bits::FLAGS) {
            self.set_word(bits.flags_at(), with.flags);
        }
    }

    fn set_word(&mut self, at: usize, word: u32) {
        self.bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    pub(crate) fn set_bits(&mut self, bits: Bits) {
        self.bytes[1..3].copy_from_slice(&bits.0.to_le_bytes());
    }

    /// Sets or clears some.
    pub(crate) fn change_bits(&mut self, bits: Bits, are_set: bool) {
        let now = self.as_ref().bits();
        self.set_bits(if are_set { now.with(bits) } else { now.without(bits) });
    }

    pub(crate) fn set_frequency(&mut self, frequency: u8) {
        self.bytes[1] = self.bytes[1] & !FREQUENCY_MASK | frequency.min(FREQUENCY_MAX);
    }

    pub(crate) fn set_access(&mut self, now: Seconds) {
        self.bytes[3..6].copy_from_slice(&now.0.to_le_bytes()[..3]);
    }

    /// Marks a hit, and writes only what changes: items that everybody asks for stay clean in the caches of all.
    pub(crate) fn mark_hit(&mut self, now: Seconds) {
        let bits = self.as_ref().bits();
        let mut marked = bits.with(Bits::FETCHED);
        if self.as_ref().frequency() < FREQUENCY_MAX {
            marked = Bits(marked.0 + 1);
        }
        if marked != bits {
            self.set_bits(marked);
        }
        if self.bytes[3..6] != now.0.to_le_bytes()[..3] {
            self.set_access(now);
        }
    }

    /// Sets the CAS number, as far as there is room for it.
    pub(crate) fn set_cas(&mut self, cas: u64) {
        let bits = self.as_ref().bits();
        let (low, high) = (cas & u64::from(u32::MAX), cas >> 32);
        if bits.has(Bits::CAS) {
            self.set_word(HEAD_LEN, u32::try_from(low).unwrap_or(0));
        }
        if bits.has(Bits::CAS_HIGH) {
            let at = self.as_ref().key_at() - 4;
            self.set_word(at, u32::try_from(high).unwrap_or(0));
        }
    }

    /// Sets the expiry; without room for one it stays what it is, never.
    pub(crate) fn set_expiry(&mut self, expiry: Expiry) {
        let bits = self.as_ref().bits();
        if bits.has(Bits::EXPTIME) {
            self.set_word(bits.exptime_at(), expiry.to_word());
        }
    }

    /// The key and what follows it, for writing.
    pub(crate) fn content_mut(&mut self) -> &mut [u8] {
        let entry = self.as_ref();
        let at = entry.key_at();
        let end = at + usize::from(entry.key_len()) + entry.data_len();
        &mut self.bytes[at..end]
    }

    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        let key_len = usize::from(self.as_ref().key_len());
        &mut self.content_mut()[key_len..]
    }

    pub(crate) fn kill(&mut self) {
        self.change_bits(Bits::DEAD, true);
    }
}

/// What an item needs room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    bits: Bits,
    key_len: u8,
    data_len: u16,
}

impl Shape {
    /// Of a value, its line end included, that lies in the log; `None` if it is too long for any segment.
    pub(crate) fn short(key_len: u8, data_len: usize) -> Option<Self> {
        let data_len = u16::try_from(data_len).ok()?;
        Some(Self { bits: Bits::default(), key_len, data_len })
    }

    /// Of a value that lies elsewhere.
    pub(crate) fn large(key_len: u8) -> Self {
        Self { bits: Bits::LARGE, key_len, data_len: 4 }
    }

    /// With room for these words, where they are not the default, and with these marks.
    pub(crate) fn with(mut self, words: &Words, has_cas: bool, marks: Marks) -> Self {
        let bits = &mut self.bits;
        bits.put(Bits::CAS, has_cas);
        bits.put(Bits::CAS_HIGH, has_cas && words.cas > u64::from(u32::MAX));
        bits.put(Bits::EXPTIME, words.expiry.is_some());
        bits.put(Bits::FLAGS, words.flags != 0);
        bits.put(Bits::STALE, marks.is_stale);
        bits.put(Bits::WON, marks.is_won);
        bits.put(Bits::ENCODED, marks.is_key_encoded);
        self
    }

    /// The same with room for an expiry or for a CAS number above 2^32, or as it is.
    pub(crate) fn widened(mut self, for_expiry: bool, for_high_cas: bool) -> Self {
        if for_expiry {
            self.bits = self.bits.with(Bits::EXPTIME);
        }
        if for_high_cas {
            self.bits = self.bits.with(Bits::CAS_HIGH);
        }
        self
    }

    /// That of an item that there is.
    pub(crate) fn of(entry: Entry<'_>) -> Self {
        let data_len = u16::from_le_bytes([entry.bytes[6], entry.bytes[7]]);
        Self { bits: entry.bits(), key_len: entry.key_len(), data_len }
    }

    /// Whether the value lies elsewhere.
    pub(crate) fn is_large(&self) -> bool {
        self.bits.has(Bits::LARGE)
    }

    pub(crate) fn len(&self) -> usize {
        let content = usize::from(self.key_len) + usize::from(self.data_len);
        (HEAD_LEN + self.bits.options_len() + content).next_multiple_of(GRANULE)
    }

    /// Whether this lies where that item lies: everything at the same place, and as long.
    pub(crate) fn fits(&self, entry: Entry<'_>) -> bool {
        const LAYOUT: u16 =
            Bits::LARGE.0 | Bits::CAS.0 | Bits::CAS_HIGH.0 | Bits::EXPTIME.0 | Bits::FLAGS.0;
        self.key_len == entry.key_len()
            && self.bits.0 & LAYOUT == entry.bits().0 & LAYOUT
            && usize::from(self.data_len) == entry.data_len()
    }
}

/// What an item's options hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) cas: u64,
    pub(crate) expiry: Expiry,
    pub(crate) flags: u32,
}

/// What meta commands leave on an item. A new value is without them, unless it was stored with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// It was invalidated, and not stored again since.
    pub(crate) is_stale: bool,
    /// Somebody has won its renewal.
    pub(crate) is_won: bool,
    /// Its key came in base64.
    pub(crate) is_key_encoded: bool,
}

impl Marks {
    pub(crate) fn of(entry: Entry<'_>) -> Self {
        let bits = entry.bits();
        Self {
            is_stale: bits.has(Bits::STALE),
            is_won: bits.has(Bits::WON),
            is_key_encoded: bits.has(Bits::ENCODED),
        }
    }
}

/// Frequency, marks and options of an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bits(u16);

impl Bits {
    pub(crate) const FETCHED: Self = Self(1 << 2);
    pub(crate) const STALE: Self = Self(1 << 3);
    pub(crate) const WON: Self = Self(1 << 4);
    pub(crate) const ENCODED: Self = Self(1 << 5);
    /// It is kept no longer: whoever goes through the segment passes over it.
    pub(crate) const DEAD: Self = Self(1 << 6);
    pub(crate) const LARGE: Self = Self(1 << 7);
    pub(crate) const CAS: Self = Self(1 << 8);
    pub(crate) const EXPTIME: Self = Self(1 << 9);
    pub(crate) const FLAGS: Self = Self(1 << 10);
    pub(crate) const CAS_HIGH: Self = Self(1 << 11);

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    fn put(&mut self, other: Self, is_set: bool) {
        *self = if is_set { self.with(other) } else { self.without(other) };
    }

    fn options_len(self) -> usize {
        const OPTIONS: u16 = Bits::CAS.0 | Bits::EXPTIME.0 | Bits::FLAGS.0 | Bits::CAS_HIGH.0;
        4 * (self.0 & OPTIONS).count_ones() as usize
    }

    fn exptime_at(self) -> usize {
        HEAD_LEN + if self.has(Self::CAS) { 4 } else { 0 }
    }

    fn flags_at(self) -> usize {
        self.exptime_at() + if self.has(Self::EXPTIME) { 4 } else { 0 }
    }
}

/// Items begin at multiples of it.
pub(crate) const GRANULE: usize = 2;
const HEAD_LEN: usize = 8;
const FREQUENCY_MASK: u8 = 3;
/// Hits are counted up to this.
pub(crate) const FREQUENCY_MAX: u8 = 3;
/// The last access is known modulo 2^24 seconds, 194 days.
const ACCESS_MASK: u32 = (1 << 24) - 1;
