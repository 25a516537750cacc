//! The simulator as a program: what it prints, and how it ends.

use std::process::{Command, Output};

use serde_json::Value;

fn simulate(flags: &str) -> Output {
    larder_replay(&format!("simulate {flags}"))
}

fn larder_replay(words: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder-replay"))
        .args(words.split(' '))
        .output()
        .expect("it was built")
}

#[test]
fn both_outputs_say_the_same() {
    let flags = "zipf1.0-ttl --requests 20000 --memory 3M,25% --rate 5 --seed 3";
    let table = String::from_utf8(simulate(flags).stdout).unwrap();
    let json = simulate(&format!("{flags} --json"));
    assert!(json.status.success());
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let points = json["points"].as_array().unwrap();
    assert_eq!(points.len(), 4, "with TTLs and without, two sizes of memory each");
    for point in points {
        assert_eq!(point["trace"], "zipf1.0-ttl");
        let runs = point["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 3);
        for run in runs {
            assert_eq!(run["gets"], 20_000);
            let ratio = format!("{:.4}", run["miss_ratio"].as_f64().unwrap());
            let cache = run["cache"].as_str().unwrap();
            let is_shown = |line: &str| line.contains(cache) && line.contains(&ratio);
            assert!(table.lines().any(is_shown), "{cache} {ratio}\n{table}");
        }
    }
    assert_eq!(points[0]["memory_bytes"], 3 << 20);
}

#[test]
fn a_check_that_fails_ends_with_an_error() {
    // Tiny items: a reference that pays nothing for each is far ahead, one that pays much far behind.
    let flags = "tw22 --requests 150000 --memory 2M --ttl off --caches larder,s3fifo --check";
    let kept = simulate(&format!("{flags} --overhead 400"));
    assert_eq!(kept.status.code(), Some(0), "{}", String::from_utf8_lossy(&kept.stdout));
    let lost = simulate(&format!("{flags} --overhead 0"));
    let said = String::from_utf8_lossy(&lost.stdout);
    assert_eq!(lost.status.code(), Some(1), "{said}");
    assert!(said.contains("out of bounds: tw22"), "{said}");
}

#[test]
fn what_cannot_be_simulated_is_refused_with_a_sentence() {
    let check = |flags: &str, code: i32, sentence: &str| {
        let output = simulate(flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{flags}: {said}");
        assert!(said.contains(sentence), "{flags}: {said}");
    };
    check("zipf1.0 --memory much", 2, "neither a share as 5% nor a size as 64M");
    check("zipf1.0 --caches fifo", 2, "none of larder, s3fifo, lru, memcached");
    check("zipf1.0 --without ghosts", 2, "none of ghost, self_sizing, size_aware");
    check("zipf1.0 --without ghost --without-each", 2, "cannot be used with");
    check("zipf1.0 --ttl never", 2, "none of on, off, both");
    check("zipf1.0 --threads 0", 2, "0 is not in 1..");
    check("frobnicated --memory 64M", 1, "frobnicated");
    check("zipf1.0 --requests 100 --memory 64M --caches lru --check", 1, "no point at which");
}

#[test]
fn pieces_can_be_switched_off() {
    let flags = "zipf1.0 --requests 20000 --memory 4M --caches larder";
    let without =
        String::from_utf8(simulate(&format!("{flags} --without ghost,size_aware")).stdout);
    assert!(without.unwrap().contains("\nghost,size_aware "));
    let each = String::from_utf8(simulate(&format!("{flags} --without-each")).stdout).unwrap();
    for piece in
        ["ghost", "self_sizing", "size_aware", "ttl_streams", "overwrite_in_place", "compaction"]
    {
        assert!(each.contains(&format!("\n{piece} ")), "{piece}\n{each}");
    }
}

#[test]
fn expiry_is_reported() {
    let flags = "expire --memory 8M --items 5000 --watched 20";
    let text = String::from_utf8(larder_replay(flags).stdout).unwrap();
    assert!(text.starts_with("5000 items expire at once beside "), "{text}");
    assert!(text.contains("stored then       4850, evicting 0, losing 0"), "{text}");
    let json = larder_replay(&format!("{flags} --json"));
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["expiring"], &json["evicted"]), (&5000.into(), &0.into()));
    let refused = larder_replay("expire --memory 8M --items 5000000 --check");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("too few"));
}
