//! The configuration of a small server, for programs and tests that start one.

use std::num::NonZeroU64;
use std::time::Duration;

use larder_server::{Budgets, Config, Eviction, Maintenance, Protocols, Tuning, Udp};

/// 127.0.0.1, any free port, 64 MiB, 2 threads.
pub(crate) fn config() -> Config {
    Config {
        listen: vec![([127, 0, 0, 1], 0).into()],
        udp: Udp {
            listen: Vec::new(),
            reply_bytes_max: 64 << 10,
            reply_bytes_per_second: NonZeroU64::new(64 << 20),
        },
        unix: None,
        port_file: None,
        backlog: 1024,
        threads: 2,
        connections_max: 1024,
        protocols: Protocols::Auto,
        idle_timeout: None,
        memory_bytes: 64 << 20,
        eviction: Eviction::Enabled,
        item_bytes_max: 1 << 20,
        cas: true,
        flush: true,
        dumps: true,
        watch: true,
        watcher_log_bytes: 256 << 10,
        shutdown: false,
        debug_commands: false,
        budgets: Budgets {
            unread_reply_bytes: 64 << 20,
            incomplete_value_bytes: 32 << 20,
            incomplete_command_bytes: 64 << 20,
            replies_in_flight: 65_536,
            half_command_age: Some(Duration::from_secs(30)),
        },
        tuning: Tuning {
            growth_factor: 1.25,
            chunk_size: 48,
            requests_per_event: 20,
            prefix_delimiter: b':',
            hash_power: 0,
            hash_algorithm: "keyed".to_owned(),
            slab_chunk_max: 512 << 10,
            maintenance: Maintenance::default(),
            worker_log_bytes: 64 << 10,
            track_sizes: false,
        },
        detail: false,
        verbosity: 0,
        on_verbosity: |_| (),
    }
}
