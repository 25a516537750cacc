//! What a connection may hold, and what it does hold.

/// What one connection may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest line, in bytes, its newline not counted. A longer one closes the connection, but for a retrieval, whose
    /// keys are then answered as they arrive.
    pub line_len: usize,
    /// Bytes of unsent replies above which no further request is answered. One value, or one answer to `stats`, may
    /// stand above it.
    pub output_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_len: 16 * 1024, output_len: 256 * 1024 }
    }
}

/// What a connection holds for work that its peer has not finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Bytes of replies in memory of their own.
    pub reply_bytes: usize,
    /// Replies that pin a value.
    pub replies_in_flight: usize,
    /// Bytes of commands that are not complete, or not answered yet.
    pub command_bytes: usize,
    /// Bytes held for a value that is not complete.
    pub value_bytes: usize,
}
