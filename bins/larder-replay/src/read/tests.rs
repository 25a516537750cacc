//! Files of every format, as they should be and otherwise.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Format, Trace, read};
use crate::{Access, Verb};

/// A file that is gone when this is dropped.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, bytes: &[u8]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = format!("larder-replay-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(directory);
        fs::create_dir(&directory).expect("a directory of its own");
        let path = directory.join(name);
        fs::write(&path, bytes).expect("a file of its own");
        Self(path)
    }

    fn read(&self, format: Option<Format>, limit: usize) -> Result<Trace, String> {
        read(&self.0, format, limit).map_err(|error| error.to_string())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = self.0.parent().map(fs::remove_dir_all);
    }
}

/// An access as text: verb, key, time, key size, value size, TTL.
fn shown(access: &Access) -> String {
    let Access { key, at, value_len, ttl, key_len, verb } = access;
    let verb = match verb {
        Verb::Get => "get",
        Verb::Set => "set",
        Verb::Delete => "delete",
    };
    format!("{verb} {key} @{at} {key_len}+{value_len} ttl {ttl}")
}

fn check(name: &str, bytes: &[u8], expected: &[&str]) {
    let trace = Written::new(name, bytes).read(None, 1000).expect(name);
    assert_eq!(trace.accesses.iter().map(shown).collect::<Vec<_>>(), expected, "{name}");
}

fn check_refused(name: &str, bytes: &[u8], expected: &str) {
    let text = Written::new(name, bytes).read(None, 1000).expect_err(name);
    assert!(text.contains(&format!("{name}{expected}")), "{text}");
}

#[test]
fn twitters_lines_are_accesses() {
    let lines = b"100,q:q:1,42,0,17,get,0\n101,q:q:1,42,500,17,add,3600\n\n\
        100,zz,300,7,1,set,60\r\n105,q:q:1,42,0,9,gets,0\n106,new,9,8,1,add,5\n\
        107,q:q:1,42,30,1,cas,0\n108,zz,300,0,1,delete,0\n108,zz,300,0,1,get,0\n";
    check(
        "cluster17.000",
        lines,
        &[
            "get 0 @0 42+500 ttl 3600",
            "set 1 @1 250+7 ttl 60",
            "get 0 @5 42+30 ttl 3600",
            "set 2 @6 9+8 ttl 5",
            "set 0 @7 42+30 ttl 0",
            "delete 1 @8 250+7 ttl 60",
            "get 1 @8 250+7 ttl 60",
        ],
    );
}

#[test]
fn twitters_lines_that_are_none_are_refused() {
    let check = |line: &str, expected: &str| {
        let bytes = format!("1,k,10,1,1,get,0\n{line}\n");
        check_refused("a.csv", bytes.as_bytes(), &format!(", line 2: {expected}"));
    };
    check("1,k,10,1,1,get", "the TTL is missing");
    check("1", "the key is missing");
    check("1,k,10,1,1", "the operation is missing");
    check("-1,k,10,1,1,get,0", "the timestamp `-1` is no number");
    check("1,k,ten,1,1,get,0", "the key size `ten` is no number");
    check("1,k,10,4294967296,1,get,0", "a value of 4294967296 bytes is longer");
    check("1,k,10,99999999999999999999,1,get,0", "the value size `99999999999999999999`");
    check("1,k,10,1,1,scan,0", "`scan` is no operation");
    check("1,k,10,1,1,get,0,", "it has more than seven fields");
    check(&"x".repeat(70_000), "it is too long for a line");
    check_refused("a.csv", b"1,k\xff,10,1,1,\xff,0", ", line 1: `\u{fffd}` is no operation");
}

#[test]
fn cachelibs_lines_are_accesses() {
    let lines = b"key,op,size,op_count,key_size\n7,GET,0,2,30\n8,SET,100,1,20\n7,SET,64,1,30\n\
        9,EXISTS,1,1,1\n8,DELETE,0,1,20\n8,GET_LEASE,0,1,20\n";
    check(
        "kvcache_traces_1.csv",
        lines,
        &[
            "get 0 @0 30+64 ttl 0",
            "get 0 @0 30+64 ttl 0",
            "set 1 @0 20+100 ttl 0",
            "set 0 @0 30+64 ttl 0",
            "delete 1 @0 20+100 ttl 0",
            "get 1 @0 20+100 ttl 0",
        ],
    );
    let lines = b"op_time,key,key_size,op,op_count,size,cache_hits,ttl\n\
        50,abc,9,GET,1,11,1,0\n53,abc,9,SET,1,12,0,900\n52,abc,9,GET,1,12,0,0\n";
    let expected = ["get 0 @0 9+11 ttl 900", "set 0 @3 9+12 ttl 900", "get 0 @3 9+12 ttl 900"];
    check("cachelib.csv", lines, &expected);
}

#[test]
fn cachelibs_lines_that_are_none_are_refused() {
    let name = "kvcache.csv";
    check_refused(name, b"key,operation,size\n", ", line 1: no column of the head is `op`");
    check_refused(name, b"key,op,size\n1,GET\n", ", line 2: the value size is missing");
    check_refused(name, b"key,op,size\n\n1\n", ", line 3: the operation is missing");
    check_refused(name, b"key,op,size\n1,GET,x\n", ", line 2: the value size `x` is no number");
    check_refused(name, b"key,op,size\n", ": it holds no access");
}

#[test]
fn plain_lines_are_accesses() {
    let expected = ["get 0 @0 6+10 ttl 0", "get 1 @0 8+0 ttl 0", "get 0 @0 6+12 ttl 0"];
    check("a.txt", b"# key size\na 10\nlongname\t0\n  a   12", &expected);
    check_refused("a.txt", b"a 10\nb\n", ", line 2: the value size is missing");
    check_refused("a.txt", b"a ten\n", ", line 1: the value size `ten` is no number");
    check_refused("a.txt", b"a 10 11\n", ", line 1: it has more than a key and a size");
    check_refused("a.txt", b"\n\n", ": it holds no access");
}

fn record(time: u32, object: u64, size: u32) -> Vec<u8> {
    let next = (-1_i64).to_le_bytes();
    [&time.to_le_bytes()[..], &object.to_le_bytes(), &size.to_le_bytes(), &next].concat()
}

#[test]
fn oracles_records_are_accesses() {
    let records = [record(9, u64::MAX, 116), record(12, 5, 3), record(11, u64::MAX, 116)].concat();
    let expected = ["get 0 @0 16+100 ttl 0", "get 1 @3 16+1 ttl 0", "get 0 @3 16+100 ttl 0"];
    check("w01.oracleGeneral.bin", &records, &expected);
    let name = "w01.oracleGeneral";
    check_refused(name, &records[..50], ", record 3: it ends after 2 of 24 bytes");
    check_refused(name, &record(1, 1, u32::MAX), ", record 1: an object of 4294967295 bytes");
}

#[test]
fn orms_numbers_are_accesses() {
    let trace = Written::new("a.trace", &[1, 0, 0, 0, 2, 0, 0, 0]).read(None, 10).unwrap();
    assert_eq!(trace.keys(), 2);
    check_refused("a.trace", &[1, 0, 0, 0, 2], ", record 2: it ends after 1 of 4 bytes");
}

#[test]
fn compressed_files_are_read_as_the_others() {
    let plain = b"a 1\nb 2\na 1\n";
    let expected = ["get 0 @0 6+1 ttl 0", "get 1 @0 6+2 ttl 0", "get 0 @0 6+1 ttl 0"];
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(plain).unwrap();
    let gz = gz.finish().unwrap();
    check("a.txt.gz", &gz, &expected);
    // Two members, as `cat` makes them of two files.
    check("b.txt.gz", &[&gz[..], &gz].concat(), &[expected, expected].concat());
    // A frame of one raw block: its length is known, nothing is compressed.
    let zst = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 12, 0x61, 0, 0][..], plain].concat();
    check("a.txt.zst", &zst, &expected);

    let xz = include_bytes!("../../../../benches/traces/orm-night.trace.xz");
    let trace = Written::new("orm-night.trace.xz", xz).read(None, 500).unwrap();
    assert_eq!((trace.accesses.len(), trace.name.as_str()), (500, "orm-night.trace"));
    assert_eq!(trace.accesses, crate::make("orm-night", Some(500), 1).unwrap().accesses);
}

#[test]
fn compressed_files_that_are_damaged_are_refused() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"a 1\nb 2\n").unwrap();
    let gz = gz.finish().unwrap();
    check_refused("a.txt.gz", &gz[..gz.len() - 9], ", line");
    let zst = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 12, 0x61, 0, 0, b'a'];
    check_refused("a.txt.zst", &zst, ", line 1: it cannot be read");
    check_refused("b.txt.zst", &zst[..4], ": ");
    check_refused("a.trace.xz", b"\xfd7zXZ\0\0\0\0\0", ": it cannot be read");
}

#[test]
fn no_more_is_read_than_wanted() {
    for (name, bytes) in [
        ("a.txt", &b"a 1\nb 2\nbroken"[..]),
        ("a.csv", b"1,a,6,1,1,get,0\n1,b,6,1,1,get,0\nbroken"),
        ("kvcache.csv", b"key,op,size,op_count\na,GET,1,1000000\nbroken"),
        ("a.trace", &[1, 0, 0, 0, 2, 0, 0, 0, 3]),
    ] {
        let trace = Written::new(name, bytes).read(None, 2).expect(name);
        assert_eq!(trace.accesses.len(), 2, "{name}");
    }
}

#[test]
fn formats_are_guessed_from_names() {
    let check = |name: &str, expected: Option<Format>| {
        assert_eq!(Format::guessed(name), expected, "{name}");
    };
    check("cluster52.sort.zst", Some(Format::Twitter));
    check("mine.csv.gz", Some(Format::Twitter));
    check("kvcache_traces_1.csv", Some(Format::Cachelib));
    check("msr_hm_0.oracleGeneral.zst", Some(Format::Oracle));
    check("orm-busy.trace.xz", Some(Format::Orm));
    check("notes.txt", Some(Format::Plain));
    check("data", None);

    let unnamed = Written::new("data", b"a 1\n");
    assert!(unnamed.read(None, 9).expect_err("no format").contains("say --format"));
    assert_eq!(unnamed.read(Some(Format::Plain), 9).unwrap().accesses.len(), 1);
    assert!("csv".parse::<Format>().expect_err("none").contains("is none of twitter"));
}

#[test]
fn what_is_written_is_read_back() {
    for name in ["zipf1.0-ttl", "tw22", "tw14"] {
        let trace = crate::make(name, Some(5_000), 1).expect(name);
        let mut bytes = Vec::new();
        crate::write(&trace, &mut bytes).unwrap();
        let again = Written::new("a.csv", &bytes).read(None, usize::MAX).unwrap();
        assert_eq!(again.accesses, trace.accesses, "{name}");
    }
}
