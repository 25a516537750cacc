//! What all threads of a server share: nothing here is written on the way of an ordinary request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use larder_poller::Waker;
use larder_store::Store;
use parking_lot::Mutex;

use crate::Config;
use crate::budgets::Budgets;
use crate::classes::Classes;
use crate::clock::Clock;
use crate::config::Eviction;
use crate::counters::{Count, Counters, Sums};
use crate::crawl::Crawl;
use crate::maintenance::Maintenance;
use crate::prefixes::Prefixes;
use crate::roster::Roster;
use crate::udp;
use crate::watch::Watchers;

/// One server's common state.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) classes: Classes,
    pub(crate) budgets: Budgets,
    /// One set a worker.
    pub(crate) counters: Box<[Counters]>,
    /// One a worker.
    pub(crate) rosters: Box<[Roster]>,
    /// How many connection objects each worker has, those kept for the next client included.
    pub(crate) objects: Box<[AtomicUsize]>,
    pub(crate) connections: Connections,
    pub(crate) listeners: Vec<ListenerRecord>,
    pub(crate) udp: udp::Account,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) prefixes: Prefixes,
    pub(crate) crawl: Crawl,
    pub(crate) maintenance: Mutex<Maintenance>,
    pub(crate) verbosity: AtomicU8,
    /// The second of the last `flush_all`, or of the one that is to come; 0 before the first.
    pub(crate) flushed_at: AtomicU32,
    /// Whether `stats sizes` counts.
    pub(crate) track_sizes: AtomicBool,
    pub(crate) stop: Stop,
    /// The sums at the last `stats reset`.
    reset_at: Mutex<Sums>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        clock: Clock,
        listeners: Vec<ListenerRecord>,
        udp_addrs: Vec<SocketAddr>,
        waker: Waker,
    ) -> Self {
        let tuning = &config.tuning;
        let classes = Classes::new(tuning.chunk_size, tuning.growth_factor, tuning.slab_chunk_max);
        let threads = config.threads;
        let watchers = Arc::new(Watchers::new(config.watcher_log_bytes));
        let store = Store::new(store_config(&config, &classes, Arc::clone(&watchers)));
        Self {
            classes,
            budgets: Budgets::new(&config.budgets),
            counters: (0..threads).map(|_| Counters::new()).collect(),
            rosters: (0..threads).map(|_| Roster::default()).collect(),
            objects: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
            connections: Connections::default(),
            watchers,
            prefixes: Prefixes::new(tuning.prefix_delimiter, config.detail, threads),
            crawl: Crawl::default(),
            maintenance: Mutex::new(config.tuning.maintenance),
            listeners,
            udp: udp::Account::new(&config.udp, udp_addrs),
            verbosity: AtomicU8::new(config.verbosity),
            flushed_at: AtomicU32::new(0),
            track_sizes: AtomicBool::new(config.tuning.track_sizes),
            stop: Stop::new(waker),
            reset_at: Mutex::new(Sums::zero()),
            config,
            store,
            clock,
        }
    }

    /// What all workers counted since the last reset.
    pub(crate) fn sums(&self) -> Sums {
        Sums::of(&self.counters).since(&self.reset_at.lock())
    }

    /// Stores that were refused because nothing could be evicted for them, since the start; with `-M` that is no trouble
    /// of anybody's.
    pub(crate) fn stores_without_memory(&self) -> u64 {
        match self.config.eviction {
            Eviction::Enabled => self.counters.iter().map(|c| c.get(Count::StoreNoMemory)).sum(),
            Eviction::Disabled => 0,
        }
    }

    /// The port that an address of the configuration was bound to.
    pub(crate) fn port_of(&self, addr: &SocketAddr) -> u16 {
        let is_same = |bound: &&SocketAddr| bound.ip() == addr.ip();
        let mut bound = self.listeners.iter().filter_map(|listener| listener.tcp.as_ref());
        bound.find(is_same).unwrap_or(addr).port()
    }

    /// The addresses that were asked for with `-l`, as memcached shows them.
    pub(crate) fn interface(&self) -> String {
        let named = self.config.listen.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
        let names: Vec<String> = named.map(|ip| ip.to_string()).collect();
        if names.is_empty() { "NULL".into() } else { names.join(",") }
    }

    /// Begins counting anew.
    pub(crate) fn reset_counts(&self) {
        let mut reset_at = self.reset_at.lock();
        *reset_at = Sums::of(&self.counters);
        self.connections.total.store(0, Ordering::Relaxed);
        self.connections.rejected.store(0, Ordering::Relaxed);
        self.crawl.reset();
        self.prefixes.clear();
        self.store.reset_stats();
        self.watchers.reset_counts();
    }
}

fn store_config(
    config: &Config,
    classes: &Classes,
    watchers: Arc<Watchers>,
) -> larder_store::Config {
    larder_store::Config {
        eviction: match config.eviction {
            Eviction::Enabled => larder_store::Eviction::Enabled,
            Eviction::Disabled => larder_store::Eviction::Disabled,
        },
        cas: config.cas,
        item_bytes_max: config.item_bytes_max as u64,
        size_classes: classes.bounds().into(),
        observer: Some(watchers),
        ..larder_store::Config::new(config.memory_bytes)
    }
}

/// How many clients there are and were. Written when one comes or goes, never by a request.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) current: AtomicUsize,
    pub(crate) total: AtomicU64,
    pub(crate) rejected: AtomicU64,
    /// How often accepting had to pause because descriptors or memory had run out.
    pub(crate) pauses: AtomicU64,
    pub(crate) paused_micros: AtomicU64,
    pub(crate) is_paused: AtomicBool,
}

impl Connections {
    /// Takes one of `max` places; false if there is none.
    pub(crate) fn admit(&self, max: usize) -> bool {
        let is_admitted = self.current.fetch_add(1, Ordering::Relaxed) < max;
        if is_admitted {
            self.total.fetch_add(1, Ordering::Relaxed);
        } else {
            self.leave();
            self.reject();
        }
        is_admitted
    }

    /// Gives a place back.
    pub(crate) fn leave(&self) {
        self.current.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }
}

/// A listening socket, for `stats conns`.
#[derive(Debug, Clone)]
pub(crate) struct ListenerRecord {
    pub(crate) descriptor: i32,
    /// In the form of [`crate::roster::Record::peer`].
    pub(crate) addr: String,
    pub(crate) tcp: Option<SocketAddr>,
}

/// The wish that the server stop.
#[derive(Debug)]
pub(crate) struct Stop {
    is_wanted: AtomicBool,
    is_graceful: AtomicBool,
    waker: Waker,
}

impl Stop {
    const fn new(waker: Waker) -> Self {
        Self { is_wanted: AtomicBool::new(false), is_graceful: AtomicBool::new(false), waker }
    }

    /// Now, whatever was wanted before.
    pub(crate) fn want(&self) {
        self.is_graceful.store(false, Ordering::Release);
        self.wish();
    }

    fn wish(&self) {
        self.is_wanted.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the listener to stop it: {error}");
        }
    }

    pub(crate) fn want_gracefully(&self) {
        self.is_graceful.store(true, Ordering::Release);
        self.wish();
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    pub(crate) fn is_graceful(&self) -> bool {
        self.is_graceful.load(Ordering::Acquire)
    }
}
