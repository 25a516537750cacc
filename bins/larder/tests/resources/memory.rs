//! Memory follows what has arrived, not what was announced.

use std::fs;
use std::net::Shutdown;

use larder_testkit::process::Process;

use crate::{Client, start, until};

#[test]
fn an_announced_gigabyte_takes_no_memory() {
    let server = start(&["-m", "2048", "-I", "1g"]);
    let mut observer = Client::connect(&server);
    assert_eq!(observer.ask("version"), "VERSION 1.6.45\r\n");
    let before = resident_kilobytes(&server);
    let client = Client::connect(&server);
    client.send(format!("set big 0 0 {}\r\n", (1 << 30) - 1000));
    client.send(vec![b'x'; 1 << 20]);
    until("a megabyte has arrived", || {
        observer.stat("stats", "bytes_read") >= 1 << 20
            && observer.stat("stats larder", "incomplete_value_bytes") >= 1 << 20
    });
    let grown = resident_kilobytes(&server).saturating_sub(before);
    println!("RSS grew by {grown} kB");
    assert!(grown < 4096, "{grown} kB for one megabyte");
    client.stream().shutdown(Shutdown::Both).unwrap();
    until("it is given back", || observer.stat("stats larder", "memory_draft_bytes") == 0);
}

#[test]
fn a_value_of_300_megabytes_comes_back_as_it_was() {
    const MEGABYTES: u64 = 300;
    let server = start(&["-m", "1024", "-I", "400m"]);
    let mut client = Client::connect(&server);
    client.send(format!("set big 7 0 {}\r\n", MEGABYTES << 20));
    let block = |index: u64| {
        // Its place at both ends of each block.
        let mut block = vec![index.to_le_bytes()[0]; 1 << 20];
        block[..8].copy_from_slice(&index.to_le_bytes());
        block[(1 << 20) - 8..].copy_from_slice(&(!index).to_le_bytes());
        block
    };
    for index in 0..MEGABYTES {
        client.send(block(index));
    }
    assert_eq!(client.ask(""), "STORED\r\n");
    for _ in 0..2 {
        client.send("get big\r\n");
        assert_eq!(client.line(), format!("VALUE big 7 {}\r\n", MEGABYTES << 20));
        let mut received = vec![0; 1 << 20];
        for index in 0..MEGABYTES {
            client.fill(&mut received);
            assert!(received == block(index), "block {index}");
        }
        assert_eq!((client.line(), client.line()), ("\r\n".to_owned(), "END\r\n".to_owned()));
    }
    // It is one item, held once, however many read it.
    let resident = resident_kilobytes(&server);
    println!("RSS {resident} kB");
    assert!(resident < (MEGABYTES + 40) << 10, "{resident} kB");
    assert_eq!(client.ask("delete big"), "DELETED\r\n");
    until("its memory is back", || resident_kilobytes(&server) < 60 << 10);
}

#[test]
fn many_readers_who_do_not_read_share_one_value() {
    let server = start(&["-m", "64", "-I", "16m"]);
    let mut observer = Client::connect(&server);
    let value = vec![b'x'; 12 << 20];
    observer.send(format!("set big 0 0 {}\r\n", value.len()));
    observer.send([&value[..], b"\r\n"].concat());
    assert_eq!(observer.line(), "STORED\r\n");
    let before = resident_kilobytes(&server);
    let mut readers: Vec<Client> = (0..50).map(|_| Client::connect(&server)).collect();
    readers.iter().for_each(|reader| reader.send("get big\r\n".repeat(1000)));
    until("all are served", || observer.stat("stats larder", "replies_in_flight") == 50);
    let grown = resident_kilobytes(&server).saturating_sub(before);
    println!("RSS grew by {grown} kB");
    assert!(grown < 8192, "{grown} kB for 50 readers");
    // One of them reads after all.
    let reader = &mut readers[0];
    let mut received = vec![0; value.len()];
    for _ in 0..3 {
        assert_eq!(reader.line(), format!("VALUE big 0 {}\r\n", value.len()));
        reader.fill(&mut received);
        assert!(received == value, "another value");
        assert_eq!((reader.line(), reader.line()), ("\r\n".to_owned(), "END\r\n".to_owned()));
    }
}

fn resident_kilobytes(server: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
