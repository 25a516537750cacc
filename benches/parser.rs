//! The parser: what one line costs.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use larder_benches::{get_line, set_request};
use larder_protocol::{Request, parse_line};

criterion_group!(benches, lines);
criterion_main!(benches);

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parser");
    for (name, key_count) in [("get_one_key", 1), ("get_100_keys", 100)] {
        let line = get_line(key_count);
        let line = line.trim_end_matches('\n').as_bytes();
        group.throughput(Throughput::Elements(key_count as u64));
        // The keys are walked over twice, as the machine does: checked, then answered.
        group.bench_function(name, |bencher| {
            bencher.iter(|| match parse_line(black_box(line)) {
                Ok(Request::Get(get)) => get.keys.map(<[u8]>::len).sum(),
                _ => 0,
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    let set = set_request(0, 100);
    let set = set.split('\n').next().unwrap_or_default().as_bytes();
    for (name, line) in [
        ("set", set),
        ("delete", b"delete session:000000000001\r".as_slice()),
        ("incr", b"incr session:000000000001 1\r"),
        ("nonsense", b"nonsense session:000000000001\r"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(parse_line(black_box(line)).is_ok()));
        });
    }
    group.finish();
}
