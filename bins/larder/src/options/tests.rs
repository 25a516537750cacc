//! The command line as a whole: every switch, every way to write it, every refusal.

use super::*;
use crate::refusal::Exit;

/// Reads a command line whose arguments are parted by `|`.
fn parse(line: &str) -> Result<Order, Refusal> {
    let args = line.split('|').filter(|arg| !arg.is_empty()).map(OsString::from);
    Options::parse([OsString::from("larder")].into_iter().chain(args), None)
}

fn options(line: &str) -> Options {
    match parse(line) {
        Ok(Order::Serve(options)) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

/// Checks one thing about the options that a command line gives.
#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(line: &str, part: impl Fn(&Options) -> T, expected: T) {
    assert_eq!(part(&options(line)), expected, "{line}");
}

#[test]
fn defaults_are_memcacheds() {
    let options = options("-l|127.0.0.1");
    let config = &options.config;
    assert_eq!(config.listen, ["127.0.0.1:11211".parse().unwrap()]);
    assert_eq!(config.unix, None);
    assert_eq!((config.backlog, config.threads, config.connections_max), (1024, 4, 1024));
    assert_eq!((config.memory_bytes, config.item_bytes_max), (64 << 20, 1 << 20));
    assert_eq!((config.eviction, config.idle_timeout), (Eviction::Enabled, None));
    assert_eq!((config.cas, config.flush, config.shutdown), (true, true, false));
    assert!(config.dumps);
    assert_eq!(config.verbosity, 0);
    let budgets = Budgets {
        unread_reply_bytes: 64 << 20,
        incomplete_value_bytes: 32 << 20,
        incomplete_command_bytes: 64 << 20,
        replies_in_flight: 65536,
        half_command_age: Some(Duration::from_secs(30)),
    };
    assert_eq!(config.budgets, budgets);
    let tuning = Tuning {
        growth_factor: 1.25,
        chunk_size: 48,
        requests_per_event: 20,
        prefix_delimiter: b':',
        hash_power: 0,
        hash_algorithm: "murmur3".to_owned(),
        slab_chunk_max: 512 << 10,
        maintenance: larder_server::Maintenance::default(),
        worker_log_bytes: 64 << 10,
        track_sizes: false,
    };
    assert_eq!(config.tuning, tuning);
    assert!(!options.daemon && !options.core_dumps && !options.lock_memory);
    assert_eq!((options.pid_file, options.user, options.notices), (None, None, Vec::new()));
}

#[test]
fn ports_and_addresses() {
    let listen = |options: &Options| {
        let udp = &options.config.udp.listen;
        let tcp = options.config.listen.iter().map(ToString::to_string);
        let mark = (!udp.is_empty()).then(|| "udp".to_owned());
        tcp.chain(mark).chain(udp.iter().map(ToString::to_string)).collect::<Vec<_>>().join(" ")
    };
    let cases = [
        ("-l|127.0.0.1|-p|7", "127.0.0.1:7"),
        ("-l|127.0.0.1|-p7", "127.0.0.1:7"),
        ("-l|127.0.0.1|-p 7", "127.0.0.1:7"),
        ("-l|127.0.0.1|-p|-1", "127.0.0.1:0"),
        ("-l|127.0.0.1|-p-1", "127.0.0.1:0"),
        ("-l|127.0.0.1|--port|-1", "127.0.0.1:0"),
        ("-l|127.0.0.1|--port=8", "127.0.0.1:8"),
        ("-l|127.0.0.1|-p|7|-p|9", "127.0.0.1:9"),
        ("-l127.0.0.1", "127.0.0.1:11211"),
        ("-l 127.0.0.1", "127.0.0.1:11211"),
        ("--listen=127.0.0.1,127.0.0.2:5", "127.0.0.1:11211 127.0.0.2:5"),
        ("-l|127.0.0.1|-l|127.0.0.2", "127.0.0.1:11211 127.0.0.2:11211"),
        ("-U|0|-l|127.0.0.1", "127.0.0.1:11211"),
        ("-U|7|-l|127.0.0.1", "127.0.0.1:7 udp 127.0.0.1:7"),
        ("-U7|-p|8|-l|127.0.0.1", "127.0.0.1:8 udp 127.0.0.1:7"),
        ("-U|7|-p|0|-l|127.0.0.1", "udp 127.0.0.1:7"),
        ("-U|-1|-l|127.0.0.1", "127.0.0.1:0 udp 127.0.0.1:0"),
        ("-U|-1|-p|9|-l|127.0.0.1", "127.0.0.1:9 udp 127.0.0.1:0"),
        (
            "--udp-port=7|-l|127.0.0.1:6,127.0.0.2",
            "127.0.0.1:6 127.0.0.2:7 udp 127.0.0.1:6 127.0.0.2:7",
        ),
        ("-s|/x|-U|7", ""),
        ("-s|/x|-p|7|-l|127.0.0.1", ""),
    ];
    for (line, expected) in cases {
        check(line, listen, expected.to_owned());
    }
    for line in ["-p|7", "-p|7|-l|*", "-l|*:7"] {
        let found = listen(&options(line));
        assert!(["0.0.0.0:7 [::]:7", "0.0.0.0:7", "[::]:7"].contains(&&*found), "{line}: {found}");
    }
}

#[test]
fn udp_replies_have_limits() {
    for (line, expected) in [
        ("-s|/x", (64 << 10, NonZeroU64::new(64 << 20))),
        ("-s|/x|--udp-reply-limit=1m", (1 << 20, NonZeroU64::new(64 << 20))),
        ("-s|/x|--udp-reply-limit|1400|--udp-reply-rate|0", (1400, None)),
        ("-s|/x|--udp-reply-rate=2k", (64 << 10, NonZeroU64::new(2048))),
    ] {
        let part =
            |o: &Options| (o.config.udp.reply_bytes_max, o.config.udp.reply_bytes_per_second);
        check(line, part, expected);
    }
}

#[test]
fn unix_sockets_and_files() {
    let unix = |mode| Some(UnixSocket { path: "/tmp/x".into(), mode });
    for (line, mode) in [
        ("-s|/tmp/x", 0o700),
        ("-s/tmp/x|-a|0777", 0o777),
        ("-s /tmp/x|-a 750", 0o750),
        ("--unix-socket=/tmp/x|--unix-mask=600", 0o600),
    ] {
        check(line, |options| options.config.unix.clone(), unix(mode));
    }
    let here = std::env::current_dir().unwrap().join("x.pid");
    check("-s|/x|-P|x.pid", |options| options.pid_file.clone(), Some(here));
    check("-s|/x|--pidfile=/y", |options| options.pid_file.clone(), Some(PathBuf::from("/y")));
    let order = Options::parse(["larder", "-s/x"].map(OsString::from), Some("/ports".into()));
    let Ok(Order::Serve(options)) = order else { panic!("{order:?}") };
    assert_eq!(options.config.port_file, Some(PathBuf::from("/ports")));
}

#[test]
fn numbers_and_sizes() {
    for (line, expected) in [
        ("-m|1024", 1024),
        ("-m1024", 1024),
        ("-m 1024", 1024),
        ("--memory-limit=1024", 1024),
        ("--memory-limit|1024", 1024),
        ("--memory-lim|1024", 1024),
        ("-m|64|-m|128", 128),
        ("-m|2", 2),
        ("-m|64m", 64),
        ("-m|2g", 2048),
    ] {
        check(&format!("-s|/x|{line}"), |o| o.config.memory_bytes >> 20, expected);
    }
    for (line, expected) in [
        ("-I|1m", 1 << 20),
        ("-I|512k", 512 << 10),
        ("-I 5m", 5 << 20),
        ("-I|1024", 1024),
        ("-I|1g|-m|2048", 1 << 30),
        ("--max-item-size=1500k", 1500 << 10),
    ] {
        check(&format!("-s|/x|{line}"), |o| o.config.item_bytes_max, expected);
    }
    check("-s|/x|-c|16384", |o| o.config.connections_max, 16384_usize);
    check("-s|/x|--conn-limit=7", |o| o.config.connections_max, 7_usize);
    check("-s|/x|-t|2", |o| o.config.threads, 2_usize);
    check("-s|/x|--threads|32", |o| o.config.threads, 32_usize);
    check("-s|/x|-b|5", |o| o.config.backlog, 5);
    check("-s|/x|--listen-backlog=0", |o| o.config.backlog, 0);
    check("-s|/x|-f|1.08", |o| o.config.tuning.growth_factor, 1.08);
    check("-s|/x|--slab-growth-factor=2", |o| o.config.tuning.growth_factor, 2.0);
    check("-s|/x|-n|5", |o| o.config.tuning.chunk_size, 5_u32);
    check("-s|/x|--slab-min-size=96", |o| o.config.tuning.chunk_size, 96_u32);
    check("-s|/x|-R|50", |o| o.config.tuning.requests_per_event, 50_u32);
    check("-s|/x|--max-reqs-per-event=1", |o| o.config.tuning.requests_per_event, 1_u32);
    check("-s|/x|-D|;", |o| o.config.tuning.prefix_delimiter, b';');
    check("-s|/x|-D/", |o| o.config.tuning.prefix_delimiter, b'/');
    check("-s|/x|-D=", |o| o.config.tuning.prefix_delimiter, b'=');
    check("-s|/x|-D|:", |o| o.config.detail, true);
    check("-s|/x", |o| o.config.detail, false);
    check("-s|/x|-I|16k", |o| o.config.tuning.slab_chunk_max, 16_u32 << 10);
    check("-s|/x|-o|slab_chunk_max=64", |o| o.config.tuning.slab_chunk_max, 64_u32 << 10);
    check("-s|/x|-o|hashpower=20", |o| o.config.tuning.hash_power, 20_u32);
    check("-s|/x|-o|hash_algorithm=xxh3", |o| o.config.tuning.hash_algorithm == "xxh3", true);
    let timeout = Some(Duration::from_secs(9));
    check("-s|/x|-o modern|--extended=idle_timeout=9", |o| o.config.idle_timeout, timeout);
}

#[test]
fn switches_without_a_value() {
    check("-s|/x|-M", |o| o.config.eviction, Eviction::Disabled);
    check("-s|/x|--disable-evictions", |o| o.config.eviction, Eviction::Disabled);
    for line in ["-C", "--disable-cas"] {
        check(&format!("-s|/x|{line}"), |o| o.config.cas, false);
    }
    for line in ["-X", "--disable-dumping"] {
        check(&format!("-s|/x|{line}"), |o| o.config.dumps, false);
    }
    for line in ["-F", "--disable-flush-all"] {
        check(&format!("-s|/x|{line}"), |o| o.config.flush, false);
    }
    for line in ["-W", "--disable-watch"] {
        check(&format!("-s|/x|{line}"), |o| o.config.watch, false);
    }
    check("-s|/x", |o| (o.config.watch, o.config.watcher_log_bytes), (true, 256 << 10));
    check("-s|/x|-o|watcher_logbuf_size=1", |o| o.config.watcher_log_bytes, 1 << 10);
    check("-s|/x|--debug-commands", |o| o.config.debug_commands, true);
    check("-s|/x", |o| o.config.debug_commands, false);
    for (line, protocols) in [
        ("-t|1", Protocols::Auto),
        ("-B|ascii", Protocols::Ascii),
        ("-B|auto", Protocols::Auto),
        ("--protocol=binary", Protocols::Binary),
    ] {
        check(&format!("-s|/x|{line}"), |o| o.config.protocols, protocols);
    }
    for line in ["-A", "--enable-shutdown"] {
        check(&format!("-s|/x|{line}"), |o| o.config.shutdown, true);
    }
    for line in ["-d", "--daemon", "-d|-d"] {
        check(&format!("-s|/x|{line}"), |o| o.daemon, true);
    }
    for line in ["-r", "--enable-coredumps"] {
        check(&format!("-s|/x|{line}"), |o| o.core_dumps, true);
    }
    for line in ["-k", "--lock-memory"] {
        check(&format!("-s|/x|{line}"), |o| o.lock_memory, true);
    }
    for (line, verbosity) in
        [("-v", 1), ("-vv", 2), ("-vvv", 3), ("-v|-v", 2), ("--verbose", 1), ("-vvvv", 4)]
    {
        check(&format!("-s|/x|{line}"), |o| o.config.verbosity, verbosity);
    }
    check(
        "-s|/x|-dvm64",
        |o| (o.daemon, o.config.verbosity, o.config.memory_bytes),
        (true, 1, 64 << 20),
    );
}

#[test]
fn users_and_what_is_accepted_without_effect() {
    let user = |o: &Options| o.user.clone();
    for (line, expected) in [
        ("-u|nobody", "nobody"),
        ("-unobody", "nobody"),
        ("-u 11211", "11211"),
        ("--user=11211", "11211"),
        ("-u|a|-u|b", "b"),
    ] {
        check(&format!("-s|/x|{line}"), user, Some(expected.to_owned()));
    }
    for line in [
        "-L",
        "--enable-largepages",
        "-N|2",
        "--napi_ids=2",
        "--napi-ids=2",
        "-B|ascii",
        "--protocol=auto",
        "-o|modern",
        "-o|no_modern",
        "--extended=modern,track_sizes",
    ] {
        let notices = options(&format!("-s|/x|{line}")).notices;
        assert!(notices.iter().all(|notice| notice.level == Level::Info), "{line}: {notices:?}");
    }
}

#[test]
fn budgets_have_switches() {
    let budgets = |o: &Options| o.config.budgets;
    let defaults = options("-s|/x").config.budgets;
    for (line, expected) in [
        ("--unread-reply-limit=1m", Budgets { unread_reply_bytes: 1 << 20, ..defaults }),
        ("--incomplete-value-limit|7k", Budgets { incomplete_value_bytes: 7 << 10, ..defaults }),
        ("--incomplete-command-limit=99", Budgets { incomplete_command_bytes: 99, ..defaults }),
        ("-o|read_buf_mem_limit=2", Budgets { incomplete_command_bytes: 2 << 20, ..defaults }),
        ("-o|read_buf_mem_limit=0", Budgets { incomplete_command_bytes: u64::MAX, ..defaults }),
        (
            "-o|read_buf_mem_limit=2|--incomplete-command-limit=1k",
            Budgets { incomplete_command_bytes: 1 << 10, ..defaults },
        ),
        ("--replies-in-flight-limit=5", Budgets { replies_in_flight: 5, ..defaults }),
        ("--half-command-timeout=0", Budgets { half_command_age: None, ..defaults }),
        (
            "--half-command-timeout|5",
            Budgets { half_command_age: Some(Duration::from_secs(5)), ..defaults },
        ),
        ("-m|128", Budgets { incomplete_value_bytes: 64 << 20, ..defaults }),
        ("-m|3", Budgets { incomplete_value_bytes: 2 << 20, ..defaults }),
        ("-m|64|-I|32m", Budgets { incomplete_value_bytes: 48 << 20, ..defaults }),
    ] {
        check(&format!("-s|/x|{line}"), budgets, expected);
    }
}

/// What Debian's `memcached.conf` becomes, through its wrapper and as it stands, and what Loki's chart passes.
#[test]
fn command_lines_of_the_world() {
    let debian = options(
        "-d|logfile|/var/log/memcached.log|-m|64|-p|11211|-u|memcache|-l|127.0.0.1|-P|/run/m.pid",
    );
    assert_eq!((debian.daemon, debian.user.as_deref()), (true, Some("memcache")));
    assert_eq!(debian.config.listen, ["127.0.0.1:11211".parse().unwrap()]);
    assert_eq!(debian.pid_file, Some(PathBuf::from("/run/m.pid")));
    let levels: Vec<Level> = debian.notices.iter().map(|notice| notice.level).collect();
    assert_eq!(levels, [Level::Warn, Level::Warn]);

    let loki = options(
        "-m 8192|--extended=modern,track_sizes,ext_path=/data/file:9G,ext_wbuf_size=16|-I 5m|-c 16384|-v|-u 11211",
    );
    assert_eq!((loki.config.memory_bytes, loki.config.item_bytes_max), (8192 << 20, 5 << 20));
    assert_eq!((loki.config.connections_max, loki.config.verbosity), (16384, 1));
    assert_eq!(loki.user.as_deref(), Some("11211"));

    let suite = options("-u|nobody|-U|0|-t|1|-c|1024|-m|128|-I|1m|-l|127.0.0.1|-p|-1");
    assert_eq!(suite.config.listen, ["127.0.0.1:0".parse().unwrap()]);
    assert_eq!(suite.notices, []);
}

#[test]
fn what_cannot_be_used_is_refused() {
    let cases = [
        ("-p|70000", Exit::Usage, "-p 70000"),
        ("-p|-2", Exit::Usage, "-p -2"),
        ("-p|abc", Exit::Value, "-p \"abc\""),
        ("-p|0", Exit::Usage, "nothing to listen on"),
        ("-c|0", Exit::Value, "-c \"0\""),
        ("-t|0", Exit::Value, "threads"),
        ("-t|3x", Exit::Value, "threads"),
        ("-t|1025", Exit::Value, "1024"),
        ("-m|0", Exit::Usage, "half of the memory"),
        ("-m|abc", Exit::Usage, "-m \"abc\""),
        ("-m|1", Exit::Usage, "half of the memory"),
        ("-I|512", Exit::Usage, "-I \"512\""),
        ("-I|2g", Exit::Usage, "1g"),
        ("-I|64m", Exit::Usage, "half of the memory"),
        ("-I|", Exit::Value, "the value is missing"),
        ("-f|1", Exit::Value, "-f \"1\""),
        ("-f|inf", Exit::Value, "-f"),
        ("-n|0", Exit::Value, "-n"),
        ("-R|0", Exit::Value, "-R"),
        ("-b|abc", Exit::Value, "-b"),
        ("-N|0", Exit::Value, "-N"),
        ("-a|999", Exit::Value, "octal"),
        ("-a|10000", Exit::Value, "octal"),
        ("-B|foo", Exit::Usage, "ascii, binary or auto"),
        ("-p|0|-U|0", Exit::Usage, "nothing to listen on"),
        ("-U|70000", Exit::Usage, "-U 70000"),
        ("-U|x", Exit::Value, "-U \"x\""),
        ("--udp-reply-limit=x", Exit::Value, "--udp-reply-limit \"x\""),
        ("--udp-reply-rate=-1", Exit::Value, "--udp-reply-rate \"-1\""),
        ("-S", Exit::Usage, "-S: larder does not serve SASL yet: leave -S out"),
        ("--enable-sasl", Exit::Usage, "SASL"),
        ("-Z", Exit::Usage, "TLS"),
        ("--enable-ssl", Exit::Usage, "TLS"),
        ("-Y|/f", Exit::Usage, "authentication"),
        ("--auth-file=/f", Exit::Usage, "authentication"),
        ("-e|/f", Exit::Usage, "memory file"),
        ("--memory-file=/f", Exit::Usage, "memory file"),
        ("-o|bogus", Exit::Value, "-o bogus: no such extended option"),
        ("--unread-reply-limit=0", Exit::Value, "--unread-reply-limit"),
        ("--incomplete-value-limit=x", Exit::Value, "--incomplete-value-limit"),
        ("--replies-in-flight-limit=0", Exit::Value, "--replies-in-flight-limit"),
        ("--half-command-timeout=soon", Exit::Value, "--half-command-timeout"),
        ("--bogus", Exit::Value, "--bogus: no such option"),
        ("-Q", Exit::Value, "-Q: no such option"),
        ("--disable", Exit::Value, "--disable: more than one option begins like this"),
        ("--daemon=yes", Exit::Value, "--daemon"),
        ("-p", Exit::Value, "-p: the value is missing"),
        ("--udp-reply-rate", Exit::Value, "--udp-reply-rate: the value is missing"),
        ("-l|127.0.0.1:abc", Exit::System, "-l 127.0.0.1:abc"),
    ];
    for (line, exit, words) in cases {
        match parse(line) {
            Err(refusal) => {
                assert_eq!(refusal.exit, exit, "{line}: {refusal}");
                assert!(refusal.sentence.contains(words), "{line}: {refusal}");
            }
            Ok(order) => panic!("{line}: {order:?}"),
        }
    }
}

#[test]
fn some_switches_only_print() {
    let cases = [
        ("-h", "memcached 1.6.45 (larder "),
        ("--help", "--unix-socket <FILE>"),
        ("-p|-1|-h|--bogus", "Usage: larder [options]"),
        ("-V", "memcached 1.6.45 (larder "),
        ("--version", "memcached 1.6.45 (larder "),
        ("-i", "Apache License"),
        ("--license", "MIT"),
    ];
    for (line, words) in cases {
        match parse(line) {
            Ok(Order::Print(text)) => assert!(text.contains(words), "{line}: {text}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

/// Scripts look for these words to learn what a server can do.
#[test]
fn the_help_does_not_promise_what_is_missing() {
    let Ok(Order::Print(help)) = parse("-h") else { panic!("no help") };
    assert!(help.contains("unix-socket"));
    for word in ["sasl", "ext_path", "proxy_config", "no_drop_privileges", "enable-ssl"] {
        assert!(!help.contains(word), "{word}");
    }
}
