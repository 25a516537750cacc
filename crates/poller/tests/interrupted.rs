//! A wait that a signal interrupts returns without events and without an error.
//!
//! On Linux a process that is stopped and continued finds its `epoll_wait` interrupted, without any handler.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "so does a test fail")]

use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use larder_poller::{Events, Poller};
use rustix::process::{Pid, Signal, kill_process};

/// Far more than this takes; it ends a test that would hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// Set in the child, which is the one that waits.
const CHILD: &str = "LARDER_POLLER_INTERRUPTED";

#[test]
#[expect(clippy::disallowed_methods, reason = "a test with a deadline reads the clock")]
fn an_interrupted_wait_is_no_error() {
    if env::var_os(CHILD).is_some() {
        return wait_for_a_signal();
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "an_interrupted_wait_is_no_error"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if started.elapsed() > DEADLINE {
            break None;
        }
        // It has not begun to wait yet, perhaps: it is interrupted until it ends.
        kill_process(pid, Signal::STOP).unwrap();
        kill_process(pid, Signal::CONT).unwrap();
        thread::yield_now();
    };
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
}

fn wait_for_a_signal() {
    let mut poller = Poller::new().unwrap();
    let mut events = Events::with_capacity(NonZeroUsize::MIN);
    poller.wait(&mut events, None).unwrap();
    assert!(events.iter().next().is_none());
    assert!(!events.was_woken());
}
