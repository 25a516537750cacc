//! What threads count together, in every interleaving: the account of memory against the pool and its limit.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p larder-store --test loom --release`

#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "so does a test fail")]
#![allow(dead_code, reason = "a model needs a part of what the store needs")]

#[path = "../src/account.rs"]
mod account;

/// Loom's, in the place of the standard library's.
mod atomic {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
}

use account::{Account, Pool};
use atomic::Arc;
use loom::thread;

/// A pool from which items may take so many bytes, and accounts that draw a KiB at a time.
fn pool(bytes: u64) -> Arc<Pool> {
    Arc::new(Pool::new(limit(bytes), 1))
}

/// The limit that leaves so many bytes for items.
fn limit(bytes: u64) -> u64 {
    bytes + HELD_BACK
}

fn accounts<const N: usize>(pool: &Arc<Pool>) -> [Arc<Account>; N] {
    [(); N].map(|()| Arc::new(Account::new(Arc::clone(pool))))
}

/// Runs both, at once.
fn both<A: Send + 'static, B>(
    there: impl FnOnce() -> A + Send + 'static,
    here: impl FnOnce() -> B,
) -> (A, B) {
    let thread = thread::spawn(there);
    let here = here();
    (thread.join().unwrap(), here)
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    model_of(4, check);
}

/// Tries every interleaving with so many changes of thread that nobody asked for.
fn model_of(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(check);
}

/// Gives back what is held, and sees that nothing was lost.
fn end(pool: &Pool, holders: &[(&Account, u64)]) {
    for (account, bytes) in holders {
        account.credit(*bytes);
    }
    for (account, _) in holders {
        account.release_all();
        assert_eq!((account.held(), account.spare()), (0, 0));
    }
    assert_eq!(pool.used(), 0);
}

#[test]
fn two_accounts_never_draw_more_than_there_is() {
    model(|| {
        let pool = pool(3 << 10);
        let [a, b] = accounts(&pool);
        let take = |account: &Account, pool: &Pool| {
            let got = if account.take(2 << 10) { 2 << 10 } else { 0 };
            assert!(pool.used() <= pool.ceiling());
            got
        };
        let (taken, taken_here) = both(
            {
                let (a, pool) = (Arc::clone(&a), Arc::clone(&pool));
                move || take(&a, &pool)
            },
            || take(&b, &pool),
        );
        assert!(taken + taken_here > 0, "one of them finds room");
        assert_eq!((a.held(), b.held()), (taken, taken_here));
        end(&pool, &[(&a, taken), (&b, taken_here)]);
    });
}

#[test]
fn one_account_loses_nothing_between_threads() {
    model(|| {
        let pool = pool(4 << 10);
        let [account] = accounts(&pool);
        assert!(account.take(600));
        let (got, ()) = both(
            {
                let account = Arc::clone(&account);
                move || account.take_up_to(1500)
            },
            || {
                account.credit(600);
                account.release_all();
            },
        );
        assert_eq!(got, 1500);
        assert_eq!(account.held(), 1500);
        end(&pool, &[(&account, 1500)]);
    });
}

#[test]
fn what_is_spare_goes_back_while_it_is_taken() {
    model(|| {
        let pool = pool(8 << 10);
        let [account] = accounts(&pool);
        assert!(account.take(4 << 10));
        let ((), got) = both(
            {
                let account = Arc::clone(&account);
                // More than two blocks: all but one go back.
                move || account.credit(4 << 10)
            },
            || account.take_up_to(700),
        );
        account.force(100);
        assert_eq!(account.held(), got + 100);
        assert_eq!(pool.used(), account.held() + account.spare());
        end(&pool, &[(&account, got + 100)]);
    });
}

/// What holds when nobody does anything: no more is used than the ceiling, and the ceiling is above the limit only as long as
/// more is used.
fn check_still(pool: &Pool) {
    assert!(pool.used() <= pool.ceiling(), "{} of {}", pool.used(), pool.ceiling());
    let goal = pool.limit() - HELD_BACK;
    assert!(pool.ceiling() >= goal, "{} is below {goal}", pool.ceiling());
    assert_eq!(pool.excess() > 0, pool.ceiling() > goal);
}

#[test]
fn a_lowered_limit_is_not_passed_by_whoever_takes() {
    model(|| {
        let pool = pool(4 << 10);
        let [account] = accounts(&pool);
        let (got, ()) = both(
            {
                let account = Arc::clone(&account);
                move || account.take_up_to(3 << 10)
            },
            || pool.set_limit(limit(1 << 10)),
        );
        check_still(&pool);
        end(&pool, &[(&account, got)]);
        pool.lower();
        assert_eq!(pool.excess(), 0, "it is reached when all is given back");
    });
}

#[test]
fn a_limit_that_is_being_reached_is_not_passed_either() {
    model(|| {
        let pool = pool(4 << 10);
        let [account, other] = accounts(&pool);
        assert!(account.take(3 << 10) && other.take(1 << 10));
        pool.set_limit(limit(1 << 10));
        other.credit(1 << 10);
        other.release_all();
        let (got, ()) = both(
            {
                let other = Arc::clone(&other);
                move || other.take_up_to(1 << 10)
            },
            || pool.lower(),
        );
        check_still(&pool);
        end(&pool, &[(&account, 3 << 10), (&other, got)]);
    });
}

#[test]
fn a_raised_limit_holds_whoever_sweeps() {
    model(|| {
        let pool = pool(1 << 10);
        let [account] = accounts(&pool);
        assert!(account.take(1 << 10));
        both(
            {
                let pool = Arc::clone(&pool);
                move || pool.lower()
            },
            || pool.set_limit(limit(3 << 10)),
        );
        check_still(&pool);
        assert!(account.take(2 << 10), "there is room");
        end(&pool, &[(&account, 3 << 10)]);
    });
}

#[test]
fn the_limit_that_is_set_last_is_kept() {
    model(|| {
        let pool = pool(2 << 10);
        let [account] = accounts(&pool);
        assert!(account.take(2 << 10));
        both(
            {
                let pool = Arc::clone(&pool);
                move || pool.set_limit(limit(1 << 10))
            },
            || pool.set_limit(limit(4 << 10)),
        );
        check_still(&pool);
        end(&pool, &[(&account, 2 << 10)]);
        pool.lower();
        check_still(&pool);
        assert_eq!(pool.excess(), 0);
    });
}

#[test]
fn whoever_takes_sweeps_and_sets_at_once() {
    model_of(3, || {
        let pool = pool(2 << 10);
        let [account] = accounts(&pool);
        let sweeper = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.lower())
        };
        let (got, ()) = both(
            {
                let account = Arc::clone(&account);
                move || account.take_up_to(2 << 10)
            },
            || pool.set_limit(limit(1 << 10)),
        );
        sweeper.join().unwrap();
        check_still(&pool);
        end(&pool, &[(&account, got)]);
    });
}

/// What is kept free for pins, of a small limit.
const HELD_BACK: u64 = 16 << 10;
