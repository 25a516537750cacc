//! Larder in this process, and a plan to start from.

#[path = "../../../../crates/server/examples/small/config.rs"]
mod small;

use std::net::SocketAddr;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use larder_replay::Plan;
use larder_server::{Config, Server, StopHandle};

/// A server that stops when this is dropped.
pub(crate) struct Larder {
    address: SocketAddr,
    stop: StopHandle,
    running: Option<JoinHandle<()>>,
}

impl Larder {
    pub(crate) fn start(memory_bytes: u64) -> Self {
        let config = Config { memory_bytes, ..small::config() };
        let server = Server::bind(config).expect("a free port");
        let (address, stop) = (server.local_addrs()[0], server.stop_handle());
        let run = move || server.run().expect("it stops when asked");
        let running = Builder::new().spawn(run).expect("a thread");
        Self { address, stop, running: Some(running) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Larder {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

/// Three connections, twenty requests each at a time, no TTLs.
pub(crate) fn plan(server: SocketAddr) -> Plan {
    Plan {
        server,
        pid: None,
        connections: 3,
        pipeline: 20,
        has_ttls: false,
        speed: None,
        timeout: Duration::from_secs(20),
    }
}
