//! What the workers promise.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "so does a test fail")]

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use std::{env, io, process, thread};

use larder_dispatch::{Full, Receiver, Workers};

/// Far more than anything here takes; it ends a test that would hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a worker got, with its index and the name of its thread.
type Log = Arc<Mutex<Vec<(usize, String, u32)>>>;

fn some(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

/// Workers that write down what they get, until they are asked to end.
fn logging(count: usize, capacity: usize) -> (Workers<u32>, Log) {
    let log = Log::default();
    let workers = Workers::spawn(some(count), "logger", some(capacity), |index| {
        let log = Arc::clone(&log);
        let (doorbell, bell) = mpsc::channel();
        let body = move |mailbox: Receiver<u32>| {
            let name = thread::current().name().unwrap().to_owned();
            while !mailbox.is_finished() {
                bell.recv_timeout(DEADLINE).unwrap();
                for message in mailbox.drain() {
                    log.lock().unwrap().push((index, name.clone(), message));
                }
            }
        };
        Ok((move || doorbell.send(()).unwrap(), body))
    });
    (workers.unwrap(), log)
}

/// Workers that do not look at their mailbox before `open` is dropped or sent to, once for each.
fn sleeping(count: usize, capacity: usize) -> (Workers<u32>, mpsc::Sender<()>, Log) {
    let log = Log::default();
    let (open, gate) = mpsc::channel();
    let gate = Arc::new(Mutex::new(gate));
    let workers = Workers::spawn(some(count), "sleeper", some(capacity), |index| {
        let (log, gate) = (Arc::clone(&log), Arc::clone(&gate));
        let body = move |mailbox: Receiver<u32>| {
            let _ = gate.lock().unwrap().recv();
            for message in mailbox.drain() {
                log.lock().unwrap().push((index, String::new(), message));
            }
        };
        Ok((|| {}, body))
    });
    (workers.unwrap(), open, log)
}

#[test]
fn messages_are_dealt_in_turn() {
    let (workers, log) = logging(3, 100);
    assert_eq!(workers.len(), 3);
    let takers: Vec<_> = (0..9).map(|message| workers.deal(message).unwrap()).collect();
    assert_eq!(takers, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    workers.join();
    let mut log = log.lock().unwrap().clone();
    log.sort();
    let expected: Vec<_> = [(0, [0, 3, 6]), (1, [1, 4, 7]), (2, [2, 5, 8])]
        .into_iter()
        .flat_map(|(index, got)| got.map(|message| (index, format!("logger-{index}"), message)))
        .collect();
    assert_eq!(*log, expected);
}

#[test]
fn a_full_worker_is_passed_over_and_full_workers_give_back() {
    let (workers, open, log) = sleeping(2, 2);
    let takers: Vec<_> = (0..4).map(|message| workers.deal(message).unwrap()).collect();
    assert_eq!(takers, [0, 1, 0, 1]);
    assert_eq!(workers.deal(4), Err(Full(4)));
    assert_eq!(workers.deal(5), Err(Full(5)));
    assert_eq!(workers.broadcast(6), 0);
    // One of them looks, and ends; with it goes its mailbox.
    open.send(()).unwrap();
    let emptied = loop {
        if let Some(&(index, _, _)) = log.lock().unwrap().first() {
            break index;
        }
        thread::yield_now();
    };
    drop(open);
    workers.join();
    assert!(emptied < 2);
    let mut got: Vec<_> = log.lock().unwrap().iter().map(|&(.., message)| message).collect();
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 3]);
}

#[test]
fn the_next_worker_takes_what_a_full_one_does_not() {
    // Room for two with the first, who is asleep; the others have gone home.
    let (asleep, alarm) = mpsc::channel::<()>();
    let mut alarm = Some(alarm);
    let (gone, all_gone) = mpsc::channel();
    let workers = Workers::spawn(some(3), "one", some(2), |_| {
        let (alarm, gone) = (alarm.take(), gone.clone());
        let body = move |mailbox: Receiver<u32>| {
            if let Some(alarm) = alarm {
                let _ = alarm.recv();
            }
            drop(mailbox);
            let _ = gone.send(());
        };
        Ok((|| {}, body))
    })
    .unwrap();
    for _ in 0..2 {
        all_gone.recv_timeout(DEADLINE).unwrap();
    }
    assert_eq!(workers.deal(1), Ok(0));
    assert_eq!(workers.deal(2), Ok(0), "it was the turn of the second");
    assert_eq!(workers.deal(3), Err(Full(3)));
    drop(asleep);
    workers.join();
}

#[test]
fn a_broadcast_reaches_everybody_once() {
    let (workers, log) = logging(4, 8);
    assert_eq!(workers.broadcast(7), 4);
    workers.join();
    let mut got: Vec<_> =
        log.lock().unwrap().iter().map(|&(index, _, message)| (index, message)).collect();
    got.sort_unstable();
    assert_eq!(got, [(0, 7), (1, 7), (2, 7), (3, 7)]);
}

#[test]
fn what_was_dealt_before_the_end_is_still_taken() {
    let (workers, log) = logging(2, 1000);
    for message in 0..1000 {
        workers.deal(message).unwrap();
    }
    workers.join();
    assert_eq!(log.lock().unwrap().len(), 1000);
}

#[test]
fn a_start_that_fails_ends_those_before_it() {
    let (ended, ends) = mpsc::channel();
    let mut asked = 0;
    let error = Workers::<()>::spawn(some(4), "half", some(1), |index| {
        asked += 1;
        if index == 2 {
            return Err(io::Error::other("no poller"));
        }
        let (doorbell, bell) = mpsc::channel();
        let ended = ended.clone();
        let body = move |mailbox: Receiver<()>| {
            while !mailbox.is_finished() {
                bell.recv_timeout(DEADLINE).unwrap();
            }
            ended.send(index).unwrap();
        };
        Ok((move || doorbell.send(()).unwrap(), body))
    })
    .unwrap_err();
    assert_eq!(error.to_string(), "no poller");
    assert_eq!(asked, 3);
    let mut ended: Vec<_> = ends.try_iter().collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1]);
}

#[test]
fn dropping_the_workers_ends_them() {
    let (ended, end) = mpsc::channel();
    let workers = Workers::<()>::spawn(some(1), "drop", some(1), |_| {
        let (doorbell, bell) = mpsc::channel();
        let ended = ended.clone();
        let body = move |mailbox: Receiver<()>| {
            bell.recv_timeout(DEADLINE).unwrap();
            ended.send(mailbox.is_finished()).unwrap();
        };
        Ok((move || doorbell.send(()).unwrap(), body))
    });
    drop(workers.unwrap());
    assert_eq!(end.recv_timeout(DEADLINE), Ok(true));
}

/// Set in the child that is to die.
const CHILD: &str = "LARDER_DISPATCH_PANIC";

#[test]
fn a_worker_that_panics_takes_the_process_with_it() {
    if env::var_os(CHILD).is_some() {
        let workers = Workers::<()>::spawn(some(2), "doomed", some(1), |_| {
            Ok((|| {}, |_| panic!("the worker is lost")))
        });
        workers.unwrap().join();
        // Not reached, and the parent finds out if it is.
        process::exit(0);
    }
    let child = process::Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_worker_that_panics_takes_the_process_with_it", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(said.contains("the worker is lost"), "{said}");
    assert!(said.contains("doomed-"), "{said}");
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        const SIGABRT: i32 = 6;
        assert_eq!(child.status.signal(), Some(SIGABRT), "{:?}", child.status);
    }
    assert!(!child.status.success());
}
