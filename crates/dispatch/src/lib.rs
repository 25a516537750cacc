#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod mailbox;
mod workers;

pub use mailbox::{Drain, Full, Receiver, Sender, mailbox};
pub use workers::Workers;
