//! What a line means, owned and comparable.

use larder_protocol::{
    Arithmetic, Delete, Delta, DumpForm, FlushAll, MemoryLimit, MetaArithmetic, MetaSet, Order,
    ParseError, Rejection, Request, Retrieval, ShutdownMode, Storage, StoreMode, Streams, Touch,
    Verbosity, Words,
};

use super::meta::{MetaCommand, MetaMeaning};
use super::order::{self, Ordered};

/// What a line means: [`Request`] or [`Rejection`], without a line to borrow from. The fields are theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "every field is documented where it comes from")]
pub enum Meaning {
    /// `incr`, `decr`.
    Arithmetic { key: Vec<u8>, delta: Delta, quiet: bool },
    /// `delete`.
    Delete { key: Vec<u8>, quiet: bool },
    /// `flush_all`.
    FlushAll { delay: i64, quiet: bool },
    /// `get`, `gets`, `gat`, `gats`.
    Get { cas: bool, touch: Option<i64>, keys: Vec<Vec<u8>> },
    /// `lru_crawler metadump`, `lru_crawler mgdump`.
    KeyDump { form: DumpForm, classes: Vec<u8> },
    /// `cache_memlimit`.
    MemoryLimit { mebibytes: u32, quiet: bool },
    /// `mg`, `ms`, `md`, `ma`.
    Meta(Box<MetaMeaning>),
    /// `me`.
    MetaDebug { key: Vec<u8> },
    /// `mn`.
    MetaNoop,
    /// What operators order.
    Order { change: Ordered, quiet: bool },
    /// `quit`.
    Quit,
    /// No request.
    Refused { reason: ParseError, quiet: bool, skip_len: usize },
    /// `shutdown`.
    Shutdown(ShutdownMode),
    /// `stats`.
    Stats { topic: Vec<Vec<u8>> },
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`.
    Storage {
        mode: StoreMode,
        key: Vec<u8>,
        flags: u32,
        exptime: i64,
        value_len: usize,
        quiet: bool,
    },
    /// `touch`.
    Touch { key: Vec<u8>, exptime: i64, quiet: bool },
    /// `verbosity`.
    Verbosity { level: u8, quiet: bool },
    /// `version`.
    Version,
    /// `watch`, and the bits of its streams.
    Watch { streams: Option<u32> },
}

impl Meaning {
    /// Whether the peer wants no reply, for requests that have this option.
    pub fn quiet_mut(&mut self) -> Option<&mut bool> {
        match self {
            Self::Arithmetic { quiet, .. }
            | Self::Delete { quiet, .. }
            | Self::FlushAll { quiet, .. }
            | Self::MemoryLimit { quiet, .. }
            | Self::Storage { quiet, .. }
            | Self::Touch { quiet, .. }
            | Self::Verbosity { quiet, .. } => Some(quiet),
            Self::Order { change, quiet } => order::has_noreply(change).then_some(quiet),
            Self::Get { .. }
            | Self::KeyDump { .. }
            | Self::Meta(_)
            | Self::MetaDebug { .. }
            | Self::MetaNoop
            | Self::Quit
            | Self::Refused { .. }
            | Self::Shutdown(_)
            | Self::Stats { .. }
            | Self::Version
            | Self::Watch { .. } => None,
        }
    }
}

impl From<Result<Request<'_>, Rejection>> for Meaning {
    fn from(parsed: Result<Request<'_>, Rejection>) -> Self {
        let owned = |words: Words<'_>| words.map(<[u8]>::to_vec).collect();
        match parsed {
            Ok(Request::Arithmetic(Arithmetic { key, delta, quiet })) => {
                Self::Arithmetic { key: key.to_vec(), delta, quiet }
            }
            Ok(Request::Delete(Delete { key, quiet })) => Self::Delete { key: key.to_vec(), quiet },
            Ok(Request::FlushAll(FlushAll { delay, quiet })) => Self::FlushAll { delay, quiet },
            Ok(Request::Get(get)) => {
                let Retrieval { cas, touch } = get.retrieval;
                Self::Get { cas, touch, keys: owned(get.keys) }
            }
            Ok(Request::KeyDump(dump)) => {
                Self::KeyDump { form: dump.form, classes: dump.classes.word().to_vec() }
            }
            Ok(Request::MemoryLimit(MemoryLimit { mebibytes, quiet })) => {
                Self::MemoryLimit { mebibytes, quiet }
            }
            Ok(Request::MetaArithmetic(MetaArithmetic { meta, delta })) => {
                MetaMeaning::of(MetaCommand::Arithmetic(delta), &meta)
            }
            Ok(Request::MetaDebug(debug)) => {
                Self::MetaDebug { key: debug.key.decode().as_ref().to_vec() }
            }
            Ok(Request::MetaDelete(meta)) => MetaMeaning::of(MetaCommand::Delete, &meta),
            Ok(Request::MetaGet(meta)) => MetaMeaning::of(MetaCommand::Get, &meta),
            Ok(Request::MetaNoop) => Self::MetaNoop,
            Ok(Request::MetaSet(MetaSet { meta, mode, value_len })) => {
                MetaMeaning::of(MetaCommand::Set(mode, value_len), &meta)
            }
            Ok(Request::Order(Order { change, quiet })) => {
                Self::Order { change: change.into(), quiet }
            }
            Ok(Request::Quit) => Self::Quit,
            Ok(Request::Shutdown(mode)) => Self::Shutdown(mode),
            Ok(Request::Stats(stats)) => Self::Stats { topic: owned(stats.topic) },
            Ok(Request::Storage(Storage { mode, key, flags, exptime, value_len, quiet })) => {
                Self::Storage { mode, key: key.to_vec(), flags, exptime, value_len, quiet }
            }
            Ok(Request::Touch(Touch { key, exptime, quiet })) => {
                Self::Touch { key: key.to_vec(), exptime, quiet }
            }
            Ok(Request::Verbosity(Verbosity { level, quiet })) => Self::Verbosity { level, quiet },
            Ok(Request::Version) => Self::Version,
            Ok(Request::Watch(watch)) => Self::Watch { streams: watch.streams.map(Streams::bits) },
            Err(Rejection { reason, quiet, skip_len }) => Self::Refused { reason, quiet, skip_len },
        }
    }
}

/// Prints a request as a client sends it, without its line end; what was refused is printed as an unknown command.
#[must_use]
pub fn print(meaning: &Meaning) -> Vec<u8> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut say = |word: &dyn ToString| words.push(word.to_string().into_bytes());
    match meaning {
        Meaning::Arithmetic { key, delta, .. } => {
            let (name, step) = match delta {
                Delta::Increment(step) => ("incr", step),
                Delta::Decrement(step) => ("decr", step),
            };
            words = vec![name.into(), key.clone(), step.to_string().into()];
        }
        Meaning::Delete { key, .. } => words = vec![b"delete".to_vec(), key.clone()],
        Meaning::FlushAll { delay, .. } => words = vec![b"flush_all".to_vec(), text(delay)],
        Meaning::Get { cas, touch, keys } => {
            words.push(match (cas, touch) {
                (false, None) => b"get".to_vec(),
                (true, None) => b"gets".to_vec(),
                (false, Some(_)) => b"gat".to_vec(),
                (true, Some(_)) => b"gats".to_vec(),
            });
            words.extend(touch.iter().map(text));
            words.extend(keys.iter().cloned());
        }
        Meaning::KeyDump { form, classes } => {
            let name = match form {
                DumpForm::Details => "metadump",
                DumpForm::Requests => "mgdump",
            };
            words = vec![b"lru_crawler".to_vec(), name.into(), classes.clone()];
        }
        Meaning::MemoryLimit { mebibytes, .. } => {
            words = vec![b"cache_memlimit".to_vec(), text(mebibytes)];
        }
        Meaning::Meta(meta) => words = meta.line(),
        Meaning::MetaDebug { key } => words = vec![b"me".to_vec(), key.clone()],
        Meaning::MetaNoop => words = vec![b"mn ".to_vec()],
        Meaning::Order { change, .. } => words = order::words_of(change),
        Meaning::Quit => say(&"quit"),
        Meaning::Refused { .. } => say(&"refused"),
        Meaning::Shutdown(mode) => {
            say(&"shutdown");
            match mode {
                ShutdownMode::Graceful => say(&"graceful"),
                ShutdownMode::Immediate => {}
                ShutdownMode::Unknown => say(&"somehow"),
            }
        }
        Meaning::Stats { topic } => {
            say(&"stats");
            words.extend(topic.iter().cloned());
        }
        Meaning::Storage { mode, key, flags, exptime, value_len, .. } => {
            words = vec![store_name(*mode), key.clone(), text(flags), text(exptime)];
            words.push(text(value_len));
            if let StoreMode::Cas(cas) = mode {
                words.push(text(cas));
            }
        }
        Meaning::Touch { key, exptime, .. } => {
            words = vec![b"touch".to_vec(), key.clone(), text(exptime)];
        }
        Meaning::Verbosity { level, .. } => words = vec![b"verbosity".to_vec(), text(level)],
        Meaning::Version => say(&"version"),
        Meaning::Watch { streams } => words = watch_words(*streams),
    }
    if meaning.clone().quiet_mut().is_some_and(|quiet| *quiet) {
        words.push(b"noreply".to_vec());
    }
    words.join(&b' ')
}

fn watch_words(streams: Option<u32>) -> Vec<Vec<u8>> {
    let mut words = vec![b"watch".to_vec()];
    match streams {
        Some(bits) => {
            let named = STREAMS.iter().filter(|(_, bit)| bits & bit != 0);
            words.extend(named.map(|(name, _)| name.as_bytes().to_vec()));
        }
        None => words.push(b"nothing".to_vec()),
    }
    words
}

fn store_name(mode: StoreMode) -> Vec<u8> {
    let name: &[u8] = match mode {
        StoreMode::Add => b"add",
        StoreMode::Append => b"append",
        StoreMode::Cas(_) => b"cas",
        StoreMode::Prepend => b"prepend",
        StoreMode::Replace => b"replace",
        StoreMode::Set => b"set",
    };
    name.to_vec()
}

fn text(number: &impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The streams of `watch`, with their bits.
pub(super) const STREAMS: [(&str, u32); 10] = [
    ("fetchers", 1),
    ("mutations", 2),
    ("evictions", 4),
    ("connevents", 8),
    ("sysevents", 16),
    ("rawcmds", 32),
    ("deletions", 64),
    ("proxyreqs", 128),
    ("proxyevents", 128),
    ("proxyuser", 128),
];
