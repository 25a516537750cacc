//! Decisions read from bytes.

/// Bytes, read as decisions; when they run out, every decision is the first one.
#[derive(Debug, Clone)]
pub struct Choices<'c> {
    bytes: &'c [u8],
    position: usize,
    is_endless: bool,
}

impl<'c> Choices<'c> {
    /// The decisions of these bytes.
    #[must_use]
    pub const fn new(bytes: &'c [u8]) -> Self {
        Self { bytes, position: 0, is_endless: false }
    }

    /// The decisions of these bytes, over and over.
    #[must_use]
    pub const fn endless(bytes: &'c [u8]) -> Self {
        Self { bytes, position: 0, is_endless: true }
    }

    /// Whether no decision is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.position >= self.bytes.len()
    }

    /// How many bytes were read; of endless ones, since they began again.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.position
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.position).copied().unwrap_or_default();
        self.position += 1;
        if self.is_endless && self.is_empty() {
            self.position = 0;
        }
        byte
    }

    /// A number below `count`, which is 1 to 256.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    /// One of these, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
