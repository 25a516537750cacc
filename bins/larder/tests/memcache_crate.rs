//! The `memcache` crate, in its ascii and binary modes, as an application uses it.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "which protocol it was, shown when a test fails")]

use larder_testkit::process::{Process, until};
use memcache::Client;

/// A server of its own, and a client of it.
fn start_with(protocol: &str) -> (Process, Client) {
    println!("protocol: {protocol}");
    let server = Process::larder(env!("CARGO_BIN_EXE_larder"), &[]).unwrap();
    let url = format!("memcache://{}?protocol={protocol}&timeout=10", server.address());
    let client = memcache::connect(url).unwrap();
    (server, client)
}

/// One after the other, for each protocol.
fn start() -> impl Iterator<Item = (Process, Client)> {
    PROTOCOLS.into_iter().map(start_with)
}

fn text(client: &Client, key: &str) -> Option<String> {
    client.get(key).unwrap()
}

#[test]
fn sets_gets_and_deletes() {
    for (_server, client) in start() {
        assert_eq!(text(&client, "k"), None);
        client.set("k", "value", 0).unwrap();
        assert_eq!(text(&client, "k").as_deref(), Some("value"));
        client.set("k", "", 0).unwrap();
        assert_eq!(text(&client, "k").as_deref(), Some(""));
        assert!(client.delete("k").unwrap());
        assert!(!client.delete("k").unwrap());
        assert_eq!(text(&client, "k"), None);
    }
}

#[test]
fn gets_many() {
    for (_server, client) in start() {
        let keys: Vec<_> = (0..100).map(|index| format!("m{index}")).collect();
        for key in &keys {
            client.set(key, key.as_str(), 0).unwrap();
        }
        let mut asked: Vec<_> = keys.iter().map(String::as_str).collect();
        asked.push("none");
        let found = client.gets::<String>(&asked).unwrap();
        assert_eq!(found.len(), keys.len());
        assert!(keys.iter().all(|key| found.get(key) == Some(key)));
    }
}

#[test]
fn adds_replaces_appends_and_prepends() {
    for (_server, client) in start() {
        // Over text this crate says the same of what was stored and what was not: the values tell.
        let _ = client.replace("k", "a", 0);
        let _ = client.append("k", "a");
        let _ = client.prepend("k", "a");
        assert_eq!(text(&client, "k"), None);
        client.add("k", "b", 0).unwrap();
        let _ = client.add("k", "c", 0);
        assert_eq!(text(&client, "k").as_deref(), Some("b"));
        client.replace("k", "d", 0).unwrap();
        client.append("k", "e").unwrap();
        client.prepend("k", "c").unwrap();
        assert_eq!(text(&client, "k").as_deref(), Some("cde"));
    }
}

#[test]
fn compares_and_swaps() {
    for (_server, client) in start() {
        client.set("k", "a", 0).unwrap();
        let found = client.gets::<(Vec<u8>, u32, Option<u64>)>(&["k"]).unwrap();
        let cas = found["k"].2.unwrap();
        assert!(client.cas("k", "b", 0, cas).unwrap());
        assert!(!client.cas("k", "c", 0, cas).unwrap());
        assert_eq!(text(&client, "k").as_deref(), Some("b"));
    }
}

#[test]
fn counts() {
    for (_server, client) in start() {
        client.set("n", 10, 0).unwrap();
        assert_eq!(client.increment("n", 5).unwrap(), 15);
        assert_eq!(client.decrement("n", 6).unwrap(), 9);
        assert_eq!(client.decrement("n", 100).unwrap(), 0);
        client.set("word", "word", 0).unwrap();
        assert!(client.increment("word", 1).is_err());
        assert_eq!(text(&client, "word").as_deref(), Some("word"));
    }
}

#[test]
fn counts_what_is_missing() {
    let (_server, client) = start_with("ascii");
    assert!(client.increment("none", 1).is_err());
    assert_eq!(text(&client, "none"), None);
    // In this mode the crate asks for it to be made, from 0.
    let (_server, client) = start_with("binary");
    assert_eq!(client.increment("none", 1).unwrap(), 0);
    assert_eq!(client.increment("none", 1).unwrap(), 1);
    assert_eq!(text(&client, "none").as_deref(), Some("1"));
}

#[test]
fn tells_statistics() {
    // In its ascii mode the crate reads one line of them, and is out of step from then on.
    let (_server, client) = start_with("binary");
    client.set("k", "a", 0).unwrap();
    let stats = client.stats().unwrap();
    assert_eq!(stats.len(), 1);
    assert_eq!(stats[0].1["curr_items"], "1");
    assert_eq!(stats[0].1["cmd_set"], "1");
}

#[test]
fn touches_and_expires() {
    for (_server, client) in start() {
        let gone = |key: &str| until(|| Ok(text(&client, key).is_none().then_some(()))).unwrap();
        assert!(!client.touch("k", 10).unwrap());
        client.set("k", "a", 1).unwrap();
        assert!(client.touch("k", 100).unwrap());
        client.set("probe", "a", 1).unwrap();
        gone("probe").unwrap();
        assert_eq!(text(&client, "k").as_deref(), Some("a"));
        assert!(client.touch("k", 1).unwrap());
        gone("k").unwrap();
    }
}

#[test]
fn moves_900_kb_and_is_refused_more_than_1_mb() {
    for (_server, client) in start() {
        let large: Vec<u8> = (0..=u8::MAX).cycle().take(900 << 10).collect();
        client.set("large", large.as_slice(), 0).unwrap();
        assert!(client.get::<Vec<u8>>("large").unwrap().unwrap() == large);
        let too_large = vec![b'x'; (1 << 20) + 1];
        assert!(client.set("large", too_large.as_slice(), 0).is_err());
        assert_eq!(text(&client, "large"), None);
        client.set("large", "new", 0).unwrap();
        assert_eq!(text(&client, "large").as_deref(), Some("new"));
    }
}

#[test]
fn asks_for_the_version_and_flushes() {
    for (server, client) in start() {
        let versions = client.version().unwrap();
        assert_eq!(versions.len(), 1);
        assert!(versions[0].0.contains(&server.port().to_string()), "{versions:?}");
        assert!(versions[0].1.trim_end().ends_with("1.6.45"), "{versions:?}");
        client.set("k", "a", 0).unwrap();
        client.flush().unwrap();
        assert_eq!(text(&client, "k"), None);
        client.set("k", "b", 0).unwrap();
        assert_eq!(text(&client, "k").as_deref(), Some("b"));
    }
}

const PROTOCOLS: [&str; 2] = ["ascii", "binary"];
