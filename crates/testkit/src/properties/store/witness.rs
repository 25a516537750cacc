//! Who hears of evictions.

use std::sync::{Arc, Mutex, PoisonError};

use larder_store::{Observer, Seconds, Visit};

use super::shown::Shown;

/// The keys and items that were evicted, in order.
type Evicted = Vec<(Vec<u8>, Shown)>;

/// Writes down what is evicted. A clone hears the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness {
    evicted: Arc<Mutex<Evicted>>,
}

impl Witness {
    /// What was evicted since this was asked last, in order.
    pub(super) fn take(&self) -> Evicted {
        let mut evicted = self.evicted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *evicted)
    }
}

impl Observer for Witness {
    fn evicts(&self, item: Visit<'_>, _now: Seconds) {
        let mut evicted = self.evicted.lock().unwrap_or_else(PoisonError::into_inner);
        evicted.push((item.key().to_vec(), Shown::of(&item)));
    }
}
