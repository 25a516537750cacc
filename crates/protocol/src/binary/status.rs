//! How a request ended, as a number and in words.

/// The status of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Who asks has no right to that.
    AuthFailure,
    /// The item changed since its CAS number was read, or is there although it should not.
    Exists,
    /// Lengths that do not belong to the opcode.
    InvalidArguments,
    /// The value of a counter is no number.
    NonNumeric,
    /// No item under this key.
    NotFound,
    /// There was nothing to append or prepend to.
    NotStored,
    /// Done.
    Ok,
    /// Nothing could be evicted to make room.
    OutOfMemory,
    /// The item is larger than the server allows.
    TooLarge,
    /// No such opcode, or none that is served.
    UnknownCommand,
}

impl Status {
    /// The number in the head of the response.
    pub const fn code(self) -> u16 {
        match self {
            Self::Ok => 0x00,
            Self::NotFound => 0x01,
            Self::Exists => 0x02,
            Self::TooLarge => 0x03,
            Self::InvalidArguments => 0x04,
            Self::NotStored => 0x05,
            Self::NonNumeric => 0x06,
            Self::AuthFailure => 0x20,
            Self::UnknownCommand => 0x81,
            Self::OutOfMemory => 0x82,
        }
    }

    /// The body of the response that says it; empty for a success.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ok => "",
            Self::NotFound => "Not found",
            Self::Exists => "Data exists for key.",
            Self::TooLarge => "Too large.",
            Self::InvalidArguments => "Invalid arguments",
            Self::NotStored => "Not stored.",
            Self::NonNumeric => "Non-numeric server-side value for incr or decr",
            Self::AuthFailure => "Auth failure.",
            Self::UnknownCommand => "Unknown command",
            Self::OutOfMemory => "Out of memory allocating item",
        }
    }
}
