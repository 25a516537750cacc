//! What operators order, read from its description.

use larder_protocol::{
    Automove, Change, ClassList, ClockChange, Decimal, DumpForm, ListMode, ListShares, OrderError,
    ParseError,
};

use super::{Meaning, is_quiet, number, signed, signed_wide};

/// An order, owned and comparable: [`Change`] without a line to borrow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// One that borrows nothing.
    Plain(Change<'static>),
    /// `lru_crawler crawl`.
    Crawl(Vec<u8>),
}

impl Ordered {
    /// The same as the parser says it.
    #[must_use]
    pub fn change(&self) -> Change<'_> {
        match self {
            Self::Plain(change) => *change,
            Self::Crawl(classes) => Change::Crawl(ClassList::new(classes)),
        }
    }
}

impl From<Change<'_>> for Ordered {
    fn from(change: Change<'_>) -> Self {
        Self::Plain(match change {
            Change::Crawl(classes) => return Self::Crawl(classes.word().to_vec()),
            Change::Automove(automove) => Change::Automove(automove),
            Change::Certificates => Change::Certificates,
            Change::Clock(clock) => Change::Clock(clock),
            Change::Crawler(is_on) => Change::Crawler(is_on),
            Change::CrawlerItems(items) => Change::CrawlerItems(items),
            Change::CrawlerSleep(micros) => Change::CrawlerSleep(micros),
            Change::Lists(mode) => Change::Lists(mode),
            Change::Reassign { source, destination } => Change::Reassign { source, destination },
            Change::Shares(shares) => Change::Shares(shares),
            Change::TemporaryTtl(ttl) => Change::TemporaryTtl(ttl),
        })
    }
}

/// Says what a line of this name means, or that it is none.
pub(super) fn read_change(name: &[u8], words: &[&[u8]]) -> Meaning {
    let quiet = match (name, words) {
        (b"lru", words) | (b"slabs", words @ [b"automove", ..]) => is_quiet(words),
        _ => false,
    };
    let read = match name {
        b"debugtime" => read_clock(words),
        b"lru" => read_lists(words),
        b"lru_crawler" => match words {
            [b"metadump", classes] => return dump(DumpForm::Details, classes),
            [b"mgdump", classes] => return dump(DumpForm::Requests, classes),
            words => read_crawler(words),
        },
        b"refresh_certs" => Ok(Change::Certificates),
        _ => read_slabs(words),
    };
    match read {
        Ok(change) => Meaning::Order { change: Ordered::from(change), quiet },
        Err(reason) => Meaning::Refused { reason, quiet, skip_len: 0 },
    }
}

fn dump(form: DumpForm, classes: &[u8]) -> Meaning {
    Meaning::KeyDump { form, classes: classes.to_vec() }
}

fn read_clock<'w>(words: &[&'w [u8]]) -> Result<Change<'w>, ParseError> {
    Ok(Change::Clock(match words {
        [b"p"] => ClockChange::Pause,
        [b"r"] => ClockChange::Resume,
        [word] => ClockChange::Shift(signed_wide(word).ok_or(ParseError::UnknownCommand)?),
        _ => return Err(ParseError::UnknownCommand),
    }))
}

fn read_crawler<'w>(words: &[&'w [u8]]) -> Result<Change<'w>, ParseError> {
    match words {
        [b"enable"] => Ok(Change::Crawler(true)),
        [b"disable"] => Ok(Change::Crawler(false)),
        [b"crawl", classes] => Ok(Change::Crawl(ClassList::new(classes))),
        [b"sleep", micros] => match narrow(micros) {
            Some(micros) if micros > 1_000_000 => Err(ParseError::Order(OrderError::SleepTooLong)),
            Some(micros) => Ok(Change::CrawlerSleep(micros)),
            None => Err(ParseError::BadFormat),
        },
        [b"tocrawl", items] => narrow(items).map(Change::CrawlerItems).ok_or(ParseError::BadFormat),
        _ => Err(ParseError::UnknownCommand),
    }
}

fn read_lists<'w>(words: &[&[u8]]) -> Result<Change<'w>, ParseError> {
    match words {
        [b"mode", b"flat", ..] => Ok(Change::Lists(ListMode::Flat)),
        [b"mode", b"segmented", ..] => Ok(Change::Lists(ListMode::Segmented)),
        [b"temp_ttl", ttl, ..] => {
            signed(ttl).map(Change::TemporaryTtl).ok_or(ParseError::UnknownCommand)
        }
        [b"tune", hot, warm, hot_age, warm_age, ..] => {
            let (Some(hot_percent), Some(warm_percent), Some(hot_factor), Some(warm_factor)) =
                (narrow(hot), narrow(warm), decimal(hot_age), decimal(warm_age))
            else {
                return Err(ParseError::UnknownCommand);
            };
            if u64::from(hot_percent) + u64::from(warm_percent) > 80 {
                return Err(ParseError::Order(OrderError::PercentsTooHigh));
            }
            if [hot_factor, warm_factor].iter().any(|factor| factor.value() <= 0.0) {
                return Err(ParseError::Order(OrderError::FactorTooLow));
            }
            Ok(Change::Shares(ListShares { hot_percent, warm_percent, hot_factor, warm_factor }))
        }
        _ => Err(ParseError::UnknownCommand),
    }
}

fn read_slabs<'w>(words: &[&[u8]]) -> Result<Change<'w>, ParseError> {
    match words {
        [b"reassign", source, destination] => match (signed(source), signed(destination)) {
            (Some(source), Some(destination)) => Ok(Change::Reassign { source, destination }),
            _ => Err(ParseError::BadFormat),
        },
        [b"automove", b"ratio" | b"freeratio" | b"window"] => Err(ParseError::UnknownCommand),
        [b"automove", b"ratio", ratio, ..] => {
            let ratio = decimal(ratio).ok_or(ParseError::UnknownCommand)?;
            Ok(Change::Automove(Automove::Ratio(ratio)))
        }
        [b"automove", b"freeratio", ratio, ..] => {
            let ratio = decimal(ratio).ok_or(ParseError::UnknownCommand)?;
            Ok(Change::Automove(Automove::FreeRatio(ratio)))
        }
        [b"automove", b"window", seconds, ..] => {
            let seconds = narrow(seconds).ok_or(ParseError::BadFormat)?;
            Ok(Change::Automove(Automove::Window(seconds)))
        }
        [b"automove", level, ..] => match narrow(level) {
            Some(level @ 0..=2) => {
                Ok(Change::Automove(Automove::Level(u8::try_from(level).unwrap_or(0))))
            }
            Some(_) => Err(ParseError::UnknownCommand),
            None => Err(ParseError::BadFormat),
        },
        _ => Err(ParseError::UnknownCommand),
    }
}

/// An order as a client sends it.
pub(super) fn words_of(ordered: &Ordered) -> Vec<Vec<u8>> {
    let text = match ordered.change() {
        Change::Crawl(classes) => {
            return vec![b"lru_crawler".into(), b"crawl".into(), classes.word().to_vec()];
        }
        Change::Automove(Automove::FreeRatio(ratio)) => {
            format!("slabs automove freeratio {}", ratio.value())
        }
        Change::Automove(Automove::Level(level)) => format!("slabs automove {level}"),
        Change::Automove(Automove::Ratio(ratio)) => {
            format!("slabs automove ratio {}", ratio.value())
        }
        Change::Automove(Automove::Window(seconds)) => format!("slabs automove window {seconds}"),
        Change::Certificates => "refresh_certs".to_owned(),
        Change::Clock(ClockChange::Pause) => "debugtime p".to_owned(),
        Change::Clock(ClockChange::Resume) => "debugtime r".to_owned(),
        Change::Clock(ClockChange::Shift(seconds)) => format!("debugtime {seconds}"),
        Change::Crawler(true) => "lru_crawler enable".to_owned(),
        Change::Crawler(false) => "lru_crawler disable".to_owned(),
        Change::CrawlerItems(items) => format!("lru_crawler tocrawl {items}"),
        Change::CrawlerSleep(micros) => format!("lru_crawler sleep {micros}"),
        Change::Lists(ListMode::Flat) => "lru mode flat".to_owned(),
        Change::Lists(ListMode::Segmented) => "lru mode segmented".to_owned(),
        Change::Reassign { source, destination } => {
            format!("slabs reassign {source} {destination}")
        }
        Change::Shares(ListShares { hot_percent, warm_percent, hot_factor, warm_factor }) => {
            let (hot, warm) = (hot_factor.value(), warm_factor.value());
            format!("lru tune {hot_percent} {warm_percent} {hot} {warm}")
        }
        Change::TemporaryTtl(ttl) => format!("lru temp_ttl {ttl}"),
    };
    text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// Whether the order exists with `noreply`.
pub(super) fn has_noreply(ordered: &Ordered) -> bool {
    matches!(
        ordered.change(),
        Change::Automove(_) | Change::Lists(_) | Change::Shares(_) | Change::TemporaryTtl(_)
    )
}

fn narrow(word: &[u8]) -> Option<u32> {
    number(word).and_then(|number| u32::try_from(number).ok())
}

fn decimal(word: &[u8]) -> Option<Decimal> {
    std::str::from_utf8(word).ok()?.parse().ok().and_then(Decimal::new)
}
