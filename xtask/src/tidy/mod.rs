//! `cargo xtask tidy`: everything that a reader of the source may rely on without checking.
//!
//! The rules are functions over text and metadata, each with tests that show it catching a violation; this
//! module reads the tree and hands it to them.

mod arrows;
mod code;
mod exceptions;
mod licences;
mod text;

use std::fs;
use std::path::Path;
use std::process::Command;

use self::exceptions::Exceptions;
use self::text::{Source, Violation};
use crate::process::run;
use crate::tally::{Stopwatch, Tally};
use crate::workspace::{Package, Workspace, cargo, source_root};

/// Checks the rules, then format, lints and documentation.
pub(crate) fn tidy() -> Tally {
    let mut tally = Tally::default();
    rules(&mut tally);
    for (name, mut command) in cargo_checks() {
        let clock = Stopwatch::start();
        let result = run(&mut command).map(|()| String::new());
        tally.check(name, result, clock);
    }
    tally
}

/// The checks that cargo's own tools make.
fn cargo_checks() -> [(&'static str, Command); 5] {
    let with = |args: &[&str]| {
        let mut command = cargo();
        command.current_dir(source_root()).args(args);
        command
    };
    let mut documentation = with(&["doc", "--workspace", "--no-deps"]);
    documentation.env("RUSTDOCFLAGS", "-Dwarnings");
    [
        ("format", with(&["fmt", "--all", "--check"])),
        ("format of fuzz", with(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])),
        ("lints", with(&["clippy", "--workspace", "--all-targets", "--", "-Dwarnings"])),
        (
            "lints of hold-times",
            with(&[
                "clippy",
                "--package=larder-store",
                "--package=larder-pressure",
                "--features=hold-times",
                "--all-targets",
                "--",
                "-Dwarnings",
            ]),
        ),
        ("documentation", documentation),
    ]
}

/// The rules of this module, a row each.
fn rules(tally: &mut Tally) {
    let clock = Stopwatch::start();
    let tree = match Tree::read() {
        Ok(tree) => tree,
        Err(error) => return tally.check("source tree", Err(error), clock),
    };
    let members: Vec<Package> = tree.workspace.members().cloned().collect();
    let exceptions = &tree.exceptions;
    let rust = || tree.sources().filter(Source::is_rust);
    let root = &tree.workspace.root;

    let mut check = |name: &str, find: &dyn Fn() -> Vec<Violation>| {
        let clock = Stopwatch::start();
        let found = find();
        for violation in &found {
            println!("{}", shown(violation));
        }
        let result = match found.len() {
            0 => Ok(String::new()),
            count => Err(format!("{count} violations")),
        };
        tally.check(name, result, clock);
    };
    check("module docs", &|| rust().filter_map(text::module_doc).collect());
    check("sizes", &|| rust().flat_map(|source| text::sizes(source, exceptions)).collect());
    check("nothing left for later", &|| tree.sources().flat_map(text::leftovers).collect());
    check("no paths of a machine", &|| {
        tree.sources().flat_map(|source| text::machine_paths(source, root)).collect()
    });
    check("unsafe files", &|| {
        rust().flat_map(|source| text::unsafe_words(source, exceptions)).collect()
    });
    // After the rules that ask for them.
    check("exceptions are needed", &|| {
        let stale = exceptions.stale().into_iter();
        stale.map(|message| Violation { path: EXCEPTIONS.to_owned(), line: 0, message }).collect()
    });
    check("top files, seeds", &|| {
        let mut found = text::top_files(&tree.paths, &TOP_FILES);
        found.extend(text::seeds(&tree.seeds));
        found
    });
    check("names of modules", &|| {
        tree.paths.iter().filter_map(|path| text::module_name(path)).collect()
    });
    check("crate promises", &|| tree.promises());
    check("crate arrows", &|| arrows::arrows(&members));
    check("no re-exports", &|| tree.re_exports(&members));
    check("manifests", &|| tree.manifests(&members));
    check("pages, examples, tests", &|| {
        members.iter().flat_map(|member| arrows::furniture(member, &tree.paths)).collect()
    });
    check("licences", &|| tree.licences());
}

fn shown(violation: &Violation) -> String {
    let Violation { path, line, message } = violation;
    if *line == 0 { format!("{path}: {message}") } else { format!("{path}:{line}: {message}") }
}

/// The source tree as it was read: every file that is text, and what cargo knows.
struct Tree {
    workspace: Workspace,
    /// Packages of `fuzz/`, which is a workspace of its own.
    fuzz_packages: Vec<Package>,
    exceptions: Exceptions,
    paths: Vec<String>,
    /// Paths of the fuzz seeds, which are no text.
    seeds: Vec<String>,
    texts: Vec<String>,
}

impl Tree {
    fn read() -> Result<Self, String> {
        let workspace = Workspace::load()?;
        let fuzz = Workspace::load_manifest(&workspace.root.join("fuzz/Cargo.toml"))?;
        let exceptions = fs::read_to_string(workspace.root.join(EXCEPTIONS))
            .map_err(|error| format!("{EXCEPTIONS}: {error}"))?;
        let exceptions =
            Exceptions::parse(&exceptions).map_err(|error| format!("{EXCEPTIONS}: {error}"))?;
        let mut paths = Vec::new();
        collect(&workspace.root, "", &mut paths)
            .map_err(|error| format!("the source tree cannot be read: {error}"))?;
        paths.sort();
        let mut seeds = Vec::new();
        collect(&workspace.root.join("fuzz/seeds"), "", &mut seeds)
            .map_err(|error| format!("fuzz/seeds cannot be read: {error}"))?;
        // What is no text (a fuzz input, a picture) is no concern of these rules.
        let read =
            |path: &String| fs::read_to_string(workspace.root.join(path)).unwrap_or_default();
        let texts = paths.iter().map(read).collect();
        Ok(Self { workspace, fuzz_packages: fuzz.packages, exceptions, paths, seeds, texts })
    }

    fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        self.paths
            .iter()
            .zip(&self.texts)
            .filter(|(path, _)| !path.ends_with(".lock") && !path.ends_with("package-lock.json"))
            .map(|(path, text)| Source { path, text })
    }

    fn text_of(&self, wanted: &str) -> Option<&str> {
        let position = self.paths.iter().position(|path| path == wanted)?;
        self.texts.get(position).map(String::as_str)
    }

    fn promises(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for (path, required) in PROMISES {
            match self.text_of(path) {
                Some(text) => found.extend(text::attributes(Source { path, text }, required)),
                None => found.push(missing(path)),
            }
        }
        found
    }

    fn re_exports(&self, members: &[Package]) -> Vec<Violation> {
        let mut found = Vec::new();
        for member in members {
            let start = format!("{}/src/", member.dir.display());
            for source in self.sources().filter(|s| s.is_rust() && s.path.starts_with(&start)) {
                found.extend(text::re_exports(source, &member.dependencies));
            }
        }
        found
    }

    fn manifests(&self, members: &[Package]) -> Vec<Violation> {
        let mut found = Vec::new();
        for member in members {
            let path = format!("{}/Cargo.toml", member.dir.display());
            match self.text_of(&path) {
                Some(text) => found.extend(arrows::manifest(member, text)),
                None => found.push(missing(path)),
            }
        }
        found
    }

    fn licences(&self) -> Vec<Violation> {
        let allowed = self
            .text_of("deny.toml")
            .ok_or_else(|| "is missing".to_owned())
            .and_then(licences::allowed_licences);
        match allowed {
            Ok(allowed) => {
                let mut found = licences::licences(&self.workspace.packages, &allowed);
                found.extend(licences::licences(&self.fuzz_packages, &allowed));
                found
            }
            Err(message) => vec![Violation { path: "deny.toml".to_owned(), line: 0, message }],
        }
    }
}

fn missing(path: impl ToString) -> Violation {
    Violation { path: path.to_string(), line: 0, message: "is missing".to_owned() }
}

/// Collects the paths of the files below `dir`, what is built or downloaded left out.
fn collect(root: &Path, dir: &str, paths: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(dir))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
        if LEFT_OUT_DIRS.contains(&name.as_str()) || LEFT_OUT_DIRS.contains(&path.as_str()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(root, &path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

const EXCEPTIONS: &str = "xtask/src/tidy/exceptions.txt";

/// What the top of the tree holds for its readers.
const TOP_FILES: [&str; 7] = [
    ".ci/run",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
];

const LEFT_OUT_DIRS: [&str; 8] = [
    ".git",
    "__pycache__",
    "fuzz/artifacts",
    "fuzz/corpus",
    "fuzz/regressions",
    "fuzz/seeds",
    "node_modules",
    "target",
];

/// What the root of a crate says, so that the compiler keeps the design's promise.
const PROMISES: [(&str, &[&str]); 10] = [
    ("crates/protocol/src/lib.rs", &["#![no_std]", "#![forbid(unsafe_code)]"]),
    ("crates/connection/src/lib.rs", &["#![no_std]", "#![forbid(unsafe_code)]"]),
    ("crates/pool/src/lib.rs", &["#![no_std]", "#![forbid(unsafe_code)]"]),
    ("crates/store/src/lib.rs", &["#![deny(unsafe_code)]"]),
    ("crates/dispatch/src/lib.rs", &["#![forbid(unsafe_code)]"]),
    ("crates/server/src/lib.rs", &["#![forbid(unsafe_code)]"]),
    ("crates/testkit/src/lib.rs", &["#![forbid(unsafe_code)]"]),
    ("bins/larder/src/main.rs", &["#![forbid(unsafe_code)]"]),
    ("bins/larder-load/src/main.rs", &["#![forbid(unsafe_code)]"]),
    ("xtask/src/main.rs", &["#![forbid(unsafe_code)]"]),
];
