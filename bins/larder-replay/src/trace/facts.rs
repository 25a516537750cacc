//! What a trace is like, counted.

use std::fmt;

use serde_json::{Value, json};

use crate::{Trace, Verb};

/// Counts over all accesses of a trace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// All accesses.
    pub accesses: u64,
    /// Those that store, whether the key is there or not.
    pub sets: u64,
    /// Those that remove.
    pub deletes: u64,
    /// Different keys.
    pub keys: u64,
    /// Keys that are accessed once.
    pub keys_once: u64,
    /// Keys whose last access has a TTL.
    pub keys_with_ttl: u64,
    /// Bytes of the different keys.
    pub key_bytes: u64,
    /// Bytes of the values that the different keys have last.
    pub value_bytes: u64,
    /// Seconds from the first access to the last.
    pub span_s: u32,
}

impl Facts {
    /// Counts a trace.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let keys = trace.keys();
        // Per key: accesses, and the last of them.
        let mut last = vec![(0_u32, None); usize::try_from(keys).unwrap_or(0)];
        let mut facts = Self { accesses: trace.accesses.len() as u64, keys, ..Self::default() };
        for access in &trace.accesses {
            match access.verb {
                Verb::Get => {}
                Verb::Set => facts.sets += 1,
                Verb::Delete => facts.deletes += 1,
            }
            facts.span_s = access.at;
            if let Some((count, newest)) =
                usize::try_from(access.key).ok().and_then(|key| last.get_mut(key))
            {
                *count = count.saturating_add(1);
                *newest = Some(access);
            }
        }
        for (count, access) in last {
            facts.keys_once += u64::from(count == 1);
            let Some(access) = access else { continue };
            facts.keys_with_ttl += u64::from(access.ttl > 0);
            facts.key_bytes += u64::from(access.key_len);
            facts.value_bytes += u64::from(access.value_len);
        }
        facts
    }

    /// Bytes of all different keys and their last values: what a cache without overhead would need.
    #[must_use]
    pub fn footprint(&self) -> u64 {
        self.key_bytes + self.value_bytes
    }

    /// The counts by name.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "accesses": self.accesses, "sets": self.sets, "deletes": self.deletes,
            "keys": self.keys, "keys_once": self.keys_once, "keys_with_ttl": self.keys_with_ttl,
            "key_bytes": self.key_bytes, "value_bytes": self.value_bytes,
            "footprint_bytes": self.footprint(), "span_s": self.span_s,
        })
    }
}

impl fmt::Display for Facts {
    #[expect(clippy::cast_precision_loss, reason = "shares are shown with few digits")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let percent = |part: u64, whole: u64| 100.0 * share(part, whole);
        let Self { accesses, sets, deletes, keys, .. } = *self;
        writeln!(f, "accesses    {accesses}: {sets} sets, {deletes} deletes, the rest gets")?;
        writeln!(
            f,
            "keys        {keys}: {:.1} % of the accesses; {:.1} % accessed once, {:.1} % with a TTL",
            percent(keys, accesses),
            percent(self.keys_once, keys),
            percent(self.keys_with_ttl, keys),
        )?;
        let (key, value) = (share(self.key_bytes, keys), share(self.value_bytes, keys));
        writeln!(f, "sizes       {key:.1} bytes a key, {value:.1} a value, in the mean")?;
        writeln!(f, "footprint   {:.1} MiB", self.footprint() as f64 / f64::from(1 << 20))?;
        write!(f, "span        {} s", self.span_s)
    }
}

#[cfg(test)]
mod tests {
    use super::Facts;
    use crate::{Access, Trace, Verb};

    #[test]
    fn each_key_counts_once_with_its_last_value() {
        let access = |key, key_len, value_len, ttl, verb| Access {
            key,
            at: u32::try_from(key).unwrap(),
            value_len,
            ttl,
            key_len,
            verb,
        };
        let accesses = vec![
            access(0, 10, 5, 0, Verb::Get),
            access(1, 20, 7, 60, Verb::Get),
            access(0, 10, 100, 0, Verb::Set),
            access(2, 9, 1, 0, Verb::Delete),
        ];
        let facts = Facts::of(&Trace { name: "t".to_owned(), accesses });
        let expected = Facts {
            accesses: 4,
            sets: 1,
            deletes: 1,
            keys: 3,
            keys_once: 2,
            keys_with_ttl: 1,
            key_bytes: 39,
            value_bytes: 108,
            span_s: 2,
        };
        assert_eq!((facts, facts.footprint()), (expected, 147));
        assert_eq!(Facts::of(&Trace { name: String::new(), accesses: vec![] }), Facts::default());
    }
}
