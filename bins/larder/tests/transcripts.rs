//! Every transcript, played against the program: over TCP and over a Unix socket. That memcached itself answers the same
//! is the business of the tests of `larder-testkit`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use larder_testkit::process::Process;
use larder_testkit::transcript::{Judge, Player, Stage, Tcp, Transcript, Unix, parse_directory};

const LARDER: &str = env!("CARGO_BIN_EXE_larder");

#[test]
fn over_tcp() {
    check_all(|transcript| {
        let server = Process::larder(LARDER, &arguments(transcript)).map_err(|e| e.to_string())?;
        play(transcript, Tcp(server.address()))
    });
}

#[test]
fn over_a_unix_socket() {
    check_all(|transcript| {
        let place = Place::new(transcript).map_err(|e| e.to_string())?;
        let socket = place.0.join("larder.sock");
        let mut args = arguments(transcript);
        let path = socket.to_string_lossy();
        args.extend(["-s", &path]);
        let server = Process::larder(LARDER, &args).map_err(|e| e.to_string())?;
        let played = play(transcript, Unix(socket.clone()));
        drop(server);
        played
    });
}

/// Plays every transcript on a server of its own; a file a thread, because most of the time goes by waiting for clocks.
#[track_caller]
fn check_all(check: impl Fn(&Transcript) -> Result<(), String> + Sync) {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/server/tests/transcripts");
    let files = parse_directory(&directory).unwrap();
    let failures: Vec<String> = thread::scope(|scope| {
        let check = &check;
        let players: Vec<_> = files
            .iter()
            .map(|(file, transcripts)| {
                scope.spawn(move || {
                    let failed = |transcript| {
                        check(transcript)
                            .err()
                            .map(|why| format!("{file}, {}: {why}", transcript.name))
                    };
                    transcripts.iter().filter_map(failed).collect::<Vec<_>>()
                })
            })
            .collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn play(transcript: &Transcript, stage: impl Stage) -> Result<(), String> {
    let mut player = Player::new(stage, Judge::Reference);
    player.play(transcript).map_err(|mismatch| mismatch.to_string())
}

fn arguments(transcript: &Transcript) -> Vec<&str> {
    transcript.args.iter().map(String::as_str).collect()
}

/// A directory for one socket, which the user that the server changes to may write into.
struct Place(PathBuf);

impl Place {
    fn new(transcript: &Transcript) -> std::io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let name = format!("larder-{}-{:p}", std::process::id(), transcript);
        let place = Self(std::env::temp_dir().join(name));
        fs::create_dir(&place.0)?;
        fs::set_permissions(&place.0, fs::Permissions::from_mode(0o777))?;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left behind is the system's to clean.
        let _ = fs::remove_dir_all(&self.0);
    }
}
