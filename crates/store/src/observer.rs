//! Who is told of what the store does unasked.

use std::fmt;

use crate::seconds::Seconds;
use crate::visit::Visit;

/// Is told of evictions, as they happen: [`crate::Config::observer`].
///
/// It is called under the lock of the item's shard, by the thread whose request needs the room or that sweeps: it should
/// copy what it wants and return, and must not call the store. It may take a lock of its own under which nobody calls
/// the store.
pub trait Observer: fmt::Debug + Send + Sync {
    /// This item is evicted: it had neither expired nor been flushed, and is gone after the call.
    fn evicts(&self, item: Visit<'_>, now: Seconds);
}
