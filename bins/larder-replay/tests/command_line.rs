//! The program itself: its output, its exit codes, its sentences.

use std::process::{Command, Output};

use larder_testkit::process::Process;

fn larder_replay(line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder-replay"))
        .args(line.split(' '))
        .output()
        .expect("it was built")
}

fn said(line: &str) -> String {
    let output = larder_replay(line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A wrong flag ends with code 2, what cannot be done with code 1; each says why.
#[test]
fn what_cannot_be_done_is_refused_with_a_sentence() {
    let check = |line: &str, code: i32, sentence: &str| {
        let output = larder_replay(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(sentence), "{line}: {said}");
        assert!(output.stdout.is_empty());
    };
    check("play", 2, "unrecognized subcommand 'play'");
    check("run", 2, "<TRACE>");
    check("run zipf1.0 --connections 0", 2, "0 is not in 1..");
    check("run zipf1.0 --ttl maybe", 2, "it is on or off");
    check("run zipf1.0 --speed 0", 2, "between 0.001 and");
    check("show zipf1.0 --format csv", 2, "is none of twitter, oracle");
    check("show scarab", 1, "there is no trace `scarab`");
    check("show scarab --format plain", 1, "scarab: ");
    check("make zipf1.0 --requests 1 --output /does/not/exist", 1, "cannot be written");
    check("curve /does/not/exist", 1, "/does/not/exist: ");
    check("run zipf1.0 --requests 9 --server nowhere", 1, "a server is HOST:PORT");
    check("run zipf1.0 --requests 9 --pid 1 --pid 2", 1, "2 process ids for 1 servers");
}

#[test]
fn traces_are_listed_shown_and_made() {
    let list = said("list");
    for name in ["orm-busy", "zipf1.1-ttl", "tw52", "meta-kvreg"] {
        assert!(list.contains(name), "{list}");
    }
    assert!(said("show tw45 --requests 20000").contains("accesses    20000: 0 sets"));
    let json: serde_json::Value =
        serde_json::from_str(&said("show orm-night --requests 20000 --json")).expect("JSON");
    assert_eq!((&json["trace"], &json["accesses"]), (&"orm-night".into(), &20_000.into()));
    assert_eq!(said("make zipf1.0 --requests 7").lines().count(), 7);
    assert_ne!(said("make zipf1.0 --requests 7"), said("make zipf1.0 --requests 7 --seed 2"));
}

#[test]
fn servers_are_played_in_turn_or_at_once() {
    let servers = [Process::memcached(&[]).unwrap(), Process::memcached(&[]).unwrap()];
    let [a, b] = servers.each_ref().map(Process::address);
    let [pid, other] = servers.each_ref().map(Process::pid);
    let run = format!("run zipf1.1 --requests 20000 --server {a} --also {b}");
    let json: serde_json::Value =
        serde_json::from_str(&said(&format!("{run} --pid {pid} --pid {other} --json"))).unwrap();
    for (report, address) in json.as_array().expect("an array").iter().zip([a, b]) {
        assert_eq!(report["server"], address.to_string());
        assert_eq!((&report["gets"], &report["items_before"]), (&20_000.into(), &0.into()));
        assert_eq!(report["misses"], report["items"]);
        assert!(report["resident_bytes"].as_u64() > Some(1 << 20), "{report}");
    }
    // The second time everything is there.
    let text = said(&format!("{run} --at-once"));
    assert_eq!(text.matches("misses      0: 0.0000 of the gets").count(), 2, "{text}");
    assert_eq!(text.matches("The server was not empty before").count(), 2, "{text}");
}
