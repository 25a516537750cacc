//! The states of a connection; `connection` has the picture of how one follows another.

use larder_protocol::Retrieval;

use crate::Draft;
use crate::answer::Answer;

/// What a connection is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Between requests, or in the middle of a line.
    Command,
    /// A value is arriving.
    Value,
    /// A refused value is thrown away.
    Skip,
    /// Replies wait to be read.
    Reply,
    /// It watches.
    Watch,
    /// Nothing more is read.
    Closing,
}

#[derive(Debug)]
pub(crate) enum State<D, L, F> {
    /// A request, or the rest of one, comes next.
    Request(Awaited),
    /// The value of a store is arriving straight into its own memory.
    Value(Arriving<D>),
    /// An answer is made piece by piece.
    Listing(L),
    /// Lines are told as they come up, and what the peer sends is thrown away.
    Watch(F),
    /// A refused value is thrown away.
    Skip { remaining: usize },
    /// The rest of a line is thrown away.
    SkipLine,
    /// Nothing more is read; the connection ends when the output is sent.
    Closing,
}

/// What of a request comes next. It is changed in its state, not with it: to put one state in the place of another is to ask
/// what the old one owned, twice a retrieval.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Awaited {
    /// Before one; nothing before `searched` holds a newline, where newlines mean anything.
    Line { searched: usize },
    /// The keys of a retrieval come next.
    Keys { retrieval: Retrieval },
}

impl<D, L, F> State<D, L, F> {
    /// Goes on with a request.
    pub(crate) fn go_on(&mut self, awaited: Awaited) {
        match self {
            Self::Request(old) => *old = awaited,
            other => *other = Self::Request(awaited),
        }
    }

    /// Throws away what belongs to a refused value or line, and says how many bytes that are. Only for the two
    /// states that skip.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> usize {
        let (len, is_done) = match self {
            Self::Skip { remaining } => {
                let len = bytes.len().min(*remaining);
                *remaining -= len;
                (len, *remaining == 0)
            }
            _ => match memchr::memchr(b'\n', bytes) {
                Some(newline) => (newline + 1, true),
                None => (bytes.len(), false),
            },
        };
        if is_done {
            self.go_on(Awaited::Line { searched: 0 });
        }
        len
    }

    /// What a connection in this state is busy with, replies of its waiting or not.
    pub(crate) const fn phase(&self, owes_replies: bool) -> Phase {
        match self {
            Self::Closing => Phase::Closing,
            Self::Value(_) => Phase::Value,
            Self::Skip { .. } | Self::SkipLine => Phase::Skip,
            Self::Listing(_) => Phase::Reply,
            Self::Watch(_) => Phase::Watch,
            Self::Request(_) if owes_replies => Phase::Reply,
            Self::Request(_) => Phase::Command,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Arriving<D> {
    pub(crate) draft: D,
    pub(crate) answer: Answer,
}

impl<D: Draft> Arriving<D> {
    /// Bytes that the peer has to send yet.
    pub(crate) fn owed(&self) -> usize {
        self.draft.remaining() - self.answer.implied_end().len().min(self.draft.remaining())
    }

    /// Where they go; none when memory ran out.
    pub(crate) fn space(&mut self) -> Option<&mut [u8]> {
        let owed = self.owed();
        let space = self.draft.space()?;
        let len = space.len().min(owed);
        space.get_mut(..len)
    }

    /// Completes a value that the peer owes nothing of; returns whether there was memory for it.
    pub(crate) fn end(&mut self) -> bool {
        let mut rest = self.answer.implied_end();
        while self.draft.remaining() > 0 {
            let space = self.draft.space().filter(|space| !space.is_empty() && !rest.is_empty());
            let Some(space) = space else { return false };
            let len = space.len().min(rest.len());
            let (now, later) = rest.split_at(len);
            space[..len].copy_from_slice(now);
            self.draft.filled(len);
            rest = later;
        }
        true
    }
}

/// How a state dealt with the bytes before it.
pub(crate) enum Step {
    /// It is done with so many; go on with the rest.
    Used(usize),
    /// It is done with so many, and needs more bytes than there are.
    Short(usize),
    /// The output is full.
    Full,
}
