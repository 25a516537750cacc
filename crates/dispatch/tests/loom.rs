//! The mailbox's edge, in every interleaving: no message is left without a wake.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p larder-dispatch --test loom --release`

#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "so does a test fail")]

use std::num::NonZeroUsize;

use larder_dispatch::{Full, Receiver, Sender, mailbox};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// What a worker sleeps on: a wake makes the current or the next sleep return, as a poller's does. A sleep that nobody
/// ends is a deadlock, which loom reports.
#[derive(Default)]
struct Bed {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Bed {
    fn wake(&self) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn sleep(&self) {
        let mut woken = self.woken.lock().unwrap();
        while !*woken {
            woken = self.changed.wait(woken).unwrap();
        }
        *woken = false;
    }
}

/// A mailbox with the bed of its reader.
fn with_bed(capacity: usize) -> (Sender<u32>, Receiver<u32>, Arc<Bed>) {
    let bed = Arc::new(Bed { woken: Mutex::new(false), changed: Condvar::new() });
    let wake = {
        let bed = Arc::clone(&bed);
        move || bed.wake()
    };
    let (sender, receiver) = mailbox(NonZeroUsize::new(capacity).unwrap(), wake);
    (sender, receiver, bed)
}

/// Sleeps and drains until `count` messages came.
fn collect(receiver: &Receiver<u32>, bed: &Bed, count: usize) -> Vec<u32> {
    let mut got = Vec::new();
    while got.len() < count {
        bed.sleep();
        got.extend(receiver.drain());
    }
    got
}

#[test]
fn messages_of_one_sender_all_arrive_in_order() {
    loom::model(|| {
        let (sender, receiver, bed) = with_bed(2);
        let thread = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        assert_eq!(collect(&receiver, &bed, 2), [1, 2]);
        thread.join().unwrap();
    });
}

#[test]
fn messages_of_two_senders_all_arrive() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (sender, receiver, bed) = with_bed(2);
        let threads = [1, 2].map(|message| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(message).unwrap())
        });
        let mut got = collect(&receiver, &bed, 2);
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn what_a_drain_leaves_is_woken_for_again() {
    loom::model(|| {
        let (sender, receiver, bed) = with_bed(2);
        let thread = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        let mut got = Vec::new();
        while got.len() < 2 {
            bed.sleep();
            got.extend(receiver.drain().next());
        }
        assert_eq!(got, [1, 2]);
        thread.join().unwrap();
    });
}

#[test]
fn a_close_is_woken_for_and_loses_nothing() {
    loom::model(|| {
        let (sender, receiver, bed) = with_bed(2);
        let thread = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.close();
        });
        let mut got = Vec::new();
        while !receiver.is_finished() {
            bed.sleep();
            got.extend(receiver.drain());
        }
        assert_eq!(got, [1]);
        thread.join().unwrap();
    });
}

#[test]
fn a_message_is_read_given_back_or_dropped_with_its_reader() {
    loom::model(|| {
        let message = std::sync::Arc::new(());
        let (sender, receiver) = mailbox(NonZeroUsize::MIN, || {});
        let sent = std::sync::Arc::clone(&message);
        let thread = thread::spawn(move || match sender.send(sent) {
            Ok(()) => drop(sender),
            Err(Full(back)) => drop(back),
        });
        drop(receiver);
        thread.join().unwrap();
        assert_eq!(std::sync::Arc::strong_count(&message), 1);
    });
}
