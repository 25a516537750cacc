//! Which protocol a connection speaks.

use larder_protocol::binary::MAGIC_REQUEST;

/// The protocols that a connection may speak. Which one it does speak is decided by its first byte, and for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocols {
    /// Text, and binary if it begins like that.
    #[default]
    Auto,
    /// Binary only; anything else closes the connection.
    Binary,
    /// Text only; a binary request is a strange line.
    Text,
}

/// How the bytes of a connection are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Frames of a head and a body.
    Binary,
    /// Lines, with data blocks between them.
    Text,
}

impl Protocols {
    /// What a connection speaks that begins with this byte.
    pub(crate) const fn codec(self, first: u8) -> Codec {
        match self {
            Self::Auto if first == MAGIC_REQUEST => Codec::Binary,
            Self::Binary => Codec::Binary,
            Self::Auto | Self::Text => Codec::Text,
        }
    }
}
