//! The `async-memcached` crate, classic and meta commands, as an application uses it.

#![forbid(unsafe_code)]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use async_memcached::{AsciiProtocol as _, Client, Error, MetaProtocol as _, MetaValue, Status};
use larder_testkit::process::{Process, until};
use tokio::runtime::{Builder, Runtime};

/// A server, the runtime that its client needs, and the client.
fn start() -> (Process, Runtime, Client) {
    let server = Process::larder(env!("CARGO_BIN_EXE_larder"), &[]).unwrap();
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let client = runtime.block_on(Client::new(format!("tcp://{}", server.address()))).unwrap();
    (server, runtime, client)
}

/// A check against a server of its own.
fn serve(check: impl AsyncFnOnce(Client)) {
    let (_server, runtime, client) = start();
    runtime.block_on(check(client));
}

/// A classic `get`: its value as text.
async fn text(client: &mut Client, key: &str) -> Option<String> {
    let found = client.get(key).await.unwrap();
    found.map(|value| String::from_utf8(value.data.unwrap()).unwrap())
}

/// A meta get with these flags.
async fn meta(client: &mut Client, key: &str, flags: &[&str]) -> Option<MetaValue> {
    client.meta_get(key, false, None, Some(flags)).await.unwrap()
}

/// What the server refused; anything else fails the test.
fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Status {
    match result {
        Err(Error::Protocol(status)) => status,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn sets_gets_and_deletes() {
    serve(async |mut client| {
        assert_eq!(text(&mut client, "k").await, None);
        for value in ["value", "", "\r\nEND\r\n"] {
            client.set("k", value, None, Some(42)).await.unwrap();
            let found = client.get("k").await.unwrap().unwrap();
            assert_eq!(found.data.as_deref(), Some(value.as_bytes()));
            assert_eq!(found.flags, Some(42));
        }
        client.delete("k").await.unwrap();
        assert_eq!(refusal(client.delete("k").await), Status::NotFound);
        client.set("k", "a", None, None).await.unwrap();
        client.delete_no_reply("k").await.unwrap();
        assert_eq!(text(&mut client, "k").await, None);
    });
}

#[test]
fn sets_gets_and_deletes_many() {
    serve(async |mut client| {
        let keys: Vec<String> = (0..100).map(|index| format!("m{index}")).collect();
        let pairs: Vec<(&str, &str)> =
            keys.iter().map(|key| (key.as_str(), key.as_str())).collect();
        let set = client.set_multi(&pairs, None, None).await.unwrap();
        assert!(set.len() == 100 && set.values().all(Result::is_ok));
        let mut asked: Vec<&str> = keys.iter().map(String::as_str).collect();
        asked.push("none");
        let found = client.get_multi(&asked).await.unwrap();
        assert_eq!(found.len(), keys.len());
        assert!(found.iter().all(|value| value.data.as_deref() == Some(&value.key[..])));
        let added = client.add_multi(&[("m1", "a"), ("new", "b")], None, None).await.unwrap();
        assert!(added[&"m1"].is_err() && added[&"new"].is_ok());
        client.delete_multi_no_reply(&keys).await.unwrap();
        // None at all is an error in this client.
        assert_eq!(refusal(client.get_multi(&asked).await), Status::NotFound);
        assert_eq!(text(&mut client, "new").await.as_deref(), Some("b"));
    });
}

#[test]
fn adds() {
    serve(async |mut client| {
        client.add("k", "a", None, None).await.unwrap();
        assert_eq!(refusal(client.add("k", "b", None, None).await), Status::NotStored);
        assert_eq!(text(&mut client, "k").await.as_deref(), Some("a"));
    });
}

#[test]
fn counts() {
    serve(async |mut client| {
        assert_eq!(refusal(client.increment("n", 1).await), Status::NotFound);
        client.set("n", 10_u64, None, None).await.unwrap();
        assert_eq!(client.increment("n", 5).await.unwrap(), 15);
        assert_eq!(client.decrement("n", 6).await.unwrap(), 9);
        assert_eq!(client.decrement("n", 100).await.unwrap(), 0);
        client.increment_no_reply("n", 10).await.unwrap();
        assert_eq!(text(&mut client, "n").await.as_deref(), Some("10"));
        client.set("word", "word", None, None).await.unwrap();
        let status = refusal(client.increment("word", 1).await);
        assert!(format!("{status:?}").contains("non-numeric"), "{status:?}");
        // The refusal leaves the connection as it was.
        assert_eq!(text(&mut client, "word").await.as_deref(), Some("word"));
    });
}

#[test]
fn expires() {
    let (_server, runtime, mut client) = start();
    for (key, exptime) in [("long", 100), ("k", 1), ("past", -1)] {
        runtime.block_on(client.set(key, "a", Some(exptime), None)).unwrap();
    }
    assert_eq!(runtime.block_on(text(&mut client, "past")), None);
    let is_gone = || Ok(runtime.block_on(text(&mut client, "k")).is_none().then_some(()));
    until(is_gone).unwrap().unwrap();
    assert_eq!(runtime.block_on(text(&mut client, "long")).as_deref(), Some("a"));
}

#[test]
fn moves_900_kb_and_is_refused_more_than_1_mb() {
    serve(async |mut client| {
        let large: Vec<u8> = (0..=u8::MAX).cycle().take(900 << 10).collect();
        client.set("large", large.as_slice(), None, None).await.unwrap();
        assert!(client.get("large").await.unwrap().unwrap().data.unwrap() == large);
        let too_large = vec![b'x'; (1 << 20) + 1];
        let status = refusal(client.set("large", too_large.as_slice(), None, None).await);
        assert!(format!("{status:?}").contains("object too large for cache"), "{status:?}");
        assert_eq!(text(&mut client, "large").await, None);
        let meta_set = client.meta_set("large", too_large.as_slice(), false, None, None).await;
        assert!(format!("{:?}", refusal(meta_set)).contains("object too large for cache"));
        client.set("large", "new", None, None).await.unwrap();
        assert_eq!(text(&mut client, "large").await.as_deref(), Some("new"));
    });
}

#[test]
fn asks_for_the_version_and_stats_and_flushes() {
    serve(async |mut client| {
        assert_eq!(client.version().await.unwrap().trim_end(), "1.6.45");
        client.set("k", "a", None, None).await.unwrap();
        let stats = client.stats().await.unwrap();
        assert_eq!((stats["cmd_set"].as_str(), stats["curr_items"].as_str()), ("1", "1"));
        assert_eq!(stats["version"], "1.6.45");
        client.flush_all().await.unwrap();
        assert_eq!(text(&mut client, "k").await, None);
    });
}

#[test]
fn meta_gets_tell_what_is_asked() {
    serve(async |mut client| {
        assert!(meta(&mut client, "k", &["v"]).await.is_none());
        let flags = ["T100", "F42"];
        client.meta_set("k", "value", false, None, Some(&flags)).await.unwrap();
        let asked = ["v", "f", "s", "t", "c", "k", "h", "l"];
        let found = meta(&mut client, "k", &asked).await.unwrap();
        assert_eq!(found.data.as_deref(), Some(&b"value"[..]));
        assert_eq!(found.key.as_deref(), Some(&b"k"[..]));
        assert_eq!((found.flags, found.size), (Some(42), Some(5)));
        assert_eq!((found.hit_before, found.last_accessed), (Some(false), Some(0)));
        assert!(found.ttl_remaining.is_some_and(|ttl| (90..=100).contains(&ttl)), "{found:?}");
        assert!(found.cas.is_some_and(|cas| cas > 0));
        assert_eq!(meta(&mut client, "k", &["h"]).await.unwrap().hit_before, Some(true));
    });
}

#[test]
fn meta_gets_carry_opaques_and_may_be_quiet() {
    serve(async |mut client| {
        client.meta_set("k", "value", true, Some(b"set-1"), None).await.unwrap();
        let found =
            client.meta_get("k", true, Some(b"get-1"), Some(&["v"])).await.unwrap().unwrap();
        assert_eq!(found.opaque_token.as_deref(), Some(&b"get-1"[..]));
        assert_eq!(found.data.as_deref(), Some(&b"value"[..]));
        let missed = client.meta_get("none", true, Some(b"get-2"), Some(&["v"])).await.unwrap();
        assert!(missed.is_none());
        client.meta_delete("k", true, Some(b"delete-1"), None).await.unwrap();
        assert_eq!(text(&mut client, "k").await, None);
    });
}

#[test]
fn meta_pipelines() {
    serve(async |mut client| {
        let pairs: Vec<(String, String)> =
            (0..100).map(|index| (format!("m{index}"), format!("v{index}"))).collect();
        let pairs: Vec<_> =
            pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(client.meta_set_multi(&pairs, Some(&["T100"])).await.unwrap().len(), 0);
        let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| *key).collect();
        keys.push("none");
        let found = client.meta_get_multi(&keys, Some(&["v"])).await.unwrap();
        assert_eq!(found.len(), pairs.len());
        for ((key, value), found) in pairs.iter().zip(&found) {
            assert_eq!(found.key.as_deref(), Some(key.as_bytes()));
            assert_eq!(found.data.as_deref(), Some(value.as_bytes()));
        }
        // Adds: those that are there already are told, the others are quiet.
        let adds = [("m1", "a"), ("new", "b"), ("m2", "c")];
        let refused = client.meta_set_multi(&adds, Some(&["ME"])).await.unwrap();
        let keys: Vec<_> = refused.iter().map(|value| value.key.as_deref().unwrap()).collect();
        assert_eq!(keys, [b"m1", b"m2"]);
        assert!(refused.iter().all(|value| value.status == Some(Status::NotStored)));
    });
}

#[test]
fn meta_compares_and_swaps() {
    serve(async |mut client| {
        client.set("k", "a", None, None).await.unwrap();
        let cas = meta(&mut client, "k", &["c"]).await.unwrap().cas.unwrap();
        let token = format!("C{cas}");
        client.meta_set("k", "b", false, None, Some(&[&token])).await.unwrap();
        let late = client.meta_set("k", "c", false, None, Some(&[&token])).await;
        assert_eq!(refusal(late), Status::Exists);
        let late = client.meta_delete("k", false, None, Some(&[&token])).await;
        assert_eq!(refusal(late), Status::Exists);
        assert_eq!(text(&mut client, "k").await.as_deref(), Some("b"));
    });
}

#[test]
fn meta_counts() {
    serve(async |mut client| {
        let missing = client.meta_increment("n", false, None, None, None).await;
        assert_eq!(refusal(missing), Status::NotFound);
        let flags = ["v", "N100", "J40"];
        let found = client.meta_increment("n", false, None, Some(3), Some(&flags)).await.unwrap();
        assert_eq!(found.unwrap().data.as_deref(), Some(&b"40"[..]));
        let found = client.meta_increment("n", false, None, Some(3), Some(&flags)).await.unwrap();
        assert_eq!(found.unwrap().data.as_deref(), Some(&b"43"[..]));
        let found = client.meta_decrement("n", false, None, Some(50), Some(&["v", "t"])).await;
        let found = found.unwrap().unwrap();
        assert_eq!(found.data.as_deref(), Some(&b"0"[..]));
        assert!(found.ttl_remaining.is_some_and(|ttl| (90..=100).contains(&ttl)), "{found:?}");
    });
}

#[test]
fn meta_leases_and_stale_values() {
    serve(async |mut client| {
        // Who misses first wins, and fills it in; the others wait.
        let asked = ["v", "N30"];
        let won = meta(&mut client, "k", &asked).await.unwrap();
        assert_eq!((won.is_recache_winner, won.data), (Some(true), None));
        let lost = meta(&mut client, "k", &asked).await.unwrap();
        assert_eq!((lost.is_recache_winner, lost.data), (Some(false), None));
        client.meta_set("k", "filled", false, None, None).await.unwrap();
        // Marked stale, it is still served, with one who wins the right to renew it.
        client.meta_delete("k", false, None, Some(&["I", "T30"])).await.unwrap();
        let won = meta(&mut client, "k", &["v"]).await.unwrap();
        assert_eq!((won.is_stale, won.is_recache_winner), (Some(true), Some(true)));
        assert_eq!(won.data.as_deref(), Some(&b"filled"[..]));
        let lost = meta(&mut client, "k", &["v"]).await.unwrap();
        assert_eq!((lost.is_stale, lost.is_recache_winner), (Some(true), Some(false)));
    });
}
