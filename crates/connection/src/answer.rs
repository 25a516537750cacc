//! How the end of an arriving value is answered.

use alloc::vec::Vec;

use larder_protocol::Status;
use larder_protocol::binary::Head;

use crate::meta::Echo;
use crate::{Service, binary};

/// What is known of an answer before its value has arrived.
#[derive(Debug)]
pub(crate) enum Answer {
    /// With a frame, or not at all.
    Frame(Head),
    /// With a status, or not at all.
    Status {
        /// Whether the peer wants no reply.
        quiet: bool,
    },
    /// With a meta reply.
    Meta {
        /// Whether the peer wants no reply to what is ordinary.
        quiet: bool,
        /// What follows the code.
        echo: Echo,
    },
}

impl Answer {
    /// The end of a kept value that the peer does not send.
    pub(crate) const fn implied_end(&self) -> &'static [u8] {
        match self {
            Self::Frame(_) => b"\r\n",
            Self::Status { .. } | Self::Meta { .. } => b"",
        }
    }

    /// Length of what the peer sends for a value of this length.
    pub(crate) const fn block_len(&self, value_len: usize) -> usize {
        value_len + b"\r\n".len() - self.implied_end().len()
    }

    /// Says why there is no value; to a meta command and in a frame always.
    pub(crate) fn refuse(&self, status: Status, out: &mut Vec<u8>) {
        match self {
            Self::Frame(head) => binary::push_outcome(head, status, out),
            Self::Status { quiet: true } => {}
            Self::Status { quiet: false } | Self::Meta { .. } => {
                out.extend_from_slice(status.line());
            }
        }
    }

    /// Keeps the value and says so.
    pub(crate) fn commit<S: Service>(self, draft: S::Draft, service: &mut S, out: &mut Vec<u8>) {
        match self {
            Self::Frame(head) => {
                let stored = service.commit(draft, head.compare());
                binary::push_stored(&head, &stored, out);
            }
            Self::Status { .. } => {
                let stored = service.commit(draft, None);
                self.refuse(stored.status, out);
            }
            Self::Meta { quiet, echo } => {
                let stored = service.commit(draft, None);
                if !(quiet && stored.status == Status::Stored) {
                    echo.push(&stored, out);
                }
            }
        }
    }
}
