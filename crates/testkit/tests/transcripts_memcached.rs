//! Every transcript, against the memcached that is installed (Debian's 1.6.18): its answer decides
//! what the files may say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use larder_testkit::process::Process;
use larder_testkit::transcript::{Judge, Player, Tcp, Transcript, parse_directory};

/// Where memcached 1.6.18 is known to answer otherwise than 1.6.45, or than Larder means to; no
/// other difference is excused.
const KNOWN_DIFFERENCES: &[&str] = &[
    // 1.6.45 lets `ms` with A or P create what it would join to, if it says N.
    "append-creates",
    // 1.6.45 sets the window and the ratio of free memory of `slabs automove`, too.
    "automove-options",
    // Larder's own: the body of an unknown opcode is thrown away once, with its extras and its key in it.
    "body-skipped-twice",
    // Larder's own: it answers what came before a line that is too long, then closes.
    "closed-in-silence",
    // The block of a refused storage line was executed. 1.6.45 throws it away when the flags, the
    // exptime or the number of cas is wrong, Larder whenever the length parses.
    "data-swallowed",
    // 1.6.45 shows the flags in a dump, and a blank after them.
    "dump-flags",
    // 1.6.45 begins a dump with OK.
    "dump-head",
    // 1.6.45 ignores words it does not know, and takes noreply as the last of them.
    "extra-tokens",
    // 1.6.45 tells other bytes than letters and digits from letters that it does not know.
    "flag-byte",
    // 1.6.45 knows C of `mg`, E of all, s of `ms` and x of `md`.
    "flag-c",
    // 1.6.45 counts 20 words, 1.6.18 its own end of the line among them.
    "flag-count",
    "flag-e",
    "flag-s",
    "flag-x",
    // Larder's own: it says a key in base64 that would end the line, whatever its item remembers.
    "key-in-line",
    // 1.6.45 refuses a body that no number of 31 bits tells the length of, Larder one that is longer than any item.
    "huge-body",
    // 1.6.45 takes a leading blank for an empty name.
    "leading-space",
    // 1.6.45 looks for the b of `me` among more words, and shows the seconds that are left.
    "me-b",
    "me-exp",
    // 1.6.45 dumps keys as requests, too.
    "mgdump",
    // 1.6.45 answers CLIENT_ERROR to a command without all its words.
    "missing-arguments",
    // 1.6.45 accepts NUL bytes in keys.
    "nul-in-line",
    // 1.6.18 prints what lies in memory for class and descriptor where a value is refused.
    "refused-item",
    // 1.6.45 answers CLIENT_ERROR to lines of less than 4 bytes.
    "short-line",
    "shutdown-text",
    // Larder's own: it ends the answer to `stats sizes_enable` and `sizes_disable`, as all others.
    "sizes-end",
    // 1.6.45 compares what was said with the beginning of some subjects of `stats`.
    "stats-prefix",
    // Larder's own: it gives a counter its new exptime, also when the number needs a longer item.
    "sum-grows",
    // Larder's own: a binary value that the opcode does not have closes the connection.
    "value-reparsed",
    "version",
    // 1.6.45 has a stream of deletions.
    "watch-deletions",
    // 1.6.18 takes numbers that do not fit their 32 bits.
    "wide-numbers",
];

fn files() -> Vec<(String, Vec<Transcript>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/transcripts");
    parse_directory(&directory).unwrap()
}

/// What was wrong with one transcript, if anything.
fn play(transcript: &Transcript) -> Option<String> {
    let args: Vec<_> = transcript.args.iter().map(String::as_str).collect();
    let server = match Process::memcached(&args) {
        Ok(server) => server,
        Err(error) => return Some(format!("\"{}\": {error}", transcript.name)),
    };
    let mut player = Player::new(Tcp(server.address()), Judge::Debian);
    player.play(transcript).err().map(|mismatch| mismatch.to_string())
}

#[test]
fn memcached_answers_as_the_transcripts_say() {
    let files = files();
    // A file a thread: most of the time goes by waiting for clocks.
    let failures: Vec<_> = thread::scope(|scope| {
        let players: Vec<_> = files
            .iter()
            .map(|(file, transcripts)| {
                let failures = move || transcripts.iter().filter_map(play).collect::<Vec<_>>();
                (file, scope.spawn(failures))
            })
            .collect();
        players
            .into_iter()
            .flat_map(|(file, player)| {
                let failures = player.join().unwrap();
                failures.into_iter().map(move |failure| format!("{file}, {failure}"))
            })
            .collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn only_known_differences_are_excused_and_all_of_them_are_shown() {
    let files = files();
    let shown: BTreeSet<_> = files
        .iter()
        .flat_map(|(_, transcripts)| transcripts)
        .flat_map(Transcript::expectations)
        .filter_map(|expectation| expectation.debian.as_ref())
        .map(|difference| difference.because.as_str())
        .collect();
    assert_eq!(shown, KNOWN_DIFFERENCES.iter().copied().collect());
}

#[test]
fn there_are_enough_of_them() {
    let files = files();
    let exchanges: usize =
        files.iter().flat_map(|(_, transcripts)| transcripts).map(Transcript::exchanges).sum();
    assert!(exchanges >= 250, "{exchanges} exchanges");
}
