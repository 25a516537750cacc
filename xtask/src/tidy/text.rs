//! Rules over the text of one file.

use std::collections::BTreeMap;
use std::path::Path;

use super::code::{blank, functions, line_of, words};
use super::exceptions::Exceptions;

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) path: String,
    /// Counted from 1; 0 when the whole file is meant.
    pub(super) line: usize,
    pub(super) message: String,
}

/// A file of the source tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// Relative to the top of the tree, with `/` between its parts.
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: self.path.to_owned(), line, message: message.into() }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Every Rust file begins with what it is about.
pub(super) fn module_doc(source: Source<'_>) -> Option<Violation> {
    // Inner attributes and plain comments may stand before the documentation.
    let mut leading = source.text.lines().map(str::trim_start);
    let is_documented = leading
        .find_map(|line| match line {
            _ if line.starts_with("//!") || line.starts_with("#![doc") => Some(true),
            _ if line.is_empty() || line.starts_with("#![") || line.starts_with("//") => None,
            _ => Some(false),
        })
        .unwrap_or(false);
    (!is_documented).then(|| source.violation(1, "begins without a module doc (`//!`)"))
}

/// Files and functions stay small enough to be read at once.
pub(super) fn sizes(source: Source<'_>, exceptions: &Exceptions) -> Vec<Violation> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    let lines_max = exceptions.limit("file-lines", source.path).unwrap_or(FILE_LINES_MAX);
    if lines > lines_max {
        found.push(source.violation(0, format!("{lines} lines: over the limit of {lines_max}")));
    }
    for function in functions(&blank(source.text)) {
        let place = format!("{}::{}", source.path, function.name);
        let lines_max = exceptions.limit("function-lines", &place).unwrap_or(FUNCTION_LINES_MAX);
        if function.lines > lines_max {
            let message = format!(
                "fn {} has {} lines: over the limit of {lines_max}",
                function.name, function.lines
            );
            found.push(source.violation(function.line, message));
        }
    }
    found
}

/// Nothing is left for later, and no test is left out.
pub(super) fn leftovers(source: Source<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for word in NOTES_TO_SELF {
            if words(line, word).next().is_some() {
                found
                    .push(source.violation(index + 1, format!("`{word}`: do it or open an issue")));
            }
        }
    }
    if source.is_rust() {
        let code = blank(source.text);
        for (pattern, advice) in LEFT_OUT {
            for (at, _) in code.match_indices(pattern) {
                let is_whole = at == 0 || !code.as_bytes()[at - 1].is_ascii_alphanumeric();
                if is_whole {
                    found.push(
                        source.violation(line_of(&code, at), format!("`{pattern}`: {advice}")),
                    );
                }
            }
        }
    }
    found
}

/// No path of somebody's machine: it means nothing on another one.
pub(super) fn machine_paths(source: Source<'_>, checkout: &Path) -> Vec<Violation> {
    let mut prefixes: Vec<String> = MACHINE_PATHS.iter().map(|&path| path.to_owned()).collect();
    // A short checkout path such as `/src` would be found in every relative path.
    if checkout.components().count() > 2 {
        prefixes.push(format!("{}/", checkout.display()));
    }
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        for prefix in &prefixes {
            let is_there = line.match_indices(prefix.as_str()).any(|(at, _)| {
                // `a/home/b` is a relative path and `x.org/home/` an address; neither is of this machine.
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "._-/}".contains(c))
            });
            if is_there {
                found.push(source.violation(index + 1, format!("a machine's own path: {prefix}")));
            }
        }
    }
    found
}

/// `unsafe` stands only in listed files, as often as listed.
pub(super) fn unsafe_words(source: Source<'_>, exceptions: &Exceptions) -> Vec<Violation> {
    let code = blank(source.text);
    let found: Vec<usize> = words(&code, "unsafe").collect();
    let allowed = exceptions.limit("unsafe", source.path).unwrap_or(0);
    found
        .into_iter()
        .skip(allowed)
        .map(|at| {
            let message = format!("`unsafe` over the {allowed} that this file may hold");
            source.violation(line_of(&code, at), message)
        })
        .collect()
}

/// The crate attributes that keep a promise of the design: `no_std` (no socket, no clock), no `unsafe`.
pub(super) fn attributes(source: Source<'_>, required: &[&str]) -> Vec<Violation> {
    let code = blank(source.text);
    let squeezed: String = code.split_whitespace().collect();
    required
        .iter()
        .filter(|attribute| !squeezed.contains(**attribute))
        .map(|attribute| source.violation(1, format!("lacks `{attribute}`")))
        .collect()
}

/// No crate re-exports another's types: a reader finds a name where it is defined.
pub(super) fn re_exports(source: Source<'_>, dependencies: &[String]) -> Vec<Violation> {
    let code = blank(source.text);
    let mut found = Vec::new();
    for (at, opening) in code.match_indices("pub use ") {
        let path = code[at + opening.len()..].trim_start().trim_start_matches("::");
        let first = path.split([':', ';', ' ', '{', ',']).next().unwrap_or("");
        if first == "std" || dependencies.iter().any(|name| name.replace('-', "_") == first) {
            let message = format!("re-exports from `{first}`: let users name that crate");
            found.push(source.violation(line_of(&code, at), message));
        }
    }
    found
}

/// A module is named for the type or verb in it; these names say nothing.
pub(super) fn module_name(path: &str) -> Option<Violation> {
    let stem = path.strip_suffix(".rs")?.trim_end_matches("/mod");
    let name = stem.rsplit('/').next().unwrap_or(stem);
    EMPTY_NAMES.contains(&name).then(|| {
        let message = format!("`{name}` is no name: what is the type or verb inside?");
        Violation { path: path.to_owned(), line: 0, message }
    })
}

/// The files at the top of the tree that its readers look for.
pub(super) fn top_files(paths: &[String], wanted: &[&str]) -> Vec<Violation> {
    let missing = wanted.iter().filter(|wanted| !paths.iter().any(|path| path == *wanted));
    let violation = |path: &&str| Violation {
        path: (*path).to_owned(),
        line: 0,
        message: "is missing".to_owned(),
    };
    missing.map(violation).collect()
}

/// Fuzz seeds are a starting point, not a corpus: few for each target. Paths are `TARGET/NAME`.
pub(super) fn seeds(paths: &[String]) -> Vec<Violation> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for (target, _) in paths.iter().filter_map(|path| path.split_once('/')) {
        *counts.entry(target).or_default() += 1;
    }
    let many = counts.into_iter().filter(|(_, count)| *count >= SEEDS_MAX);
    let violation = |(target, count): (&str, usize)| Violation {
        path: format!("fuzz/seeds/{target}"),
        line: 0,
        message: format!("{count} files: fewer than {SEEDS_MAX} are a starting point"),
    };
    many.map(violation).collect()
}

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const SEEDS_MAX: usize = 100;
const EMPTY_NAMES: [&str; 10] =
    ["common", "context", "ctx", "data", "helper", "helpers", "info", "manager", "util", "utils"];

// Put together from halves: this file must keep the rules that it checks.
const NOTES_TO_SELF: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];
const LEFT_OUT: [(&str, &str); 4] = [
    ("#[ignore", "a test runs or goes"),
    ("todo!", "do it"),
    ("unimplemented!", "do it"),
    ("dbg!", "take it out"),
];

#[cfg(test)]
mod tests {
    use super::{
        FILE_LINES_MAX, FUNCTION_LINES_MAX, MACHINE_PATHS, NOTES_TO_SELF, Source, attributes,
        leftovers, machine_paths, module_doc, module_name, re_exports, seeds, sizes, top_files,
        unsafe_words,
    };
    use crate::tidy::exceptions::Exceptions;
    use std::path::Path;

    fn rust(text: &str) -> Source<'_> {
        Source { path: "crates/a/src/b.rs", text }
    }

    #[test]
    fn a_file_without_a_module_doc_is_found() {
        let check = |text: &str, is_fine: bool| {
            assert_eq!(module_doc(rust(text)).is_none(), is_fine, "{text:?}");
        };
        check("//! What it is.\nfn a() {}", true);
        check("#![doc = include_str!(\"../README.md\")]", true);
        check("#![no_std]\n\n//! What it is.", true);
        check("// licence\n//! What it is.", true);
        check("use std::fmt;\n//! Too late.", false);
        check("/// Of the item.\nfn a() {}", false);
        check("", false);
    }

    #[test]
    fn large_files_and_functions_are_found() {
        let lines = |count: usize| "//! x\n".repeat(count);
        let none = Exceptions::default();
        assert_eq!(sizes(rust(&lines(FILE_LINES_MAX)), &none), []);
        assert_eq!(sizes(rust(&lines(FILE_LINES_MAX + 1)), &none).len(), 1);

        let function = |count: usize| format!("fn a() {{\n{}}}", "x();\n".repeat(count - 2));
        assert_eq!(sizes(rust(&function(FUNCTION_LINES_MAX)), &none), []);
        let found = sizes(rust(&function(FUNCTION_LINES_MAX + 1)), &none);
        assert!(found[0].message.contains("fn a has 71 lines"), "{found:?}");

        let excused = "function-lines | crates/a/src/b.rs::a | 80 | a table, one line a switch";
        let exceptions = Exceptions::parse(excused).expect("well formed");
        assert_eq!(sizes(rust(&function(80)), &exceptions), []);
        assert_eq!(sizes(rust(&function(81)), &exceptions).len(), 1);
    }

    #[test]
    fn what_was_left_for_later_is_found() {
        for word in NOTES_TO_SELF {
            assert_eq!(leftovers(rust(&format!("//! {word}: later"))).len(), 1, "{word}");
            assert_eq!(leftovers(rust(&format!("//! {word}MVC"))), [], "part of a longer word");
        }
        for code in
            ["#[ignore]\nfn a() {}", "#[ignore = \"slow\"]", "fn a() { todo!() }", "dbg!(x)"]
        {
            assert_eq!(leftovers(rust(code)).len(), 1, "{code}");
        }
        assert_eq!(leftovers(rust("// says todo! in a comment\nlet a = \"#[ignore]\";")), []);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let checkout = Path::new("/somewhere/deep");
        let count = |text: &str| machine_paths(rust(text), checkout).len();
        for path in MACHINE_PATHS {
            assert_eq!(count(&format!("see {path}x")), 1, "{path}");
            assert_eq!(count(&format!("see crates{path}x")), 0, "relative");
        }
        assert_eq!(count("cd /somewhere/deep/crates"), 1, "the checkout itself");
        assert_eq!(count("cd /usr/share/doc"), 0);
        let short = machine_paths(rust("see /src/a"), Path::new("/src"));
        assert_eq!(short, [], "too short to tell");
    }

    #[test]
    fn unsafe_outside_its_list_is_found() {
        let text = "#![deny(unsafe_code)]\n// unsafe\nfn a() { unsafe { b() } }\n";
        assert_eq!(unsafe_words(rust(text), &Exceptions::default())[0].line, 3);
        let exceptions =
            Exceptions::parse("unsafe | crates/a/src/b.rs | 1 | reason").expect("fine");
        assert_eq!(unsafe_words(rust(text), &exceptions), []);
        let twice = format!("{text}{text}");
        assert_eq!(unsafe_words(rust(&twice), &exceptions).len(), 1);
    }

    #[test]
    fn missing_attributes_are_found() {
        let required = ["#![no_std]", "#![forbid(unsafe_code)]"];
        assert_eq!(attributes(rust("#![no_std]\n#![forbid( unsafe_code )]"), &required), []);
        assert_eq!(attributes(rust("#![no_std]"), &required).len(), 1);
        assert_eq!(attributes(rust("// #![no_std]\n#![deny(unsafe_code)]"), &required).len(), 2);
    }

    #[test]
    fn re_exports_of_other_crates_are_found() {
        let dependencies = ["larder-protocol".to_owned(), "memchr".to_owned()];
        let count = |text: &str| re_exports(rust(text), &dependencies).len();
        assert_eq!(count("pub use larder_protocol::Request;"), 1);
        assert_eq!(count("pub use memchr;"), 1);
        assert_eq!(count("pub use ::memchr::memchr;"), 1);
        assert_eq!(count("pub use std::io;"), 1);
        assert_eq!(count("mod request;\npub use request::Request;\nuse memchr::memchr;"), 0);
        assert_eq!(count("pub use memchrs::x; // pub use memchr;"), 0);
    }

    #[test]
    fn empty_names_are_found() {
        let check = |path: &str, is_fine: bool| {
            assert_eq!(module_name(path).is_none(), is_fine, "{path}");
        };
        check("crates/a/src/util.rs", false);
        check("crates/a/tests/common/mod.rs", false);
        check("crates/a/src/shard.rs", true);
        check("crates/a/src/database.rs", true);
        check("crates/a/data/x.txt", true);
    }

    #[test]
    fn missing_top_files_and_too_many_seeds_are_found() {
        let paths = ["README.md".to_owned(), "a/CHANGELOG.md".to_owned()];
        let found = top_files(&paths, &["README.md", "CHANGELOG.md"]);
        assert_eq!(found.len(), 1, "a file of that name elsewhere is another file");

        let paths = |count: usize| -> Vec<String> {
            (0..count).map(|number| format!("parser/{number}")).collect()
        };
        assert_eq!(seeds(&paths(99)), []);
        assert_eq!(seeds(&paths(100)).len(), 1);
    }
}
