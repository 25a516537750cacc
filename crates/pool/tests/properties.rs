//! Any sequence of operations leaves the pool as a plain map says.

use std::collections::BTreeMap;

use larder_pool::{Full, Key, Pool, Recycle, Refusal};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

const CAPACITY: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Step {
    Insert(u16),
    Fail,
    /// Of the keys ever given out, this one.
    Remove(usize),
    Change(usize, u16),
    Trim(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u16>().prop_map(Step::Insert),
        1 => Just(Step::Fail),
        4 => any::<usize>().prop_map(Step::Remove),
        2 => (any::<usize>(), any::<u16>()).prop_map(|(which, to)| Step::Change(which, to)),
        1 => (0..CAPACITY).prop_map(Step::Trim),
    ];
    vec(step, 0..200)
}

struct Number {
    live: bool,
    value: u16,
}

impl Recycle for Number {
    fn retire(&mut self) {
        assert!(self.live, "retired twice");
        self.live = false;
    }
}

/// The pool, and what it should say.
struct Pair {
    pool: Pool<Number>,
    model: BTreeMap<u64, u16>,
    spare: usize,
    given: Vec<Key>,
}

impl Pair {
    fn apply(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Insert(value) => self.insert(value)?,
            Step::Fail => self.fail()?,
            Step::Remove(which) => {
                let Some(key) = self.pick(which) else { return Ok(()) };
                let expected = self.model.remove(&key.into()).is_some();
                prop_assert_eq!(self.pool.remove(key), expected);
                self.spare += usize::from(expected);
            }
            Step::Change(which, to) => {
                let Some(key) = self.pick(which) else { return Ok(()) };
                let kept = self.model.get_mut(&key.into()).map(|value| *value = to);
                let object = self.pool.get_mut(key).map(|number| number.value = to);
                prop_assert_eq!(object, kept);
            }
            Step::Trim(keep) => {
                self.pool.trim(keep);
                self.spare = self.spare.min(keep);
            }
        }
        self.compare()
    }

    fn insert(&mut self, value: u16) -> Result<(), TestCaseError> {
        let expects_old = self.spare > 0;
        let mut had_old = None;
        let answer = self.pool.insert_with(|_, old| {
            had_old = Some(old.is_some());
            assert!(old.is_none_or(|old| !old.live), "a living object was handed out");
            Number { live: true, value }
        });
        if self.model.len() == CAPACITY {
            prop_assert_eq!(answer, Err(Full));
            prop_assert_eq!(had_old, None);
            return Ok(());
        }
        let key = answer.map_err(|full| TestCaseError::fail(full.to_string()))?;
        prop_assert_eq!(had_old, Some(expects_old));
        prop_assert!(!self.given.contains(&key), "a key is given out once");
        self.spare -= usize::from(expects_old);
        self.model.insert(key.into(), value);
        self.given.push(key);
        Ok(())
    }

    fn fail(&mut self) -> Result<(), TestCaseError> {
        let answer = self.pool.try_insert_with(|_, _| Err(()));
        if self.model.len() == CAPACITY {
            prop_assert_eq!(answer, Err(Refusal::Full));
        } else {
            prop_assert_eq!(answer, Err(Refusal::Make(())));
            self.spare = self.spare.saturating_sub(1);
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.pool.len(), self.model.len());
        prop_assert_eq!(self.pool.is_empty(), self.model.is_empty());
        prop_assert_eq!(self.pool.is_full(), self.model.len() == CAPACITY);
        prop_assert_eq!(self.pool.spare(), self.spare);
        let seen: BTreeMap<u64, u16> =
            self.pool.iter_mut().map(|(key, number)| (key.into(), number.value)).collect();
        prop_assert_eq!(&seen, &self.model);
        for &key in &self.given {
            let found = self.pool.get(key).map(|number| number.value);
            prop_assert_eq!(found, self.model.get(&key.into()).copied());
        }
        Ok(())
    }

    fn pick(&self, which: usize) -> Option<Key> {
        self.given.get(which.checked_rem(self.given.len())?).copied()
    }
}

proptest! {
    #[test]
    fn pool_agrees_with_a_map(steps in steps()) {
        let pool = Pool::new(CAPACITY);
        let mut pair = Pair { pool, model: BTreeMap::new(), spare: 0, given: Vec::new() };
        for step in steps {
            pair.apply(step)?;
        }
    }
}
