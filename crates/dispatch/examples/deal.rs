//! Four workers add up what they are dealt; each sleeps on a channel between.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::{io, thread};

use larder_dispatch::{Full, Receiver, Workers};

const COUNT: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");
const CAPACITY: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

fn main() -> io::Result<()> {
    let workers = Workers::spawn(COUNT, "adder", CAPACITY, |_| {
        let (doorbell, bell) = mpsc::channel::<()>();
        let wake = move || {
            // A worker that has ended needs no wake.
            let _ = doorbell.send(());
        };
        let body = move |mailbox: Receiver<u64>| {
            let (mut sum, mut wakes) = (0, 0);
            while !mailbox.is_finished() && bell.recv().is_ok() {
                wakes += 1;
                sum += mailbox.drain().sum::<u64>();
            }
            let this = thread::current();
            println!("{}: {sum} after {wakes} wakes", this.name().unwrap_or_default());
        };
        Ok((wake, body))
    })?;
    for number in 1..=100_000 {
        let mut refused = workers.deal(number);
        while let Err(Full(number)) = refused {
            thread::yield_now();
            refused = workers.deal(number);
        }
    }
    workers.join();
    Ok(())
}
