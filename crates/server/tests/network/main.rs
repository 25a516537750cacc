//! The network path on real sockets: a server in this process, asked by clients over loopback and Unix sockets.

#![forbid(unsafe_code)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod budgets;
mod clients;
mod clock;
mod closing;
mod datagrams;
mod dumps;
mod ends;
mod kit;
mod load;
mod memory;
mod readers;
mod stats;
mod stopping;
mod udp;
mod unix_socket;
mod watch;
