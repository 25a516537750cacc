//! memcached's slab classes, as arithmetic: monitors read them, the store knows nothing of them.

/// Sizes of the virtual classes, ascending.
#[derive(Debug, Clone)]
pub(crate) struct Classes {
    chunk_sizes: Box<[u32]>,
}

impl Classes {
    /// The table that memcached makes from its switches: 48 bytes of header and `chunk_size` to begin with, times
    /// `growth_factor`, rounded up to 8, until the largest chunk is near.
    pub(crate) fn new(chunk_size: u32, growth_factor: f64, chunk_max: u32) -> Self {
        let mut chunk_sizes = Vec::new();
        let mut size = f64::from(chunk_size.saturating_add(ITEM_HEADER));
        let last = f64::from(chunk_max);
        while size < last / growth_factor && chunk_sizes.len() < CLASS_COUNT_MAX - 1 {
            let rounded = round_up(size);
            if chunk_sizes.last().is_some_and(|&previous| rounded <= previous) {
                break;
            }
            chunk_sizes.push(rounded);
            size = f64::from(rounded) * growth_factor;
        }
        chunk_sizes.retain(|&size| size < chunk_max);
        chunk_sizes.push(chunk_max);
        Self { chunk_sizes: chunk_sizes.into() }
    }

    /// Upper bounds of the classes, in bytes.
    pub(crate) fn chunk_sizes(&self) -> &[u32] {
        &self.chunk_sizes
    }

    /// The bounds that the store is given: the last class has none, what is larger counts in it.
    pub(crate) fn bounds(&self) -> &[u32] {
        self.chunk_sizes.split_last().map_or(&[], |(_, bounds)| bounds)
    }

    /// Which class an item of this size counts in, from 0; items above the last class count in the last.
    pub(crate) fn class_of(&self, item_bytes: u64) -> usize {
        let class = self.chunk_sizes.partition_point(|&size| u64::from(size) < item_bytes);
        class.min(self.chunk_sizes.len() - 1)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most the largest chunk, positive"
)]
fn round_up(size: f64) -> u32 {
    (size as u32).next_multiple_of(CHUNK_ALIGN)
}

/// memcached has at most 63 classes.
pub(crate) const CLASS_COUNT_MAX: usize = 63;

/// One page of memcached's slabs, in bytes.
pub(crate) const PAGE_BYTES: u32 = 1 << 20;

const ITEM_HEADER: u32 = 48;
const CHUNK_ALIGN: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table_is_memcacheds() {
        let classes = Classes::new(48, 1.25, 512 * 1024);
        let expected = [
            96, 120, 152, 192, 240, 304, 384, 480, 600, 752, 944, 1184, 1480, 1856, 2320, 2904,
            3632, 4544, 5680, 7104, 8880, 11_104, 13_880, 17_352, 21_696, 27_120, 33_904, 42_384,
            52_984, 66_232, 82_792, 103_496, 129_376, 161_720, 202_152, 252_696, 315_872, 394_840,
            524_288,
        ];
        assert_eq!(classes.chunk_sizes(), expected);
        for (bytes, class) in
            [(1, 0), (96, 0), (97, 1), (394_841, 38), (524_288, 38), (1 << 30, 38)]
        {
            assert_eq!(classes.class_of(bytes), class, "{bytes}");
        }
    }

    #[test]
    fn odd_switches_end() {
        for (chunk_size, factor) in [(1, 1.000_001), (48, 1.01), (u32::MAX, 2.0), (48, 1e300)] {
            let classes = Classes::new(chunk_size, factor, 512 * 1024);
            assert!(classes.chunk_sizes().len() <= CLASS_COUNT_MAX);
            assert!(classes.chunk_sizes().is_sorted());
        }
    }
}
