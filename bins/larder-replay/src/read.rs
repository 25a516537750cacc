//! Recorded traces: files in the formats that others publish, compressed or not.

mod binary;
mod cachelib;
mod lines;
mod plain;
mod source;
mod twitter;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::trace::orm_accesses;
use crate::{Access, Trace, Verb};
use source::Source;

/// How a file tells its accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Twitter's csv: timestamp, anonymized key, key size, value size, client id, operation, TTL.
    Twitter,
    /// libCacheSim's oracleGeneral: records of a 32-bit time, a 64-bit object, a 32-bit size and when it comes next.
    Oracle,
    /// CacheLib's csv, whose first line names its columns: key, op, size, op_count, key_size and more.
    Cachelib,
    /// Lines of a key and the size of its value.
    Plain,
    /// Object numbers of 32 bits, least significant byte first.
    Orm,
}

/// Why a trace cannot be read.
#[derive(Debug)]
pub struct ReadError {
    path: PathBuf,
    /// Line or record, from 1; 0 when the whole file is meant.
    place: u64,
    unit: &'static str,
    why: String,
}

/// Reads the first `limit` accesses of a file; `format` is guessed from its name if not given.
///
/// # Errors
/// What is wrong, and in which line or record.
pub fn read(path: &Path, format: Option<Format>, limit: usize) -> Result<Trace, ReadError> {
    let whole = |why: String| Wrong { place: 0, why }.of(path, "");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let Some(format) = format.or_else(|| Format::guessed(&name)) else {
        return Err(whole("its name tells no format: say --format".to_owned()));
    };
    let mut source = Source::open(path).map_err(|error| whole(error.to_string()))?;
    let accesses = match format {
        Format::Twitter => twitter::accesses(&mut source, limit),
        Format::Oracle => binary::oracle_accesses(&mut source, limit),
        Format::Cachelib => cachelib::accesses(&mut source, limit),
        Format::Plain => plain::accesses(&mut source, limit),
        Format::Orm => binary::whole(&mut source, limit)
            .and_then(|bytes| orm_accesses(&bytes, limit).map_err(|why| Wrong { place: 0, why })),
    };
    let accesses = accesses.map_err(|wrong| wrong.of(path, format.unit()))?;
    if accesses.is_empty() {
        return Err(whole("it holds no access".to_owned()));
    }
    Ok(Trace { name: stem(&name).to_owned(), accesses })
}

impl Format {
    /// The format that a file of this name has, by the names under which such files are published.
    #[must_use]
    pub fn guessed(name: &str) -> Option<Self> {
        let name = stem(name).to_ascii_lowercase();
        let has = |part: &str| name.contains(part);
        let ends = |end: &str| name.ends_with(end);
        if has("oraclegeneral") {
            Some(Self::Oracle)
        } else if has("kvcache") || has("cachelib") || has("graph_cache") {
            Some(Self::Cachelib)
        } else if ends(".csv") || name.starts_with("cluster") {
            Some(Self::Twitter)
        } else if ends(".txt") {
            Some(Self::Plain)
        } else if ends(".trace") {
            Some(Self::Orm)
        } else {
            None
        }
    }

    /// What its accesses are counted in.
    fn unit(self) -> &'static str {
        match self {
            Self::Twitter | Self::Cachelib | Self::Plain => "line",
            Self::Oracle | Self::Orm => "record",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = FORMATS.iter().find(|(name, _)| *name == text);
        named
            .map(|(_, format)| *format)
            .ok_or_else(|| format!("{text:?} is none of twitter, oracle, cachelib, plain, orm"))
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, place, unit, why } = self;
        match place {
            0 => write!(f, "{}: {why}", path.display()),
            _ => write!(f, "{}, {unit} {place}: {why}", path.display()),
        }
    }
}

impl std::error::Error for ReadError {}

/// What is wrong at a place of a file.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    place: u64,
    why: String,
}

impl Wrong {
    fn of(self, path: &Path, unit: &'static str) -> ReadError {
        ReadError { path: path.to_owned(), place: self.place, unit, why: self.why }
    }
}

/// The accesses so far are in memory, `place` is where reading ended.
fn failed(place: u64, error: &io::Error) -> Wrong {
    Wrong { place, why: format!("it cannot be read: {error}") }
}

/// Gives accesses what recordings tell only of stores: the value size (0 where it was a miss) and the TTL that the key gets
/// next, else had last. Where that TTL is 0, the one before it counts.
fn learn_from_stores(accesses: &mut [Access]) {
    let keys = accesses.iter().map(|access| access.key + 1).max().unwrap_or(0);
    let mut known = vec![(0_u32, 0_u32); usize::try_from(keys).unwrap_or(0)];
    let mut learn = |access: &mut Access| {
        let Some((value_len, ttl)) =
            usize::try_from(access.key).ok().and_then(|key| known.get_mut(key))
        else {
            return;
        };
        let is_store = access.verb == Verb::Set;
        match access.value_len {
            0 if !is_store => access.value_len = *value_len,
            told => *value_len = told,
        }
        match access.ttl {
            0 if !is_store => access.ttl = *ttl,
            told => *ttl = told,
        }
    };
    accesses.iter_mut().rev().for_each(&mut learn);
    accesses.iter_mut().for_each(&mut learn);
}

/// A file's name without the end that tells how it is compressed.
fn stem(name: &str) -> &str {
    let ends = [".gz", ".xz", ".zst"];
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// The longest value that any memcached takes.
const VALUE_LEN_MAX: u64 = 1 << 30;

const FORMATS: [(&str, Format); 5] = [
    ("twitter", Format::Twitter),
    ("oracle", Format::Oracle),
    ("cachelib", Format::Cachelib),
    ("plain", Format::Plain),
    ("orm", Format::Orm),
];

#[cfg(test)]
mod tests;
