//! State machines where a transcript expects a server: no socket, no thread, a clock of our own.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use larder_connection::{Connection, Limits, Service};

use crate::model::Model;
use crate::transcript::Stage;

/// A service whose clock a test can move.
pub trait Clocked: Service {
    /// Unix time, in seconds.
    fn unix_time(&self) -> u64;

    /// Lets a second pass.
    fn pass_second(&mut self);
}

impl Clocked for Model {
    fn unix_time(&self) -> u64 {
        u64::try_from(self.now()).unwrap_or(0)
    }

    fn pass_second(&mut self) {
        let now = self.now();
        self.set_now(now + 1);
    }
}

/// Machines that share a service.
#[derive(Debug)]
pub struct Machines<S> {
    service: Rc<RefCell<S>>,
    limits: Limits,
    read_len: usize,
    /// Part of a second that went by.
    passed: Duration,
}

impl<S> Machines<S> {
    /// Machines under these limits, to which bytes arrive at most `read_len` at once.
    #[must_use]
    pub const fn new(service: Rc<RefCell<S>>, limits: Limits, read_len: usize) -> Self {
        Self { service, limits, read_len, passed: Duration::ZERO }
    }
}

impl<S: Clocked> Stage for Machines<S> {
    type Wire = Wire<S>;

    fn connect(&mut self) -> io::Result<Wire<S>> {
        let connection = Connection::new(self.limits);
        Ok(Wire { connection, service: Rc::clone(&self.service), read_len: self.read_len })
    }

    fn end(&mut self, wire: &mut Wire<S>) -> io::Result<()> {
        wire.connection.receive_end(&mut self.service.borrow_mut());
        Ok(())
    }

    fn now(&self) -> u64 {
        self.service.borrow().unix_time()
    }

    fn wait(&mut self, pause: Duration) {
        self.passed += pause;
        while let Some(rest) = self.passed.checked_sub(Duration::from_secs(1)) {
            self.service.borrow_mut().pass_second();
            self.passed = rest;
        }
    }
}

/// A machine where a socket is expected. It takes bytes by one of the machine's two ways, and by the other next.
pub struct Wire<S: Service> {
    connection: Connection<S>,
    service: Rc<RefCell<S>>,
    read_len: usize,
}

impl<S: Service> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("phase", &self.connection.phase()).finish_non_exhaustive()
    }
}

impl<S: Service> Write for Wire<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.read_len);
        let service = &mut self.service.borrow_mut();
        if len.is_multiple_of(2) {
            self.connection.receive(&bytes[..len], service);
            return Ok(len);
        }
        let (mut scratch, mut taken) = (vec![0; len], 0);
        for slice in self.connection.read_into(&mut scratch) {
            let step = slice.len().min(bytes.len() - taken);
            slice[..step].copy_from_slice(&bytes[taken..][..step]);
            taken += step;
        }
        self.connection.read_done(taken, &scratch, service);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Service> Read for Wire<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.connection.has_work() {
            self.connection.receive(&[], &mut self.service.borrow_mut());
        }
        if self.connection.is_finished() {
            return Ok(0);
        }
        let mut chunks = self.connection.output().chunks();
        let Some(chunk) = chunks.next() else { return Err(io::ErrorKind::WouldBlock.into()) };
        let len = chunk.len().min(buffer.len());
        buffer[..len].copy_from_slice(&chunk[..len]);
        self.connection.output().advance(len);
        Ok(len)
    }
}
