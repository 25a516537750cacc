//! Against a real memcached: what is stored is there, and what is counted is what the server counted.

use std::path::PathBuf;

use larder_pressure::{Program, Report, Server, Stored, bytes, mix, rss};

fn memcached() -> Program {
    Program::memcached(PathBuf::from("memcached"))
}

#[test]
fn what_is_stored_is_there() {
    let server = Server::start(&memcached(), 64, &[]).expect("Debian's memcached is installed");
    let mut wire = server.connect().unwrap();
    let lens = [0, 1, 100, 20_000, 900_000, 2_000_000];
    let keys: Vec<Vec<u8>> = lens.iter().map(|len| format!("key:{len}").into_bytes()).collect();
    let mut stored = Vec::new();
    let items = keys.iter().map(Vec::as_slice).zip(lens);
    wire.set_all(items, |one| stored.push(one)).unwrap();
    let (fits, too_large) = (Stored::Yes, Stored::TooLarge);
    assert_eq!(stored, [fits, fits, fits, fits, fits, too_large]);
    let mut found = Vec::new();
    wire.get_all(&keys, |len| found.push(len)).unwrap();
    assert_eq!(found, [Some(0), Some(1), Some(100), Some(20_000), Some(900_000), None]);

    wire.set_quietly(b"quiet", 0, 7).unwrap();
    wire.settle().unwrap();
    assert_eq!(wire.stats("").unwrap()["curr_items"], 6);
    assert_eq!(wire.ask("delete quiet").unwrap(), "DELETED");
    assert_eq!(wire.ask("set quiet 0 0 1\r\nx").unwrap(), "STORED");
    let error = wire.get_all(&[b"quiet".to_vec()], |_| {}).expect_err("another value");
    assert!(error.to_string().contains("not what was stored"), "{error}");
}

#[test]
fn what_was_answered_before_is_no_answer_to_the_next() {
    let server = Server::start(&memcached(), 64, &[]).expect("Debian's memcached is installed");
    let mut wire = server.connect().unwrap();
    wire.set_quietly(&[b'k'; 251], 0, 7).unwrap();
    let error = wire.settle().expect_err("the key is too long");
    assert!(error.to_string().contains("to `mn` the server said"), "{error}");
}

#[test]
fn a_limit_is_filled_until_something_is_evicted() {
    let plan = bytes::Plan { servers: vec![memcached()], mebibytes: 8 };
    let report = bytes::run(&plan, Report::new("bytes -m 8", &plan.servers)).unwrap();
    let tables = report.json()["tables"].clone();
    let rows = tables[0]["rows"].as_array().unwrap();
    let items: Vec<u64> =
        rows.iter().map(|row| row["items"].as_str().unwrap().parse().unwrap()).collect();
    assert!(
        items.len() == 5 && items.windows(2).take(3).all(|pair| pair[0] > pair[1]),
        "{items:?}"
    );
    assert!(items[0] > 40_000 && items[3] > 2_000, "{items:?}");
    assert_eq!(report.counts(), (0, 0), "goals are larder's");
}

#[test]
fn the_peak_of_each_phase_is_within_the_process() {
    let plan = rss::Plan { servers: vec![memcached()], limits: vec![8] };
    let report = rss::run(&plan, Report::new("rss -m 8", &plan.servers)).unwrap();
    let tables = report.json()["tables"].clone();
    let rows = tables[0]["rows"].as_array().unwrap();
    let resident = |row: &serde_json::Value| row["resident MiB"].as_str().unwrap().parse::<f64>();
    let resident: Vec<f64> = rows.iter().map(|row| resident(row).unwrap()).collect();
    assert!(resident.len() == 7 && resident.iter().all(|&peak| peak > 8.0), "{resident:?}");
    assert_eq!(report.counts(), (0, 0), "goals are larder's");
}

#[test]
fn hit_ratios_are_drawn_over_all_phases() {
    let plan = mix::Plan { servers: vec![memcached()], mebibytes: 8, shorten: 40 };
    let report = mix::run(&plan, Report::new("mix -m 8", &plan.servers)).unwrap();
    let tables = report.json()["tables"].clone();
    for row in tables[0]["rows"].as_array().unwrap() {
        let hits: f64 = row["hit ratio"].as_str().unwrap().parse().unwrap();
        assert!(hits > 0.0 && hits < 0.98, "{row}");
    }
    let svg = report.svg().unwrap();
    let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(points.split(' ').count(), 200);
}
