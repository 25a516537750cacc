//! Switches arrive where they should: in what the server says of itself, and in what it does.

use std::io::Read as _;

use crate::program::Server;

/// Checks `NAME=VALUE` of a `stats` command, for a server started with arguments that are parted by `|`.
#[track_caller]
fn check(line: &str, command: &str, expected: &[&str]) {
    let args: Vec<&str> = line.split('|').filter(|arg| !arg.is_empty()).collect();
    let server = Server::start(&args);
    let (names, values): (Vec<&str>, Vec<&str>) =
        expected.iter().map(|pair| pair.split_once('=').unwrap()).unzip();
    assert_eq!(server.stats(command, &names), values, "{line}: {names:?}");
}

#[test]
fn defaults_are_memcacheds() {
    let expected = [
        "maxbytes=67108864",
        "maxconns=1024",
        "verbosity=0",
        "evictions=on",
        "shutdown_command=no",
        "growth_factor=1.25",
        "chunk_size=48",
        "num_threads=4",
        "stat_key_prefix=:",
        "detail_enabled=no",
        "reqs_per_event=20",
        "cas_enabled=yes",
        "tcp_backlog=1024",
        "item_size_max=1048576",
        "hashpower_init=0",
        "slab_chunk_max=524288",
        "flush_enabled=yes",
        "hash_algorithm=murmur3",
        "idle_timeout=0",
        "track_sizes=no",
    ];
    check("", "stats settings", &expected);
}

#[test]
fn settings_show_what_was_given() {
    let line = "-m|100|-c|77|-t|3|-vv|-I|2m|-b|55|-f|1.5|-n|64|-R|30|-D|/|-C|-F|-M|-A\
                |-o|idle_timeout=9,hashpower=20,track_sizes|-o|hash_algorithm=xxh3,slab_chunk_max=256";
    let expected = [
        "maxbytes=104857600",
        "maxconns=77",
        "verbosity=2",
        "evictions=off",
        "shutdown_command=yes",
        "growth_factor=1.50",
        "chunk_size=64",
        "num_threads=3",
        "stat_key_prefix=/",
        "detail_enabled=yes",
        "reqs_per_event=30",
        "cas_enabled=no",
        "tcp_backlog=55",
        "item_size_max=2097152",
        "hashpower_init=20",
        "slab_chunk_max=262144",
        "flush_enabled=no",
        "hash_algorithm=xxh3",
        "idle_timeout=9",
        "track_sizes=yes",
    ];
    check(line, "stats settings", &expected);
}

#[test]
fn budgets_are_what_was_given() {
    let defaults = [
        "unread_reply_bytes_limit=67108864",
        "incomplete_value_bytes_limit=33554432",
        "incomplete_command_bytes_limit=67108864",
        "replies_in_flight_limit=65536",
        "half_command_seconds_limit=30",
    ];
    check("", "stats larder", &defaults);
    let line = "--unread-reply-limit=1m|--incomplete-value-limit|2m|--incomplete-command-limit=3m\
                |--replies-in-flight-limit=4|--half-command-timeout=5";
    let expected = [
        "unread_reply_bytes_limit=1048576",
        "incomplete_value_bytes_limit=2097152",
        "incomplete_command_bytes_limit=3145728",
        "replies_in_flight_limit=4",
        "half_command_seconds_limit=5",
    ];
    check(line, "stats larder", &expected);
    check("-o|read_buf_mem_limit=7", "stats larder", &["incomplete_command_bytes_limit=7340032"]);
}

#[test]
fn commands_obey_their_switches() {
    let cases = [
        ("", "flush_all", "OK\r\n"),
        ("-F", "flush_all", "CLIENT_ERROR flush_all not allowed\r\n"),
        ("", "shutdown", "SERVER_ERROR: shutdown not enabled\r\n"),
        ("", "verbosity 1", "OK\r\n"),
        ("-I|1k", "set k 0 0 2000\r\n", "SERVER_ERROR object too large for cache\r\n"),
    ];
    for (switch, line, expected) in cases {
        let args: Vec<&str> = switch.split('|').filter(|arg| !arg.is_empty()).collect();
        assert_eq!(Server::start(&args).ask(line), expected, "{switch} {line}");
    }
}

#[test]
fn shutdown_ends_well() {
    for line in ["shutdown", "shutdown graceful"] {
        let mut server = Server::start(&["-A"]);
        assert_eq!(server.ask(line), "", "{line}");
        assert_eq!(server.wait(), Some(0), "{line}: {}", server.stderr());
    }
}

#[test]
fn as_many_clients_are_served_as_were_asked_for() {
    let server = Server::start(&["-c", "5"]);
    let clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    let mut refused = String::new();
    server.connect().read_to_string(&mut refused).unwrap();
    assert_eq!(refused, "ERROR Too many open connections\r\n");
    for client in clients {
        assert_eq!(crate::program::converse(client, "version"), "VERSION 1.6.45\r\n");
    }
}
