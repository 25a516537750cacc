//! The suite over what this system uses.

use larder_poller::{Events, Interest, Poller, Ready, Waker};

mod suite;
