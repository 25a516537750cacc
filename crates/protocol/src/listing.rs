//! `lru_crawler metadump` and `mgdump`: which items are listed, and how.

use alloc::vec::Vec;

use crate::Status;

/// A request to list all items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDump<'a> {
    /// How an item is shown.
    pub form: DumpForm,
    /// Which items are; not looked at yet, because what else is wrong comes first.
    pub classes: ClassList<'a>,
}

/// How a dump shows an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpForm {
    /// `metadump`: a line of what is known about it.
    Details,
    /// `mgdump`: as a request for it.
    Requests,
}

/// Size classes as a peer names them: `all`, `hash`, or numbers between commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassList<'a> {
    word: &'a [u8],
}

impl<'a> ClassList<'a> {
    /// A list that [`Self::classes`] reads.
    pub const fn new(word: &'a [u8]) -> Self {
        Self { word }
    }

    /// The word as it was sent.
    pub const fn word(&self) -> &'a [u8] {
        self.word
    }

    /// Whether a walk over the index is asked for instead of one over the classes.
    pub fn is_hash(&self) -> bool {
        self.word == b"hash"
    }

    /// The classes it names.
    ///
    /// # Errors
    ///
    /// [`Status::BadClass`] if a number is none, 0, or above [`CLASS_MAX`]; [`Status::NotStarted`] if there is none at all.
    pub fn classes(&self) -> Result<ClassSet, Status> {
        if matches!(self.word, b"all" | b"hash") {
            return Ok(ClassSet::ALL);
        }
        let mut set = ClassSet(0);
        // Commas part like blanks do: several count as one.
        for number in self.word.split(|&byte| byte == b',').filter(|number| !number.is_empty()) {
            let class = crate::parse_number(number).filter(|class| (1..=CLASS_MAX).contains(class));
            set.0 |= 1 << class.ok_or(Status::BadClass)?;
        }
        if set.0 == 0 { Err(Status::NotStarted) } else { Ok(set) }
    }
}

/// A set of size classes, which are numbered from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassSet(u64);

impl ClassSet {
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether a class is among them.
    pub const fn has(self, class: u8) -> bool {
        (class as u64) <= CLASS_MAX && self.0 >> class & 1 == 1
    }
}

/// Appends a key as a dump of details shows it: what is neither letter nor digit nor one of `-._~` as `%` and two digits.
pub fn push_uri_encoded(out: &mut Vec<u8>, key: &[u8]) {
    for &byte in key {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

const fn digit(nibble: u8) -> u8 {
    match nibble {
        0..10 => b'0' + nibble,
        _ => b'A' + (nibble - 10),
    }
}

/// Highest number of a size class.
pub const CLASS_MAX: u64 = 63;
