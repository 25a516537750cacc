//! The threads, and the dealing of messages to them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::{io, mem, process};

use crate::{Full, Receiver, Sender, mailbox};

/// Threads with a mailbox each.
///
/// Dropping this closes the mailboxes, which wakes the workers and asks them to end; [`join`](Self::join) also waits for it.
#[derive(Debug)]
pub struct Workers<M> {
    senders: Vec<Sender<M>>,
    threads: Vec<JoinHandle<()>>,
    /// How many messages were dealt; their worker is this modulo the number of workers.
    dealt: AtomicUsize,
}

impl<M: Send + 'static> Workers<M> {
    /// Starts `count` threads named `{name}-0`, `{name}-1`, … (Linux shows the first 15 bytes), each with a mailbox for
    /// `capacity` messages.
    ///
    /// `start` makes the two ends of worker `index` here, on the caller's thread, where failing is still cheap: what wakes
    /// the worker, and the body that its thread runs. The body reads its mailbox until that
    /// [is finished](Receiver::is_finished), and returns then. If it panics, the process aborts.
    ///
    /// # Errors
    ///
    /// That of `start`, or of starting a thread. The workers that run by then have been ended.
    pub fn spawn<W, B>(
        count: NonZeroUsize,
        name: &str,
        capacity: NonZeroUsize,
        mut start: impl FnMut(usize) -> io::Result<(W, B)>,
    ) -> io::Result<Self>
    where
        W: Fn() + Send + Sync + 'static,
        B: FnOnce(Receiver<M>) + Send + 'static,
    {
        let mut workers =
            Self { senders: Vec::new(), threads: Vec::new(), dealt: AtomicUsize::new(0) };
        for index in 0..count.get() {
            let started = start(index).and_then(|(wake, body)| {
                let (sender, receiver) = mailbox(capacity, wake);
                workers.senders.push(sender);
                thread::Builder::new().name(format!("{name}-{index}")).spawn(move || {
                    let _guard = AbortOnPanic;
                    body(receiver);
                })
            });
            match started {
                Ok(thread) => workers.threads.push(thread),
                Err(error) => {
                    workers.join();
                    return Err(error);
                }
            }
        }
        Ok(workers)
    }

    /// Leaves the message with the next worker, in turn, or if that one takes no more with the next that does. Returns
    /// which it was.
    ///
    /// # Errors
    ///
    /// The message itself, if no worker takes it.
    pub fn deal(&self, message: M) -> Result<usize, Full<M>> {
        let count = self.senders.len();
        let first = self.dealt.fetch_add(1, Ordering::Relaxed) % count;
        let mut message = message;
        for index in (first..count).chain(0..first) {
            match self.senders[index].send(message) {
                Ok(()) => return Ok(index),
                Err(Full(back)) => message = back,
            }
        }
        Err(Full(message))
    }

    /// Leaves a copy with every worker that takes it, and returns how many did. The others have a full mailbox, and so
    /// have a wake before them; whatever must not be missed belongs in a place of its own, which they look at when woken.
    pub fn broadcast(&self, message: M) -> usize
    where
        M: Clone,
    {
        self.senders.iter().filter(|sender| sender.send(message.clone()).is_ok()).count()
    }

    /// How many workers there are.
    #[expect(clippy::len_without_is_empty, reason = "there is one at least")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.senders.len()
    }

    /// Closes the mailboxes, and waits until the workers have drained them and ended.
    pub fn join(mut self) {
        let threads = mem::take(&mut self.threads);
        drop(self);
        for thread in threads {
            // An error would be a panic, and the process would not have outlived it.
            let _ = thread.join();
        }
    }
}

impl<M> Drop for Workers<M> {
    fn drop(&mut self) {
        self.senders.iter().for_each(Sender::close);
    }
}

/// Ends the process when the thread that holds it unwinds; the message has been printed before that.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            process::abort();
        }
    }
}
