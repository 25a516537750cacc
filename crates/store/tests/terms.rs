//! What fetching and changing on terms comes to at the edges: time, memory, a store without CAS numbers.

mod kit;

use kit::NOW;
use larder_store::{Amended, Amendment, Config, Creation, Fetch, Miss, Recache, Seconds, Store};

#[test]
fn an_expired_or_flushed_item_can_be_created_again() {
    let store = kit::store(4 * kit::MIB);
    let fetch = Fetch { creation: Some(Creation::default()), ..Fetch::default() };
    let miss = |now| store.fetch(b"k", &fetch, now, |_, fetched| fetched.created_after);
    assert_eq!(miss(NOW), Ok(Some(Miss::Absent)));
    assert_eq!(miss(NOW), Ok(None));
    store.flush(NOW);
    assert_eq!(miss(NOW), Ok(Some(Miss::Flushed)));
    store.touch(b"k", Some(Seconds(NOW.0 + 1)), NOW);
    assert_eq!(miss(Seconds(NOW.0 + 1)), Ok(Some(Miss::Expired)));
}

#[test]
fn what_cannot_be_created_is_a_miss() {
    let store = kit::strict(2 * kit::MIB);
    let mut count = 0_u32;
    while kit::set(&store, &format!("key {count}"), &[b'x'; 1000]).is_ok() {
        count += 1;
    }
    let fetch = Fetch { creation: Some(Creation::default()), ..Fetch::default() };
    let mut created = 0_u32;
    let refused = loop {
        let key = format!("new {created}");
        match store.fetch(key.as_bytes(), &fetch, NOW, |_, _| ()) {
            Ok(()) => created += 1,
            Err(miss) => break miss,
        }
    };
    assert_eq!(refused, Miss::Absent);
    kit::check_limit(&store);
    assert!(kit::value(&store, "key 0").is_some(), "nothing goes without eviction");
}

#[test]
fn a_store_without_numbers_gives_none() {
    let store = Store::new(Config { cas: false, ..kit::config(4 * kit::MIB) });
    let creation = Some(Creation { exptime: None, cas: Some(7) });
    let fetch = Fetch { creation, ..Fetch::default() };
    assert_eq!(store.fetch(b"k", &fetch, NOW, |item, _| item.cas()), Ok(0));
    let amendment = Amendment { stales: true, cas: Some(9), ..Amendment::default() };
    assert_eq!(
        store.amend(b"k", &amendment, NOW).map(|amended| amended != Amended::NotFound),
        Ok(true)
    );
    assert_eq!(store.fetch(b"k", &Fetch::default(), NOW, |item, _| item.cas()), Ok(0));
}

#[test]
fn of_many_who_come_at_once_one_wins() {
    let store = kit::store(4 * kit::MIB);
    let fetch = Fetch {
        creation: Some(Creation::default()),
        recache: Recache::WhenStale,
        ..Fetch::default()
    };
    let winners = || -> usize {
        let came = std::thread::scope(|scope| {
            let come = || store.fetch(b"k", &fetch, NOW, |_, fetched| fetched.wins);
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(come)).collect();
            threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        came.into_iter().filter(|won| matches!(won, Ok(Ok(true)))).count()
    };
    for _ in 0..50 {
        assert_eq!(winners(), 1, "it was created for one of them");
        let stale = Amendment { stales: true, ..Amendment::default() };
        assert!(store.amend(b"k", &stale, NOW).is_ok());
        assert_eq!(winners(), 1, "it was stale for all of them");
        assert!(store.delete(b"k", NOW));
    }
}
