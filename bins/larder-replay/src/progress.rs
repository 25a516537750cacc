//! The line that shows how far a replay or a simulation is: on a terminal, over itself.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use larder_replay::Progress;

/// A line on standard error, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Line {
    is_shown: bool,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal() }
    }

    pub(crate) fn quiet() -> Self {
        Self { is_shown: false }
    }

    /// Shows how far the replay against a server is, in the place of what was shown before.
    pub(crate) fn show(&self, server: SocketAddr, progress: &Progress) {
        let Progress { sent, accesses, .. } = *progress;
        self.replace(sent == accesses, || format!("{server}  {}", shown(progress)));
    }

    /// Shows how many points of a simulation are done.
    pub(crate) fn show_points(&self, done: usize, of: usize) {
        self.replace(done == of, || format!("{done} of {of} points"));
    }

    /// At its end the line goes: the report follows.
    fn replace(&self, is_over: bool, text: impl FnOnce() -> String) {
        if !self.is_shown {
            return;
        }
        let text = if is_over { String::new() } else { text() };
        let mut terminal = io::stderr().lock();
        // A terminal that takes no more ends no replay.
        let _ = write!(terminal, "\r{text}\x1b[K").and_then(|()| terminal.flush());
    }
}

/// Accesses so far, misses so far, rate, time left.
fn shown(progress: &Progress) -> String {
    let Progress { accesses, sent, tally, elapsed } = progress;
    #[expect(clippy::cast_precision_loss, reason = "a share that is shown in percent")]
    let share = *sent as f64 / (*accesses).max(1) as f64;
    #[expect(clippy::cast_precision_loss, reason = "a rate that is shown in thousands")]
    let rate = *sent as f64 / elapsed.as_secs_f64().max(1e-3);
    let left = elapsed.as_secs_f64() * (1.0 / share.max(1e-6) - 1.0);
    let left = Duration::try_from_secs_f64(left).unwrap_or_default().as_secs();
    format!(
        "{sent} of {accesses} ({:.0} %), misses {:.4}, {:.0}k/s, {left} s left",
        share * 100.0,
        tally.miss_ratio(),
        rate / 1000.0,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use larder_replay::{Progress, Tally};

    use super::shown;

    #[test]
    fn the_time_left_follows_from_the_share_done() {
        let check = |sent: usize, seconds: u64, expected: &str| {
            let tally = Tally { gets: 1000, misses: 125, ..Tally::default() };
            let elapsed = Duration::from_secs(seconds);
            let progress = Progress { accesses: 1_000_000, sent, tally, elapsed };
            assert_eq!(shown(&progress), expected);
        };
        check(250_000, 2, "250000 of 1000000 (25 %), misses 0.1250, 125k/s, 6 s left");
        check(1_000_000, 5, "1000000 of 1000000 (100 %), misses 0.1250, 200k/s, 0 s left");
        check(0, 0, "0 of 1000000 (0 %), misses 0.1250, 0k/s, 0 s left");
    }
}
