//! What memcached's maintenance threads are told: kept and shown, because monitors and operators' scripts look for it. The
//! store has one kind of list and no slabs, and looks for expired items in its own way, whatever is said here.

/// Settings of memcached's crawler, list maintainer and page mover: given with `-o`, changed by `lru_crawler`, `lru` and
/// `slabs`, shown by `stats settings`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Maintenance {
    /// Whether the crawler runs; dumps of keys and `lru_crawler crawl` are refused while it does not.
    pub crawler: bool,
    /// Its pause between two items, in microseconds.
    pub crawler_sleep_micros: u32,
    /// Items of a class that it looks at in one go; 0 is all.
    pub crawler_items: u32,
    /// Whether the lists are maintained; without that, `stats` leaves out what is counted about it.
    pub list_maintainer: bool,
    /// Whether there are lists for hot, warm and cold items.
    pub segmented: bool,
    /// Percents of the bytes of a class that are hot.
    pub hot_percent: u32,
    /// Percents that are warm.
    pub warm_percent: u32,
    /// Age of the oldest hot item, as a part of that of the oldest cold one.
    pub hot_factor: f64,
    /// The same for warm items.
    pub warm_factor: f64,
    /// Whether short-lived items have a list of their own.
    pub temporary_list: bool,
    /// The longest life that is short, in seconds.
    pub temporary_ttl: u32,
    /// Seconds after which an item that is referenced is taken for leaked; 0 is never.
    pub tail_repair_seconds: u32,
    /// Whether pages may move between size classes.
    pub reassign: bool,
    /// Whether they do so by themselves: 0 not, 1 slowly, 2 at every eviction.
    pub automove: u8,
    /// How much older the oldest items of a class must be for that.
    pub automove_ratio: f64,
    /// How many seconds are looked back on for that.
    pub automove_window: u32,
    /// The part of all memory that is kept free.
    pub automove_free_ratio: f64,
}

impl Default for Maintenance {
    /// What memcached starts with.
    fn default() -> Self {
        Self {
            crawler: true,
            crawler_sleep_micros: 100,
            crawler_items: 0,
            list_maintainer: true,
            segmented: true,
            hot_percent: 20,
            warm_percent: 40,
            hot_factor: 0.2,
            warm_factor: 2.0,
            temporary_list: false,
            temporary_ttl: 61,
            tail_repair_seconds: 0,
            reassign: true,
            automove: 1,
            automove_ratio: 0.8,
            automove_window: 30,
            automove_free_ratio: 0.01,
        }
    }
}
