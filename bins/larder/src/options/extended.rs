//! `-o`: memcached's extended options. Few of them mean something here; the rest is accepted, so that a command line
//! written for memcached starts, and what is misspelled is refused, so that it is noticed.

use std::time::Duration;

use larder_server::Maintenance;
use log::Level;

use super::Notice;
use super::maintenance;
use super::sizes::count;
use crate::refusal::Refusal;

/// What `-o` changes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Extended {
    /// `idle_timeout`, in seconds; 0 is never.
    pub(super) idle_timeout: Option<Duration>,
    /// `read_buf_mem_limit`, given in megabytes; 0 is no limit.
    pub(super) incomplete_command_bytes: Option<u64>,
    /// `hashpower`, for `stats settings` only.
    pub(super) hash_power: Option<u64>,
    /// `hash_algorithm`, for `stats settings` only.
    pub(super) hash_algorithm: Option<String>,
    /// `slab_chunk_max`, given in kilobytes.
    pub(super) slab_chunk_bytes: Option<u64>,
    /// What tunes memcached's maintenance threads, for `stats settings` only.
    pub(super) maintenance: Maintenance,
    /// `watcher_logbuf_size`, given in kilobytes.
    pub(super) watcher_log_bytes: Option<u64>,
    /// `worker_logbuf_size`, given in kilobytes, for `stats settings` only.
    pub(super) worker_log_bytes: Option<u64>,
    /// `track_sizes`.
    pub(super) track_sizes: bool,
}

impl Extended {
    /// Reads every `-o` that was given, each a list with commas.
    pub(super) fn parse(lists: &[String], notices: &mut Vec<Notice>) -> Result<Self, Refusal> {
        let mut extended = Self::default();
        for option in lists.iter().flat_map(|list| list.split(',')).map(str::trim) {
            if !option.is_empty() {
                extended.apply(option, notices)?;
            }
        }
        Ok(extended)
    }

    fn apply(&mut self, option: &str, notices: &mut Vec<Notice>) -> Result<(), Refusal> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value.trim())),
            None => (option, None),
        };
        let Some(&(_, meaning)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            return Err(unknown(name));
        };
        match meaning {
            Meaning::TrackSizes => self.track_sizes = true,
            Meaning::Nothing => notices.push(without_effect(name)),
            Meaning::NumberOrNothing { min, max } => {
                if value.is_some() {
                    number(name, value, min, max)?;
                }
                notices.push(without_effect(name));
            }
            Meaning::Number { min, max } => {
                let number = number(name, value, min, max)?;
                if !self.keep(name, number) {
                    notices.push(without_effect(name));
                }
            }
            Meaning::Fraction { below } => {
                fraction(name, value, below)?;
                notices.push(without_effect(name));
            }
            Meaning::Algorithm => match value {
                Some(known @ ("jenkins" | "murmur3" | "xxh3")) => {
                    self.hash_algorithm = Some(known.to_owned());
                    notices.push(without_effect(name));
                }
                _ => {
                    return Err(Refusal::value(
                        "-o hash_algorithm: must be jenkins, murmur3 or xxh3 (it has no effect here)",
                    ));
                }
            },
            Meaning::Text => {
                if value.is_none_or(str::is_empty) {
                    return Err(Refusal::value(format!("-o {name}: needs a value, {name}=VALUE")));
                }
                notices.push(without_effect(name));
            }
            Meaning::Missing(what) => notices.push(Notice::new(
                Level::Warn,
                format!("-o {name} has no effect: larder has no {what}"),
            )),
            Meaning::Refused(what) => {
                return Err(Refusal::usage(format!(
                    "-o {name}: larder does not have {what} yet: leave the option out"
                )));
            }
        }
        maintenance::keep(&mut self.maintenance, name, value);
        Ok(())
    }

    /// Whether a number of that name means something here, which is then kept.
    fn keep(&mut self, name: &str, number: u64) -> bool {
        match name {
            "idle_timeout" => {
                self.idle_timeout = (number > 0).then(|| Duration::from_secs(number));
            }
            "read_buf_mem_limit" => {
                let limit = if number == 0 { u64::MAX } else { number << 20 };
                self.incomplete_command_bytes = Some(limit);
            }
            "hashpower" => self.hash_power = Some(number),
            "slab_chunk_max" => self.slab_chunk_bytes = Some(number << 10),
            "watcher_logbuf_size" => self.watcher_log_bytes = Some(number << 10),
            "worker_logbuf_size" => self.worker_log_bytes = Some(number << 10),
            _ => return false,
        }
        matches!(name, "idle_timeout" | "read_buf_mem_limit" | "watcher_logbuf_size")
    }
}

/// What becomes of an extended option.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// `stats sizes` counts items by size.
    TrackSizes,
    /// Taken without a value; a value is ignored, as memcached does.
    Nothing,
    /// A number that must be within the bounds that memcached sets.
    Number { min: u64, max: u64 },
    /// The same, but the value may be left out.
    NumberOrNothing { min: u64, max: u64 },
    /// A number over 0 and under `below`.
    Fraction { below: f64 },
    /// The name of one of memcached's hash functions.
    Algorithm,
    /// Any text.
    Text,
    /// Asks for what is not there, but the server is useful without: accepted with a warning.
    Missing(&'static str),
    /// Asks for what is not there, and must not be ignored.
    Refused(&'static str),
}

fn without_effect(name: &str) -> Notice {
    Notice::new(Level::Info, format!("-o {name}: accepted for memcached's sake, without effect"))
}

fn unknown(name: &str) -> Refusal {
    // What belongs to a family is refused with the name of the family, whichever member it is.
    let what = match name {
        _ if name.starts_with("ssl_") => "TLS",
        _ if name.starts_with("proxy_") => "a proxy",
        _ => {
            return Refusal::value(format!(
                "-o {name}: no such extended option: check its spelling, or leave it out"
            ));
        }
    };
    Refusal::usage(format!("-o {name}: larder does not have {what} yet: leave the option out"))
}

fn number(name: &str, value: Option<&str>, min: u64, max: u64) -> Result<u64, Refusal> {
    let label = format!("-o {name}");
    match value {
        Some(text) => count(&label, "the value", text, min..=max),
        None => Err(Refusal::value(format!("{label}: needs a number, {name}=N"))),
    }
}

fn fraction(name: &str, value: Option<&str>, below: f64) -> Result<(), Refusal> {
    match value.map(str::parse::<f64>) {
        Some(Ok(number)) if number > 0.0 && number < below => Ok(()),
        _ => Err(Refusal::value(format!(
            "-o {name}: needs a number over 0 and under {below}, {name}=X"
        ))),
    }
}

const NOTHING: Meaning = Meaning::Nothing;
const FLASH: Meaning = Meaning::Missing("second tier on flash: everything is kept in memory");
const ANY: Meaning = Meaning::Number { min: 0, max: u32::MAX as u64 };
const PERCENT: Meaning = Meaning::Number { min: 1, max: 79 };
const FACTOR: Meaning = Meaning::Fraction { below: f64::INFINITY };
const RATIO: Meaning = Meaning::Fraction { below: 1.0 };
const BUFFER: Meaning = Meaning::Number { min: 0, max: 1 << 20 };

/// Every extended option of memcached 1.6.45, with its bounds.
const OPTIONS: &[(&str, Meaning)] = &[
    // What means something here.
    ("idle_timeout", ANY),
    ("read_buf_mem_limit", ANY),
    ("track_sizes", Meaning::TrackSizes),
    // Shown by `stats settings`, and shaping the size classes that `stats slabs` reports.
    ("hashpower", Meaning::Number { min: 12, max: 32 }),
    ("hash_algorithm", Meaning::Algorithm),
    ("slab_chunk_max", Meaning::Number { min: 1, max: 1024 }),
    // Tuning of threads, tables and lists that do not exist here.
    ("maxconns_fast", NOTHING),
    ("no_maxconns_fast", NOTHING),
    ("no_hashexpand", NOTHING),
    ("slab_reassign", NOTHING),
    ("no_slab_reassign", NOTHING),
    ("slab_automove", Meaning::NumberOrNothing { min: 0, max: 2 }),
    ("no_slab_automove", NOTHING),
    ("slab_automove_ratio", RATIO),
    ("slab_automove_freeratio", RATIO),
    ("slab_automove_window", Meaning::Number { min: 3, max: u32::MAX as u64 }),
    ("slab_sizes", Meaning::Text),
    ("tail_repair_time", Meaning::Number { min: 10, max: u32::MAX as u64 }),
    ("lru_crawler", NOTHING),
    ("no_lru_crawler", NOTHING),
    ("lru_crawler_sleep", Meaning::Number { min: 0, max: 1_000_000 }),
    ("lru_crawler_tocrawl", ANY),
    ("lru_maintainer", NOTHING),
    ("no_lru_maintainer", NOTHING),
    ("hot_lru_pct", PERCENT),
    ("warm_lru_pct", PERCENT),
    ("hot_max_factor", FACTOR),
    ("warm_max_factor", FACTOR),
    ("temporary_ttl", ANY),
    ("watcher_logbuf_size", BUFFER),
    ("worker_logbuf_size", BUFFER),
    ("resp_obj_mem_limit", ANY),
    ("modern", NOTHING),
    ("no_modern", NOTHING),
    ("no_chunked_items", NOTHING),
    ("inline_ascii_resp", NOTHING),
    ("no_inline_ascii_resp", NOTHING),
    ("no_drop_privileges", NOTHING),
    ("sock_cookie_id", Meaning::Refused("socket cookies")),
    ("drop_privileges", Meaning::Refused("a system call filter")),
    // The second tier: charts pass these, and the cache is a cache without it.
    ("ext_path", FLASH),
    ("ext_page_size", FLASH),
    ("ext_wbuf_size", FLASH),
    ("ext_threads", FLASH),
    ("ext_item_size", FLASH),
    ("ext_item_age", FLASH),
    ("ext_low_ttl", FLASH),
    ("ext_drop_unread", FLASH),
    ("ext_recache_rate", FLASH),
    ("ext_compact_under", FLASH),
    ("ext_drop_under", FLASH),
    ("ext_max_frag", FLASH),
    ("ext_max_sleep", FLASH),
    ("ext_global_pool_min", FLASH),
    ("no_ext_drop_unread", FLASH),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Exit;

    fn parse(list: &str) -> Result<(Extended, Vec<Level>), Exit> {
        let mut notices = Vec::new();
        let extended =
            Extended::parse(&[list.to_owned()], &mut notices).map_err(|refusal| refusal.exit)?;
        Ok((extended, notices.iter().map(|notice| notice.level).collect()))
    }

    #[test]
    fn what_means_something_is_kept() {
        let none = Extended::default;
        let timeout = |seconds| Some(Duration::from_secs(seconds));
        let limit = |bytes| Extended { incomplete_command_bytes: Some(bytes), ..none() };
        let cases = [
            ("", none()),
            ("modern,track_sizes", Extended { track_sizes: true, ..none() }),
            ("modern=1", none()),
            ("idle_timeout=30", Extended { idle_timeout: timeout(30), ..none() }),
            ("idle_timeout=30,idle_timeout=0", none()),
            (" modern , idle_timeout = 5 ,", Extended { idle_timeout: timeout(5), ..none() }),
            ("read_buf_mem_limit=32", limit(32 << 20)),
            ("read_buf_mem_limit=0", limit(u64::MAX)),
            ("hashpower=20", Extended { hash_power: Some(20), ..none() }),
            ("hash_algorithm=xxh3", Extended { hash_algorithm: Some("xxh3".into()), ..none() }),
            ("watcher_logbuf_size=16", Extended { watcher_log_bytes: Some(16 << 10), ..none() }),
            ("worker_logbuf_size=0", Extended { worker_log_bytes: Some(0), ..none() }),
            ("slab_chunk_max=16", Extended { slab_chunk_bytes: Some(16 << 10), ..none() }),
        ];
        for (list, expected) in cases {
            assert_eq!(parse(list).map(|(extended, _)| extended), Ok(expected), "{list:?}");
        }
    }

    #[test]
    fn notices_are_no_louder_than_they_must_be() {
        let cases: [(&str, &[Level]); 6] = [
            ("idle_timeout=30,read_buf_mem_limit=1,watcher_logbuf_size=1", &[]),
            ("worker_logbuf_size=1", &[Level::Info]),
            ("modern,track_sizes", &[Level::Info]),
            ("slab_automove,slab_automove=2", &[Level::Info, Level::Info]),
            ("hot_max_factor=0.2,slab_sizes=96-200", &[Level::Info, Level::Info]),
            ("ext_path=/data/file:9G,ext_wbuf_size=16", &[Level::Warn, Level::Warn]),
        ];
        for (list, expected) in cases {
            assert_eq!(parse(list).map(|(_, levels)| levels), Ok(expected.to_vec()), "{list:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let cases = [
            ("bogus", Exit::Value),
            ("modern,bogus=1", Exit::Value),
            ("Modern", Exit::Value),
            ("hashpower=11", Exit::Value),
            ("hashpower=33", Exit::Value),
            ("hashpower", Exit::Value),
            ("hash_algorithm=foo", Exit::Value),
            ("hash_algorithm", Exit::Value),
            ("idle_timeout", Exit::Value),
            ("idle_timeout=abc", Exit::Value),
            ("idle_timeout=-1", Exit::Value),
            ("watcher_logbuf_size=x", Exit::Value),
            ("watcher_logbuf_size", Exit::Value),
            ("worker_logbuf_size=-1", Exit::Value),
            ("lru_crawler_sleep=1000001", Exit::Value),
            ("hot_lru_pct=0", Exit::Value),
            ("hot_lru_pct=80", Exit::Value),
            ("hot_max_factor=0", Exit::Value),
            ("slab_automove=3", Exit::Value),
            ("slab_automove_ratio=1", Exit::Value),
            ("slab_sizes=", Exit::Value),
            ("tail_repair_time=9", Exit::Value),
            ("slab_chunk_max=1025", Exit::Value),
            ("ssl_key=x", Exit::Usage),
            ("proxy_config=x", Exit::Usage),
            ("drop_privileges", Exit::Usage),
        ];
        for (list, exit) in cases {
            assert_eq!(parse(list).map(|_| ()), Err(exit), "{list:?}");
        }
    }
}
