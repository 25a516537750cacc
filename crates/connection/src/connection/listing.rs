//! Answers that are made piece by piece, as their reader makes room for them.

use larder_protocol::KeyDump;

use super::Connection;
use crate::Service;
use crate::service::Place;
use crate::state::{Awaited, State, Step};

impl<S: Service> Connection<S> {
    pub(super) fn begin_key_dump(&mut self, dump: &KeyDump<'_>, place: Place, service: &mut S) {
        match service.list_keys(dump, place) {
            Ok(listing) => self.state = State::Listing(listing),
            Err(status) => self.push(status),
        }
    }

    /// Goes on with a listing until the output is full, the turn is long enough, or there is no more.
    pub(super) fn process_listing(&mut self, service: &mut S) -> Step {
        for _ in 0..PIECES_PER_TURN {
            if self.is_full() {
                return Step::Full;
            }
            let State::Listing(listing) = &mut self.state else { return Step::Used(0) };
            let has_more = service.push_listing(listing, self.output.tail());
            self.note_progress(1);
            if !has_more {
                self.state.go_on(Awaited::Line { searched: 0 });
                self.has_taken_long = true;
                return Step::Used(0);
            }
        }
        Step::Full
    }
}

/// Pieces of a listing that are made before others get their turn, however little they fill the output.
const PIECES_PER_TURN: usize = 16;
