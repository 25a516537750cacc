//! The exceptions to the limits: data in one file, each with its reason.
//!
//! A line is `rule | place | number | reason`; empty lines and those that begin with `#` say nothing. The
//! number is what the rule allows at that place instead of its usual limit. An exception that excuses
//! nothing any more is a violation itself, so the list never outlives its reasons.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What may be larger than usual, and where.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    limits: BTreeMap<(String, String), usize>,
    /// Places that a rule asked about: the others are stale.
    asked: RefCell<BTreeSet<(String, String)>>,
}

impl Exceptions {
    /// Reads the file's text.
    ///
    /// # Errors
    /// A sentence with the line that is not understood or gives no reason.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut exceptions = Self::default();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [rule, place, number, reason] = fields[..] else {
                return Err(format!("line {}: not `rule | place | number | reason`", index + 1));
            };
            if !RULES.contains(&rule) {
                return Err(format!("line {}: no rule is called `{rule}`", index + 1));
            }
            if reason.is_empty() {
                return Err(format!("line {}: an exception needs a reason", index + 1));
            }
            let number = number
                .parse()
                .map_err(|_| format!("line {}: `{number}` is not a number", index + 1))?;
            exceptions.limits.insert((rule.to_owned(), place.to_owned()), number);
        }
        Ok(exceptions)
    }

    /// What `rule` allows at `place`, if that differs from the usual.
    pub(super) fn limit(&self, rule: &str, place: &str) -> Option<usize> {
        let key = (rule.to_owned(), place.to_owned());
        let limit = self.limits.get(&key).copied();
        if limit.is_some() {
            self.asked.borrow_mut().insert(key);
        }
        limit
    }

    /// Exceptions for places that no rule has met.
    pub(super) fn stale(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        self.limits
            .keys()
            .filter(|key| !asked.contains(*key))
            .map(|(rule, place)| format!("{rule} | {place}: nothing is there any more"))
            .collect()
    }
}

const RULES: [&str; 3] = ["file-lines", "function-lines", "unsafe"];

#[cfg(test)]
mod tests {
    use super::Exceptions;

    #[test]
    fn malformed_exceptions_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = Exceptions::parse(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        };
        check("file-lines | a.rs", "not `rule | place");
        check("lines | a.rs | 600 | why", "no rule is called `lines`");
        check("file-lines | a.rs | many | why", "not a number");
        check("# fine\n\nfile-lines | a.rs | 600 |", "line 3: an exception needs a reason");
    }

    #[test]
    fn an_exception_that_nothing_needs_is_stale() {
        let text = "file-lines | a.rs | 600 | why\nunsafe | b.rs | 1 | why";
        let exceptions = Exceptions::parse(text).expect("well formed");
        assert_eq!(exceptions.limit("file-lines", "a.rs"), Some(600));
        assert_eq!(exceptions.limit("file-lines", "b.rs"), None);
        assert_eq!(exceptions.stale(), ["unsafe | b.rs: nothing is there any more"]);
    }
}
