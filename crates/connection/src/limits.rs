//! What a connection may hold, and what it does hold.

/// What one connection may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest line that is answered, in bytes, its newline not counted. A longer one closes the connection, but for a
    /// retrieval, whose keys are then answered as they arrive.
    pub line_len: usize,
    /// Bytes of a line that are kept while its end has not arrived, at most `line_len`. One that has more is taken for
    /// too long: where it is less than `line_len`, lines between the two are answered only if they arrive in one piece.
    pub unfinished_line_len: usize,
    /// Bytes of unsent replies above which no further request is answered. One value, or one answer to `stats`, may
    /// stand above it.
    pub output_len: usize,
}

impl Default for Limits {
    /// memcached's limits for lines: it keeps 2,048 bytes of one, and answers what its read buffer of 16 KiB held whole.
    fn default() -> Self {
        Self { line_len: 16 * 1024, unfinished_line_len: 2048, output_len: 256 * 1024 }
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
