//! A load run from a program of one's own: `cargo run --example in_process -- 127.0.0.1:11211`.
//!
//! Without an address it makes a server that knows nothing, so that the example needs none.

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use larder_load::{Distribution, Keys, Length, Plan, Ratio, Target, ValueSize};

fn main() -> Result<(), Box<dyn Error>> {
    let server = match std::env::args().nth(1) {
        Some(server) => server.parse()?,
        None => knows_nothing()?,
    };
    let report = larder_load::run(&Plan {
        target: Target::Tcp(server),
        connections: 1,
        threads: 1,
        pipeline: 16,
        keys: Keys::new("key:", 14, 10_000)?,
        distribution: Distribution::Zipf(1.0),
        value_size: ValueSize::Fixed(32),
        ratio: Ratio { gets: 1, sets: 0 },
        multiget: 1,
        length: Length::Time(Duration::from_millis(200)),
        warm_up: Duration::ZERO,
        populate: false,
        verify: true,
        timeout: Duration::from_secs(10),
        pid: None,
        seed: 1,
    })?;
    println!("{report}");
    Ok(())
}

/// A server for one client that misses every key.
fn knows_nothing() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let serve = move || -> std::io::Result<()> {
        let (stream, _) = listener.accept()?;
        let mut writer = stream.try_clone()?;
        for line in BufReader::new(stream).lines() {
            line?;
            writer.write_all(b"END\r\n")?;
        }
        Ok(())
    };
    std::thread::Builder::new().spawn(serve)?;
    Ok(addr)
}
