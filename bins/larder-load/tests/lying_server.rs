//! Against servers that misbehave: every fault is seen and named.

mod support;

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use larder_load::{Length, Ratio, Report, Target, run};
use support::plan;

/// Starts a server that answers each line by `answer`, sends it `requests` retrievals, and returns the report.
fn converse(requests: u64, answer: fn(key: &str) -> String) -> io::Result<Report> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut plan = plan(Target::Tcp(listener.local_addr()?));
    (plan.connections, plan.threads, plan.populate) = (1, 1, false);
    plan.ratio = Ratio { gets: 1, sets: 0 };
    plan.length = Length::Requests(requests);
    let server = thread::Builder::new().spawn(move || serve(&listener, answer))?;
    let report = run(&plan).map_err(io::Error::other)?;
    server.join().map_err(|_| io::Error::other("the server panicked"))??;
    Ok(report)
}

/// Serves one client until it leaves, or an answer is empty.
fn serve(listener: &TcpListener, answer: fn(key: &str) -> String) -> io::Result<()> {
    let (stream, _) = listener.accept()?;
    let mut writer = stream.try_clone()?;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer = answer(line.trim_start_matches("get "));
        if answer.is_empty() || writer.write_all(answer.as_bytes()).is_err() {
            break;
        }
    }
    Ok(())
}

/// Compares wrong values, errors, lost connections and unanswered requests of 8 retrievals, and the first complaint.
fn check(answer: fn(key: &str) -> String, expected: [u64; 4], complaint: &str) {
    let report = converse(8, answer).expect("both ends run");
    let counts = [report.wrong_values, report.errors, report.lost_connections, report.unanswered];
    assert_eq!(counts, expected, "{report}");
    assert_eq!(report.is_clean(), expected == [0; 4]);
    assert!(report.complaint.unwrap_or_default().contains(complaint), "not {complaint:?}");
}

#[test]
fn honest_misses_are_no_fault() {
    check(|_| "END\r\n".to_owned(), [0, 0, 0, 0], "");
}

#[test]
fn another_keys_value_is_seen() {
    // The right length, but the value of a key that does not exist.
    let lie =
        |key: &str| format!("VALUE {key} 0 32\r\nkey:9999999999{}\r\nEND\r\n", "x".repeat(18));
    check(lie, [8, 0, 0, 0], "holds other bytes than it must");
}

#[test]
fn another_length_is_seen() {
    check(|key| format!("VALUE {key} 0 3\r\nabc\r\nEND\r\n"), [8, 0, 0, 0], "has 3 bytes");
}

#[test]
fn another_key_is_seen() {
    let lie = |_: &str| format!("VALUE other 0 32\r\n{}\r\nEND\r\n", "x".repeat(32));
    check(lie, [8, 0, 0, 0], "which was not asked for");
}

#[test]
fn errors_are_counted_and_quoted() {
    let refuse = |_: &str| "SERVER_ERROR out of sorts\r\n".to_owned();
    check(refuse, [0, 8, 0, 0], "SERVER_ERROR out of sorts");
}

#[test]
fn a_server_out_of_step_is_left() {
    check(|_| "STORED\r\n".to_owned(), [0, 0, 1, 4], "the reply does not fit the request");
    check(
        |key| format!("VALUE {key} 0 32\r\n{}END\r\n", "x".repeat(50)),
        [1, 0, 1, 4],
        "holds other bytes",
    );
}

#[test]
fn a_server_that_hangs_up_is_noticed() {
    check(|_| String::new(), [0, 0, 1, 4], "a connection was lost");
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    // It accepts, in the kernel, and nobody reads.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut plan = plan(Target::Tcp(listener.local_addr().unwrap()));
    (plan.populate, plan.timeout) = (false, Duration::from_millis(100));
    let report = run(&plan).unwrap();
    assert_eq!((report.lost_connections, report.unanswered, report.requests()), (8, 32, 0));
    assert!(report.complaint.unwrap().contains("the server has fallen silent"));
}
