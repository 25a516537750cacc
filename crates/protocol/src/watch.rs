//! `watch`: what a peer wants to be told of.

use core::ops::BitOr;

use crate::words::Words;

/// A request to be told what happens, from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// Of what; none if one of the words names no stream.
    pub streams: Option<Streams>,
}

impl Watch {
    /// Reads the names of streams; without any it is [`Streams::FETCHERS`].
    pub(crate) fn parse(mut words: Words<'_>) -> Self {
        let Some(first) = words.next() else { return Self { streams: Some(Streams::FETCHERS) } };
        let named = words.map(Streams::named).fold(Streams::named(first), |some, next| {
            let (some, next) = some.zip(next)?;
            Some(some | next)
        });
        Self { streams: named }
    }
}

/// A set of streams of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams(u32);

impl Streams {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// `fetchers`: keys that were looked up.
    pub const FETCHERS: Self = Self(1);
    /// `mutations`: values that were stored, or not.
    pub const MUTATIONS: Self = Self(1 << 1);
    /// `evictions`: items that made room for others.
    pub const EVICTIONS: Self = Self(1 << 2);
    /// `connevents`: clients that came and went.
    pub const CONNECTIONS: Self = Self(1 << 3);
    /// `sysevents`: the server's background work.
    pub const SYSTEM: Self = Self(1 << 4);
    /// `rawcmds`: command lines; memcached knows the name and writes none.
    pub const COMMANDS: Self = Self(1 << 5);
    /// `deletions`: items that were deleted.
    pub const DELETIONS: Self = Self(1 << 6);
    /// `proxyreqs`, `proxyevents`, `proxyuser`: memcached as a proxy.
    pub const PROXY: Self = Self(1 << 7);

    /// Those of one name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"connevents" => Some(Self::CONNECTIONS),
            b"deletions" => Some(Self::DELETIONS),
            b"evictions" => Some(Self::EVICTIONS),
            b"fetchers" => Some(Self::FETCHERS),
            b"mutations" => Some(Self::MUTATIONS),
            b"proxyevents" | b"proxyreqs" | b"proxyuser" => Some(Self::PROXY),
            b"rawcmds" => Some(Self::COMMANDS),
            b"sysevents" => Some(Self::SYSTEM),
            _ => None,
        }
    }

    /// Whether one of `others` is among them.
    #[must_use]
    pub const fn has_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// As a number, a bit a stream.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of [`Self::bits`].
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl BitOr for Streams {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
