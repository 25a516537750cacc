//! Responses to frames of the binary protocol: everything but the storing of a value that is still arriving.

mod stats;

use alloc::vec::Vec;

use larder_protocol::binary::{Adjust, Frame, Get, HEAD_LEN, Head, Opcode, Request, parse_head};
use larder_protocol::{self as protocol, binary};
use larder_protocol::{Meta, MetaArithmetic, MetaFlags, MetaKey, Placed, Words};

use crate::classic::Next;
use crate::output::Output;
use crate::reply::{Form, Reply};
use crate::{Service, Stored};

/// Answers a request that has no value to come.
pub(crate) fn answer<S: Service>(
    head: &Head,
    request: &Request<'_>,
    output: &mut Output<S::Value>,
    service: &mut S,
) -> Next<S::Listing> {
    let status = match request {
        Request::Adjust(adjust) => {
            count(head, adjust, output.tail(), service);
            return Next::Go;
        }
        Request::Delete(delete) => service.delete(delete.key, delete.compare),
        Request::FlushAll(delay) => service.flush_all((*delay).into()),
        Request::Get(get) => {
            retrieve(head, get, output, service);
            return Next::Go;
        }
        Request::Touch(touch) => {
            retrieve(head, &Get { key: touch.key, touch: Some(touch.exptime) }, output, service);
            return Next::Go;
        }
        Request::Quit => {
            push_outcome(head, protocol::Status::Ok, output.tail());
            return Next::Close;
        }
        Request::Stats(key) => return stats::answer(head, key, output.tail(), service),
        Request::Version => {
            let value = service.version().as_bytes();
            Frame { value, ..response(head) }.push(output.tail());
            return Next::Go;
        }
        // The value of a store is begun elsewhere.
        Request::Noop | Request::Storage(_) => protocol::Status::Ok,
    };
    push_outcome(head, status, output.tail());
    Next::Go
}

/// Answers a retrieval or a touch.
fn retrieve<S: Service>(
    head: &Head,
    get: &Get<'_>,
    output: &mut Output<S::Value>,
    service: &mut S,
) {
    let mut reply = Reply::new(output, Form::Frame(head));
    service.get(get.key, get.touch.map(i64::from), &mut reply);
    if reply.has_value() || head.opcode.is_quiet() {
        return;
    }
    let missing = Frame::outcome(head.opcode as u8, head.opaque, binary::Status::NotFound);
    // Who wants the key gets it in the place of the words.
    let missing = if head.opcode.wants_key() {
        Frame { key: get.key, value: b"", ..missing }
    } else {
        missing
    };
    missing.push(output.tail());
}

/// Answers a sum, which is that of `ma`: it may create its counter and compare its number.
fn count<S: Service>(head: &Head, adjust: &Adjust<'_>, out: &mut Vec<u8>, service: &mut S) {
    let creation = adjust.exptime.map(|exptime| Placed { exptime: exptime.into(), place: 0 });
    let flags = MetaFlags {
        vivify: creation,
        initial: adjust.initial,
        compare: adjust.compare,
        ..MetaFlags::NONE
    };
    let key = MetaKey { word: adjust.key, is_encoded: false };
    let meta = Meta { key, flags, words: Words::new(b"") };
    match service.meta_adjust(adjust.key, &MetaArithmetic { meta, delta: adjust.delta }) {
        Ok(_) if head.opcode.is_quiet() => {}
        Ok(counted) => {
            let value = &counted.number.to_be_bytes();
            Frame { cas: counted.cas, value, ..response(head) }.push(out);
        }
        Err(status) => push_outcome(head, status, out),
    }
}

/// Appends what became of a value.
pub(crate) fn push_stored(head: &Head, stored: &Stored, out: &mut Vec<u8>) {
    match outcome(head.opcode, stored.status) {
        binary::Status::Ok if head.opcode.is_quiet() => {}
        binary::Status::Ok => Frame { cas: stored.cas, ..response(head) }.push(out),
        _ => push_outcome(head, stored.status, out),
    }
}

/// Appends how a request ended; a success that is not to be told is not.
pub(crate) fn push_outcome(head: &Head, status: protocol::Status, out: &mut Vec<u8>) {
    let status = outcome(head.opcode, status);
    if !(head.opcode.is_quiet() && status == binary::Status::Ok) {
        Frame::outcome(head.opcode as u8, head.opaque, status).push(out);
    }
}

const fn response(head: &Head) -> Frame<'static> {
    Frame::response(head.opcode as u8, head.opaque)
}

/// What a service says, as this protocol says it.
const fn outcome(opcode: Opcode, status: protocol::Status) -> binary::Status {
    use protocol::Status;
    match status {
        Status::Deleted | Status::Ok | Status::Reset | Status::Stored | Status::Touched => {
            binary::Status::Ok
        }
        Status::Exists => binary::Status::Exists,
        Status::FlushNotAllowed => binary::Status::AuthFailure,
        Status::NonNumeric => binary::Status::NonNumeric,
        Status::NotFound => binary::Status::NotFound,
        Status::NotStored => match opcode {
            Opcode::Add | Opcode::AddQ => binary::Status::Exists,
            Opcode::Replace | Opcode::ReplaceQ => binary::Status::NotFound,
            _ => binary::Status::NotStored,
        },
        Status::OutOfMemory | Status::OutOfMemoryReading => binary::Status::OutOfMemory,
        Status::TooLarge => binary::Status::TooLarge,
        // No service answers anything else to what is asked here.
        _ => binary::Status::InvalidArguments,
    }
}

/// Bytes that are missing before the unfinished frame in `held` can be looked at again; at least one.
pub(crate) fn missing_len(held: &[u8]) -> usize {
    let needed = match held.first_chunk() {
        None => HEAD_LEN,
        Some(head) => HEAD_LEN + parse_head(head).map_or(0, |head| head.args_len()),
    };
    needed.saturating_sub(held.len()).max(1)
}
