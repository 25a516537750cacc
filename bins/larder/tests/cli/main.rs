//! The program as people start it: its exit codes, its background, its user, its signals. Real processes on free
//! ports; each test ends what it starts.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod daemon;
mod exits;
mod program;
mod serving;
mod switches;
