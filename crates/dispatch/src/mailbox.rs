//! A bounded queue whose reader sleeps elsewhere, and is woken only if it may be asleep.
//!
//! ```text
//!   sender                                 receiver
//!   ──────                                 ────────
//!   push                                   (woken)
//!   is_due.swap(true)                      is_due.swap(false)
//!      was false: wake()                   pop … until empty
//! ```
//!
//! `is_due` says that a wake was made, or is about to be made, which the receiver has not taken up. A sender that finds it
//! set leaves the waking to whoever set it. Nothing is left without a wake: both sides swap the same word, so one is first.
//! If the sender is, the receiver's swap acquires the push, and its pops find the message. If the receiver is, the sender
//! finds `false` and wakes. A message that the receiver happened to pop already costs one wake for nothing.

use std::num::NonZeroUsize;
use std::{error, fmt};

#[cfg(loom)]
use loom::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
#[cfg(not(loom))]
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};

use concurrent_queue::ConcurrentQueue;

/// A mailbox for `capacity` messages. `wake` makes its reader drain it: now, or as soon as it would sleep.
///
/// `wake` is called by senders, on their threads, and by a reader that leaves messages behind.
pub fn mailbox<M>(
    capacity: NonZeroUsize,
    wake: impl Fn() + Send + Sync + 'static,
) -> (Sender<M>, Receiver<M>) {
    let mailbox = Arc::new(Mailbox {
        queue: ConcurrentQueue::bounded(capacity.get()),
        capacity: capacity.get(),
        is_due: AtomicBool::new(false),
        wake: Box::new(wake),
    });
    (Sender { mailbox: Arc::clone(&mailbox) }, Receiver { mailbox })
}

/// Puts messages in a mailbox, from any thread.
pub struct Sender<M> {
    mailbox: Arc<Mailbox<M>>,
}

impl<M> Sender<M> {
    /// Leaves a message, and wakes the reader if it may be asleep. Messages of one sender stay in their order.
    ///
    /// # Errors
    ///
    /// The message itself, if the mailbox is full, or closed, or its reader is gone: what is not read any more takes
    /// nothing more.
    pub fn send(&self, message: M) -> Result<(), Full<M>> {
        self.mailbox.queue.push(message).map_err(|refused| Full(refused.into_inner()))?;
        self.mailbox.make_due();
        Ok(())
    }

    /// Takes no more messages, from this sender or another, and wakes the reader, which still gets those that were sent.
    pub fn close(&self) {
        self.mailbox.queue.close();
        self.mailbox.make_due();
    }
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self { mailbox: Arc::clone(&self.mailbox) }
    }
}

/// Takes messages out of its mailbox. When it is dropped the mailbox is closed, and what is in it dropped too.
pub struct Receiver<M> {
    mailbox: Arc<Mailbox<M>>,
}

impl<M> Receiver<M> {
    /// Takes out what is there, oldest first, and at most a mailbox full, so that a busy sender does not keep a worker from
    /// its clients. The mailbox wakes its reader again for what is left when the iterator is dropped.
    pub fn drain(&self) -> Drain<'_, M> {
        // Before the first pop; the module's text says why. A swap and not a store, to acquire what the senders pushed.
        self.mailbox.is_due.swap(false, Ordering::AcqRel);
        Drain { mailbox: &self.mailbox, remaining: self.mailbox.capacity }
    }

    /// Whether the mailbox was closed and everything in it was drained: nothing comes any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        // In this order: nothing is pushed after the close.
        self.mailbox.queue.is_closed() && self.mailbox.queue.is_empty()
    }
}

impl<M> Drop for Receiver<M> {
    fn drop(&mut self) {
        self.mailbox.queue.close();
        // The senders may live on, and what is in here (sockets) must not wait for them.
        while self.mailbox.queue.pop().is_ok() {}
    }
}

/// The messages that [`Receiver::drain`] takes out, one a step.
pub struct Drain<'a, M> {
    mailbox: &'a Mailbox<M>,
    remaining: usize,
}

impl<M> Iterator for Drain<'_, M> {
    type Item = M;

    fn next(&mut self) -> Option<M> {
        self.remaining = self.remaining.checked_sub(1)?;
        self.mailbox.queue.pop().ok()
    }
}

impl<M> Drop for Drain<'_, M> {
    fn drop(&mut self) {
        // Senders who saw `is_due` before it was cleared rely on these messages being popped, or on this wake.
        if !self.mailbox.queue.is_empty() {
            self.mailbox.make_due();
        }
    }
}

/// The message that a mailbox did not take, because it is full, or closed, or nobody reads it any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<M>(pub M);

impl<M> fmt::Display for Full<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mailbox takes no more messages")
    }
}

impl<M> fmt::Debug for Full<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<M> error::Error for Full<M> {}

struct Mailbox<M> {
    queue: ConcurrentQueue<M>,
    /// How many messages the queue takes.
    capacity: usize,
    /// A wake was made, or is about to be, since the receiver last began to drain.
    is_due: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl<M> Mailbox<M> {
    /// Sees to it that the receiver drains after this.
    fn make_due(&self) {
        if !self.is_due.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("len", &self.queue.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl<M> fmt::Debug for Sender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mailbox.fmt("Sender", f)
    }
}

impl<M> fmt::Debug for Receiver<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mailbox.fmt("Receiver", f)
    }
}

impl<M> fmt::Debug for Drain<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mailbox.fmt("Drain", f)
    }
}
