//! Against a real memcached: what the report says is what the server counted.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use larder_load::{Distribution, Length, Plan, Ratio, Target, ValueSize, run};
use larder_testkit::process::Process;
use support::plan;

fn memcached() -> Process {
    Process::memcached(&["-m", "64"]).expect("Debian's memcached is installed")
}

/// One figure of the server's `stats`.
fn stat(server: &Process, name: &str) -> u64 {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    stream.write_all(b"stats\r\n").expect("it reads");
    let prefix = format!("STAT {name} ");
    BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| line != "END")
        .find_map(|line| line.strip_prefix(&prefix)?.parse().ok())
        .expect("stats has a number of this name")
}

/// Runs the plan that `change` makes, and compares the report with the server's own counters.
fn check(change: impl FnOnce(&mut Plan)) {
    let server = memcached();
    let mut plan = plan(Target::Tcp(server.address()));
    change(&mut plan);
    let report = run(&plan).expect("the server is there");
    assert!(report.is_clean(), "{report}");
    assert_eq!(stat(&server, "cmd_set"), report.sets + report.populated, "{report}");
    assert_eq!(stat(&server, "cmd_get"), report.gets * u64::from(plan.multiget), "{report}");
    assert_eq!(stat(&server, "get_hits"), report.hits, "{report}");
    assert_eq!(stat(&server, "get_misses"), report.misses, "{report}");
    assert_eq!(report.populated, if plan.populate { plan.keys.count() } else { 0 });
    if let Length::Requests(requests) = plan.length {
        assert_eq!(report.requests(), requests);
    }
    assert!(report.requests() > 0 && report.latency.p50 > Duration::ZERO);
    assert!(report.latency.p50 <= report.latency.p99 && report.latency.p99 <= report.latency.max);
}

#[test]
fn every_request_is_counted_once() {
    check(|_| {});
    check(|plan| plan.ratio = Ratio { gets: 1, sets: 0 });
    check(|plan| plan.ratio = Ratio { gets: 0, sets: 1 });
    check(|plan| plan.populate = false);
    check(|plan| (plan.multiget, plan.distribution) = (20, Distribution::Zipf(1.0)));
    check(|plan| (plan.connections, plan.threads, plan.pipeline) = (1, 1, 1));
    check(|plan| plan.pipeline = 5000);
    check(|plan| plan.distribution = Distribution::Sequential);
    check(|plan| plan.length = Length::Time(Duration::from_millis(100)));
    check(|plan| plan.length = Length::Requests(1));
}

#[test]
fn values_of_every_length_come_back_as_they_were_stored() {
    check(|plan| plan.value_size = ValueSize::Fixed(0));
    check(|plan| plan.value_size = ValueSize::Range { min: 0, max: 3000 });
    check(|plan| plan.value_size = ValueSize::LogNormal { mean: 300 });
    check(|plan| {
        plan.value_size = ValueSize::Fixed(300_000);
        plan.keys = larder_load::Keys::new("key:", 14, 100).unwrap();
        plan.length = Length::Requests(400);
    });
}

#[test]
fn hundreds_of_connections_are_served() {
    check(|plan| (plan.connections, plan.pipeline) = (500, 1));
}

#[test]
fn a_unix_socket_will_do() {
    let name = format!("larder-load-{}.socket", std::process::id());
    let path = std::env::temp_dir().join(name);
    let server = Process::memcached(&["-s", path.to_str().unwrap()]).unwrap();
    let report = run(&plan(Target::Unix(path.clone()))).unwrap();
    drop(server);
    std::fs::remove_file(path).unwrap();
    assert!(report.is_clean() && report.requests() == 4000, "{report}");
}

#[test]
fn warming_up_is_not_counted() {
    let server = memcached();
    let mut plan = plan(Target::Tcp(server.address()));
    plan.warm_up = Duration::from_millis(50);
    let report = run(&plan).unwrap();
    assert_eq!(report.requests(), 4000);
    assert!(stat(&server, "cmd_get") > report.gets);
}

#[test]
fn the_servers_cost_is_read() {
    let server = memcached();
    let mut plan = plan(Target::Tcp(server.address()));
    plan.pid = Some(server.pid());
    plan.length = Length::Time(Duration::from_millis(500));
    let report = run(&plan).unwrap();
    let cost = report.server.unwrap();
    assert_eq!(cost.requests, report.requests());
    assert!(cost.user + cost.system > Duration::ZERO, "{report}");
    assert!(cost.user + cost.system < 2 * report.elapsed + Duration::from_millis(100), "{report}");
    assert!(report.server_resident_bytes.unwrap() > 100_000, "{report}");
}
