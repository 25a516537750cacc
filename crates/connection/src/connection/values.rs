//! Values on their way into memory of their own, and those that are thrown away.

use larder_protocol::Status;

use super::Connection;
use crate::answer::Answer;
use crate::state::{Arriving, Awaited, State, Step};
use crate::{Draft, Service};

impl<S: Service> Connection<S> {
    pub(super) fn begin_value(
        &mut self,
        draft: Result<S::Draft, Status>,
        value_len: usize,
        answer: Answer,
    ) {
        match draft {
            Ok(draft) => self.state = State::Value(Arriving { draft, answer }),
            Err(status) => {
                answer.refuse(status, self.output.tail());
                self.skip(answer.block_len(value_len));
            }
        }
    }

    pub(super) fn process_value(&mut self, rest: &[u8], service: &mut S) -> Step {
        let State::Value(arriving) = &mut self.state else { return Step::Used(0) };
        if arriving.owed() > 0 {
            let Some(space) = arriving.space().filter(|space| !space.is_empty()) else {
                return self.abandon_value(service);
            };
            let len = space.len().min(rest.len());
            space[..len].copy_from_slice(&rest[..len]);
            arriving.draft.filled(len);
            self.finish_value(service);
            return Step::Used(len);
        }
        self.finish_value(service);
        Step::Used(0)
    }

    /// Keeps the value if all of it is here.
    pub(super) fn finish_value(&mut self, service: &mut S) {
        match &mut self.state {
            State::Value(arriving) if arriving.owed() == 0 => {
                if !arriving.end() {
                    self.abandon_value(service);
                    return;
                }
            }
            _ => return,
        }
        if let State::Value(Arriving { draft, answer }) = self.take_state() {
            if draft.is_terminated() {
                answer.commit(draft, service, self.output.tail());
            } else {
                answer.refuse(Status::BadDataChunk, self.output.tail());
            }
        }
    }

    /// Memory ran out while the value arrived: says so, and throws the rest away.
    fn abandon_value(&mut self, service: &mut S) -> Step {
        if let State::Value(arriving) = self.take_state() {
            let owed = arriving.owed();
            let Arriving { draft, answer } = arriving;
            let status = service.abandon(draft);
            answer.refuse(status, self.output.tail());
            self.skip(owed);
        }
        Step::Used(0)
    }

    /// The state, to be worked off; behind it the next request begins.
    const fn take_state(&mut self) -> State<S::Draft, S::Listing, S::Feed> {
        core::mem::replace(&mut self.state, State::Request(Awaited::Line { searched: 0 }))
    }
}
