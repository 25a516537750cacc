//! The arrows between the crates, as ARCHITECTURE.md draws them, against what cargo says is there.
//!
//! Development dependencies are free: tests may use anything. Libraries may name only the outside crates
//! that are listed; programs, benches and tasks are leaves, so their outside crates bind nobody.

use super::text::Violation;
use crate::workspace::Package;

/// What a package may be built on.
#[derive(Debug)]
struct Arrows {
    package: &'static str,
    /// Packages of the workspace.
    inner: &'static [&'static str],
    /// Packages from outside; `None` for a leaf, which may choose.
    outer: Option<&'static [&'static str]>,
}

/// Checks every member of the workspace.
pub(super) fn arrows(members: &[Package]) -> Vec<Violation> {
    let mut found = Vec::new();
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    for member in members {
        let mut say = |message: String| found.push(violation(member, message));
        let Some(allowed) = ARROWS.iter().find(|arrows| arrows.package == member.name) else {
            say(format!("`{}` has no place in the drawing of the crates", member.name));
            continue;
        };
        for dependency in &member.dependencies {
            let name = dependency.as_str();
            let is_allowed = if names.contains(&name) {
                allowed.inner.contains(&name)
            } else {
                allowed.outer.is_none_or(|outer| outer.contains(&name))
            };
            if !is_allowed {
                say(format!("no arrow leads from `{}` to `{name}`", member.name));
            }
        }
    }
    found
}

/// Checks what every manifest must say, given its text and the licence of the project.
pub(super) fn manifest(member: &Package, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut say = |message: &str| found.push(violation(member, message.to_owned()));
    if !section_says(text, "[lints]", "workspace=true") {
        say("lacks `[lints] workspace = true`");
    }
    if member.license.as_deref() != Some(LICENSE) {
        say("is not under the project's licence: `license.workspace = true`");
    }
    if member.is_published {
        say("could be published by accident: `publish.workspace = true`");
    }
    found
}

/// Checks that a library has its page, an example and tests of its own, among the paths of the tree.
pub(super) fn furniture(member: &Package, paths: &[String]) -> Vec<Violation> {
    let dir = member.dir.to_string_lossy();
    let has = |start: &str, end: &str| {
        let start = format!("{dir}/{start}");
        paths.iter().any(|path| path.starts_with(&start) && path.ends_with(end))
    };
    let mut found = Vec::new();
    let mut want = |is_there: bool, what: &str| {
        if !is_there {
            found.push(violation(member, format!("has no {what}")));
        }
    };
    if dir.starts_with("crates/") {
        want(has("README.md", ""), "README.md");
        want(has("examples/", ".rs"), "example");
    }
    if dir.starts_with("crates/") || dir.starts_with("bins/") {
        want(has("tests/", ".rs"), "tests of its own");
    }
    found
}

/// Whether a section of a manifest holds a line, blanks aside.
fn section_says(text: &str, section: &str, wanted: &str) -> bool {
    text.lines()
        .skip_while(|line| line.trim() != section)
        .skip(1)
        .take_while(|line| !line.trim_start().starts_with('['))
        .any(|line| line.split_whitespace().collect::<String>() == wanted)
}

fn violation(member: &Package, message: String) -> Violation {
    Violation { path: format!("{}/Cargo.toml", member.dir.display()), line: 0, message }
}

const LICENSE: &str = "Apache-2.0 OR MIT";

const ARROWS: [Arrows; 15] = [
    Arrows { package: "larder-protocol", inner: &[], outer: Some(&["base64", "memchr"]) },
    Arrows { package: "larder-connection", inner: &["larder-protocol"], outer: Some(&["memchr"]) },
    Arrows { package: "larder-pool", inner: &[], outer: Some(&[]) },
    Arrows {
        package: "larder-store",
        inner: &[],
        outer: Some(&["ahash", "parking_lot", "rustix"]),
    },
    Arrows { package: "larder-poller", inner: &[], outer: Some(&["polling", "rustix"]) },
    Arrows { package: "larder-dispatch", inner: &[], outer: Some(&["concurrent-queue"]) },
    Arrows {
        package: "larder-server",
        inner: &[
            "larder-connection",
            "larder-dispatch",
            "larder-poller",
            "larder-pool",
            "larder-protocol",
            "larder-store",
        ],
        // The composition speaks to the system: sockets, its own usage of time and descriptors.
        outer: Some(&["log", "memchr", "nix", "parking_lot", "socket2"]),
    },
    Arrows {
        package: "larder-testkit",
        // What it judges; for development only.
        inner: &["larder-connection", "larder-protocol", "larder-store"],
        outer: Some(&[]),
    },
    Arrows { package: "larder", inner: &["larder-server"], outer: None },
    // A client: it waits on many sockets as the server does, and knows nothing else of it.
    Arrows { package: "larder-load", inner: &["larder-poller"], outer: None },
    // A client of two servers; conversations grow out of the grammar of testkit.
    Arrows {
        package: "larder-differential",
        inner: &["larder-protocol", "larder-testkit"],
        outer: None,
    },
    // A client, and a simulator that asks the store itself; of the server it knows nothing.
    Arrows { package: "larder-replay", inner: &["larder-store"], outer: None },
    // A client that starts its servers; what is too fine for a socket it measures on the store itself.
    Arrows {
        package: "larder-pressure",
        inner: &["larder-load", "larder-store", "larder-testkit"],
        outer: None,
    },
    Arrows {
        package: "larder-benches",
        inner: &["larder-connection", "larder-protocol", "larder-store", "larder-testkit"],
        outer: None,
    },
    Arrows { package: "xtask", inner: &[], outer: Some(&["serde_json"]) },
];

#[cfg(test)]
mod tests {
    use super::{arrows, furniture, manifest};
    use crate::workspace::Package;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            is_member: true,
            license: Some("Apache-2.0 OR MIT".to_owned()),
            dir: format!("crates/{name}").into(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
            ..Package::default()
        }
    }

    #[test]
    fn arrows_that_nobody_drew_are_found() {
        let check = |name: &str, dependencies: &[&str], expected: &[&str]| {
            let others = ["larder-store", "larder-connection", "larder-testkit", "larder-protocol"];
            let mut members: Vec<_> = others.iter().map(|name| package(name, &[])).collect();
            members.retain(|member| member.name != name);
            members.push(package(name, dependencies));
            let found: Vec<_> = arrows(&members).into_iter().map(|v| v.message).collect();
            assert_eq!(found, expected, "{name} on {dependencies:?}");
        };
        check("larder-connection", &["larder-protocol", "memchr"], &[]);
        let seam = "no arrow leads from `larder-connection` to `larder-store`";
        check("larder-connection", &["larder-store"], &[seam]);
        check("larder-pool", &["slab"], &["no arrow leads from `larder-pool` to `slab`"]);
        let leak = "no arrow leads from `larder-server` to `larder-testkit`";
        check("larder-server", &["larder-testkit"], &[leak]);
        check("larder", &["clap"], &[]);
        check("larder", &["larder-store"], &["no arrow leads from `larder` to `larder-store`"]);
        check("larder-common", &[], &["`larder-common` has no place in the drawing of the crates"]);
    }

    #[test]
    fn manifests_that_opt_out_are_found() {
        let fine = package("a", &[]);
        assert_eq!(manifest(&fine, "[lints]\nworkspace = true\n"), []);
        for text in ["", "[lints]\n[dependencies]\nworkspace = true", "[lints]\n# workspace = true"]
        {
            assert_eq!(manifest(&fine, text).len(), 1, "{text}");
        }
        let proprietary = Package { license: None, ..fine.clone() };
        assert_eq!(manifest(&proprietary, "[lints]\nworkspace=true").len(), 1);
        let published = Package { is_published: true, ..fine };
        assert_eq!(manifest(&published, "[lints]\nworkspace=true").len(), 1);
    }

    #[test]
    fn crates_without_page_example_or_tests_are_found() {
        let all = ["crates/a/README.md", "crates/a/examples/x.rs", "crates/a/tests/y.rs"];
        let paths = |left_out: &str| -> Vec<String> {
            all.iter().filter(|path| **path != left_out).map(|&path| path.to_owned()).collect()
        };
        let member = package("a", &[]);
        assert_eq!(furniture(&member, &paths("")), []);
        for path in all {
            assert_eq!(furniture(&member, &paths(path)).len(), 1, "{path}");
        }
        let program = Package { dir: "bins/a".into(), ..member };
        assert_eq!(furniture(&program, &paths("")).len(), 1, "another package's tests");
        let tests = ["bins/a/tests/y.rs".to_owned()];
        assert_eq!(furniture(&program, &tests), []);
    }
}
