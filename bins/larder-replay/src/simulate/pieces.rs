//! What the store's policy is made of, each of which can be switched off to see what it earns.

use std::fmt;
use std::str::FromStr;

use larder_store::Policy;

/// A piece of the store's policy: a field of [`Policy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of Policy say what they are")]
pub enum Piece {
    Ghost,
    SelfSizing,
    SizeAware,
    TtlStreams,
    OverwriteInPlace,
    Compaction,
}

/// A set of pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pieces(u8);

impl Pieces {
    /// No piece at all.
    pub const NONE: Self = Self(0);

    /// The policy without these.
    pub(super) fn switched_off(self) -> Policy {
        let has = |piece| !self.contains(piece);
        Policy {
            ghost: has(Piece::Ghost),
            self_sizing: has(Piece::SelfSizing),
            size_aware: has(Piece::SizeAware),
            ttl_streams: has(Piece::TtlStreams),
            overwrite_in_place: has(Piece::OverwriteInPlace),
            compaction: has(Piece::Compaction),
        }
    }

    fn contains(self, piece: Piece) -> bool {
        self.0 & (1 << piece as u8) != 0
    }
}

impl FromIterator<Piece> for Pieces {
    fn from_iter<I: IntoIterator<Item = Piece>>(pieces: I) -> Self {
        pieces.into_iter().fold(Self::NONE, |all, piece| Self(all.0 | 1 << piece as u8))
    }
}

impl Piece {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ghost,
        Self::SelfSizing,
        Self::SizeAware,
        Self::TtlStreams,
        Self::OverwriteInPlace,
        Self::Compaction,
    ];

    /// The name of the field.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ghost => "ghost",
            Self::SelfSizing => "self_sizing",
            Self::SizeAware => "size_aware",
            Self::TtlStreams => "ttl_streams",
            Self::OverwriteInPlace => "overwrite_in_place",
            Self::Compaction => "compaction",
        }
    }
}

impl FromStr for Piece {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|piece| piece.name() == text);
        let names = Self::ALL.map(Self::name).join(", ");
        named.ok_or_else(|| format!("{text:?} is none of {names}"))
    }
}

impl fmt::Display for Pieces {
    /// The names, with a comma between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Piece::ALL.into_iter().filter(|piece| self.contains(*piece)).map(Piece::name);
        f.pad(&names.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use larder_store::Policy;

    use super::{Piece, Pieces};

    #[test]
    fn a_piece_switches_the_field_of_its_name() {
        let check = |names: &str| {
            let pieces: Pieces = names.split(',').map(|name| name.parse().unwrap()).collect();
            assert_eq!(pieces.to_string(), names);
            let policy = format!("{:?}", pieces.switched_off());
            for piece in Piece::ALL {
                let is_off = names.split(',').any(|name| name == piece.name());
                assert!(policy.contains(&format!("{}: {}", piece.name(), !is_off)), "{policy}");
            }
        };
        Piece::ALL.map(Piece::name).into_iter().for_each(check);
        check("ghost,compaction");
        check(&Piece::ALL.map(Piece::name).join(","));
        assert_eq!(Pieces::NONE.switched_off(), Policy::default());
        assert!("ghosts".parse::<Piece>().is_err());
    }
}
