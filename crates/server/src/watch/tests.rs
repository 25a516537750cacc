//! Buffers of watchers: what they hold, what they leave out, and who is woken.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use larder_connection::Feed as _;
use larder_poller::{Events, Poller};

use super::*;

fn watchers(buffer_len: usize) -> Arc<Watchers> {
    Arc::new(Watchers::new(buffer_len))
}

fn waker() -> Waker {
    Poller::new().unwrap().waker()
}

/// What waits for a watcher, without time stamps.
fn told(feed: &mut LogFeed) -> Vec<String> {
    let mut out = Vec::new();
    feed.push_lines(usize::MAX, &mut out);
    lines(&out)
}

fn lines(out: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(out).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let without_time = |line: &str| match line.strip_prefix("ts=") {
        Some(stamped) => {
            let (time, rest) = stamped.split_once(' ').unwrap();
            let (seconds, micros) = time.split_once('.').unwrap();
            assert!(seconds.parse::<u64>().unwrap() > 1_700_000_000, "{line}");
            assert!(micros.parse::<u32>().unwrap() < 1_000_000, "{line}");
            rest.to_owned()
        }
        None => line.to_owned(),
    };
    text.lines().map(without_time).collect()
}

#[test]
fn each_is_told_what_it_asked_for_in_order() {
    let watchers = watchers(1000);
    watchers.record(Streams::FETCHERS, b"nobody asked");
    let mut fetchers = watchers.add(Streams::FETCHERS, waker()).unwrap();
    let mut both = watchers.add(Streams::FETCHERS | Streams::MUTATIONS, waker()).unwrap();
    assert_eq!(watchers.wanted(), Streams::FETCHERS | Streams::MUTATIONS);
    for (stream, text) in [
        (Streams::FETCHERS, "a"),
        (Streams::MUTATIONS, "b"),
        (Streams::EVICTIONS, "c"),
        (Streams::FETCHERS, "d"),
    ] {
        watchers.record(stream, text.as_bytes());
    }
    assert_eq!(told(&mut fetchers), ["gid=1 a", "gid=3 d"]);
    assert_eq!(told(&mut both), ["gid=1 a", "gid=2 b", "gid=3 d"]);
    assert!(told(&mut both).is_empty() && !both.has_lines());
    let expected = Counts { watchers: 2, written: 3, sent: 5, skipped: 0, rejected: 0 };
    assert_eq!(watchers.counts(), expected);
    drop(both);
    assert_eq!(watchers.wanted(), Streams::FETCHERS);
    watchers.reset_counts();
    assert_eq!(watchers.counts(), Counts { watchers: 1, ..Counts::default() });
}

#[test]
fn what_a_full_buffer_leaves_out_is_counted_and_told() {
    let len = "ts=1700000000.123456 gid=1 12345\n".len();
    let watchers = watchers(3 * len);
    let mut feed = watchers.add(Streams::FETCHERS, waker()).unwrap();
    // Stamps may be shorter than six digits: so many lines overflow it in any case.
    (0..10).for_each(|_| watchers.record(Streams::FETCHERS, b"12345"));
    let counts = watchers.counts();
    assert!((3..=4).contains(&counts.sent) && counts.sent + counts.skipped == 10, "{counts:?}");
    assert_eq!(told(&mut feed).len() as u64, counts.sent);
    watchers.record(Streams::FETCHERS, b"again");
    watchers.record(Streams::FETCHERS, b"and on");
    let skipped = format!("skipped={}", counts.skipped);
    assert_eq!(told(&mut feed), [&skipped, "gid=11 again", "gid=12 and on"]);
    // One that fits nowhere is left out for ever, and nothing else is.
    watchers.record(Streams::FETCHERS, &[b'x'; 200]);
    assert!(!feed.has_lines());
    watchers.record(Streams::FETCHERS, b"small");
    assert_eq!(told(&mut feed), ["skipped=1", "gid=14 small"]);
}

#[test]
fn lines_are_taken_in_pieces_of_any_length() {
    for room in 1..100 {
        let watchers = watchers(1000);
        let mut feed = watchers.add(Streams::SYSTEM, waker()).unwrap();
        watchers.record(Streams::SYSTEM, b"first");
        let mut out = Vec::new();
        feed.push_lines(0, &mut out);
        feed.push_lines(room, &mut out);
        assert!(out.len() <= room);
        watchers.record(Streams::SYSTEM, b"second");
        while feed.has_lines() {
            let len = out.len();
            feed.push_lines(room, &mut out);
            assert!((1..=room).contains(&(out.len() - len)));
        }
        assert_eq!(lines(&out), ["gid=1 first", "gid=2 second"]);
    }
}

#[test]
fn places_are_few_and_given_back() {
    let watchers = watchers(1000);
    let add = || watchers.add(Streams::FETCHERS, waker());
    let mut feeds: Vec<LogFeed> = (0..20).map(|_| add().unwrap()).collect();
    assert_eq!(add().err(), Some(Status::TooManyWatchers));
    assert_eq!((watchers.counts().watchers, watchers.counts().rejected), (20, 1));
    drop(feeds.remove(7));
    feeds.push(add().unwrap());
    assert_eq!(add().err(), Some(Status::TooManyWatchers));
    drop(feeds);
    assert_eq!((watchers.counts().watchers, watchers.wanted()), (0, Streams::NONE));
}

#[test]
fn a_worker_is_woken_once_until_it_looks() {
    let mut poller = Poller::new().unwrap();
    let watchers = watchers(100);
    let mut feed = watchers.add(Streams::FETCHERS, poller.waker()).unwrap();
    let mut events = Events::with_capacity(NonZeroUsize::MIN);
    let mut was_woken = || {
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        events.was_woken()
    };
    watchers.record(Streams::MUTATIONS, b"not asked for");
    assert!(!was_woken());
    for _ in 0..2 {
        watchers.record(Streams::FETCHERS, b"first");
        assert!(was_woken(), "it is told of the first line");
        // The last of these finds no room.
        (0..10).for_each(|_| watchers.record(Streams::FETCHERS, b"next"));
        assert!(!was_woken(), "it knows");
        assert!(feed.has_lines() && !told(&mut feed).is_empty());
    }
}

#[test]
fn watchers_come_and_go_while_others_write() {
    let watchers = watchers(2000);
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let watchers = &watchers;
            scope.spawn(move || {
                (0..5000).for_each(|_| watchers.record(Streams::FETCHERS, &[b'a' + thread]));
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..200 {
                    let mut feed = watchers.add(Streams::FETCHERS, waker()).unwrap();
                    let mut last = 0;
                    for _ in 0..round % 7 {
                        for line in told(&mut feed).iter().filter_map(|l| l.strip_prefix("gid=")) {
                            let gid = line.split_once(' ').unwrap().0.parse::<u64>().unwrap();
                            assert!(gid > last, "{gid} comes after {last}");
                            last = gid;
                        }
                    }
                }
            });
        }
    });
    let counts = watchers.counts();
    assert_eq!(counts.watchers, 0);
    assert!(counts.written <= counts.sent + counts.skipped, "{counts:?}");
}
