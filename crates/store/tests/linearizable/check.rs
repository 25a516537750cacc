//! Whether there is an order of operations that explains what each said: the search of Wing and Gong, for one key.
//!
//! An operation takes effect at one moment between its call and its return. Those that could be the first to do so are tried in
//! turn, each followed by the same question about the rest; what was tried in vain is remembered.

use std::collections::BTreeSet;

use crate::history::{Event, Shown, State};

/// Ends the test unless the events of a key have an order in which each says what it must.
#[track_caller]
pub(crate) fn check(key: &[u8], first: &State, events: &[Event]) {
    let lines: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
    assert!(
        is_linearizable(first, events),
        "key {} held {}; nothing explains\n{}",
        key.escape_ascii(),
        Shown(first),
        lines.join("\n")
    );
}

pub(crate) fn is_linearizable(first: &State, events: &[Event]) -> bool {
    assert!(events.len() <= 64, "a set of events is a word");
    let all = if events.len() == 64 { u64::MAX } else { (1 << events.len()) - 1 };
    let mut tried = BTreeSet::new();
    let mut open = vec![(all, first.clone())];
    while let Some((left, state)) = open.pop() {
        if left == 0 {
            return true;
        }
        if !tried.insert((left, state.clone())) {
            continue;
        }
        let is_left = |index: &usize| left >> index & 1 == 1;
        let first_return =
            (0..events.len()).filter(is_left).map(|index| events[index].returned).min();
        for index in (0..events.len()).filter(is_left) {
            // What was called after another had returned comes after it.
            if first_return.is_some_and(|returned| events[index].called > returned) {
                continue;
            }
            if let Some(after) = events[index].after(&state) {
                open.push((left & !(1 << index), after));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::is_linearizable;
    use crate::history::{Action, Event, Said, State};

    fn event(called: u64, returned: u64, action: Action, said: Said) -> Event {
        Event { action, said, called, returned }
    }

    fn holds(cas: u64, value: &[u8]) -> State {
        Some((cas, Arc::new(value.to_vec())))
    }

    fn shows(called: u64, returned: u64, state: State) -> Event {
        event(called, returned, Action::Get, Said::Shows(state))
    }

    fn stored(called: u64, returned: u64, action: Action, cas: u64) -> Event {
        event(called, returned, action, Said::Stored(cas, b"v".to_vec()))
    }

    #[test]
    fn what_is_right_is_explained_and_what_is_wrong_is_not() {
        let check = |expected: bool, first: State, events: &[Event]| {
            assert_eq!(is_linearizable(&first, events), expected, "{events:#?}");
        };
        let set = |called, returned, cas| stored(called, returned, Action::Set, cas);
        let gone = |called, returned, cas| event(called, returned, Action::Evict(cas), Said::Done);
        // Two sets at once, then either value.
        check(true, None, &[set(0, 3, 1), set(1, 2, 2), shows(4, 5, holds(1, b"v"))]);
        check(true, None, &[set(0, 3, 1), set(1, 2, 2), shows(4, 5, holds(2, b"v"))]);
        // One after the other: the earlier does not come back.
        check(false, None, &[set(0, 1, 1), set(2, 3, 2), shows(4, 5, holds(1, b"v"))]);
        // A set that was told of is lost, unless its eviction was told of.
        check(false, None, &[set(0, 1, 1), shows(2, 3, None)]);
        check(true, None, &[set(0, 1, 1), gone(2, 3, 1), shows(4, 5, None)]);
        check(true, None, &[set(0, 4, 1), gone(1, 2, 1), shows(3, 5, None)]);
        check(false, None, &[set(0, 1, 1), gone(2, 3, 2), shows(4, 5, None)]);
        // What was evicted does not come back.
        check(
            false,
            holds(1, b"v"),
            &[gone(0, 1, 1), shows(2, 3, None), shows(4, 5, holds(1, b"v"))],
        );
        check(false, holds(1, b"v"), &[gone(0, 1, 1), shows(2, 3, holds(1, b"v"))]);
        // What was stored before a flush goes, what is stored after it stays.
        let flush = |called, returned| event(called, returned, Action::Flush, Said::Done);
        check(true, None, &[set(0, 3, 1), flush(1, 2), shows(4, 5, None)]);
        check(true, None, &[set(0, 3, 1), flush(1, 2), shows(4, 5, holds(1, b"v"))]);
        check(false, None, &[set(0, 1, 1), flush(2, 3), shows(4, 5, holds(1, b"v"))]);
        check(false, None, &[flush(0, 1), set(2, 3, 1), shows(4, 5, None)]);
        // Two readers at once of one replacement, in the wrong order.
        check(
            false,
            holds(1, b"v"),
            &[set(0, 9, 2), shows(1, 2, holds(2, b"v")), shows(3, 4, holds(1, b"v"))],
        );
        // One of two adds wins, and one of two swaps.
        check(false, None, &[stored(0, 3, Action::Add, 1), stored(1, 2, Action::Add, 2)]);
        check(
            false,
            holds(1, b"v"),
            &[stored(0, 3, Action::Cas(1), 2), stored(1, 2, Action::Cas(1), 3)],
        );
        check(
            true,
            holds(1, b"v"),
            &[stored(0, 3, Action::Cas(1), 2), event(1, 2, Action::Cas(1), Said::Exists)],
        );
        // No count is lost.
        let counted = |called, returned, number, cas| {
            event(called, returned, Action::Increment, Said::Counted(number, cas))
        };
        check(true, holds(1, b"9"), &[counted(0, 3, 11, 3), counted(1, 2, 10, 2)]);
        check(false, holds(1, b"9"), &[counted(0, 3, 10, 3), counted(1, 2, 10, 2)]);
        // What is appended lands behind what was there.
        let append = |called, returned, cas| stored(called, returned, Action::Append, cas);
        check(true, holds(1, b"o"), &[append(0, 1, 2), shows(2, 3, holds(2, b"ov"))]);
        check(false, holds(1, b"o"), &[append(0, 1, 2), shows(2, 3, holds(2, b"vo"))]);
        // A deletion is one of something.
        let deleted = |called, returned| event(called, returned, Action::Delete, Said::Done);
        check(true, holds(1, b"o"), &[deleted(0, 1)]);
        check(false, holds(1, b"o"), &[deleted(0, 3), deleted(1, 2)]);
        check(false, holds(1, b"o"), &[event(0, 1, Action::Touch, Said::NotFound)]);
    }
}
