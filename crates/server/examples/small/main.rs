//! A small server in a program of one's own, until a line is entered: `cargo run -p larder-server --example small`.

mod config;

use std::io::{self, Write as _};
use std::thread;

use larder_server::Server;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::bind(config::config())?;
    writeln!(io::stdout(), "listening on {:?}; Enter ends it", server.local_addrs())?;
    let stop = server.stop_handle();
    let wait = move || {
        // The end of the input, or an error, is as good as a line.
        let _ = io::stdin().read_line(&mut String::new());
        stop.stop();
    };
    thread::Builder::new().name("wait-for-enter".into()).spawn(wait)?;
    Ok(server.run()?)
}
