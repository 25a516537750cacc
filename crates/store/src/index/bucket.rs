//! A bucket: one cache line with up to twelve entries.
//!
//! ```text
//!   byte  0          12       14       16                                            64
//!         | 12 tags  | marks  | ways   | 12 handles of 4 bytes                        |
//!                     │         └ bit n: some whose home this is lie n + 1 buckets on; bit 15: some are in the stash
//!                     └ 12 bits: which entries are guests, at home elsewhere; 4 bits: the number of entries
//! ```
//!
//! An entry at home is a resident. One that has no room at home is a guest in one other bucket: its way there is told by its
//! tag. So where a guest is at home needs no bits, and a look-up goes on only if an entry with such a tag went.
//!
//! The entries stand without gaps, in no order; behind them the tags are 0, which no entry has. A bucket of zeroes is empty.

/// The bytes of a bucket.
pub(super) type Bucket = [u8; BUCKET_BYTES];

/// One item in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) handle: u32,
    /// Some bits of its hash; never 0.
    pub(super) tag: u8,
    pub(super) stay: Stay,
}

/// As what an entry lies in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    Resident,
    Guest,
}

/// Buckets from the home of an entry with this tag to where it is a guest, if it is one.
#[inline]
pub(super) fn distance(tag: u8) -> usize {
    way(tag) + 1
}

/// Which of the ways an entry with this tag goes.
#[inline]
pub(super) fn way(tag: u8) -> usize {
    // There are fifteen.
    match tag & 15 {
        15 => 7,
        way => usize::from(way),
    }
}

#[inline]
pub(super) fn is_full(bucket: &Bucket) -> bool {
    len(bucket) == ENTRIES
}

/// How many entries there are.
#[inline]
pub(super) fn len(bucket: &Bucket) -> usize {
    usize::from(bucket[MARKS + 1] >> 4)
}

/// The places of the entries with this tag, residents and guests.
#[inline]
pub(super) fn matches(bucket: &Bucket, tag: u8) -> Matches {
    let (low, high) = bucket.split_at(8);
    let bytes = |bytes: &[u8]| bytes.first_chunk().map_or(0, |&bytes| u64::from_le_bytes(bytes));
    let wanted = u64::from_le_bytes([tag; 8]);
    // Behind the tags are other bytes.
    let high = zeroes(bytes(high) ^ wanted) & 0xFFFF_FFFF;
    Matches { low: zeroes(bytes(low) ^ wanted), high }
}

#[inline]
pub(super) fn residents(bucket: &Bucket) -> Places {
    let marks = marks(bucket);
    Places(!marks & !(u16::MAX << (marks >> 12)))
}

/// The guests that came this way.
#[inline]
pub(super) fn guests(bucket: &Bucket, by: usize) -> Places {
    let guests = Places(marks(bucket) & GUESTS);
    let came = guests.filter(|&place| way(bucket[place]) == by);
    Places(came.fold(0, |places, place| places | 1 << place))
}

/// The ways on which there are entries whose home this is.
#[inline]
pub(super) fn ways(bucket: &Bucket) -> Places {
    Places(way_bits(bucket) & !STASHED)
}

/// Whether entries with such a tag, whose home this is, are guests elsewhere.
#[inline]
pub(super) fn has_sent(bucket: &Bucket, tag: u8) -> bool {
    way_bits(bucket) & 1 << way(tag) != 0
}

/// Notes that some went this way, or that none is there any more.
#[inline]
pub(super) fn set_sent(bucket: &mut Bucket, way: usize, sent: Sent) {
    set_way_bit(bucket, 1 << way, sent);
}

/// Whether entries whose home this is are in the stash.
#[inline]
pub(super) fn has_stashed(bucket: &Bucket) -> bool {
    way_bits(bucket) & STASHED != 0
}

#[inline]
pub(super) fn set_stashed(bucket: &mut Bucket, stashed: Sent) {
    set_way_bit(bucket, STASHED, stashed);
}

/// Whether there are entries outside their home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Some,
    None,
}

#[inline]
pub(super) fn entry(bucket: &Bucket, place: usize) -> Entry {
    let stay = if marks(bucket) & 1 << place == 0 { Stay::Resident } else { Stay::Guest };
    Entry { handle: handle(bucket, place), tag: bucket[place], stay }
}

#[inline]
pub(super) fn handle(bucket: &Bucket, place: usize) -> u32 {
    let (handles, _) = bucket[HANDLES..].as_chunks();
    u32::from_le_bytes(handles[place])
}

#[inline]
pub(super) fn set_handle(bucket: &mut Bucket, place: usize, handle: u32) {
    let (handles, _) = bucket[HANDLES..].as_chunks_mut();
    handles[place] = handle.to_le_bytes();
}

/// Adds an entry to a bucket that is not full.
#[inline]
pub(super) fn push(bucket: &mut Bucket, entry: Entry) {
    let marks = marks(bucket);
    let place = usize::from(marks >> 12);
    debug_assert!(place < ENTRIES, "full");
    set_handle(bucket, place, entry.handle);
    bucket[place] = entry.tag;
    let guest = u16::from(entry.stay == Stay::Guest) << place;
    set_marks(bucket, (marks + ONE_MORE) | guest);
}

/// Takes an entry out; the last one moves to its place.
#[inline]
pub(super) fn swap_remove(bucket: &mut Bucket, place: usize) {
    let marks = marks(bucket);
    let last = usize::from(marks >> 12) - 1;
    let handle = handle(bucket, last);
    set_handle(bucket, place, handle);
    bucket[place] = bucket[last];
    bucket[last] = 0;
    let moved = ((marks >> last) & 1) << place;
    set_marks(bucket, (((marks & !(1 << place)) | moved) & !(1 << last)) - ONE_MORE);
}

/// Takes all residents out.
#[inline]
pub(super) fn clear_residents(bucket: &mut Bucket) {
    let before = *bucket;
    *bucket = [0; BUCKET_BYTES];
    [bucket[WAYS], bucket[WAYS + 1]] = [before[WAYS], before[WAYS + 1]];
    for place in Places(marks(&before) & GUESTS) {
        push(bucket, entry(&before, place));
    }
}

/// Places in a bucket, or ways from it, a bit each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places(u16);

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let place = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(place)
    }
}

/// Places in a bucket, the highest bit of a byte each: the first eight, and the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matches {
    low: u64,
    high: u64,
}

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place;
        if self.low != 0 {
            place = self.low.trailing_zeros() / 8;
            self.low &= self.low - 1;
        } else if self.high != 0 {
            place = self.high.trailing_zeros() / 8 + 8;
            self.high &= self.high - 1;
        } else {
            return None;
        }
        Some(place as usize)
    }
}

/// The highest bit of each byte that is 0.
#[inline]
fn zeroes(bytes: u64) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    // It is left if no other bit was set, for the addition carries into it.
    !(((bytes & LOW) + LOW) | bytes | LOW)
}

#[inline]
fn marks(bucket: &Bucket) -> u16 {
    u16::from_le_bytes([bucket[MARKS], bucket[MARKS + 1]])
}

#[inline]
fn set_marks(bucket: &mut Bucket, marks: u16) {
    [bucket[MARKS], bucket[MARKS + 1]] = marks.to_le_bytes();
}

#[inline]
fn way_bits(bucket: &Bucket) -> u16 {
    u16::from_le_bytes([bucket[WAYS], bucket[WAYS + 1]])
}

#[inline]
fn set_way_bit(bucket: &mut Bucket, bit: u16, sent: Sent) {
    let others = way_bits(bucket) & !bit;
    let bits = if sent == Sent::Some { others | bit } else { others };
    [bucket[WAYS], bucket[WAYS + 1]] = bits.to_le_bytes();
}

pub(super) const BUCKET_BYTES: usize = 64;
/// Entries of a bucket.
pub(super) const ENTRIES: usize = 12;
/// The farthest that a guest is from home.
pub(super) const DISTANCE_MAX: usize = 15;
const MARKS: usize = 12;
const WAYS: usize = 14;
const HANDLES: usize = 16;
/// Among the marks: the entries that are guests, and what one entry adds.
const GUESTS: u16 = (1 << ENTRIES) - 1;
const ONE_MORE: u16 = 1 << 12;
/// Among the ways.
const STASHED: u16 = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_a_list_would() {
        let mut random = 7_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % below
        };
        let (mut bucket, mut list) = ([0; BUCKET_BYTES], Vec::new());
        for handle in 0..20_000_u32 {
            if list.len() < ENTRIES && (list.is_empty() || next(2) == 0) {
                let stay = if next(3) == 0 { Stay::Guest } else { Stay::Resident };
                let tag = u8::try_from(next(255) + 1).unwrap();
                let entry = Entry { handle, tag, stay };
                push(&mut bucket, entry);
                list.push(entry);
            } else if next(50) == 0 {
                clear_residents(&mut bucket);
                list.retain(|entry| entry.stay == Stay::Guest);
            } else {
                let place = next(list.len().max(1)).min(list.len());
                if place < list.len() {
                    swap_remove(&mut bucket, place);
                    list.swap_remove(place);
                }
            }
            let (way, sent) = (next(16), [Sent::Some, Sent::None][next(2)]);
            set_way_bit(&mut bucket, 1 << way, sent);
            assert_eq!(way_bits(&bucket) & 1 << way != 0, sent == Sent::Some);
            let there: Vec<_> = (0..len(&bucket)).map(|place| entry(&bucket, place)).collect();
            assert_eq!((&there, is_full(&bucket)), (&list, list.len() == ENTRIES));
            check_places(&bucket, &list);
        }
    }

    fn check_places(bucket: &Bucket, list: &[Entry]) {
        let places = |is_it: &dyn Fn(&Entry) -> bool| -> Vec<usize> {
            list.iter().enumerate().filter(|(_, entry)| is_it(entry)).map(|(at, _)| at).collect()
        };
        for tag in 1..=u8::MAX {
            let found: Vec<_> = matches(bucket, tag).collect();
            assert_eq!(found, places(&|entry| entry.tag == tag), "{tag}");
        }
        let found: Vec<_> = residents(bucket).collect();
        assert_eq!(found, places(&|entry| entry.stay == Stay::Resident));
        for by in 0..15 {
            let came = |entry: &Entry| entry.stay == Stay::Guest && way(entry.tag) == by;
            assert_eq!(guests(bucket, by).collect::<Vec<_>>(), places(&came), "{by}");
        }
        assert_eq!(matches(bucket, 0).count(), ENTRIES - list.len(), "a tag behind the entries");
    }
}
