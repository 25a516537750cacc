//! The same suite over what other systems use, so that it is built and tested on Linux too.

#![allow(
    unreachable_pub,
    clippy::needless_pass_by_ref_mut,
    reason = "what is public in the crate is private here"
)]

#[path = "../src/events.rs"]
mod events;
#[path = "../src/poller.rs"]
mod poller;
#[path = "../src/registered.rs"]
mod registered;
#[path = "../src/portable.rs"]
mod system;

use events::{Events, Ready};
use poller::{Poller, Waker};
use registered::{Interest, Registered};

mod suite;
