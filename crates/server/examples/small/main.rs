//! A small server in a program of one's own: `cargo run -p larder-server --example small`.

mod config;

use std::io::{self, Write as _};

use larder_server::Server;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::bind(config::config())?;
    writeln!(io::stdout(), "listening on {:?}; Ctrl-C ends it", server.local_addrs())?;
    Ok(server.run()?)
}
