//! The machine: what a request costs between the bytes and the service, and from which length on a value is better
//! pinned than copied.

use std::collections::VecDeque;
use std::hint::black_box;
use std::io::{IoSlice, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use larder_benches::{get_line, set_request};
use larder_connection::{Connection, Limits};
use larder_testkit::model::{Model, Rules};

criterion_group!(benches, requests, pins);
criterion_main!(benches);

/// Requests through the machine, with few items behind it, so that little else is measured.
fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("connection");
    let one = [get_line(1), set_request(0, 100)];
    let [get, set] = &one;
    let cases = [
        ("single_get_100b", get.clone(), 1),
        ("pipelined_get_100b", get.repeat(16), 16),
        ("get_100_keys_100b", get_line(100), 100),
        ("single_set_100b", set.clone(), 1),
        ("pipelined_set_100b", set.repeat(16), 16),
        ("set_16kib", set_request(1, 16 << 10), 1),
    ];
    for (name, input, request_count) in cases {
        let mut model = Model::new(Rules { chunk_len: 64 << 10, ..Rules::default() });
        let mut connection = Connection::new(Limits::default());
        for number in 0..100 {
            connection.receive(set_request(number, 100).as_bytes(), &mut model);
        }
        connection.output().advance(usize::MAX);
        group.throughput(Throughput::Elements(request_count));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                connection.receive(black_box(input.as_bytes()), &mut model);
                let output = connection.output();
                let sent: usize = output.chunks().map(<[u8]>::len).sum();
                output.advance(sent);
                sent
            });
        });
    }
    group.finish();
}

/// Sixteen replies in one write to a socket, their values copied behind their heads or gathered from where they lie.
fn pins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("connection/pin");
    for value_len in [512, 1024, 2048, 4096, 16_384] {
        let mut wire = Wire::new(REPLIES * (value_len + HEAD.len()));
        let values: Vec<Arc<[u8]>> = (0..REPLIES).map(|_| vec![b'v'; value_len].into()).collect();
        group.throughput(Throughput::Elements(REPLIES as u64));
        group.bench_function(format!("copied_{value_len}b"), |bencher| {
            let mut bytes = Vec::new();
            bencher.iter(|| {
                bytes.clear();
                for value in &values {
                    bytes.extend_from_slice(HEAD);
                    bytes.extend_from_slice(value);
                }
                wire.send(&[IoSlice::new(&bytes)]);
            });
        });
        group.bench_function(format!("pinned_{value_len}b"), |bencher| {
            let (mut bytes, mut pinned) = (Vec::new(), VecDeque::new());
            bencher.iter(|| {
                bytes.clear();
                for value in &values {
                    bytes.extend_from_slice(HEAD);
                    pinned.push_back(Arc::clone(value));
                }
                let heads = bytes.chunks(HEAD.len());
                let mut slices = [IoSlice::new(&[]); 2 * REPLIES];
                for ((pair, head), value) in slices.chunks_mut(2).zip(heads).zip(&pinned) {
                    pair.copy_from_slice(&[IoSlice::new(head), IoSlice::new(value)]);
                }
                wire.send(&slices);
                pinned.clear();
            });
        });
    }
    group.finish();
}

/// Both ends of a socket: what is sent is read at once.
struct Wire {
    near: UnixStream,
    far: UnixStream,
    scratch: Vec<u8>,
    len: usize,
}

impl Wire {
    /// A wire for messages of `len` bytes.
    fn new(len: usize) -> Self {
        let (near, far) = UnixStream::pair().expect("a pair of sockets");
        near.set_nonblocking(true).expect("a socket that does not block");
        Self { near, far, scratch: vec![0; 256 << 10], len }
    }

    fn send(&mut self, slices: &[IoSlice<'_>]) {
        let mut slices: Vec<IoSlice<'_>> = slices.to_vec();
        let mut slices = slices.as_mut_slice();
        let mut received = 0;
        while received < self.len {
            if !slices.is_empty()
                && let Ok(sent) = self.near.write_vectored(slices)
            {
                IoSlice::advance_slices(&mut slices, sent);
            }
            received += self.far.read(&mut self.scratch).expect("what was sent");
        }
    }
}

const REPLIES: usize = 16;
const HEAD: &[u8] = b"VALUE session:000000000001 0 1024\r\n";
