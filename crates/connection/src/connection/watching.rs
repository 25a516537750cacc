//! Peers that are told what happens, as there is room for it.

use larder_protocol::{Status, Watch};

use super::Connection;
use crate::Service;
use crate::service::{Feed, Place};
use crate::state::State;

impl<S: Service> Connection<S> {
    pub(super) fn begin_watch(&mut self, watch: &Watch, place: Place, service: &mut S) {
        match service.watch(watch, place) {
            Ok(feed) => {
                self.push(Status::Ok);
                self.state = State::Watch(feed);
            }
            Err(status) => self.push(status),
        }
    }

    /// Takes the lines that wait for a watcher, as far as the output has room.
    pub(super) fn take_lines(&mut self) {
        if let State::Watch(feed) = &mut self.state {
            let room = self.limits.output_len.saturating_sub(self.output.unsent());
            feed.push_lines(room, self.output.tail());
        }
    }

    /// Whether lines wait that there is room for.
    pub(super) fn has_lines(&self) -> bool {
        matches!(&self.state, State::Watch(feed) if feed.has_lines()) && !self.is_full()
    }
}
