//! The log: to standard error, at a level that `-v` sets and `verbosity` changes.

use std::io::Write as _;

use larder_server::{Config, Server};
use log::LevelFilter;

use crate::options::Options;

/// Starts the log, and says what there is to say about the options.
pub(crate) fn start(options: &Options) {
    env_logger::Builder::new()
        // Everything passes here: what is shown is decided by the level that can still change.
        .filter_level(LevelFilter::Trace)
        .format(|line, record| writeln!(line, "larder: {}: {}", record.level(), record.args()))
        .init();
    set_verbosity(options.config.verbosity);
    for notice in &options.notices {
        log::log!(notice.level, "{}", notice.text);
    }
}

/// Says where the server listens.
pub(crate) fn greet(server: &Server, config: &Config) {
    let tcp = server.local_addrs().iter().map(ToString::to_string);
    let udp = server.local_udp_addrs().iter().map(|addr| format!("{addr} (UDP)"));
    let unix = config.unix.iter().map(|unix| unix.path.display().to_string());
    let places: Vec<String> = tcp.chain(udp).chain(unix).collect();
    log::info!(
        "listening on {}; {} threads, {} MiB for items",
        places.join(", "),
        config.threads,
        config.memory_bytes >> 20
    );
}

/// Shows warnings at 0, what happens to the server at 1, connections and the first line of each read and write at 2.
pub(crate) fn set_verbosity(verbosity: u8) {
    log::set_max_level(match verbosity {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
}
