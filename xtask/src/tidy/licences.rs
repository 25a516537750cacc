//! Licences and sources of everything that is built in, against the lists of `deny.toml`.
//!
//! `cargo deny check` reads the same file and knows more; building it takes a quarter of an hour, and this
//! much takes none.

use super::text::Violation;
use crate::workspace::Package;

/// Checks the packages against the licences that may be built in.
pub(super) fn licences(packages: &[Package], allowed: &[String]) -> Vec<Violation> {
    let mut found = Vec::new();
    for package in packages {
        let message = match package.license.as_deref() {
            None => Some("names no licence".to_owned()),
            Some(expression) => match satisfies(expression, allowed) {
                Ok(true) => None,
                Ok(false) => Some(format!("`{expression}` is not among the licences of deny.toml")),
                Err(reason) => Some(format!("`{expression}`: {reason}")),
            },
        };
        found.extend(message.map(|message| violation(package, message)));
        if package.source.as_deref().is_some_and(|source| source != CRATES_IO) {
            found.push(violation(package, "comes from elsewhere than crates.io".to_owned()));
        }
    }
    found
}

/// The list `allow` of the section `[licenses]` of `deny.toml`.
///
/// # Errors
/// A sentence when there is no such list, or it is empty.
pub(super) fn allowed_licences(deny: &str) -> Result<Vec<String>, String> {
    let list = deny
        .split_once("[licenses]")
        .and_then(|(_, section)| section.split_once("allow = ["))
        .and_then(|(_, list)| list.split_once(']'))
        .map(|(list, _)| list)
        .ok_or("deny.toml has no list `allow` in its section `[licenses]`")?;
    // Every second piece between quotation marks is a name.
    let names: Vec<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    if names.is_empty() { Err("deny.toml allows no licence".to_owned()) } else { Ok(names) }
}

/// Whether an SPDX expression can be met with allowed licences alone.
///
/// `WITH exception` counts as part of the licence's name.
fn satisfies(expression: &str, allowed: &[String]) -> Result<bool, String> {
    // Old manifests separate alternatives by `/`.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    let value = reader.alternatives()?;
    match reader.words {
        [] => Ok(value),
        [word, ..] => Err(format!("`{word}` is out of place")),
    }
}

/// Recursive descent over the words of an expression; `AND` binds closer than `OR`.
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl<'a> Reader<'a> {
    fn alternatives(&mut self) -> Result<bool, String> {
        let mut value = self.conjunction()?;
        while self.eat("OR") {
            // Not `||`: the right side has to be read in any case.
            value |= self.conjunction()?;
        }
        Ok(value)
    }

    fn conjunction(&mut self) -> Result<bool, String> {
        let mut value = self.licence()?;
        while self.eat("AND") {
            value &= self.licence()?;
        }
        Ok(value)
    }

    fn licence(&mut self) -> Result<bool, String> {
        if self.eat("(") {
            let value = self.alternatives()?;
            return if self.eat(")") { Ok(value) } else { Err("a `)` is missing".to_owned()) };
        }
        let name = self.name()?;
        if self.eat("WITH") {
            let full = format!("{name} WITH {}", self.name()?);
            return Ok(self.allowed.contains(&full));
        }
        Ok(self.allowed.iter().any(|allowed| allowed == name))
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let [first, rest @ ..] = self.words else { return Err("it ends too early".to_owned()) };
        if ["AND", "OR", "WITH", "(", ")"].contains(first) {
            return Err(format!("`{first}` is out of place"));
        }
        self.words = rest;
        Ok(first)
    }

    fn eat(&mut self, word: &str) -> bool {
        match self.words {
            [first, rest @ ..] if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

fn violation(package: &Package, message: String) -> Violation {
    Violation { path: format!("{} {}", package.name, package.version), line: 0, message }
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[cfg(test)]
mod tests {
    use super::{CRATES_IO, allowed_licences, licences, satisfies};
    use crate::workspace::Package;

    fn allowed() -> Vec<String> {
        ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).to_vec()
    }

    #[test]
    fn expressions_are_met_by_allowed_licences_only() {
        let check = |expression: &str, expected: bool| {
            assert_eq!(satisfies(expression, &allowed()), Ok(expected), "{expression}");
        };
        check("MIT", true);
        check("GPL-3.0", false);
        check("MIT OR GPL-3.0", true);
        check("GPL-3.0/MIT", true);
        check("MIT AND GPL-3.0", false);
        check("GPL-3.0 OR MIT AND Apache-2.0", true);
        check("(GPL-3.0 OR MIT) AND BSL-1.0", false);
        check("(GPL-3.0 OR MIT) AND Apache-2.0", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("MIT WITH LLVM-exception", false);
        for broken in ["", "MIT OR", "(MIT", "MIT MIT", "OR MIT", "MIT WITH"] {
            assert!(satisfies(broken, &allowed()).is_err(), "{broken}");
        }
    }

    #[test]
    fn packages_without_a_fine_licence_or_source_are_found() {
        let count = |license: Option<&str>, source: Option<&str>| {
            let package = Package {
                license: license.map(str::to_owned),
                source: source.map(str::to_owned),
                ..Package::default()
            };
            licences(&[package], &allowed()).len()
        };
        assert_eq!(count(Some("MIT"), None), 0);
        assert_eq!(count(Some("MIT"), Some(CRATES_IO)), 0);
        assert_eq!(count(Some("AGPL-3.0"), Some(CRATES_IO)), 1);
        assert_eq!(count(None, Some(CRATES_IO)), 1);
        assert_eq!(count(Some("MIT"), Some("git+https://example.org/x")), 1);
    }

    #[test]
    fn the_list_of_deny_toml_is_read() {
        let deny =
            "[bans]\nallow = []\n[licenses]\nallow = [\n  \"MIT\", # reason\n  \"NCSA\",\n]\n";
        assert_eq!(allowed_licences(deny), Ok(vec!["MIT".to_owned(), "NCSA".to_owned()]));
        assert!(allowed_licences("[licenses]\nallow = []").is_err());
        assert!(allowed_licences("[bans]").is_err());
    }
}
