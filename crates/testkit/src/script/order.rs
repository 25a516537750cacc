//! Orders of an operator's, right in every detail.

use larder_protocol::{Automove, Change, ClockChange, Decimal, DumpForm, ListMode, ListShares};

use super::Choices;
use crate::reference::{Meaning, Ordered};

/// One order of any kind.
pub(super) fn order(choices: &mut Choices<'_>) -> Meaning {
    let shift = choices.pick(&[0, 1, -1, 86_400, i64::MAX, i64::MIN]);
    let class = choices.pick(&[-1, 0, 1, 5, 39, 40, i32::MAX]);
    let number = choices.pick(&[0, 1, 100, 1_000_000]);
    let decimal = choices.pick(&[0.5, 2.0, 0.011, 1e9]);
    let Some(decimal) = Decimal::new(decimal) else { return Meaning::Version };
    let shares = ListShares {
        hot_percent: choices.pick(&[0, 20, 80]),
        warm_percent: 0,
        hot_factor: decimal,
        warm_factor: decimal,
    };
    let changes = [
        Change::Automove(Automove::FreeRatio(decimal)),
        Change::Automove(Automove::Level(choices.pick(&[0, 1, 2]))),
        Change::Automove(Automove::Ratio(decimal)),
        Change::Automove(Automove::Window(number)),
        Change::Certificates,
        Change::Clock(ClockChange::Pause),
        Change::Clock(ClockChange::Resume),
        Change::Clock(ClockChange::Shift(shift)),
        Change::Crawler(true),
        Change::Crawler(false),
        Change::CrawlerItems(number),
        Change::CrawlerSleep(number),
        Change::Lists(ListMode::Flat),
        Change::Lists(ListMode::Segmented),
        Change::Reassign { source: class, destination: choices.pick(&[1, 2, class]) },
        Change::Shares(shares),
        Change::TemporaryTtl(class),
    ];
    let ordered = match choices.below(changes.len() + 1) {
        index if index < changes.len() => Ordered::from(changes[index]),
        _ => Ordered::Crawl(classes(choices)),
    };
    Meaning::Order { change: ordered, quiet: false }
}

/// A dump of keys.
pub(super) fn key_dump(choices: &mut Choices<'_>) -> Meaning {
    let form = choices.pick(&[DumpForm::Details, DumpForm::Requests]);
    Meaning::KeyDump { form, classes: classes(choices) }
}

fn classes(choices: &mut Choices<'_>) -> Vec<u8> {
    let lists: [&[u8]; 8] = [b"all", b"all", b"hash", b"1", b"2,3", b"1,,63", b"64", b","];
    choices.pick(&lists).to_vec()
}
