//! What each contender does with sequences that can be followed by hand, and what all of them must have in common.

use larder_store::Policy;

use super::cache::Cache;
use super::larder::Larder;
use super::lru::Lru;
use super::memcached::Memcached;
use super::play::{Clock, play};
use super::s3fifo::S3Fifo;
use super::{Contender, Counts, Lifetime, Memory, Piece, Report, Run, Simulation};
use crate::{Access, Facts, KEY_LEN_MIN, Trace, Verb, make};

/// A trace in letters, a second an access: `a` asks for key a, `A` stores it, `-a` deletes it; a letter is a key with a value
/// of 4 bytes, so that it counts 10.
fn letters(text: &str, ttl: u32) -> Trace {
    let mut accesses = Vec::new();
    let mut is_removal = false;
    for letter in text.bytes() {
        let verb = match letter {
            b' ' => continue,
            b'-' => {
                is_removal = true;
                continue;
            }
            _ if is_removal => Verb::Delete,
            b'A'..=b'Z' => Verb::Set,
            _ => Verb::Get,
        };
        is_removal = false;
        let key = u64::from(letter.to_ascii_lowercase() - b'a');
        let at = u32::try_from(accesses.len()).unwrap();
        accesses.push(Access { key, at, value_len: 4, ttl, key_len: KEY_LEN_MIN, verb });
    }
    Trace { name: "letters".to_owned(), accesses }
}

/// The retrievals that missed, in order, and what is left at the end, of a cache with room for `room` letters.
fn missed(mut cache: impl Cache, text: &str, ttl: u32) -> (String, u64) {
    struct Spy<'a, C>(&'a mut C, String);
    impl<C: Cache> Cache for Spy<'_, C> {
        fn get(&mut self, access: &Access, now: u32) -> bool {
            let is_there = self.0.get(access, now);
            if !is_there {
                self.1.push(char::from(b'a' + u8::try_from(access.key).unwrap()));
            }
            is_there
        }
        fn set(&mut self, access: &Access, now: u32, expires: Option<u32>) {
            self.0.set(access, now, expires);
        }
        fn delete(&mut self, access: &Access, now: u32) {
            self.0.delete(access, now);
        }
        fn tick(&mut self, now: u32) {
            self.0.tick(now);
        }
        fn holdings(&self) -> super::Holdings {
            self.0.holdings()
        }
    }
    let mut spy = Spy(&mut cache, String::new());
    let clock = Clock { rate: None, has_ttls: ttl > 0 };
    let (counts, holdings) = play(&letters(text, ttl), &mut spy, clock);
    assert_eq!(counts.misses, spy.1.len() as u64);
    (spy.1, holdings.items)
}

#[test]
fn lru_lets_go_of_what_was_asked_for_longest_ago() {
    let check = |room: u64, text: &str, ttl: u32, expected: (&str, u64)| {
        let (missed, items) = missed(Lru::new(room * 10, 0, 26), text, ttl);
        assert_eq!((missed.as_str(), items), expected, "{text} with room for {room}");
    };
    check(3, "abcabc", 0, ("abc", 3));
    check(3, "abcdabcd", 0, ("abcdabcd", 3));
    check(3, "abcadab", 0, ("abcdb", 3));
    check(3, "aabacada", 0, ("abcd", 3));
    check(2, "abAca", 0, ("abc", 2));
    check(2, "ab-aba", 0, ("aba", 2));
    // Stored in second 1 to live for 3: gone in second 4.
    check(3, "abac", 3, ("abc", 2));
    check(3, "aabca", 3, ("abca", 3));
    check(3, "abcccc", 3, ("abcc", 1));
    // What expired leaves its room: b need not go for c.
    check(2, "aabcb", 3, ("abc", 2));
    check(2, "aabcb", 0, ("abc", 2));
    check(0, "aa", 0, ("aa", 0));
}

#[test]
fn s3fifo_keeps_what_is_hit_twice_or_comes_back() {
    let check = |room: u64, text: &str, ttl: u32, expected: (&str, u64)| {
        let (missed, items) = missed(S3Fifo::new(room * 10, 0, 26), text, ttl);
        assert_eq!((missed.as_str(), items), expected, "{text} with room for {room}");
    };
    check(3, "abcabc", 0, ("abc", 3));
    // Without hits it is a FIFO. Nothing is in main, so the ghost remembers nothing.
    check(3, "abcdabcd", 0, ("abcdabcd", 3));
    // A single hit does not save a; the LRU kept it.
    check(3, "abacda", 0, ("abcda", 3));
    // Two do: a is in main when d comes, and b goes.
    check(3, "abaacdab", 0, ("abcdb", 3));
    // b is in the ghost, which holds one key because main does: it comes back to main, and c goes, then d, e and f.
    check(3, "abaacdbefab", 0, ("abcdbef", 3));
    // Two keys have left since: b is forgotten, and begins in the small queue again.
    check(3, "abaacdebfgb", 0, ("abcdebfgb", 3));
    // A store over an item is a hit of it.
    check(3, "abAAcda", 0, ("abcd", 3));
    check(2, "ab-aba", 0, ("aba", 2));
    check(3, "aabca", 3, ("abca", 3));
    check(3, "abcccc", 3, ("abcc", 1));
    check(0, "aa", 0, ("aa", 0));
}

#[test]
fn main_goes_round_once_for_a_hit() {
    let check = |text: &str, expected: &str| {
        assert_eq!(missed(S3Fifo::new(30, 0, 26), text, 0).0, expected, "{text}");
    };
    // a, b and c go on to main when d comes, and a goes. When e comes, b goes round for its hit there, and c goes.
    check("aaabbbccc d b dd e b c", "abcdec");
    // d goes for f, and b, whose hit was used up, for g.
    check("aaabbbccc d b dd eee fff g b", "abcdefgb");
    // A second hit of b would have saved it, in the place of e.
    check("aaabbbccc d bb dd eee fff g b e", "abcdefge");
}

#[test]
fn memcached_warms_what_is_asked_for_again() {
    // A letter takes a chunk of 96 bytes, a little more with the rest of the page.
    let check = |room: u64, text: &str, expected: &str| {
        assert_eq!(missed(Memcached::new(room * 97, 26), text, 0).0, expected, "{text}");
    };
    check(5, "abcdeabcde", "abcde");
    // Nothing was asked for twice again: the oldest goes.
    check(5, "abcdefa", "abcdefa");
    // One more fetch does not help, two do.
    check(5, "aabcdefa", "abcdefa");
    check(5, "aaabcdefa", "abcdef");
    // What is cold already is warmed by its second fetch.
    check(5, "abcdeaafgha", "abcdefgh");
    check(5, "ab-aba", "aba");
}

fn simulation(contenders: &[Contender], memory: Memory) -> Simulation {
    Simulation {
        contenders: contenders.to_vec(),
        memory: vec![memory],
        lifetimes: vec![Lifetime::Endless, Lifetime::Limited],
        rate: Some(5),
        overhead: 24,
        threads: 2,
    }
}

/// At a rate at which TTLs matter and ticks are few.
fn played(simulation: &Simulation, name: &str) -> Report {
    simulation.run(1, |_| make(name, Some(20_000), 1), |_, _| ()).unwrap()
}

const ALL: [Contender; 4] =
    [Contender::LARDER, Contender::S3Fifo, Contender::Lru, Contender::Memcached];

#[test]
fn with_room_for_everything_a_key_misses_once() {
    let trace = make("zipf1.0", Some(20_000), 1).unwrap();
    let report = played(&simulation(&ALL, Memory::Bytes(64 << 20)), "zipf1.0");
    assert_eq!(report.points.len(), 1, "it has no TTLs");
    for run in &report.points[0].runs {
        assert_eq!((run.counts.misses, run.counts.gets), (trace.keys(), 20_000));
        assert_eq!((run.holdings.items, run.holdings.evicted), (trace.keys(), 0));
        assert_eq!(run.counts.miss_bytes, Facts::of(&trace).footprint());
    }
}

#[test]
fn values_that_expire_are_missed_again() {
    let report = played(&simulation(&ALL, Memory::Bytes(64 << 20)), "zipf1.0-ttl");
    let [endless, limited] = &report.points[..] else { panic!("{report}") };
    assert_eq!((endless.lifetime, limited.lifetime), (Lifetime::Endless, Lifetime::Limited));
    let [larder, s3fifo, lru, memcached] = &limited.runs[..] else { panic!("{report}") };
    // With room for all, only time decides, and all contenders see the same time.
    assert_eq!(larder.counts.misses, lru.counts.misses);
    assert_eq!(s3fifo.counts.misses, lru.counts.misses);
    assert_eq!(memcached.counts.misses, lru.counts.misses);
    assert!(larder.counts.misses > endless.runs[0].counts.misses + 1000, "{report}");
    assert!(larder.holdings.expired > 1000, "{report}");
}

#[test]
fn a_run_can_be_repeated() {
    let small = simulation(&ALL, Memory::Share(0.25));
    let figures = |report: Report| -> Vec<(Counts, u64)> {
        let runs = report.points.into_iter().flat_map(|point| point.runs);
        let zero = std::time::Duration::ZERO;
        runs.map(|run| (Counts { cpu: zero, ..run.counts }, run.holdings.items)).collect()
    };
    let first = figures(played(&small, "zipf1.0-ttl"));
    assert_eq!(first.len(), 8);
    assert!(first.iter().all(|(counts, items)| counts.misses > 0 && *items > 0));
    assert_eq!(first, figures(played(&small, "zipf1.0-ttl")));
}

#[test]
fn a_rate_replaces_the_times_of_the_trace() {
    let trace = letters("aaaaaaaa", 3);
    let misses = |rate| {
        let mut larder = Larder::new(4 << 20, Policy::default());
        play(&trace, &mut larder, Clock { rate, has_ttls: true }).0.misses
    };
    assert_eq!((misses(None), misses(Some(1)), misses(Some(2)), misses(Some(8))), (3, 3, 2, 1));
}

#[test]
fn too_little_memory_is_left_out_and_errors_are_told() {
    let report = played(&simulation(&ALL, Memory::Bytes(1 << 20)), "zipf1.0");
    assert!(report.points[0].runs.is_empty());
    assert!(!report.is_decisive());
    assert!(report.to_string().contains("less than 2 MiB"), "{report}");
    let error = simulation(&ALL, Memory::Share(0.1)).run(1, |_| Err("no".to_owned()), |_, _| ());
    assert_eq!(error.unwrap_err(), "no");
}

#[test]
fn the_verdict_names_what_is_out_of_bounds() {
    let mut report = played(&simulation(&ALL[..2], Memory::Bytes(64 << 20)), "zipf1.0-ttl");
    assert_eq!(report.verdict(), Vec::<String>::new());
    assert!(report.is_decisive());
    let [endless, limited] = &mut report.points[..] else { panic!() };
    let worsen = |run: &mut Run, misses: u64, copies: u64| {
        run.counts.misses = run.counts.misses * misses / 1000;
        run.holdings.copied_bytes = Some(run.counts.set_bytes * copies / 100);
    };
    worsen(&mut endless.runs[0], 1029, 60);
    worsen(&mut limited.runs[0], 1031, 49);
    let verdict = report.verdict();
    assert_eq!(verdict.len(), 1, "{verdict:?}");
    assert!(verdict[0].ends_with("1.031 times the misses of S3-FIFO"), "{verdict:?}");
    worsen(&mut report.points[1].runs[0], 970, 51);
    assert!(report.verdict()[0].ends_with("0.51 bytes copied for each that was stored"));
    assert_eq!(report.json()["out_of_bounds"].as_array().unwrap().len(), 1);
}

#[test]
fn earnings_compare_the_store_with_itself() {
    let without = |piece: Piece| Contender::Larder([piece].into_iter().collect());
    let contenders =
        [Contender::LARDER, without(Piece::Ghost), without(Piece::Compaction), Contender::Lru];
    let mut report = played(&simulation(&contenders, Memory::Bytes(4 << 20)), "zipf1.0-ttl");
    // The store that lacks its ghost missed twice as much, and copied a tenth of a byte for each.
    for point in &mut report.points {
        let whole = point.runs[0].counts;
        let run = &mut point.runs[1];
        run.counts = Counts { misses: whole.misses * 2, ..whole };
        run.holdings.copied_bytes = Some(whole.set_bytes / 10);
    }
    let [ghost, compaction] = &report.earnings()[..] else { panic!("{report}") };
    assert_eq!(ghost.without.to_string(), "ghost");
    assert_eq!(compaction.without.to_string(), "compaction");
    let is_near = |figure: Option<f64>, expected: f64| (figure.unwrap() - expected).abs() < 1e-3;
    let [(Memory::Bytes(_), by_memory)] = ghost.by_memory[..] else { panic!("{ghost:?}") };
    for figure in [by_memory, ghost.endless, ghost.limited] {
        assert!(is_near(figure, 2.0), "{ghost:?}");
    }
    assert!(is_near(ghost.bytes, 1.0) && is_near(ghost.copies, 0.1), "{ghost:?}");
    let table = report.to_string();
    assert!(table.contains("\nghost                  2.0000   2.0000   2.0000"), "{table}");
    assert!(!report.is_decisive());
    assert_eq!(played(&simulation(&ALL, Memory::Bytes(4 << 20)), "zipf1.0").earnings().len(), 0);
}

#[test]
fn sizes_of_memory_are_read() {
    let check = |text: &str, expected: Option<Memory>| {
        assert_eq!(text.parse::<Memory>().ok(), expected, "{text}");
    };
    check("5%", Some(Memory::Share(0.05)));
    check("0.5%", Some(Memory::Share(0.005)));
    check("64M", Some(Memory::Bytes(64 << 20)));
    check("1G", Some(Memory::Bytes(1 << 30)));
    check("4096K", Some(Memory::Bytes(4 << 20)));
    check("5000000", Some(Memory::Bytes(5_000_000)));
    for wrong in ["", "%", "0%", "-1%", "nan%", "0", "1T", "M", "99999999999G"] {
        check(wrong, None);
    }
}
