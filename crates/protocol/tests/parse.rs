//! What a line means: cases as data.

use larder_protocol::{
    ClassList, ParseError, Rejection, Request, Status, StoreMode, Watch, parse_line,
    parse_retrieval_head,
};

/// A request as one line of text, so that a case fits one line.
fn show(line: &[u8]) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match parse_line(line) {
        Ok(Request::Storage(s)) => format!(
            "{:?} {} flags={} exptime={} len={} quiet={}",
            s.mode,
            text(s.key),
            s.flags,
            s.exptime,
            s.value_len,
            s.quiet
        ),
        Ok(Request::Get(g)) => {
            let keys: Vec<String> = g.keys.map(text).collect();
            format!("get cas={} touch={:?} {}", g.retrieval.cas, g.retrieval.touch, keys.join(","))
        }
        Ok(Request::Delete(d)) => format!("delete {} quiet={}", text(d.key), d.quiet),
        Ok(Request::Arithmetic(a)) => format!("{:?} {} quiet={}", a.delta, text(a.key), a.quiet),
        Ok(Request::Touch(t)) => format!("touch {} {} quiet={}", text(t.key), t.exptime, t.quiet),
        Ok(Request::Stats(s)) => {
            let topic: Vec<String> = s.topic.map(text).collect();
            format!("stats {}", topic.join(","))
        }
        Ok(Request::Watch(Watch { streams })) => match streams {
            Some(streams) => format!("watch {:#b}", streams.bits()),
            None => "watch what?".to_owned(),
        },
        Ok(other) => format!("{other:?}"),
        Err(Rejection { reason, quiet, skip_len }) => {
            format!("{reason:?} quiet={quiet} skip={skip_len}")
        }
    }
}

#[track_caller]
fn check(line: &str, expected: &str) {
    for end in ["", "\r"] {
        assert_eq!(show(format!("{line}{end}").as_bytes()), expected, "{line:?} + {end:?}");
    }
}

#[test]
fn storage_lines() {
    check("set k 1 2 3", "Set k flags=1 exptime=2 len=3 quiet=false");
    check("set  k   1 2 3  ", "Set k flags=1 exptime=2 len=3 quiet=false");
    check("add k 1 -2 3 noreply", "Add k flags=1 exptime=-2 len=3 quiet=true");
    check("replace k 1 2 0 nonsense", "Replace k flags=1 exptime=2 len=0 quiet=false");
    check("append k 1 2 3 a b noreply", "Append k flags=1 exptime=2 len=3 quiet=true");
    check("prepend k 4294967296 2 3", "Prepend k flags=0 exptime=2 len=3 quiet=false");
    check(
        "cas k 1 2 3 18446744073709551615",
        "Cas(18446744073709551615) k flags=1 exptime=2 len=3 quiet=false",
    );
    check("cas k 1 2 3 9 noreply", "Cas(9) k flags=1 exptime=2 len=3 quiet=true");
    check(
        "set a\tb\x01 0 0 2147483645",
        "Set a\\tb\\x01 flags=0 exptime=0 len=2147483645 quiet=false",
    );
}

#[test]
fn blanks_other_than_the_space_end_a_number() {
    check("set k 1\t 2 3\r", "Set k flags=1 exptime=2 len=3 quiet=false");
    check("set k 1\x0cx 2\t\t 3", "Set k flags=1 exptime=2 len=3 quiet=false");
    check("set k \t1 2 \t3", "Set k flags=1 exptime=2 len=3 quiet=false");
    check("set k 1 -\t1 3", "BadFormat quiet=false skip=5");
    check("incr k 5\t6", "Increment(5) k quiet=false");
}

#[test]
fn a_refused_data_block_is_skipped_when_its_length_is_known() {
    check("set k -1 0 3", "BadFormat quiet=false skip=5");
    check("set k 18446744073709551616 0 3", "BadFormat quiet=false skip=5");
    check("set k 0 x 3 noreply", "BadFormat quiet=true skip=5");
    check("set k 0 9223372036854775808 0", "BadFormat quiet=false skip=2");
    check("cas k 0 0 3 x noreply", "BadFormat quiet=true skip=5");
    check("cas k 0 0 3", "BadFormat quiet=false skip=5");
    check(&format!("set {} 0 0 7", "k".repeat(251)), "BadFormat quiet=false skip=9");
    check(&format!("set {} 0 0 7 noreply", "k".repeat(251)), "BadFormat quiet=true skip=9");
    for len in ["-1", "x", "2147483646", "4294967295", "18446744073709551616", "0x10", "1e3", "3,"]
    {
        check(&format!("set k 0 0 {len}"), "BadFormat quiet=false skip=0");
    }
    check("set k 0 0 x noreply", "BadFormat quiet=true skip=0");
    for line in ["set", "set k", "set k 0", "set k 0 0", "set k 0 0 "] {
        check(line, "BadFormat quiet=false skip=0");
    }
}

#[test]
fn retrieval_lines() {
    check("get k", "get cas=false touch=None k");
    check("gets a b  c ", "get cas=true touch=None a,b,c");
    check("gat 0 a", "get cas=false touch=Some(0) a");
    check("gats -1 a a", "get cas=true touch=Some(-1) a,a");
    check("gat x a", "InvalidExptime quiet=false skip=0");
    check("get noreply", "get cas=false touch=None noreply");
    for line in ["get", "get ", "gets", "gat", "gat 1", "gats 1 "] {
        check(line, "BadFormat quiet=false skip=0");
    }
    let longest = "k".repeat(250);
    check(&format!("get a {longest}"), &format!("get cas=false touch=None a,{longest}"));
    check(&format!("get a {longest}k b"), "BadFormat quiet=false skip=0");
}

#[test]
fn other_lines_about_one_key() {
    check("delete k", "delete k quiet=false");
    check("delete k 0", "delete k quiet=false");
    check("delete k noreply", "delete k quiet=true");
    check("delete k 0 noreply", "delete k quiet=true");
    check("delete k 5", "DeleteUsage quiet=false skip=0");
    check("delete k 5 noreply", "DeleteUsage quiet=true skip=0");
    check("delete k 0 0", "DeleteUsage quiet=false skip=0");
    check("delete k noreply noreply", "DeleteUsage quiet=true skip=0");
    check("delete", "BadFormat quiet=false skip=0");
    check("incr k 18446744073709551615", "Increment(18446744073709551615) k quiet=false");
    check("decr k 1 noreply", "Decrement(1) k quiet=true");
    check("incr k 18446744073709551616", "InvalidDelta quiet=false skip=0");
    check("incr k -1", "InvalidDelta quiet=false skip=0");
    check("decr k x noreply", "InvalidDelta quiet=true skip=0");
    check("incr k", "BadFormat quiet=false skip=0");
    check("touch k 10", "touch k 10 quiet=false");
    check("touch k 10 noreply", "touch k 10 quiet=true");
    check("touch k ten", "InvalidExptime quiet=false skip=0");
    check("touch k", "BadFormat quiet=false skip=0");
    for command in ["delete", "incr", "touch"] {
        let line = format!("{command} {} 0", "k".repeat(251));
        check(&line, "BadFormat quiet=false skip=0");
    }
}

#[test]
fn administration_lines() {
    check("stats", "stats ");
    check("stats ", "stats ");
    check("stats items 3", "stats items,3");
    check("version", "Version");
    check("quit", "Quit");
    check("flush_all", "FlushAll(FlushAll { delay: 0, quiet: false })");
    check("flush_all noreply", "FlushAll(FlushAll { delay: 0, quiet: true })");
    check("flush_all 10 noreply", "FlushAll(FlushAll { delay: 10, quiet: true })");
    check("flush_all -1", "FlushAll(FlushAll { delay: -1, quiet: false })");
    check("flush_all x", "InvalidExptime quiet=false skip=0");
    check("flush_all 0 0 0", "UnknownCommand quiet=false skip=0");
    check("verbosity 9", "Verbosity(Verbosity { level: 2, quiet: false })");
    check("verbosity 1 noreply", "Verbosity(Verbosity { level: 1, quiet: true })");
    check("verbosity noreply", "BadFormat quiet=true skip=0");
    check("verbosity x", "BadFormat quiet=false skip=0");
    check("verbosity", "UnknownCommand quiet=false skip=0");
    check("cache_memlimit 64", "MemoryLimit(MemoryLimit { mebibytes: 64, quiet: false })");
    check("cache_memlimit x", "UnknownCommand quiet=false skip=0");
    check("shutdown", "Shutdown(Immediate)");
    check("shutdown graceful", "Shutdown(Graceful)");
    check("shutdown now", "Shutdown(Unknown)");
    check("shutdown now or later", "Shutdown(Unknown)");
}

#[test]
fn orders() {
    let check_change = |line: &str, change: &str, quiet: bool| {
        check(line, &format!("Order(Order {{ change: {change}, quiet: {quiet} }})"));
    };
    check_change("debugtime p", "Clock(Pause)", false);
    check_change("debugtime -9223372036854775808", "Clock(Shift(-9223372036854775808))", false);
    check("debugtime 9223372036854775808", "UnknownCommand quiet=false skip=0");
    check("debugtime 1 noreply", "UnknownCommand quiet=false skip=0");
    check_change("refresh_certs at once", "Certificates", false);
    check_change("lru_crawler enable", "Crawler(true)", false);
    check("lru_crawler enable noreply", "UnknownCommand quiet=false skip=0");
    check_change("lru_crawler sleep 1000000", "CrawlerSleep(1000000)", false);
    check("lru_crawler sleep 1000001", "Order(SleepTooLong) quiet=false skip=0");
    check("lru_crawler sleep noreply", "BadFormat quiet=false skip=0");
    check_change("lru_crawler tocrawl 4294967295", "CrawlerItems(4294967295)", false);
    check("lru_crawler tocrawl 4294967296", "BadFormat quiet=false skip=0");
    check_change("lru mode flat noreply", "Lists(Flat)", true);
    check("lru mode noreply", "UnknownCommand quiet=true skip=0");
    check("lru noreply", "UnknownCommand quiet=true skip=0");
    check_change("lru temp_ttl -1 x", "TemporaryTtl(-1)", false);
    check("lru tune 50 31 1 1 noreply", "Order(PercentsTooHigh) quiet=true skip=0");
    check("lru tune 4294967295 2 1 1", "Order(PercentsTooHigh) quiet=false skip=0");
    check("lru tune 50 30 0 1", "Order(FactorTooLow) quiet=false skip=0");
    check("lru tune 50 30 inf 1", "UnknownCommand quiet=false skip=0");
    check("lru tune 50 30 1 NaN", "UnknownCommand quiet=false skip=0");
    check_change("slabs reassign -1 5", "Reassign { source: -1, destination: 5 }", false);
    check("slabs reassign 1 5 noreply", "UnknownCommand quiet=false skip=0");
    check_change("slabs automove 2 noreply", "Automove(Level(2))", true);
    check("slabs automove 3 noreply", "UnknownCommand quiet=true skip=0");
    check_change("slabs automove window 7", "Automove(Window(7))", false);
    check_change("slabs automove ratio -.5", "Automove(Ratio(Decimal(-0.5)))", false);
    check("slabs automove ratio", "UnknownCommand quiet=false skip=0");
}

#[test]
fn class_lists() {
    let classes = |word: &str| {
        let set = ClassList::new(word.as_bytes()).classes()?;
        Ok((0..=255).filter(|&class| set.has(class)).collect::<Vec<u8>>())
    };
    let all: Vec<u8> = (0..=63).collect();
    for (word, expected) in [
        ("all", Ok(all.clone())),
        ("hash", Ok(all)),
        ("1,2,63", Ok(vec![1, 2, 63])),
        (",3,,03,", Ok(vec![3])),
        (",", Err(Status::NotStarted)),
        ("0", Err(Status::BadClass)),
        ("64", Err(Status::BadClass)),
        ("1,x", Err(Status::BadClass)),
        ("18446744073709551617", Err(Status::BadClass)),
    ] {
        assert_eq!(classes(word), expected, "{word}");
    }
}

#[test]
fn what_is_no_request() {
    for line in ["GET k", "gett k", " get k", "foo bar", "set\tk 0 0 1", "versionn"] {
        check(line, "UnknownCommand quiet=false skip=0");
    }
    check("foo noreply", "UnknownCommand quiet=false skip=0");
    check("GET / HTTP/1.1", "Http quiet=false skip=0");
    for line in ["", "\r", "a", "a\r", "mn", " \r"] {
        assert_eq!(parse_line(line.as_bytes()), Err(ParseError::BadFormat.into()), "{line:?}");
    }
}

#[test]
fn a_retrieval_is_known_by_its_head() {
    let head =
        |line: &str| parse_retrieval_head(line.as_bytes()).map(|(r, at)| (r.cas, r.touch, at));
    for (line, expected) in [
        ("get k", Some((false, None, 3))),
        ("gets  k", Some((true, None, 4))),
        ("gat 10 k", Some((false, Some(10), 6))),
        ("gats  -1  k", Some((true, Some(-1), 8))),
        ("gat 10", None),
        ("gat x k", None),
        ("get", None),
        ("set k", None),
        ("aaaaaaaaa", None),
    ] {
        assert_eq!(head(line), expected, "{line:?}");
    }
}

#[test]
fn a_mode_survives_its_number() {
    let Ok(Request::Storage(storage)) = parse_line(b"cas k 0 0 1 7") else { panic!("a cas") };
    assert_eq!(storage.mode, StoreMode::Cas(7));
}

#[test]
fn streams_to_watch() {
    check("watch", "watch 0b1");
    check("watch  fetchers fetchers ", "watch 0b1");
    check("watch mutations evictions", "watch 0b110");
    check("watch connevents sysevents rawcmds", "watch 0b111000");
    check("watch deletions proxyreqs proxyevents proxyuser", "watch 0b11000000");
    for line in
        ["watch x", "watch fetchers x", "watch x fetchers", "watch FETCHERS", "watch noreply x"]
    {
        check(line, "watch what?");
    }
    for line in ["watch noreply", "watch fetchers noreply", "watch x noreply"] {
        check(line, "UnknownCommand quiet=true skip=0");
    }
    check("watchx", "UnknownCommand quiet=false skip=0");
    check("watch / HTTP/1.1", "watch what?");
}
