//! Signals into orders: INT and TERM stop the server, USR1 lets it finish what it owes, HUP changes nothing.

use std::thread;

use larder_server::StopHandle;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use crate::refusal::Refusal;

/// Signals that arrive from now on are kept until somebody obeys them.
#[derive(Debug)]
pub(crate) struct Signals(signal_hook::iterator::Signals);

impl Signals {
    /// Takes the signals over, early: one that comes during the start must end the process well too.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(crate) fn receive() -> Result<Self, Refusal> {
        signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1])
            .map(Self)
            .map_err(|error| Refusal::system("cannot receive signals", error))
    }

    /// Obeys them, on a thread that ends with the process.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    pub(crate) fn obey(mut self, stop: StopHandle) -> Result<(), Refusal> {
        let orders = move || {
            for signal in self.0.forever() {
                match signal {
                    SIGHUP => log::info!("SIGHUP: there is nothing to read again"),
                    SIGUSR1 => {
                        log::info!("SIGUSR1: stopping when replies are sent");
                        stop.stop_gracefully();
                    }
                    _ => {
                        log::info!("signal {signal}: stopping");
                        stop.stop();
                    }
                }
            }
        };
        // The process's only thread beside the server's; `dispatch` is for threads with mailboxes.
        match thread::Builder::new().name("larder-signals".to_owned()).spawn(orders) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::system("cannot start a thread for signals", error)),
        }
    }
}
