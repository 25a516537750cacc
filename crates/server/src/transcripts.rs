//! Every transcript that needs no process, played on machines with the real store behind them: no socket, no thread, and a
//! clock that is moved by hand.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use larder_connection::Limits;
use larder_poller::Poller;
use larder_store::Seconds;
use larder_testkit::machines::{Clocked, Machines};
use larder_testkit::transcript::{Judge, Player, Transcript, parse_directory};

use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::shared::Shared;

#[path = "../examples/small/config.rs"]
pub(crate) mod small;

impl Clocked for Cache {
    fn unix_time(&self) -> u64 {
        u64::try_from(self.shared().clock.unix(self.now())).unwrap()
    }

    fn pass_second(&mut self) {
        self.begin_round(Seconds(self.now().0 + 1));
    }
}

/// The configuration that a server's arguments come to.
fn config(args: &[String]) -> Config {
    let mut config = small::config();
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "-A" => config.shutdown = true,
            "-C" => config.cas = false,
            "-F" => config.flush = false,
            "-I" => {
                let mebibytes = args.next().and_then(|size| size.strip_suffix('m')).unwrap();
                config.item_bytes_max = mebibytes.parse::<usize>().unwrap() << 20;
            }
            other => panic!("{other} means nothing to a machine: say @server"),
        }
    }
    config
}

/// What was wrong with one transcript, if anything.
fn play(transcript: &Transcript, read_len: usize) -> Option<String> {
    let config = config(&transcript.args);
    let waker = Poller::new().unwrap().waker();
    let clock = Clock::start();
    let shared = Arc::new(Shared::new(config, clock, Vec::new(), Vec::new(), waker.clone()));
    let cache = Rc::new(RefCell::new(Cache::new(Arc::clone(&shared), 0, waker)));
    let stage = Machines::new(cache, Limits::default(), read_len);
    let problem = Player::new(stage, Judge::Reference).play(transcript).err();
    let held = shared.store.stats();
    assert_eq!((held.draft_bytes, held.pinned_bytes), (0, 0), "{}", transcript.name);
    problem.map(|mismatch| mismatch.to_string())
}

#[test]
fn machines_with_the_store_answer_as_the_transcripts_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = parse_directory(&directory).unwrap();
    let (mut problems, mut played) = (Vec::new(), 0);
    for (file, transcripts) in &files {
        for transcript in transcripts.iter().filter(|transcript| !transcript.needs_server) {
            for read_len in [3, 16 * 1024] {
                let problem = play(transcript, read_len);
                problems.extend(problem.map(|problem| format!("{file}, {problem}")));
            }
            played += transcript.exchanges();
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(played >= 200, "only {played} exchanges need no server");
}
