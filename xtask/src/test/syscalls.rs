//! System calls of a turn: wait, read, write, and nothing else.
//!
//! The server runs under strace from its start. Every turn sends requests for a key with the turn's number in
//! it, so that the log shows which worker reads it and where turns begin.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use super::server::{Directory, Program, Server};
use crate::process::signal;

/// Runs turns of `depth` requests each; says how many system calls a request costs.
///
/// # Errors
/// A sentence: a turn made other calls than it should, or nothing could be traced.
pub(super) fn check(program: &Program, depth: usize) -> Result<String, String> {
    let dir = Directory::create()?;
    let log = dir.0.join("strace.log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "256", "-o"]).arg(&log);
    let mut server = Server::start(program.command_under(strace, 1)?)?;
    let result = converse(server.port, depth);
    // strace, which is what was started, ends with the server; the log is whole only then.
    let traced = fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let id = traced.split_whitespace().next().unwrap_or("").to_owned();
    signal("TERM", &id)?;
    server.wait()?;
    result?;
    let log = fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let turns = turns(&log)?;
    judge(&turns)?;
    let calls = f64::from(3_u8) / f64::from(u32::try_from(depth).unwrap_or(u32::MAX));
    Ok(format!("{} turns of wait, read, write: {calls:.2} calls a request", turns.len()))
}

/// A client that sends `depth` requests at once and waits for all replies, turn after turn.
fn converse(port: u16, depth: usize) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("the server does not answer: {error}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(fail)?;
    stream.set_nodelay(true).map_err(fail)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(fail)?;
    let mut reader = BufReader::new(stream.try_clone().map_err(fail)?);
    let mut reply = String::new();
    for turn in 0..TURNS {
        let request = format!("get {}\r\n", marker(turn)).repeat(depth);
        stream.write_all(request.as_bytes()).map_err(fail)?;
        for _ in 0..depth {
            reply.clear();
            reader.read_line(&mut reply).map_err(fail)?;
            if reply != "END\r\n" {
                return Err(format!("the server answered {reply:?} to a get"));
            }
        }
    }
    Ok(())
}

/// The key of a turn; of one width, so that turn 1 is not found in turn 10.
fn marker(turn: usize) -> String {
    format!("turn-{turn:04}")
}

/// A system call of the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    name: String,
    /// A wait that ended because its time was up: a tick of the clock, and no part of a turn.
    is_tick: bool,
}

/// The worker's calls from the read of a turn up to the read of the next one, for every turn but the last.
fn turns(log: &str) -> Result<Vec<Vec<Call>>, String> {
    let first = log
        .lines()
        .find(|line| line.contains(&marker(0)) && is_read(line))
        .ok_or("the log does not show the read of the first turn")?;
    let worker = first.split_whitespace().next().unwrap_or("");
    let mut turns: Vec<Vec<Call>> = Vec::new();
    let mut next = 0;
    for line in log.lines() {
        let Some(call) = line.strip_prefix(worker).map(str::trim_start) else { continue };
        if call.contains(&marker(next)) && is_read(line) {
            turns.push(Vec::new());
            next += 1;
            if next == TURNS {
                turns.pop();
                return Ok(turns);
            }
        } else if let (Some(turn), Some(call)) = (turns.last_mut(), parse(call)) {
            turn.push(call);
        }
    }
    Err(format!("the log shows {next} of {TURNS} turns"))
}

/// Whether a line of the log is a finished call that reads.
fn is_read(line: &str) -> bool {
    !line.contains("<unfinished") && READS.iter().any(|name| line.contains(name))
}

/// Reads `write(7, "END\r\n", 5) = 5` and the line that ends an interrupted call.
fn parse(call: &str) -> Option<Call> {
    // Of a call in two lines the second counts, which has the result.
    if call.contains("<unfinished") || call.starts_with("---") || call.starts_with("+++") {
        return None;
    }
    let call = call.strip_prefix("<... ").unwrap_or(call);
    let name: String = call.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect();
    let is_tick = WAITS.contains(&name.as_str()) && call.trim_end().ends_with("= 0");
    Some(Call { name, is_tick })
}

/// Between two reads: one write, one wait, ticks aside.
fn judge(turns: &[Vec<Call>]) -> Result<(), String> {
    for (number, turn) in turns.iter().enumerate() {
        let names: Vec<&str> =
            turn.iter().filter(|call| !call.is_tick).map(|call| call.name.as_str()).collect();
        let is_fine = matches!(names[..], [write, wait]
            if WRITES.contains(&write) && WAITS.contains(&wait));
        if !is_fine {
            let names = names.join(", ");
            return Err(format!("turn {number} is read, {names}: not read, write, wait"));
        }
    }
    let ticks = turns.iter().flatten().filter(|call| call.is_tick).count();
    if ticks * 10 > turns.len() {
        return Err(format!("{ticks} waits ended by time in {} turns", turns.len()));
    }
    Ok(())
}

const TURNS: usize = 200;
const READS: [&str; 4] = ["read", "readv", "recvfrom", "recvmsg"];
const WAITS: [&str; 3] = ["epoll_wait", "epoll_pwait", "epoll_pwait2"];
const WRITES: [&str; 4] = ["write", "writev", "sendto", "sendmsg"];

#[cfg(test)]
mod tests {
    use super::{TURNS, judge, marker, turns};

    /// A log in which each turn is `between` and its read.
    fn log(between: &str) -> String {
        let mut log = "7 execve(\"larder\")\n8 epoll_wait(3, [{}], 64, -1) = 1\n".to_owned();
        for turn in 0..TURNS {
            let key = marker(turn);
            log += &format!("8 readv(9, [{{iov_base=\"get {key}\\r\\n\"}}], 2) = 13\n{between}");
        }
        log
    }

    fn verdict(between: &str) -> Result<(), String> {
        judge(&turns(&log(between))?)
    }

    const FINE: &str = "8 write(9, \"END\\r\\n\", 5) = 5\n8 epoll_wait(3, [{}], 64, -1) = 1\n";

    #[test]
    fn a_turn_of_three_calls_passes() {
        assert_eq!(verdict(FINE), Ok(()));
        assert_eq!(turns(&log(FINE)).map(|turns| turns.len()), Ok(TURNS - 1));
        let others = format!("7 futex(0x1) = 0\n{FINE}7 accept4(4) = 9\n");
        assert_eq!(verdict(&others), Ok(()), "other threads do not count");
        let halves = FINE.replace(
            "8 epoll_wait(3, [{}], 64, -1) = 1\n",
            "8 epoll_wait(3,  <unfinished ...>\n7 read(5) = 1\n8 <... epoll_wait resumed>[{}], 64, -1) = 1\n",
        );
        assert_eq!(verdict(&halves), Ok(()), "a call in two lines is one");
    }

    #[test]
    fn calls_too_many_or_too_few_are_found() {
        for extra in
            ["8 epoll_ctl(3, EPOLL_CTL_MOD, 9) = 0\n", "8 futex(0x1) = 0\n", "8 read(9) = -1\n"]
        {
            assert!(verdict(&format!("{FINE}{extra}")).is_err(), "{extra}");
        }
        assert!(verdict("8 epoll_wait(3, [{}], 64, -1) = 1\n").is_err(), "no write");
        assert!(verdict(&format!("{FINE}{FINE}")).is_err(), "two rounds");
        let ticks = format!("{FINE}8 epoll_wait(3, [], 64, 1) = 0\n");
        assert!(verdict(&ticks).is_err(), "a tick each turn is busy waiting");
    }

    #[test]
    fn a_log_without_the_turns_is_an_error() {
        assert!(turns("7 execve(\"larder\")\n").is_err());
        let cut = log(FINE);
        let cut = &cut[..cut.len() / 2];
        assert!(turns(cut).is_err_and(|error| error.contains("turns")));
    }
}
