//! The five budgets of what clients leave unfinished: who is over one is closed and counted, and nobody else is.

use std::time::Duration;

use larder_server::{Budgets, Config};
use larder_testkit::process;

use crate::kit::{Client, Running, config, pattern, until};

#[test]
fn unread_replies_are_bounded() {
    let server = start(|budgets| budgets.unread_reply_bytes = 512 << 10);
    let mut other = server.connect();
    let line = fill_keys(&mut other, 10, 1900);
    // Each may hold 256 KiB of copied replies, and all that the system takes besides.
    let hogs = crowd(&server, 6, &line.repeat(1000));
    check_bounded(&mut other, &hogs, "unread_reply_bytes", 512 << 10);
}

#[test]
fn replies_in_flight_are_bounded() {
    let server = start(|budgets| budgets.replies_in_flight = 40);
    let mut other = server.connect();
    let line = fill_keys(&mut other, 10, 10_000);
    // Each may hold 26 of these values: 256 KiB.
    let hogs = crowd(&server, 6, &line.repeat(200));
    check_bounded(&mut other, &hogs, "replies_in_flight", 40);
    drop(hogs);
    other.until_stat("stats larder", "memory_pinned_bytes", |bytes| bytes == 0);
}

#[test]
fn incomplete_commands_are_bounded() {
    let server = start(|budgets| budgets.incomplete_command_bytes = 64 << 10);
    let mut other = server.connect();
    // As long as an unfinished line may be.
    let half_line = format!("get {}", "key ".repeat(500));
    let hogs = crowd(&server, 100, &half_line);
    check_bounded(&mut other, &hogs, "incomplete_command_bytes", 64 << 10);
}

#[test]
fn incomplete_values_are_bounded_and_the_oldest_gives_way() {
    let server = start(|budgets| budgets.incomplete_value_bytes = 4 << 20);
    let mut other = server.connect();
    let first = half_set(&server);
    other.until_stat("stats larder", "incomplete_value_bytes", |bytes| bytes > 0);
    let begin = other.stat("stats", "uptime");
    other.until_stat("stats", "uptime", |now| now >= begin + 2);
    let hogs: Vec<Client> = (0..30).map(|_| half_set(&server)).collect();
    until("the oldest is closed", || first.is_closed());
    check_bounded(&mut other, &hogs, "incomplete_value_bytes", 4 << 20);
    // Who has its place still can finish, and others can come by.
    let mut alive = hogs.into_iter().filter(|hog| !hog.is_closed());
    let mut finishing = alive.next_back().unwrap();
    finishing.send([&pattern(2, 700_000)[..], b"\r\n"].concat());
    assert_eq!(finishing.line(), "STORED\r\n");
    for index in 0..20 {
        assert_eq!(other.set(&format!("large{index}"), &pattern(1, 900_000)), "STORED\r\n");
    }
}

#[test]
fn half_sent_values_do_not_take_the_memory_of_others() {
    // The budget that the program gives a server of this size: half of its memory.
    let server = start(|budgets| budgets.incomplete_value_bytes = 32 << 20);
    let mut other = server.connect();
    let hogs: Vec<Client> = (0..200).map(|_| half_set(&server)).collect();
    other.until_stat("stats larder", "incomplete_value_bytes_closed", |closed| closed > 0);
    for index in 0..50 {
        assert_eq!(other.set(&format!("large{index}"), &pattern(1, 900_000)), "STORED\r\n");
    }
    assert!(other.stat("stats larder", "incomplete_value_bytes") <= 32 << 20);
    assert_eq!(other.stat("stats", "store_no_memory"), 0);
    drop(hogs);
    other.until_stat("stats larder", "memory_draft_bytes", |bytes| bytes == 0);
}

#[test]
fn an_unread_multiget_does_not_take_the_memory_of_others() {
    let server = start(|_| ());
    let mut other = server.connect();
    let line = fill_keys(&mut other, 50, 900_000);
    let mut slow = server.connect_narrow();
    slow.send(&line);
    other.until_stat("stats larder", "replies_in_flight", |count| count > 0);
    for index in 0..200 {
        assert_eq!(other.set(&format!("large{index}"), &pattern(1, 900_000)), "STORED\r\n");
    }
    // Keys that were not served before they were evicted are missed; those that were are whole.
    let mut count = 0;
    loop {
        let head = slow.line();
        if head == "END\r\n" {
            break;
        }
        let value = slow.bytes(900_002);
        assert!(head.starts_with("VALUE key") && value[..900_000] == pattern(7, 900_000));
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn half_a_command_may_take_so_long() {
    let server = start(|budgets| budgets.half_command_age = Some(Duration::from_secs(1)));
    let mut observer = server.connect();
    let idle = server.connect();
    let half_line = {
        let mut client = server.connect();
        client.send("get ke");
        client
    };
    let half_value = {
        let mut client = server.connect();
        client.send("set key 0 0 1000\r\nhalf");
        client
    };
    let half_refused = {
        let mut client = server.connect();
        client.send("set key 0 0 100000000\r\nhalf");
        assert_eq!(client.line(), "SERVER_ERROR object too large for cache\r\n");
        client
    };
    let half_keys = {
        let mut client = server.connect();
        // Too long to be kept: its keys are answered as they arrive.
        client.send(format!("get {}", "key ".repeat(2000)));
        client
    };
    let mut trickle = server.connect();
    let mut busy = server.connect();
    busy.send("get k");
    let mut upload = server.connect();
    upload.send("set upload 0 0 100000\r\n");
    let begin = observer.stat("stats", "uptime");
    let mut uploaded = 0;
    until("all five are closed, and time for more has passed", || {
        // One that completes commands, with half a command at the end of each write.
        assert_eq!(busy.ask("ey\r\nversion"), "END\r\n");
        assert_eq!(busy.line(), "VERSION 1.6.45\r\n");
        busy.send("get k");
        upload.send("x");
        uploaded += 1;
        // A byte now and then does not complete a command.
        let _ = trickle.try_send("a");
        let late = [&half_line, &half_value, &half_refused, &half_keys, &trickle];
        late.iter().all(|client| client.is_closed()) && observer.stat("stats", "uptime") > begin + 4
    });
    assert_eq!(observer.stat("stats larder", "half_command_seconds_closed"), 5);
    assert!(!idle.is_closed());
    assert_eq!(busy.ask("ey"), "END\r\n");
    upload.send([&vec![b'x'; 100_000 - uploaded][..], b"\r\n"].concat());
    assert_eq!(upload.line(), "STORED\r\n");
}

#[test]
fn without_a_limit_half_a_command_may_take_for_ever() {
    let server = start(|budgets| budgets.half_command_age = None);
    let mut half = server.connect();
    half.send("vers");
    let mut observer = server.connect();
    let begin = observer.stat("stats", "uptime");
    observer.until_stat("stats", "uptime", |now| now >= begin + 3);
    assert_eq!(half.ask("ion"), "VERSION 1.6.45\r\n");
}

fn start(change: impl FnOnce(&mut Budgets)) -> Running {
    let mut config = Config { threads: 2, ..config() };
    change(&mut config.budgets);
    Running::start(config)
}

/// Stores values of a length and returns the line that asks for all of them.
fn fill_keys(client: &mut Client, count: usize, value_len: usize) -> String {
    let value = pattern(7, value_len);
    let keys: Vec<String> = (0..count).map(|index| format!("key{index}")).collect();
    for key in &keys {
        assert_eq!(client.set(key, &value), "STORED\r\n");
    }
    format!("get {}\r\n", keys.join(" "))
}

/// Clients that send this and read nothing. One may be closed before it has sent everything.
fn crowd(server: &Running, count: usize, bytes: &str) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| drop(client.try_send(bytes)));
    clients
}

/// A client that has sent 0.2 MB of a value of 0.9 MB.
fn half_set(server: &Running) -> Client {
    let mut client = server.connect();
    client.send([b"set half 0 0 900000\r\n", &pattern(2, 200_000)[..]].concat());
    client
}

/// Some clients are closed for a budget, not all, and who behaves is served.
#[track_caller]
fn check_bounded(other: &mut Client, hogs: &[Client], budget: &str, limit: u64) {
    let closed = format!("{budget}_closed");
    other.until_stat("stats larder", &closed, |closed| closed > 0);
    assert_eq!(other.stat("stats larder", &format!("{budget}_limit")), limit);
    // Workers notice each other's clients within a second; until it is so, it may be more.
    let mut last = 0;
    let is_bounded = process::until(|| {
        last = other.stat("stats larder", budget);
        Ok((last <= limit).then_some(()))
    });
    assert!(is_bounded.unwrap().is_some(), "{budget}: {last} stay");
    assert!(last > 0, "{budget}: nobody holds anything");
    let closed = other.stat("stats larder", &closed);
    assert!(closed < hogs.len() as u64, "{closed} of {}", hogs.len());
    for (name, number) in other.stats("stats larder") {
        if name.ends_with("_closed") && name != format!("{budget}_closed") {
            assert_eq!(number, "0", "{name}");
        }
    }
    assert_eq!(other.set("well-behaved", b"value"), "STORED\r\n");
    assert_eq!(other.get("well-behaved").unwrap(), b"value");
}
