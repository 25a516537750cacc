//! What operators order that is neither about items nor about statistics: `lru_crawler`, `lru`, `slabs`, `debugtime`,
//! `refresh_certs`.

use crate::listing::{ClassList, DumpForm, KeyDump};
use crate::number::{Decimal, parse_narrow, parse_signed, parse_signed_wide};
use crate::parse::{Parsed, is_quiet};
use crate::words::Words;
use crate::{ParseError, Rejection, Request};

/// An order of an operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order<'a> {
    /// What is to change.
    pub change: Change<'a>,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// What an operator changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// `slabs automove`.
    Automove(Automove),
    /// `refresh_certs`: reads the certificates again.
    Certificates,
    /// `debugtime`: the server's clock.
    Clock(ClockChange),
    /// `lru_crawler crawl`: looks for expired items now.
    Crawl(ClassList<'a>),
    /// `lru_crawler enable`, `disable`.
    Crawler(bool),
    /// `lru_crawler tocrawl`: how many items of a class are looked at in one go; 0 is all of them.
    CrawlerItems(u32),
    /// `lru_crawler sleep`: its pause between two items, in microseconds, at most [`SLEEP_MICROS_MAX`].
    CrawlerSleep(u32),
    /// `lru mode`.
    Lists(ListMode),
    /// `slabs reassign`: moves a page from one size class to another; a source of -1 is any class.
    Reassign {
        /// Number of the class that gives it.
        source: i32,
        /// Number of the class that gets it.
        destination: i32,
    },
    /// `lru tune`.
    Shares(ListShares),
    /// `lru temp_ttl`: items that live no longer than so many seconds have a list of their own; below 0 none do.
    TemporaryTtl(i32),
}

/// How pages move between size classes by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Automove {
    /// The part of all memory that is kept free.
    FreeRatio(Decimal),
    /// 0 not at all, 1 slowly, 2 at every eviction.
    Level(u8),
    /// How much older the oldest items of a class must be than those of others.
    Ratio(Decimal),
    /// How many seconds are looked back on.
    Window(u32),
}

/// A change of the server's clock, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// It stands still.
    Pause,
    /// It goes on, at the time that it would show had it not stood still.
    Resume,
    /// It is put forward, or back, by so many seconds.
    Shift(i64),
}

/// How many lists the items of a size class are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListMode {
    /// One.
    Flat,
    /// Hot, warm and cold.
    Segmented,
}

/// What items may be in the lists for hot and for warm ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListShares {
    /// Percents of the bytes of a class that are hot.
    pub hot_percent: u32,
    /// Percents that are warm; with those that are hot, [`PERCENT_SUM_MAX`] at most.
    pub warm_percent: u32,
    /// Age of the oldest hot item, as a part of that of the oldest cold one; above 0.
    pub hot_factor: Decimal,
    /// The same for warm items.
    pub warm_factor: Decimal,
}

/// Why an order is not obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderError {
    /// The crawler runs already.
    CrawlerRuns,
    /// A factor of 0 or less.
    FactorTooLow,
    /// The source has no page to give.
    NoSparePage,
    /// A class that does not exist.
    NoSuchClass,
    /// More percents than [`PERCENT_SUM_MAX`].
    PercentsTooHigh,
    /// Pages are not to be moved.
    ReassignDisabled,
    /// Source and destination are one.
    SameClass,
    /// More than [`SLEEP_MICROS_MAX`].
    SleepTooLong,
    /// There is no TLS.
    TlsNotEnabled,
    /// The crawler does not do that.
    Unknown,
}

impl OrderError {
    /// The whole reply, its line end included.
    pub const fn line(self) -> &'static [u8] {
        match self {
            Self::CrawlerRuns => b"ERROR failed to start lru crawler thread\r\n",
            Self::FactorTooLow => b"ERROR hot/warm age factors must be greater than 0\r\n",
            Self::NoSparePage => b"NOSPARE source class has no spare pages\r\n",
            Self::NoSuchClass => b"BADCLASS invalid src or dst class id\r\n",
            Self::PercentsTooHigh => b"ERROR hot and warm pcts must not exceed 80\r\n",
            Self::ReassignDisabled => b"CLIENT_ERROR slab reassignment disabled\r\n",
            Self::SameClass => b"SAME src and dst class are identical\r\n",
            Self::SleepTooLong => b"CLIENT_ERROR sleep must be one second or less\r\n",
            Self::TlsNotEnabled => b"Error TLS not enabled\r\n",
            Self::Unknown => b"ERROR an unknown error happened\r\n",
        }
    }
}

/// Words after `debugtime`: seconds, `p` or `r`.
pub(crate) fn parse_clock(mut words: Words<'_>) -> Parsed<'_> {
    let change = match (words.next(), words.next()) {
        (Some(b"p"), None) => ClockChange::Pause,
        (Some(b"r"), None) => ClockChange::Resume,
        (Some(seconds), None) => {
            ClockChange::Shift(parse_signed_wide(seconds).ok_or(ParseError::UnknownCommand)?)
        }
        _ => return Err(ParseError::UnknownCommand.into()),
    };
    order(Change::Clock(change), false)
}

/// Words after `lru_crawler`, which knows no `noreply`.
pub(crate) fn parse_crawler(mut words: Words<'_>) -> Parsed<'_> {
    let (Some(verb), argument, None) = (words.next(), words.next(), words.next()) else {
        return Err(ParseError::UnknownCommand.into());
    };
    let change = match (verb, argument) {
        (b"enable", None) => Change::Crawler(true),
        (b"disable", None) => Change::Crawler(false),
        (b"crawl", Some(classes)) => Change::Crawl(ClassList::new(classes)),
        (b"metadump", Some(classes)) => return dump(DumpForm::Details, classes),
        (b"mgdump", Some(classes)) => return dump(DumpForm::Requests, classes),
        (b"sleep", Some(micros)) => match parse_narrow(micros).ok_or(ParseError::BadFormat)? {
            micros @ ..=SLEEP_MICROS_MAX => Change::CrawlerSleep(micros),
            _ => return Err(ParseError::Order(OrderError::SleepTooLong).into()),
        },
        (b"tocrawl", Some(items)) => {
            Change::CrawlerItems(parse_narrow(items).ok_or(ParseError::BadFormat)?)
        }
        _ => return Err(ParseError::UnknownCommand.into()),
    };
    order(change, false)
}

fn dump(form: DumpForm, classes: &[u8]) -> Parsed<'_> {
    Ok(Request::KeyDump(KeyDump { form, classes: ClassList::new(classes) }))
}

/// Words after `lru`; those that are too many mean nothing.
pub(crate) fn parse_lists(mut words: Words<'_>) -> Parsed<'_> {
    let quiet = is_quiet(words);
    let refuse = |reason| Rejection { reason, quiet, skip_len: 0 };
    let change = match (words.next(), words.next()) {
        (Some(b"mode"), Some(b"flat")) => Some(Change::Lists(ListMode::Flat)),
        (Some(b"mode"), Some(b"segmented")) => Some(Change::Lists(ListMode::Segmented)),
        (Some(b"temp_ttl"), Some(ttl)) => parse_signed(ttl).map(Change::TemporaryTtl),
        (Some(b"tune"), Some(hot_percent)) => match parse_shares(hot_percent, words) {
            Some(shares) => Some(Change::Shares(check_shares(shares).map_err(refuse)?)),
            None => None,
        },
        _ => None,
    };
    order(change.ok_or_else(|| refuse(ParseError::UnknownCommand))?, quiet)
}

fn parse_shares(hot_percent: &[u8], mut words: Words<'_>) -> Option<ListShares> {
    Some(ListShares {
        hot_percent: parse_narrow(hot_percent)?,
        warm_percent: parse_narrow(words.next()?)?,
        hot_factor: Decimal::parse(words.next()?)?,
        warm_factor: Decimal::parse(words.next()?)?,
    })
}

fn check_shares(shares: ListShares) -> Result<ListShares, ParseError> {
    if shares.hot_percent.saturating_add(shares.warm_percent) > PERCENT_SUM_MAX {
        return Err(ParseError::Order(OrderError::PercentsTooHigh));
    }
    if shares.hot_factor.value() <= 0.0 || shares.warm_factor.value() <= 0.0 {
        return Err(ParseError::Order(OrderError::FactorTooLow));
    }
    Ok(shares)
}

/// Words after `slabs`. Only `automove` knows `noreply`, and ignores what is too much.
pub(crate) fn parse_slabs(mut words: Words<'_>) -> Parsed<'_> {
    let verb = words.next();
    let quiet = verb == Some(b"automove") && is_quiet(words);
    let refuse = |reason| Rejection { reason, quiet, skip_len: 0 };
    let change = match (verb, words.next(), words.next(), words.next()) {
        (Some(b"reassign"), Some(source), Some(destination), None) => {
            let number = |word| parse_signed(word).ok_or_else(|| refuse(ParseError::BadFormat));
            Change::Reassign { source: number(source)?, destination: number(destination)? }
        }
        (Some(b"automove"), Some(what), value, _) => {
            Change::Automove(parse_automove(what, value).map_err(refuse)?)
        }
        _ => return Err(refuse(ParseError::UnknownCommand)),
    };
    order(change, quiet)
}

fn parse_automove(what: &[u8], value: Option<&[u8]>) -> Result<Automove, ParseError> {
    let decimal = || value.and_then(Decimal::parse).ok_or(ParseError::UnknownCommand);
    match what {
        b"ratio" => Ok(Automove::Ratio(decimal()?)),
        b"freeratio" => Ok(Automove::FreeRatio(decimal()?)),
        b"window" => {
            let seconds = parse_narrow(value.ok_or(ParseError::UnknownCommand)?);
            Ok(Automove::Window(seconds.ok_or(ParseError::BadFormat)?))
        }
        level => match parse_narrow(level).ok_or(ParseError::BadFormat)? {
            0 => Ok(Automove::Level(0)),
            1 => Ok(Automove::Level(1)),
            2 => Ok(Automove::Level(2)),
            _ => Err(ParseError::UnknownCommand),
        },
    }
}

pub(crate) const fn order(change: Change<'_>, quiet: bool) -> Parsed<'_> {
    Ok(Request::Order(Order { change, quiet }))
}

/// Longest pause of the crawler, in microseconds: a second.
pub const SLEEP_MICROS_MAX: u32 = 1_000_000;

/// Percents that hot and warm items may have between them.
pub const PERCENT_SUM_MAX: u32 = 80;
