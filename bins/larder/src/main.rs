//! Larder, a cache server that speaks memcached's protocol: the program.
//!
//! It reads the options, prepares the process, and runs a [`larder_server::Server`] until a signal stops it:
//!
//! ```text
//!   options ──► (-d: detach) ──► limits ──► user ──► bind ──► pid file ──► ready ──► run ──► exit code
//! ```
//!
//! The user is dropped before anything is bound, as memcached does: a Unix socket, the port file and the pid file then
//! belong to that user, and root does no work in directories of others.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write as _};
use std::process::ExitCode;

use larder_server::Server;

use crate::daemon::{Daemon, PidFile, Side};
use crate::options::{Options, Order};
use crate::privileges::Identity;
use crate::refusal::{Exit, Refusal};
use crate::signals::Signals;

mod daemon;
mod logging;
mod options;
mod privileges;
mod refusal;
mod signals;

fn main() -> ExitCode {
    let order = Options::parse(env::args_os(), env::var_os("MEMCACHED_PORT_FILENAME"));
    let ended = order.and_then(|order| match order {
        Order::Print(text) => print(&text),
        Order::Serve(options) => serve(&options),
    });
    ended.unwrap_or_else(|refusal| {
        // Where the message cannot be written, the code still says it.
        let _ = writeln!(io::stderr(), "larder: {refusal}");
        refusal.exit.into()
    })
}

fn print(text: &str) -> Result<ExitCode, Refusal> {
    // A reader that has seen enough (`larder -h | head -1`) is no error.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn serve(options: &Options) -> Result<ExitCode, Refusal> {
    let identity = Identity::choose(options.user.as_deref())?;
    let daemon = match options.daemon.then(Daemon::detach).transpose()? {
        Some(Side::Parent(code)) => return Ok(code),
        Some(Side::Daemon(daemon)) => Some(daemon),
        None => None,
    };
    logging::start(options);
    let signals = Signals::receive()?;
    privileges::raise_limits(options)?;
    identity.as_ref().map_or(Ok(()), Identity::assume)?;
    privileges::seal(options);

    let refused =
        |error: larder_server::Error| Refusal { exit: Exit::System, sentence: error.to_string() };
    let server = Server::bind(options.config.clone()).map_err(refused)?;
    logging::greet(&server, &options.config);
    let pid_file = options.pid_file.as_deref().and_then(PidFile::write);
    signals.obey(server.stop_handle())?;
    let is_daemon = daemon.is_some();
    daemon.map_or(Ok(()), |daemon| daemon.ready(options))?;
    let ended = server.run().map_err(refused);
    // As memcached: without -d, whoever started the server also looks after the file.
    if let Some(file) = pid_file.filter(|_| is_daemon) {
        file.remove();
    }
    ended.map(|_| ExitCode::SUCCESS)
}
