//! What the pool promises, on small stories.

use larder_pool::{Full, Key, Pool, Recycle, Refusal};

/// An object that tells what became of it.
#[derive(Debug, PartialEq)]
struct Client {
    name: &'static str,
    key: Key,
    retired: u32,
    buffer: Vec<u8>,
}

impl Recycle for Client {
    fn retire(&mut self) {
        self.name = "";
        self.retired += 1;
    }
}

/// A fresh client, or the retired one renamed.
fn client(name: &'static str) -> impl FnOnce(Key, Option<Client>) -> Client {
    move |key, old| match old {
        Some(old) => Client { name, key, ..old },
        None => Client { name, key, retired: 0, buffer: Vec::new() },
    }
}

#[test]
fn an_object_is_found_by_its_key() {
    let mut pool = Pool::new(2);
    let a = pool.insert_with(client("a")).unwrap();
    let b = pool.insert_with(client("b")).unwrap();
    assert_eq!(pool.get(a).unwrap().name, "a");
    assert_eq!(pool.get_mut(b).unwrap().name, "b");
    assert_eq!(pool.get(a).unwrap().key, a, "the object was told its own key");
    assert_eq!(pool.get(b).unwrap().key, b);
}

#[test]
fn a_stale_key_finds_nobody() {
    let mut pool = Pool::new(1);
    let old = pool.insert_with(client("old")).unwrap();
    assert!(pool.remove(old));
    assert!(pool.get(old).is_none());
    assert!(pool.get_mut(old).is_none());
    let new = pool.insert_with(client("new")).unwrap();
    assert!(pool.get(old).is_none());
    assert!(!pool.remove(old));
    assert_eq!(pool.get(new).unwrap().name, "new");
    assert_eq!(pool.len(), 1);
}

#[test]
fn a_made_up_key_finds_nobody() {
    let mut pool = Pool::new(4);
    let retired = pool.insert_with(client("retired")).unwrap();
    assert!(pool.remove(retired));
    let trimmed = pool.insert_with(client("trimmed")).unwrap();
    assert!(pool.remove(trimmed));
    // The generation that each slot will give out next, slots that do not exist, and the reserved key.
    for word in [0, 1, 1 << 32, 2 << 32, 3 << 32, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
        let key = Key::from(word);
        assert!(pool.get(key).is_none(), "{key:?}");
        assert!(pool.get_mut(key).is_none(), "{key:?}");
        assert!(!pool.remove(key), "{key:?}");
    }
    assert_eq!((pool.len(), pool.spare()), (0, 1));
    pool.trim(0);
    assert!(!pool.remove(Key::from(2 << 32)));
    assert!(pool.insert_with(client("still works")).is_ok());
}

#[test]
fn a_retired_object_is_handed_to_the_next_and_keeps_its_buffer() {
    let mut pool = Pool::new(8);
    let key = pool.insert_with(client("a")).unwrap();
    let buffer = &mut pool.get_mut(key).unwrap().buffer;
    buffer.reserve(4096);
    let place = buffer.as_ptr();
    assert!(pool.remove(key));
    assert!(!pool.remove(key), "retired once");
    let key = pool.insert_with(client("b")).unwrap();
    let client = pool.get(key).unwrap();
    assert_eq!((client.name, client.retired), ("b", 1));
    assert_eq!(client.buffer.as_ptr(), place);
    assert!(client.buffer.capacity() >= 4096);
}

#[test]
fn the_last_retired_is_the_first_reused_and_the_last_trimmed() {
    let mut pool = Pool::new(3);
    let keys = ["a", "b", "c"].map(|name| pool.insert_with(client(name)).unwrap());
    for (key, len) in keys.into_iter().zip(1..) {
        pool.get_mut(key).unwrap().buffer = vec![0; len];
        assert!(pool.remove(key));
    }
    assert_eq!((pool.len(), pool.spare()), (0, 3));
    pool.trim(2);
    assert_eq!(pool.spare(), 2);
    pool.trim(5);
    assert_eq!(pool.spare(), 2);
    let reused: Vec<usize> = (0..3)
        .map(|_| {
            let key = pool.insert_with(client("again")).unwrap();
            pool.get(key).unwrap().buffer.len()
        })
        .collect();
    assert_eq!(reused, [3, 2, 0]);
}

#[test]
fn a_full_pool_refuses_and_makes_nothing() {
    let mut pool = Pool::new(2);
    let a = pool.insert_with(client("a")).unwrap();
    assert!(!pool.is_full());
    pool.insert_with(client("b")).unwrap();
    assert!(pool.is_full());
    let mut was_called = false;
    let refused = pool.insert_with(|key, old| {
        was_called = true;
        client("c")(key, old)
    });
    assert_eq!(refused, Err(Full));
    assert!(!was_called);
    assert!(pool.remove(a));
    assert!(pool.insert_with(client("c")).is_ok());
    assert_eq!(Pool::new(0).insert_with(client("none")), Err(Full));
}

#[test]
fn what_cannot_be_made_takes_no_room() {
    let mut pool = Pool::new(1);
    let fail = |_, _| Err::<Client, _>("no socket");
    assert_eq!(pool.try_insert_with(fail), Err(Refusal::Make("no socket")));
    assert_eq!((pool.len(), pool.spare(), pool.is_empty()), (0, 0, true));
    let key = pool.try_insert_with(|key, old| Ok::<_, &str>(client("a")(key, old))).unwrap();
    assert_eq!(pool.get(key).unwrap().name, "a");
    assert_eq!(pool.try_insert_with(fail), Err(Refusal::Full));
    assert!(pool.remove(key));
    assert_eq!(pool.try_insert_with(fail), Err(Refusal::Make("no socket")));
    assert_eq!((pool.len(), pool.spare()), (0, 0), "the retired object went to the maker");
    assert!(pool.get(key).is_none());
    assert!(pool.insert_with(client("b")).is_ok());
}

#[test]
fn iteration_shows_the_living_with_their_keys() {
    let mut pool = Pool::new(4);
    let keys = ["a", "b", "c", "d"].map(|name| pool.insert_with(client(name)).unwrap());
    assert!(pool.remove(keys[1]));
    assert!(pool.remove(keys[2]));
    pool.trim(1);
    let seen: Vec<_> = pool.iter_mut().map(|(key, client)| (key, client.name)).collect();
    assert_eq!(seen, [(keys[0], "a"), (keys[3], "d")]);
}

#[test]
fn a_key_is_a_word_and_back() {
    for word in [0, 1, u64::from(u32::MAX), 1 << 32, 0x0123_4567_89ab_cdef, u64::MAX] {
        assert_eq!(u64::from(Key::from(word)), word);
    }
}
