//! What replies over UDP may cost, and what is said about datagrams that should not be.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use larder_store::Seconds;

use crate::config::Udp;
use crate::counters::Count;

/// What the workers share about UDP. A reply over UDP writes it; nothing else does.
#[derive(Debug)]
pub(crate) struct Account {
    /// Where it listens, with the ports that were bound.
    pub(crate) addrs: Vec<SocketAddr>,
    reply_bytes_max: usize,
    rate: Option<u32>,
    /// The second that it is, and below it the bytes that were spent in it.
    spent: AtomicU64,
    /// When each of [`OUTCOMES`] was last in the log, plus one; 0 for never.
    told_at: [AtomicU32; OUTCOMES.len()],
}

impl Account {
    pub(crate) fn new(config: &Udp, addrs: Vec<SocketAddr>) -> Self {
        let rate = config.reply_bytes_per_second;
        Self {
            addrs,
            reply_bytes_max: config.reply_bytes_max,
            rate: rate.map(|rate| u32::try_from(rate.get()).unwrap_or(u32::MAX)),
            spent: AtomicU64::new(0),
            told_at: [const { AtomicU32::new(0) }; OUTCOMES.len()],
        }
    }

    /// Spends `bytes` on a message to somebody who got `sent` for the same datagram.
    ///
    /// # Errors
    ///
    /// Which of the two limits forbids it; nothing is spent then.
    pub(super) fn spend(&self, sent: usize, bytes: usize, now: Seconds) -> Result<(), Count> {
        if sent.saturating_add(bytes) > self.reply_bytes_max {
            return Err(Count::UdpOverLimit);
        }
        let Some(rate) = self.rate else { return Ok(()) };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let spend = |spent: u64| {
            // Workers look at the clock once a round: one may still be in the second before.
            let second = (spent >> 32).max(u64::from(now.0));
            let already = if second == spent >> 32 { spent & u64::from(u32::MAX) } else { 0 };
            let sum = already.saturating_add(bytes);
            (sum <= u64::from(rate)).then_some(second << 32 | sum)
        };
        self.spent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .map(|_| ())
            .map_err(|_| Count::UdpOverRate)
    }

    /// Whether to log that this became of a datagram: the first time, and once a minute at most.
    pub(super) fn is_news(&self, outcome: Count, now: Seconds) -> bool {
        if matches!(outcome, Count::UdpAnswered | Count::UdpQuiet) {
            return false;
        }
        let Some(index) = OUTCOMES.iter().position(|(_, count)| *count == outcome) else {
            return false;
        };
        let told_at = &self.told_at[index];
        let before = told_at.load(Ordering::Relaxed);
        let is_due = before == 0 || now.since(Seconds(before - 1)) >= NEWS_AGE;
        let told = now.0.saturating_add(1);
        is_due
            && told_at.compare_exchange(before, told, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What can become of a datagram, each by its name in `stats larder`. One of them is counted for every datagram.
pub(crate) const OUTCOMES: [(&str, Count); 9] = [
    ("udp_answered", Count::UdpAnswered),
    ("udp_quiet", Count::UdpQuiet),
    ("udp_half_requests", Count::UdpHalf),
    ("udp_short_dropped", Count::UdpShort),
    ("udp_fragments_dropped", Count::UdpFragment),
    ("udp_no_requests_dropped", Count::UdpNoRequest),
    ("udp_over_reply_limit", Count::UdpOverLimit),
    ("udp_over_reply_rate", Count::UdpOverRate),
    ("udp_unsent_replies", Count::UdpUnsent),
];

/// Seconds between two lines of the log about the same.
const NEWS_AGE: u32 = 60;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn account(reply_bytes_max: usize, rate: u64) -> Account {
        let config = Udp {
            listen: Vec::new(),
            reply_bytes_max,
            reply_bytes_per_second: NonZeroU64::new(rate),
        };
        Account::new(&config, Vec::new())
    }

    #[test]
    fn bytes_are_spent_by_the_second() {
        let account = account(1000, 100);
        for (second, bytes, is_allowed) in [
            (5, 60, true),
            (5, 41, false),
            (5, 40, true),
            (5, 1, false),
            (6, 101, false),
            (6, 99, true),
            // Another worker, whose clock is late: it is second 6 for it too.
            (5, 2, false),
            (5, 1, true),
            (6, 1, false),
            (9, 100, true),
        ] {
            let expected = if is_allowed { Ok(()) } else { Err(Count::UdpOverRate) };
            assert_eq!(account.spend(0, bytes, Seconds(second)), expected, "{second}: {bytes}");
        }
    }

    #[test]
    fn a_datagram_buys_no_more_than_its_limit() {
        for (rate, sent, bytes, is_allowed) in [
            (0, 0, 1000, true),
            (0, 0, 1001, false),
            (0, 400, 600, true),
            (0, 400, 601, false),
            (0, 0, usize::MAX, false),
            (0, usize::MAX, usize::MAX, false),
            (u64::MAX, 0, 1000, true),
        ] {
            let expected = if is_allowed { Ok(()) } else { Err(Count::UdpOverLimit) };
            let account = account(1000, rate);
            assert_eq!(account.spend(sent, bytes, Seconds(1)), expected, "{rate}: {sent}, {bytes}");
        }
    }

    #[test]
    fn news_are_rare() {
        let account = account(1, 0);
        for (second, outcome, expected) in [
            (0, Count::UdpShort, true),
            (0, Count::UdpShort, false),
            (0, Count::UdpHalf, true),
            (59, Count::UdpShort, false),
            (60, Count::UdpShort, true),
            (61, Count::UdpHalf, true),
            (119, Count::UdpShort, false),
            (120, Count::UdpShort, true),
            (500, Count::UdpAnswered, false),
            (500, Count::UdpQuiet, false),
            (500, Count::CmdGet, false),
        ] {
            assert_eq!(account.is_news(outcome, Seconds(second)), expected, "{second} {outcome:?}");
        }
    }
}
