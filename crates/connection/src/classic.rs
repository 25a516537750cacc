//! Replies to the classic commands that are one line: everything but retrievals and stores.

use larder_protocol::{Arithmetic, Request, Status, push_number};

use crate::output::Output;
use crate::{Service, meta};

/// How a connection goes on after a request.
#[derive(Debug)]
pub(crate) enum Next<L> {
    /// With the next request.
    Go,
    /// With the next request, as if the replies were on their way.
    Flush,
    /// With an answer in pieces.
    List(L),
    /// With the next request, after others had their turn: this one took long.
    Yield,
    /// Not at all.
    Close,
}

/// Answers a request that has neither keys nor a data block to come.
pub(crate) fn answer<S: Service>(
    request: &Request<'_>,
    output: &mut Output<S::Value>,
    service: &mut S,
) -> Next<S::Listing> {
    let (status, quiet) = match request {
        Request::Arithmetic(arithmetic) => {
            adjust(arithmetic, output, service);
            return Next::Go;
        }
        Request::Delete(delete) => (service.delete(delete.key, None), delete.quiet),
        Request::FlushAll(flush) => (service.flush_all(flush.delay), flush.quiet),
        Request::MemoryLimit(limit) => (service.set_memory_limit(limit.mebibytes), limit.quiet),
        Request::MetaNoop => {
            output.tail().extend_from_slice(b"MN\r\n");
            return Next::Flush;
        }
        Request::Order(order) => (service.obey(&order.change), order.quiet),
        Request::Quit => return Next::Close,
        Request::Shutdown(mode) => match service.shut_down(*mode) {
            Ok(()) => return Next::Close,
            Err(status) => (status, false),
        },
        Request::Stats(stats) => {
            return service.stats(stats.topic, output.tail()).map_or(Next::Yield, Next::List);
        }
        Request::Touch(touch) => (service.touch(touch.key, touch.exptime), touch.quiet),
        Request::Verbosity(verbosity) => (service.set_verbosity(verbosity.level), verbosity.quiet),
        Request::Version => {
            let out = output.tail();
            out.extend_from_slice(b"VERSION ");
            out.extend_from_slice(service.version().as_bytes());
            out.extend_from_slice(b"\r\n");
            return Next::Go;
        }
        other => {
            meta::answer(other, output, service);
            return Next::Go;
        }
    };
    push_unless(quiet, status, output);
    Next::Go
}

fn adjust<S: Service>(arithmetic: &Arithmetic<'_>, output: &mut Output<S::Value>, service: &mut S) {
    match service.adjust(arithmetic.key, arithmetic.delta) {
        Ok(number) if !arithmetic.quiet => {
            push_number(output.tail(), number);
            output.tail().extend_from_slice(b"\r\n");
        }
        Ok(_) => {}
        Err(status) => push_unless(arithmetic.quiet, status, output),
    }
}

fn push_unless<V: crate::Value>(quiet: bool, status: Status, output: &mut Output<V>) {
    if !quiet {
        output.tail().extend_from_slice(status.line());
    }
}
