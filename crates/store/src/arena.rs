//! Memory from the system: address space in extents, cut into segments of one length.
//!
//! ```text
//!   Arena ─┬─ extent  [segment│segment│  free  │segment│ … ]    one mapping of 512 segments or more
//!          └─ extent  [  free │  free │  …
//!             take() ─► Segment: owned like a box, all zeroes ── drop ─► its pages are the system's again, its place is free
//! ```
//!
//! A mapping of its own for each segment would be simpler, but the kernel allows a process 65,530. Address space costs
//! nothing before it is written to. The place with the lowest number is taken first, so that what is in use stays together.
//!
//! What the unsafe blocks rest on:
//!
//! - An extent stays mapped, readable and writable, until the arena is dropped; each [`Segment`] keeps the arena.
//! - A place is marked as taken, under the lock, before its segment exists, and freed when the segment is gone. So no
//!   two segments share a byte.
//! - The pages are anonymous: bytes that nobody has written are 0, so all of them are initialized.
#![allow(unsafe_code, reason = "memory that is mapped by hand has to be owned by hand")]

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;
use rustix::mm::{MapFlags, ProtFlags};

/// Where a store's segments come from.
pub(crate) struct Arena {
    segment_len: usize,
    extent_len: usize,
    /// Segments are whole pages, so that pages can be given back without touching a neighbour's.
    has_whole_pages: bool,
    /// For tests: the most bytes that may be out.
    cap: Option<Arc<AtomicU64>>,
    extents: Mutex<Extents>,
}

impl Arena {
    /// Nothing is mapped yet. The length is a power of two.
    #[cfg(test)]
    pub(crate) fn new(segment_len: usize) -> Arc<Self> {
        Self::capped(segment_len, None)
    }

    /// One that refuses to have more than these bytes out, as a system without memory would.
    pub(crate) fn capped(segment_len: usize, cap: Option<Arc<AtomicU64>>) -> Arc<Self> {
        debug_assert!(segment_len.is_power_of_two(), "segments of {segment_len} bytes");
        Arc::new(Self {
            segment_len,
            extent_len: segment_len.saturating_mul(EXTENT_SEGMENTS),
            has_whole_pages: segment_len.is_multiple_of(rustix::param::page_size()),
            cap,
            extents: Mutex::default(),
        })
    }

    /// Bytes of a segment.
    pub(crate) fn segment_len(&self) -> usize {
        self.segment_len
    }

    /// Bytes of all segments that are out.
    pub(crate) fn taken_bytes(&self) -> u64 {
        self.extents.lock().taken * self.segment_len as u64
    }

    /// A segment of zeroes; `None` if the system has no memory for it.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Segment> {
        let mut extents = self.extents.lock();
        if let Some(cap) = &self.cap
            && (extents.taken + 1) * self.segment_len as u64 > cap.load(Relaxed)
        {
            return None;
        }
        if extents.with_room.lowest().is_none() {
            extents.map(self.extent_len, self.segment_len)?;
        }
        let (place, start) = extents.take(self.segment_len)?;
        drop(extents);
        let bytes = NonNull::slice_from_raw_parts(start, self.segment_len);
        Some(Segment { bytes, place, arena: Arc::clone(self) })
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("segment_len", &self.segment_len)
            .field("taken_bytes", &self.taken_bytes())
            .finish_non_exhaustive()
    }
}

/// A piece of memory with one owner. Dropping it gives its pages back to the system.
pub(crate) struct Segment {
    // INVARIANT: `segment_len` bytes of an extent of `arena`, at a place that is taken and that no other segment has.
    bytes: NonNull<[u8]>,
    place: Place,
    arena: Arc<Arena>,
}

// SAFETY: A segment is the only owner of plain bytes, as a box is, and no thread is special to a mapping.
unsafe impl Send for Segment {}

// SAFETY: A shared segment only lends its bytes for reading.
unsafe impl Sync for Segment {}

impl Segment {
    /// Its bytes, for a block to lend out in parts. The segment owns them as before.
    pub(crate) fn as_non_null(&self) -> NonNull<[u8]> {
        self.bytes
    }

    /// Makes all bytes 0 by giving the pages back; says whether that could be done.
    #[cfg(target_os = "linux")]
    fn discard(&mut self) -> bool {
        if !self.arena.has_whole_pages {
            return false;
        }
        let start = self.bytes.as_ptr().cast();
        // SAFETY: It changes bytes that are mapped, whole pages, and borrowed by nobody: they are this segment's alone
        // (the invariant of `bytes`), and it is borrowed here to be changed. They become 0, which any byte may be.
        let discarded = unsafe {
            rustix::mm::madvise(start, self.bytes.len(), rustix::mm::Advice::LinuxDontNeed)
        };
        // It fails for memory that is locked.
        discarded.is_ok()
    }

    /// Elsewhere the advice does not promise zeroes.
    #[cfg(not(target_os = "linux"))]
    fn discard(&mut self) -> bool {
        false
    }
}

impl Deref for Segment {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: They are mapped and initialized as long as the arena is there, which this keeps, and written through a
        // `&mut` to this segment alone (the invariant of `bytes`).
        unsafe { self.bytes.as_ref() }
    }
}

impl DerefMut for Segment {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: As in `deref`; and whoever borrows from this segment now is the only one.
        unsafe { self.bytes.as_mut() }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if !self.discard() {
            self.fill(0);
        }
        self.arena.extents.lock().put(self.place);
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("place", &self.place).finish_non_exhaustive()
    }
}

/// All that is mapped, and what of it is free.
#[derive(Debug, Default)]
struct Extents {
    list: Vec<Extent>,
    /// The extents that have a free place.
    with_room: Bits,
    mapped_bytes: usize,
    /// Segments that are out.
    taken: u64,
}

impl Extents {
    /// Maps another extent of this length, or of less if the system refuses that; `None` if it has not a segment's.
    fn map(&mut self, least_len: usize, segment_len: usize) -> Option<()> {
        // A 64th of what there is, so that not even a terabyte takes more than a few hundred.
        let wanted = least_len.max(self.mapped_bytes / 64);
        let mut segments = (wanted / segment_len).max(1);
        self.list.try_reserve(1).ok()?;
        self.with_room.reserve(self.list.len() + 1)?;
        let extent = loop {
            match Extent::map(segments, segment_len) {
                Some(extent) => break extent,
                None if segments > 1 => segments /= 2,
                None => return None,
            }
        };
        self.mapped_bytes += extent.len;
        self.with_room.insert(self.list.len());
        self.list.push(extent);
        Some(())
    }

    /// The free place with the lowest number, which is taken now, and where its bytes begin.
    fn take(&mut self, segment_len: usize) -> Option<(Place, NonNull<u8>)> {
        let number = self.with_room.lowest()?;
        let extent = self.list.get_mut(number)?;
        let index = extent.free.lowest()?;
        // Not past the end of the extent, for there are no bits for places behind it.
        let start = NonNull::new(extent.start.as_ptr().wrapping_add(index * segment_len))?;
        extent.free.remove(index);
        if extent.free.lowest().is_none() {
            self.with_room.remove(number);
        }
        self.taken += 1;
        Some((Place { extent: number, index }, start))
    }

    fn put(&mut self, place: Place) {
        self.list[place.extent].free.insert(place.index);
        self.with_room.insert(place.extent);
        self.taken -= 1;
    }
}

/// Where a segment lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    extent: usize,
    index: usize,
}

/// One mapping.
#[derive(Debug)]
struct Extent {
    // INVARIANT: `len` bytes from here on are mapped, anonymous, readable and writable, until this is dropped; that is when
    // the arena is.
    start: NonNull<u8>,
    len: usize,
    /// The places where no segment is.
    free: Bits,
}

// SAFETY: It owns its mapping, and no thread is special to that.
unsafe impl Send for Extent {}

impl Extent {
    fn map(segments: usize, segment_len: usize) -> Option<Self> {
        let len = segments.checked_mul(segment_len)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: The system chooses an address where nothing is mapped, so nobody's memory changes.
        let start =
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), len, protection, MAPPED_AS) };
        let start = NonNull::new(start.ok()?.cast())?;
        // From here on it is unmapped by being dropped.
        let mut extent = Self { start, len, free: Bits::default() };
        extent.free.reserve(segments)?;
        (0..segments).for_each(|index| extent.free.insert(index));
        Some(extent)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        // SAFETY: It is this mapping, in whole. Nobody borrows from it: segments do, each keeps the arena, and an extent
        // is dropped with the arena or before it got there.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// A set of small numbers, whose lowest is found soon.
#[derive(Debug, Default)]
struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Makes room for numbers below this; `None` if there is no memory.
    fn reserve(&mut self, end: usize) -> Option<()> {
        let words = end.div_ceil(64);
        let missing = words.saturating_sub(self.words.len());
        self.words.try_reserve_exact(missing).ok()?;
        self.words.resize(words.max(self.words.len()), 0);
        Some(())
    }

    fn lowest(&self) -> Option<usize> {
        let word = self.words.iter().position(|&word| word != 0)?;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }

    fn insert(&mut self, number: usize) {
        self.words[number / 64] |= 1 << (number % 64);
    }

    fn remove(&mut self, number: usize) {
        self.words[number / 64] &= !(1 << (number % 64));
    }
}

/// Segments of the first extents: 32 MiB in segments of 64 KiB. Where memory is locked, all of an extent is there at once.
const EXTENT_SEGMENTS: usize = 512;
/// Address space is not memory: nothing is set aside for it.
#[cfg(target_os = "linux")]
const MAPPED_AS: MapFlags = MapFlags::PRIVATE.union(MapFlags::NORESERVE);
#[cfg(not(target_os = "linux"))]
const MAPPED_AS: MapFlags = MapFlags::PRIVATE;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LEN: usize = 16 << 10;

    fn address(segment: &Segment) -> usize {
        segment.as_ptr().addr()
    }

    fn mark(number: usize) -> u8 {
        u8::try_from(number % 251).unwrap()
    }

    #[test]
    fn segments_come_in_order_and_lie_apart() {
        let arena = Arena::new(LEN);
        let mut segments: Vec<_> = (0..3 * EXTENT_SEGMENTS).map_while(|_| arena.take()).collect();
        assert_eq!(segments.len(), 3 * EXTENT_SEGMENTS);
        for pair in segments[..EXTENT_SEGMENTS].windows(2) {
            assert_eq!(address(&pair[0]) + LEN, address(&pair[1]));
        }
        for (number, segment) in segments.iter_mut().enumerate() {
            assert!(segment.len() == LEN && segment.iter().all(|&byte| byte == 0));
            segment.fill(mark(number));
        }
        for (number, segment) in segments.iter().enumerate() {
            assert!(segment.iter().all(|&byte| byte == mark(number)), "{number}");
        }
        assert_eq!(arena.taken_bytes(), (3 * EXTENT_SEGMENTS * LEN) as u64);
    }

    #[test]
    fn what_is_given_back_is_zeroes_when_it_is_taken_again() {
        // The second is no whole number of pages: its bytes are made 0 one by one.
        for len in [LEN, 512] {
            let arena = Arena::new(len);
            let mut segments: Vec<_> = (0..64).map_while(|_| arena.take()).collect();
            segments.iter_mut().for_each(|segment| segment.fill(7));
            let lowest = address(&segments[5]);
            drop(segments.swap_remove(20));
            drop(segments.swap_remove(5));
            let again = arena.take().unwrap();
            assert_eq!(address(&again), lowest, "the lowest place first");
            assert!(again.iter().all(|&byte| byte == 0));
            assert!(segments.iter().flat_map(|segment| &**segment).all(|&byte| byte == 7));
            drop(segments);
            assert_eq!(arena.taken_bytes(), len as u64);
        }
    }

    /// Pages of a segment that are in memory, as the kernel says.
    #[cfg(target_os = "linux")]
    fn present(start: usize, len: usize) -> usize {
        use std::os::unix::fs::FileExt;
        let page = rustix::param::page_size();
        let map = std::fs::File::open("/proc/self/pagemap").unwrap();
        let mut entries = vec![0; len / page * 8];
        map.read_exact_at(&mut entries, (start / page * 8) as u64).unwrap();
        // The highest bit of the entry of a page.
        entries.chunks_exact(8).filter(|entry| entry[7] & 0x80 != 0).count()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_are_the_systems_again() {
        let arena = Arena::new(64 << 10);
        let (mut segment, neighbour) = (arena.take().unwrap(), arena.take().unwrap());
        let (start, len) = (address(&segment), segment.len());
        assert_eq!(present(start, len), 0, "nothing was written yet");
        segment.fill(1);
        assert_eq!(present(start, len), len / rustix::param::page_size());
        drop(segment);
        assert_eq!(present(start, len), 0);
        drop(neighbour);
    }

    #[test]
    fn a_cap_refuses_until_something_is_given_back() {
        let cap = Arc::new(AtomicU64::new(3 * LEN as u64 + 1));
        let arena = Arena::capped(LEN, Some(Arc::clone(&cap)));
        let mut segments: Vec<_> = (0..10).map_while(|_| arena.take()).collect();
        assert_eq!(segments.len(), 3);
        segments.pop();
        segments.extend(arena.take());
        assert!(segments.len() == 3 && arena.take().is_none());
        cap.store(4 * LEN as u64, Relaxed);
        assert!(arena.take().is_some());
    }

    #[test]
    fn where_much_is_refused_less_is_mapped() {
        // Segments of a gibibyte: 512 Ti of them are more than any system maps.
        let mut arena = Arena::new(1 << 30);
        Arc::get_mut(&mut arena).unwrap().extent_len = 1 << 59;
        let mut segment = arena.take().unwrap();
        segment[1 << 29] = 1;
        assert_eq!((segment[0], segment[1 << 29]), (0, 1));
        let mapped = arena.extents.lock().mapped_bytes;
        assert!((1 << 30..1 << 59).contains(&mapped), "{mapped}");
    }

    #[test]
    fn a_segment_keeps_its_arena() {
        let arena = Arena::new(LEN);
        let mut segment = arena.take().unwrap();
        drop(arena);
        segment.fill(3);
        let is_whole = move || segment.iter().all(|&byte| byte == 3);
        assert!(thread::scope(|scope| scope.spawn(is_whole).join().unwrap()));
    }

    #[test]
    fn threads_never_share_a_segment() {
        let arena = Arena::new(LEN);
        thread::scope(|scope| {
            for thread in 1..=4_u8 {
                let arena = &arena;
                scope.spawn(move || {
                    let mut random = u64::from(thread);
                    let mut held = Vec::new();
                    for _ in 0..3000 {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let choice = (random >> 33) as usize;
                        if choice.is_multiple_of(2) && held.len() < 700 {
                            let mut segment = arena.take().unwrap();
                            assert!(segment.iter().all(|&byte| byte == 0), "dirty");
                            segment.fill(thread);
                            held.push(segment);
                        } else if !held.is_empty() {
                            let segment = held.swap_remove(choice / 2 % held.len());
                            assert!(segment.iter().all(|&byte| byte == thread), "shared");
                        }
                    }
                });
            }
        });
        assert_eq!(arena.taken_bytes(), 0);
    }
}
