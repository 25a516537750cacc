//! Wakes, timeouts and interruptions.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::{AT_ONCE, DEADLINE, events, pair, readable, started};
use crate::{Events, Interest, Poller, Waker};

/// Waits, and says whether it was woken; nothing else may be ready.
fn was_woken(poller: &mut Poller, timeout: Option<Duration>) -> bool {
    let mut events = events();
    poller.wait(&mut events, timeout).unwrap();
    assert_eq!(events.iter().count(), 0);
    events.was_woken()
}

#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker();
    let thread = thread::Builder::new().spawn(move || waker.wake().unwrap()).unwrap();
    assert!(was_woken(&mut poller, Some(DEADLINE)));
    thread.join().unwrap();
    assert!(!was_woken(&mut poller, AT_ONCE));
}

#[test]
fn a_wake_before_the_wait_is_kept_for_it() {
    let mut poller = Poller::new().unwrap();
    assert!(!was_woken(&mut poller, AT_ONCE));
    poller.waker().wake().unwrap();
    assert!(was_woken(&mut poller, None));
    assert!(!was_woken(&mut poller, AT_ONCE));
}

#[test]
fn wakes_between_two_waits_are_one() {
    let mut poller = Poller::new().unwrap();
    let wakers: Vec<Waker> = (0..4).map(|_| poller.waker()).collect();
    for round in 0..100 {
        for waker in wakers.iter().cycle().take(1 + round) {
            waker.wake().unwrap();
        }
        assert!(was_woken(&mut poller, AT_ONCE), "round {round}");
        assert!(!was_woken(&mut poller, AT_ONCE), "round {round}");
    }
}

#[test]
fn no_wake_is_lost_between_threads() {
    const ROUNDS: usize = 2000;
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker();
    let (asked, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=ROUNDS {
                asked.store(round, Ordering::SeqCst);
                waker.wake().unwrap();
                // Mostly the waiter is asleep when it is woken, and sometimes about to be.
                while round % 3 == 0 && seen.load(Ordering::SeqCst) < round {
                    thread::yield_now();
                }
            }
        });
        while seen.load(Ordering::SeqCst) < ROUNDS {
            assert!(was_woken(&mut poller, Some(DEADLINE)), "after {seen:?} of {asked:?}");
            seen.store(asked.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    });
}

#[test]
fn a_wake_and_a_socket_come_in_one_wait() {
    let mut poller = Poller::new().unwrap();
    let (here, mut there) = pair();
    let here = poller.register(here, 6, Interest::READ).unwrap();
    there.write_all(b"x").unwrap();
    assert_eq!(super::ready_soon(&mut poller), [readable(6)]);
    poller.waker().wake().unwrap();
    // A list of one has room for both.
    let mut events = Events::with_capacity(NonZeroUsize::MIN);
    poller.wait(&mut events, AT_ONCE).unwrap();
    assert!(events.was_woken());
    assert!(events.iter().eq([readable(6)]));
    drop(here);
    poller.wait(&mut events, AT_ONCE).unwrap();
    assert!(!events.was_woken(), "each wait begins anew");
    assert_eq!(events.iter().count(), 0);
}

#[test]
fn a_timeout_ends_the_wait_not_before_its_time() {
    for micros in [0, 1, 1_500, 30_000] {
        let timeout = Duration::from_micros(micros);
        let mut poller = Poller::new().unwrap();
        let started = started();
        assert!(!was_woken(&mut poller, Some(timeout)));
        let waited = started.elapsed();
        assert!(waited >= timeout, "{waited:?} of {timeout:?}");
        assert!(waited < DEADLINE, "{waited:?} of {timeout:?}");
    }
}

#[test]
fn an_endless_timeout_is_no_error() {
    let mut poller = Poller::new().unwrap();
    for timeout in [Duration::MAX, Duration::from_secs(u64::from(u32::MAX))] {
        poller.waker().wake().unwrap();
        assert!(was_woken(&mut poller, Some(timeout)));
    }
}

#[test]
fn a_waker_is_for_every_thread() {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    check(&Poller::new().unwrap().waker());
}
