//! What operators order that is neither about items nor about statistics.

use crate::number::parse_signed_wide;
use crate::words::Words;
use crate::{ParseError, Request};

/// An order of an operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What is to change.
    pub change: Change,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// What an operator changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `debugtime`: the server's clock.
    Clock(ClockChange),
}

/// A change of the server's clock, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// It stands still.
    Pause,
    /// It goes on, at the time that it would show had it not stood still.
    Resume,
    /// It is put forward, or back, by so many seconds.
    Shift(i64),
}

/// Words after `debugtime`: seconds, `p` or `r`.
pub(crate) fn parse_clock(mut words: Words<'_>) -> Result<Request<'_>, ParseError> {
    let change = match (words.next(), words.next()) {
        (Some(b"p"), None) => ClockChange::Pause,
        (Some(b"r"), None) => ClockChange::Resume,
        (Some(seconds), None) => {
            ClockChange::Shift(parse_signed_wide(seconds).ok_or(ParseError::UnknownCommand)?)
        }
        _ => return Err(ParseError::UnknownCommand),
    };
    Ok(Request::Order(Order { change: Change::Clock(change), quiet: false }))
}
