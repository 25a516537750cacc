//! What was asked of one key, what was said, and when: ticks of one clock that all threads share.

use std::fmt;
use std::sync::Arc;

/// One operation on the key, from its call to its return.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) action: Action,
    pub(crate) said: Said,
    pub(crate) called: u64,
    pub(crate) returned: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Add,
    Append,
    Cas(u64),
    Delete,
    /// The store has told that it evicts the item of this number.
    Evict(u64),
    /// Touched so that it expires at once.
    Expire,
    /// All keys at once.
    Flush,
    Get,
    Increment,
    Prepend,
    Replace,
    Set,
    Touch,
}

/// What was said, and what was stored if it was a store.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// A visit's, or nothing.
    Shows(State),
    /// The number that the item has got, and the value that was sent.
    Stored(u64, Vec<u8>),
    NotStored,
    Exists,
    /// A number was counted up by one: what it is now, and the item's CAS number.
    Counted(u64, u64),
    NonNumeric,
    NotFound,
    Done,
    /// There was no memory for it.
    Refused,
}

/// What the key holds: a CAS number and a value.
pub(crate) type State = Option<(u64, Arc<Vec<u8>>)>;

impl Event {
    /// What the key holds after this, if it may happen to a key that holds `before`.
    pub(crate) fn after(&self, before: &State) -> Option<State> {
        let (same, none) = (Some(before.clone()), Some(None));
        let stored = |cas: u64, value: Vec<u8>| Some(Some((cas, Arc::new(value))));
        match (self.action, before, &self.said) {
            (Action::Evict(cas), Some((own, _)), Said::Done) if cas == *own => none,
            (Action::Evict(_), ..) => None,
            (Action::Flush, _, Said::Done) => none,
            (_, _, Said::Refused) => same,
            (Action::Get, before, Said::Shows(shown)) if shown == before => same,
            (Action::Delete | Action::Expire, Some(_), Said::Done) => none,
            (Action::Touch, Some(_), Said::Done) => same,
            (
                Action::Delete
                | Action::Expire
                | Action::Touch
                | Action::Increment
                | Action::Cas(_),
                None,
                Said::NotFound,
            ) => same,
            (Action::Set, _, Said::Stored(cas, value)) => stored(*cas, value.clone()),
            (Action::Add, None, Said::Stored(cas, value)) => stored(*cas, value.clone()),
            (Action::Add, Some(_), Said::NotStored) => same,
            (Action::Replace, Some(_), Said::Stored(cas, value)) => stored(*cas, value.clone()),
            (Action::Append, Some((_, old)), Said::Stored(cas, value)) => {
                stored(*cas, [old, value.as_slice()].concat())
            }
            (Action::Prepend, Some((_, old)), Said::Stored(cas, value)) => {
                stored(*cas, [value.as_slice(), old].concat())
            }
            (Action::Append | Action::Prepend | Action::Replace, None, Said::NotStored) => same,
            (Action::Cas(cas), Some((own, _)), Said::Stored(new, value)) if cas == *own => {
                stored(*new, value.clone())
            }
            (Action::Cas(cas), Some((own, _)), Said::Exists) if cas != *own => same,
            (Action::Increment, Some((_, old)), said) => counted(old, said, same),
            _ => None,
        }
    }
}

fn counted(old: &[u8], said: &Said, same: Option<State>) -> Option<State> {
    let text = std::str::from_utf8(old).ok()?;
    // The number ends at the first blank; what is behind it is overwritten.
    match (text.split(' ').next().unwrap_or_default().parse::<u64>(), said) {
        (Ok(number), Said::Counted(now, cas)) if number.wrapping_add(1) == *now => {
            Some(Some((*cas, Arc::new(digits(*now, old.len())))))
        }
        (Err(_), Said::NonNumeric) => same,
        // One that is kept in pieces is none.
        (Ok(_), Said::NonNumeric) if old.len() > ONE_PIECE => same,
        _ => None,
    }
}

/// A number, with blanks behind it up to a length.
pub(crate) fn digits(number: u64, len: usize) -> Vec<u8> {
    let mut digits = number.to_string().into_bytes();
    digits.resize(len.max(digits.len()), b' ');
    digits
}

impl Said {
    /// The CAS number that the store chose for this.
    pub(crate) fn new_cas(&self) -> Option<u64> {
        match self {
            Self::Stored(cas, _) | Self::Counted(_, cas) => Some(*cas),
            _ => None,
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}..{:<6} {:?}: {:?}", self.called, self.returned, self.action, self.said)
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shows(state) => write!(f, "{}", Shown(state)),
            Self::Stored(cas, value) => write!(f, "stored {cas} = {}", short(value)),
            Self::Counted(number, cas) => write!(f, "counted {cas} = {number}"),
            Self::NotStored => f.write_str("not stored"),
            Self::Exists => f.write_str("exists"),
            Self::NonNumeric => f.write_str("no number"),
            Self::NotFound => f.write_str("not found"),
            Self::Done => f.write_str("done"),
            Self::Refused => f.write_str("refused"),
        }
    }
}

/// A state in few words.
pub(crate) struct Shown<'s>(pub(crate) &'s State);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((cas, value)) => write!(f, "{cas} = {}", short(value)),
            None => f.write_str("nothing"),
        }
    }
}

/// Values up to this length are kept in one piece.
const ONE_PIECE: usize = 2 << 10;

fn short(value: &[u8]) -> String {
    let start = &value[..value.len().min(16)];
    format!("{} ({} bytes)", start.escape_ascii(), value.len())
}
