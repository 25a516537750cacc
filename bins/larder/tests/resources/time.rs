//! Processor time: who waits for a client takes none.

use std::net::Shutdown;

use crate::{Client, TICKS_IDLE, start, ticks_in_a_second, until};

#[test]
fn clients_in_any_unfinished_state_cost_nothing() {
    let server = start(&["-m", "64", "-I", "16m"]);
    let mut observer = Client::connect(&server);
    let value = vec![b'x'; 12 << 20];
    observer.send(format!("set big 0 0 {}\r\n", value.len()));
    observer.send([&value[..], b"\r\n"].concat());
    assert_eq!(observer.line(), "STORED\r\n");

    let clients: Vec<Client> = (0..7).map(|_| Client::connect(&server)).collect();
    let [_idle, half_line, half_value, unread, flooding, half_closed, gone_quiet] = &clients[..]
    else {
        panic!("seven clients");
    };
    half_line.send("get b");
    half_value.send("set key 0 0 100\r\nhalf");
    unread.send("get big\r\n");
    // More commands than the server reads while this one does not read.
    flooding.send("get big\r\n".repeat(20_000));
    half_closed.send("get big\r\nget big\r\n");
    half_closed.stream().shutdown(Shutdown::Write).unwrap();
    gone_quiet.send("get big\r\n");
    gone_quiet.stream().shutdown(Shutdown::Read).unwrap();
    until("four are served", || observer.stat("stats larder", "replies_in_flight") >= 4);
    let ticks = ticks_in_a_second(&server);
    println!("{ticks} ticks in a second");
    assert!(ticks < TICKS_IDLE, "{ticks} ticks in a second");
    drop(clients);
    until("all are gone", || observer.stat("stats", "curr_connections") == 1);
    assert_eq!(observer.stat("stats larder", "memory_pinned_bytes"), 0);
}
