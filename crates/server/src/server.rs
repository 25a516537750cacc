//! The server: binding, running, stopping.

use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io, mem};

use larder_dispatch::Workers;
use larder_poller::{Interest, Poller, Registered, Waker};

use crate::acceptor::Acceptor;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::listener::{self, BoundTo, Listener};
use crate::shared::Shared;
use crate::udp::{self, Datagrams};
use crate::worker::Worker;

/// A cache server that listens; [`Self::run`] serves.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    addrs: Vec<SocketAddr>,
    poller: Poller,
    listeners: Vec<Registered<Listener>>,
    /// One set a worker; moved there when it starts.
    datagrams: Vec<Vec<UdpSocket>>,
}

impl Server {
    /// Listens on every address of the configuration and makes the store. No thread is started yet: clients that connect
    /// now wait in the kernel's queue.
    ///
    /// # Errors
    ///
    /// An address that cannot be listened on, or a system without descriptors.
    pub fn bind(config: Config) -> Result<Self, Error> {
        let listeners = listener::bind_all(&config)?;
        let udp = udp::bind_all(&config)?;
        if listeners.is_empty() && udp.addrs.is_empty() {
            return Err(Error::NothingToListenOn);
        }
        let addrs: Vec<SocketAddr> = listeners
            .iter()
            .filter_map(|listener| match &listener.addr {
                BoundTo::Tcp(addr) => Some(*addr),
                BoundTo::Unix(_) => None,
            })
            .collect();
        if let Some(path) = &config.port_file {
            // As memcached: whoever waits for the file notices, everybody else is served.
            if let Err(error) = write_port_file(path, &addrs, &udp.addrs) {
                log::warn!("cannot write the port file {}: {error}", path.display());
            }
        }
        let poller = Poller::new().map_err(Error::Start)?;
        let records = listeners.iter().map(Listener::record).collect();
        let (clock, waker) = (Clock::start(), poller.waker());
        let shared = Arc::new(Shared::new(config, clock, records, udp.addrs, waker));
        let listeners = (0..)
            .zip(listeners)
            .map(|(key, listener)| poller.register(listener, key, Interest::READ))
            .collect::<io::Result<_>>()
            .map_err(Error::Start)?;
        Ok(Self { shared, addrs, poller, listeners, datagrams: udp.sockets })
    }

    /// The TCP addresses that it listens on, with the ports that were bound.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The UDP addresses that it receives on, with the ports that were bound.
    pub fn local_udp_addrs(&self) -> &[SocketAddr] {
        &self.shared.udp.addrs
    }

    /// What stops this server from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { shared: Arc::clone(&self.shared) }
    }

    /// Serves on threads of its own, and accepts on the caller's, until it is stopped.
    ///
    /// # Errors
    ///
    /// When the threads cannot be started, or the system fails in a way that no peer can cause.
    pub fn run(mut self) -> Result<(), Error> {
        let (workers, wakers) = self.start_workers().map_err(Error::Start)?;
        let maintenance = start_maintenance(&self.shared, wakers).map_err(Error::Start)?;
        let acceptor = Acceptor::new(Arc::clone(&self.shared), self.poller, self.listeners);
        let accepted = acceptor.run(&workers);
        if accepted.is_err() {
            self.shared.stop.want();
        }
        workers.join();
        maintenance.thread().unpark();
        // An error would be a panic, whose message has been printed.
        let _ = maintenance.join();
        accepted.map_err(Error::Wait)
    }

    /// Starts the workers, with what wakes each beside its mailbox.
    fn start_workers(&mut self) -> io::Result<(Workers<listener::Accepted>, Vec<Waker>)> {
        let mut wakers = Vec::new();
        let count = NonZeroUsize::new(self.shared.config.threads).unwrap_or(NonZeroUsize::MIN);
        let workers = Workers::spawn(count, "larder-worker", MAILBOX_LEN, |index| {
            let poller = Poller::new()?;
            let waker = poller.waker();
            wakers.push(waker.clone());
            let wake = move || {
                if let Err(error) = waker.wake() {
                    log::error!("cannot wake worker {index}: {error}");
                }
            };
            let sockets = self.datagrams.get_mut(index).map(mem::take).unwrap_or_default();
            let datagrams = Datagrams::new(Arc::clone(&self.shared), index, sockets, &poller)?;
            let worker = Worker::new(Arc::clone(&self.shared), index, poller, datagrams);
            Ok((wake, move |mailbox| worker.run(&mailbox)))
        })?;
        Ok((workers, wakers))
    }
}

/// Stops a [`Server`] from any thread.
#[derive(Debug, Clone)]
pub struct StopHandle {
    shared: Arc<Shared>,
}

impl StopHandle {
    /// Stops now: connections are closed, whatever they are in the middle of.
    pub fn stop(&self) {
        self.shared.stop.want();
    }

    /// Stops reading, sends the replies that are owed, for five seconds at most, and stops then.
    pub fn stop_gracefully(&self) {
        self.shared.stop.want_gracefully();
    }
}

/// Does the store's background work until the server stops, and wakes the workers that have clients once a second, for
/// theirs.
fn start_maintenance(shared: &Arc<Shared>, wakers: Vec<Waker>) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let work = move || {
        shared.crawl.set_sweeper(thread::current());
        let mut woken_at = shared.clock.now();
        while !shared.stop.is_wanted() {
            let now = shared.clock.now();
            let swept = shared.store.sweep(now, SWEEP_ITEMS);
            if !swept.more {
                shared.crawl.note_end();
            }
            if now != woken_at {
                woken_at = now;
                wake_those_with_clients(&shared, &wakers);
            }
            thread::park_timeout(if swept.more { SWEEP_PAUSE } else { SWEEP_INTERVAL });
        }
    };
    thread::Builder::new().name("larder-sweeper".into()).spawn(work)
}

fn wake_those_with_clients(shared: &Shared, wakers: &[Waker]) {
    for (index, (waker, objects)) in wakers.iter().zip(&shared.objects).enumerate() {
        if objects.load(Ordering::Relaxed) == 0 {
            continue;
        }
        if let Err(error) = waker.wake() {
            log::error!("cannot wake worker {index}: {error}");
        }
    }
}

/// Writes memcached's lines to a file beside the one asked for and renames it then, so that a reader finds all or nothing.
fn write_port_file(path: &Path, tcp: &[SocketAddr], udp: &[SocketAddr]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".lck");
    let mut file = fs::File::create(&unfinished)?;
    for (transport, addrs) in [("TCP", tcp), ("UDP", udp)] {
        for addr in addrs {
            let family = if addr.is_ipv6() { "INET6" } else { "INET" };
            writeln!(file, "{transport} {family}: {}", addr.port())?;
        }
    }
    drop(file);
    fs::rename(&unfinished, path)
}

/// New connections that may wait for one worker.
const MAILBOX_LEN: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Items that one slice of background work looks at, and the pauses between slices.
const SWEEP_ITEMS: usize = 1024;
const SWEEP_PAUSE: Duration = Duration::from_millis(1);
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
