//! What a frame asks.

/// What a request asks; its number on the wire is its discriminant. A `Q` is quiet: its ordinary response is left out (a
/// miss of a retrieval, a success of the others). A `K` wants the key in the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names of the protocol's own document say it all")]
pub enum Opcode {
    Get = 0x00,
    Set = 0x01,
    Add = 0x02,
    Replace = 0x03,
    Delete = 0x04,
    Increment = 0x05,
    Decrement = 0x06,
    Quit = 0x07,
    Flush = 0x08,
    GetQ = 0x09,
    Noop = 0x0a,
    Version = 0x0b,
    GetK = 0x0c,
    GetKQ = 0x0d,
    Append = 0x0e,
    Prepend = 0x0f,
    Stat = 0x10,
    SetQ = 0x11,
    AddQ = 0x12,
    ReplaceQ = 0x13,
    DeleteQ = 0x14,
    IncrementQ = 0x15,
    DecrementQ = 0x16,
    QuitQ = 0x17,
    FlushQ = 0x18,
    AppendQ = 0x19,
    PrependQ = 0x1a,
    Touch = 0x1c,
    Gat = 0x1d,
    GatQ = 0x1e,
    SaslList = 0x20,
    SaslAuth = 0x21,
    SaslStep = 0x22,
    GatK = 0x23,
    GatKQ = 0x24,
}

impl Opcode {
    /// Every opcode there is, in the order of their numbers.
    pub const ALL: [Self; 35] = [
        Self::Get,
        Self::Set,
        Self::Add,
        Self::Replace,
        Self::Delete,
        Self::Increment,
        Self::Decrement,
        Self::Quit,
        Self::Flush,
        Self::GetQ,
        Self::Noop,
        Self::Version,
        Self::GetK,
        Self::GetKQ,
        Self::Append,
        Self::Prepend,
        Self::Stat,
        Self::SetQ,
        Self::AddQ,
        Self::ReplaceQ,
        Self::DeleteQ,
        Self::IncrementQ,
        Self::DecrementQ,
        Self::QuitQ,
        Self::FlushQ,
        Self::AppendQ,
        Self::PrependQ,
        Self::Touch,
        Self::Gat,
        Self::GatQ,
        Self::SaslList,
        Self::SaslAuth,
        Self::SaslStep,
        Self::GatK,
        Self::GatKQ,
    ];

    /// The opcode of this number, if there is one.
    pub fn parse(byte: u8) -> Option<Self> {
        // The numbers have two holes: 0x1b, and 0x1f.
        let index = match byte {
            0x00..=0x1a => byte,
            0x1c..=0x1e => byte - 1,
            0x20..=0x24 => byte - 2,
            _ => return None,
        };
        Self::ALL.get(usize::from(index)).copied()
    }

    /// Whether the ordinary response is left out.
    pub const fn is_quiet(self) -> bool {
        matches!(
            self,
            Self::GetQ
                | Self::GetKQ
                | Self::SetQ
                | Self::AddQ
                | Self::ReplaceQ
                | Self::DeleteQ
                | Self::IncrementQ
                | Self::DecrementQ
                | Self::QuitQ
                | Self::FlushQ
                | Self::AppendQ
                | Self::PrependQ
                | Self::GatQ
                | Self::GatKQ
        )
    }

    /// Whether the response to a retrieval repeats the key.
    pub const fn wants_key(self) -> bool {
        matches!(self, Self::GetK | Self::GetKQ | Self::GatK | Self::GatKQ)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_its_opcode_or_none() {
        for byte in 0..=u8::MAX {
            let expected = Opcode::ALL.into_iter().find(|opcode| *opcode as u8 == byte);
            assert_eq!(Opcode::parse(byte), expected, "{byte:#x}");
        }
    }
}
