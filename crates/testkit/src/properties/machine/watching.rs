//! Properties of peers that are told what happens.

use larder_connection::{Connection, Limits};

use crate::model::{Model, Rules};
use crate::script::Choices;

/// A watcher is told every byte once and in order, within its limit, at whatever pace it reads; what it sends is not looked
/// at; and when it goes, its feed does.
///
/// # Panics
///
/// If that does not hold.
pub fn watching_is_bounded(input: &[u8]) {
    let mut choices = Choices::new(input);
    let mut model = Model::new(Rules::default());
    let limits = Limits { output_len: choices.pick(&[1, 10, 300, 5000]), ..Limits::default() };
    let mut connection = Connection::new(limits);
    let (mut told, mut sent) = (b"OK\r\n".to_vec(), Vec::new());
    connection.receive(b"watch\r\nget a\r\nset a 0 0 5\r\n", &mut model);
    let calls = model.calls();
    while !choices.is_empty() {
        match choices.below(4) {
            0 => {
                let line = vec![choices.byte(); choices.below(256)];
                model.tell(&line);
                told.extend(line);
            }
            1 => connection.receive(b"version\r\nquit\r\n", &mut model),
            2 => connection.receive(&[], &mut model),
            _ => send(&mut connection, 1 + choices.below(200), &mut sent),
        }
        check(&mut connection, limits);
    }
    assert!(model.live_feeds() == 1 && !connection.is_finished(), "it forgot its watcher");
    while sent.len() < told.len() {
        assert!(connection.wants_write() || connection.has_work(), "it stopped without a cause");
        connection.receive(&[], &mut model);
        check(&mut connection, limits);
        send(&mut connection, usize::MAX, &mut sent);
    }
    super::assert_same(&sent, &told);
    assert!(!connection.wants_write() && !connection.has_work(), "it says what nobody told it");
    assert_eq!(model.calls(), calls, "what a watcher sent was looked at");
    match input.len() % 3 {
        0 => connection.receive_end(&mut model),
        1 => connection.reset(),
        _ => connection.close(),
    }
    assert_eq!(model.live_feeds(), 0, "its feed goes on");
}

fn check(connection: &mut Connection<Model>, limits: Limits) {
    let unsent = connection.output().unsent();
    // The first reply may stand above the limit.
    let allowed = limits.output_len.max(b"OK\r\n".len());
    assert!(unsent <= allowed, "{unsent} bytes of lines, {allowed} are allowed");
    assert_eq!(connection.unfinished().command_bytes, 0, "what a watcher sends is kept");
}

/// Sends so many bytes of what waits.
fn send(connection: &mut Connection<Model>, len: usize, sent: &mut Vec<u8>) {
    let before = sent.len();
    sent.extend(connection.output().chunks().flatten().take(len));
    connection.output().advance(sent.len() - before);
}
