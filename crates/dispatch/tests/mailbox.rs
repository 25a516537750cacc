//! What a mailbox promises.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "so does a test fail")]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use larder_dispatch::{Full, Receiver, Sender, mailbox};

/// A mailbox, and how often its reader was woken.
fn counted<M>(capacity: usize) -> (Sender<M>, Receiver<M>, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let wake = {
        let wakes = Arc::clone(&wakes);
        move || {
            wakes.fetch_add(1, Ordering::SeqCst);
        }
    };
    let (sender, receiver) = mailbox(NonZeroUsize::new(capacity).unwrap(), wake);
    (sender, receiver, wakes)
}

/// What a story about one mailbox is made of.
#[derive(Clone, Copy, Debug)]
enum Step {
    Send(u32),
    /// A send that is refused.
    Full(u32),
    /// A drain, and what it gives.
    Drain(&'static [u32]),
    /// A drain that is given up after so many messages.
    Part(usize),
    Close,
}

use Step::{Close, Drain, Part, Send};

/// Tells the story with room for three messages, and compares how often the reader was woken.
fn check(steps: &[Step], expected_wakes: usize) {
    let (sender, receiver, wakes) = counted(3);
    for &step in steps {
        match step {
            Send(message) => sender.send(message).unwrap(),
            Step::Full(message) => assert_eq!(sender.send(message), Err(Full(message))),
            Drain(expected) => assert!(receiver.drain().eq(expected.iter().copied()), "{steps:?}"),
            Part(count) => assert_eq!(receiver.drain().take(count).count(), count),
            Close => sender.close(),
        }
    }
    assert_eq!(wakes.load(Ordering::SeqCst), expected_wakes, "{steps:?}");
}

#[test]
fn the_reader_is_woken_at_the_edge_only() {
    let cases: &[(&[Step], usize)] = &[
        (&[], 0),
        (&[Drain(&[])], 0),
        (&[Send(1)], 1),
        (&[Send(1), Send(2), Send(3)], 1),
        (&[Send(1), Drain(&[1])], 1),
        (&[Send(1), Drain(&[1]), Send(2)], 2),
        (&[Send(1), Drain(&[1]), Drain(&[]), Send(2), Send(3), Drain(&[2, 3])], 2),
        // Full, and room again.
        (&[Send(1), Send(2), Send(3), Step::Full(4), Drain(&[1, 2, 3]), Send(4)], 2),
        // What is left behind is woken for.
        (&[Send(1), Part(0)], 2),
        (&[Send(1), Send(2), Send(3), Part(1)], 2),
        (&[Send(1), Send(2), Part(1), Send(3), Drain(&[2, 3])], 2),
        (&[Send(1), Part(1), Send(2)], 2),
        // So is the end, unless a wake is due anyway.
        (&[Close], 1),
        (&[Send(1), Close, Step::Full(2), Drain(&[1])], 1),
        (&[Send(1), Drain(&[1]), Close, Close], 2),
    ];
    for &(steps, wakes) in cases {
        check(steps, wakes);
    }
}

#[test]
fn a_thousand_messages_of_four_senders_are_one_wake() {
    let (sender, receiver, wakes) = counted(1000);
    for round in 1..=20 {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..250).for_each(|message| sender.send(message).unwrap()));
            }
        });
        assert_eq!(wakes.load(Ordering::SeqCst), round);
        assert_eq!(receiver.drain().count(), 1000);
    }
}

#[test]
fn a_full_mailbox_gives_the_message_back() {
    let (sender, receiver, _) = counted(2);
    let messages = [(); 3].map(|()| Box::new(0));
    let addr = std::ptr::from_ref(&*messages[2]);
    let [a, b, c] = messages;
    sender.send(a).unwrap();
    sender.send(b).unwrap();
    let Full(back) = sender.send(c).unwrap_err();
    assert_eq!(std::ptr::from_ref(&*back), addr);
    assert_eq!(receiver.drain().count(), 2);
    sender.send(back).unwrap();
}

#[test]
fn a_drain_takes_a_mailbox_full_at_most() {
    let (sender, receiver, wakes) = counted(4);
    sender.send(0).unwrap();
    // A sender as fast as the reader.
    let mut count = 0;
    for message in receiver.drain() {
        sender.send(message + 1).unwrap();
        count += 1;
    }
    assert_eq!(count, 4);
    assert_eq!(wakes.load(Ordering::SeqCst), 2, "the one left is announced, and only once");
    assert!(receiver.drain().next() == Some(4));
}

#[test]
fn a_closed_mailbox_is_finished_when_it_is_drained() {
    let (sender, receiver, _) = counted(2);
    sender.send("last").unwrap();
    assert!(!receiver.is_finished());
    sender.close();
    assert_eq!(sender.clone().send("late"), Err(Full("late")));
    assert!(!receiver.is_finished());
    assert!(receiver.drain().eq(["last"]));
    assert!(receiver.is_finished());
}

#[test]
fn messages_go_with_their_reader() {
    let (sender, receiver, wakes) = counted(2);
    let message = Arc::new(());
    sender.send(Arc::clone(&message)).unwrap();
    drop(receiver);
    assert_eq!(Arc::strong_count(&message), 1, "although a sender is left");
    assert!(sender.send(Arc::clone(&message)).is_err());
    assert_eq!(Arc::strong_count(&message), 1);
    assert_eq!(wakes.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refusal_is_an_error_whatever_the_message() {
    struct Opaque;
    let (sender, receiver, _) = counted(1);
    drop(receiver);
    let error: Box<dyn std::error::Error> = Box::new(sender.send(Opaque).unwrap_err());
    assert_eq!(error.to_string(), "the mailbox takes no more messages");
    assert!(format!("{sender:?}").starts_with("Sender"));
}

#[test]
fn nothing_is_lost_and_each_sender_keeps_its_order() {
    const SENDERS: usize = 4;
    const EACH: u32 = 5000;
    let (bell, bells) = mpsc::channel();
    let (sender, receiver) =
        mailbox(NonZeroUsize::new(64).unwrap(), move || bell.send(()).unwrap());
    let mut got = vec![Vec::new(); SENDERS];
    thread::scope(|scope| {
        for number in 0..SENDERS {
            let sender = sender.clone();
            scope.spawn(move || {
                for message in 0..EACH {
                    let mut refused = sender.send((number, message));
                    while let Err(Full(back)) = refused {
                        thread::yield_now();
                        refused = sender.send(back);
                    }
                }
            });
        }
        // The reader sleeps on the bell only: a message without a wake would hang here.
        while got.iter().map(Vec::len).sum::<usize>() < SENDERS * EACH as usize {
            bells.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
            for (number, message) in receiver.drain() {
                got[number].push(message);
            }
        }
    });
    for messages in got {
        assert!(messages.into_iter().eq(0..EACH));
    }
}
