//! Requests of the binary protocol, as they come off the wire.

use larder_protocol::binary::{
    Frame, HEAD_LEN, Head, MAGIC_REQUEST, Refused, Request, Storage, parse_head, parse_request,
};
use larder_protocol::{self as protocol};

use super::Connection;
use crate::answer::Answer;
use crate::state::Step;
use crate::{Service, binary};

impl<S: Service> Connection<S> {
    /// Answers the frame that `rest` begins with, or begins its value. Head, extras and key are kept until they are whole, never
    /// more: which bytes they are is known from the head.
    /// It stands apart from lines, which are slower with it among them.
    #[inline(never)]
    pub(super) fn process_frame(&mut self, rest: &[u8], service: &mut S) -> Step {
        if rest.first() != Some(&MAGIC_REQUEST) {
            self.give_up();
            return Step::Used(rest.len());
        }
        let Some((head, after)) = rest.split_first_chunk::<HEAD_LEN>() else {
            return Step::Short(0);
        };
        match parse_head(head) {
            Ok(head) => {
                let Some(request) = parse_request(&head, after) else { return Step::Short(0) };
                self.answer_frame(&head, &request, service);
                Step::Used(HEAD_LEN + head.args_len())
            }
            Err(refused) => {
                self.refuse_frame(&refused);
                Step::Used(HEAD_LEN)
            }
        }
    }

    fn answer_frame(&mut self, head: &Head, request: &Request<'_>, service: &mut S) {
        if let Request::Storage(storage) = request {
            self.begin_frame_value(head, storage, service);
        } else {
            let next = binary::answer(head, request, &mut self.output, service);
            self.go_on(next);
        }
    }

    fn begin_frame_value(&mut self, head: &Head, storage: &Storage<'_>, service: &mut S) {
        let Storage { mode, key, flags, value_len, .. } = *storage;
        let exptime = storage.exptime.into();
        let quiet = head.opcode.is_quiet();
        let storage = protocol::Storage { mode, key, flags, exptime, value_len, quiet };
        self.begin_value(service.draft(&storage), value_len, Answer::Frame(*head));
        // Of an empty value nothing will arrive that could complete it.
        self.finish_value(service);
    }

    fn refuse_frame(&mut self, refused: &Refused) {
        if let Some(status) = refused.status {
            Frame::outcome(refused.opcode, refused.opaque, status).push(self.output.tail());
        }
        match refused.skip_len {
            Some(len) => self.skip(len),
            None => self.give_up(),
        }
    }
}
