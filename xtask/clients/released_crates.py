"""The tests that Rust clients were released with: python released_crates.py NAME PLACE SERVER HOST PORT

Cargo has their sources, because tests of Larder use these crates. They are copied below PLACE and built there,
with addresses of this run in place of those wired into the tests, and without what has no server to test.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys

from conversation import Conversation
from serving import serving, serving_socket

NAME, PLACE, SERVER, HOST, PORT = sys.argv[1:6]


def memcache(servers):
    """Text, binary, meta and UDP: all but what needs TLS, which is an address in a list of many."""

    def port(**options):
        return servers.enter_context(serving(SERVER, **options))

    wired = {"localhost:12345": f"localhost:{PORT}", "localhost:22345": f"localhost:{port(udp=True)}"}
    wired |= {f"localhost:{number}": f"localhost:{port()}" for number in range(12346, 12350)}
    wired["/tmp/memcached2.sock"] = servers.enter_context(serving_socket(SERVER))
    return {
        "replace": [(r'\n *"memcache\+tls:[^\n]*', ""), *((re.escape(old), new) for old, new in wired.items())],
        "features": ["serde_json", "tokio"],
        "tests": ["test_ascii", "test_async_memcache", "test_exp_memcache", "test_exp_meta_client", "test_memcache", "tests"],
        # Servers are shared, and some tests flush them.
        "threads": 1,
        "environment": {},
        "left_out": [],
        "of_newer_servers": ["byte_streams", "exp_cas_flow", "verbs_roundtrip"],
    }


def async_memcached(_servers):
    """Those that start memcached; not those with peers of their own, nor with a proxy that loses connections."""
    return {
        "replace": [
            # Asked for of every server; what an older one does not know is named below.
            (r"\[1, 6, 40\]", "[1, 6, 18]"),
            (r"\npub mod toxiproxy;", ""),
            (r"\n\[dev-dependencies\.(toxiproxy_rust|criterion)\](\n[^\n\[][^\n]*)*", ""),
            (r"\n\[\[bench\]\](\n[^\n\[][^\n]*)*", ""),
            (r'\n\[\[test\]\]\nname = "resiliency_tests"(\n[^\n\[][^\n]*)*', ""),
        ],
        "features": [],
        "tests": [f"{name}_integration_tests" for name in ("ascii_proto", "client", "meta_proto", "pipeline")],
        "threads": 2,
        "environment": {"MEMCACHED_BIN": SERVER},
        # This release takes the `OK` with which a dump begins since memcached 1.6.43 for an item.
        "left_out": [
            "empty_key_dump_finishes_and_leaves_the_connection_usable",
            "populated_key_dump_reads_every_entry_and_leaves_the_connection_usable",
        ],
        "of_newer_servers": [
            "meta_pipeline_distinguishes_empty_hits_tombstones_and_misses",
            "test_meta_delete_tombstones_key",
            "test_meta_delete_with_matching_cas_flags",
            "test_meta_delete_with_mismatched_cas_flags",
            "test_meta_increment_with_matching_cas_flag",
            "test_meta_increment_with_mismatched_cas_flag",
            "test_meta_set_invalidate_on_expired_cas",
            "test_meta_set_invalidate_on_non_expired_cas",
            "test_meta_set_nonexistent_key_in_append_mode_with_autovivify",
            "test_meta_set_with_cas_match_on_key_that_exists",
            "test_meta_set_with_cas_mismatch_on_key_that_exists",
            "test_quiet_mode_meta_set_with_cas_match_on_key_that_exists",
            "test_quiet_mode_meta_set_with_cas_mismatch_on_key_that_exists",
            "tombstone_with_dropped_value_transitions_from_stale_to_miss",
        ],
    }


def source():
    """The directory of the crate's source, and the version."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    packages = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    package = next(package for package in packages if package["name"] == NAME)
    return pathlib.Path(package["manifest_path"]).parent, package["version"]


def copy(directory, copied, replacements):
    """Copies the sources with their replacements; files that are as they should be stay, so that cargo does not build them again."""
    for path in directory.rglob("*"):
        if path.suffix not in (".lock", ".md", ".rs", ".toml"):
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".rs" and "tests" in path.parts or path == directory / "Cargo.toml":
            for pattern, replacement in replacements:
                text = re.sub(pattern, replacement, text)
        if path == directory / "Cargo.toml":
            # Else the workspace that it lies in would be asked about it.
            text += "\n[workspace]\n"
        target = copied / path.relative_to(directory)
        if not target.exists() or target.read_text(encoding="utf-8") != text and path.suffix != ".lock":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


def is_older():
    """Whether the server lacks what meta commands learned between memcached 1.6.18 and 1.6.40."""
    with Conversation((HOST, int(PORT))) as server:
        version = server.ask(b"version\r\n").split()[1].decode()
    return [int(part) for part in version.split(".")] < [1, 6, 40]


def run(directory, suite):
    """Builds and runs the tests; gives how many passed and failed."""
    skipped = suite["left_out"] + (suite["of_newer_servers"] if is_older() else [])
    command = ["cargo", "test", "--no-default-features", "--no-fail-fast", "--features", ",".join(suite["features"])]
    command += [part for name in suite["tests"] for part in ("--test", name)]
    command += ["--", "--include-ignored", "--exact", f"--test-threads={suite['threads']}"]
    command += [part for name in skipped for part in ("--skip", name)]
    # No debug information: it is half of the time and most of the space.
    environment = {
        **os.environ,
        "CARGO_INCREMENTAL": "0",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_TARGET_DIR": str(directory.parent / "target"),
        **suite["environment"],
    }
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.PIPE, text=True)
    passed = failed = filtered = 0
    for line in process.stdout:
        print(line, end="")
        if counts := re.match(r"test result: .* (\d+) passed; (\d+) failed; 0 ignored; 0 measured; (\d+) filtered", line):
            passed += int(counts[1])
            failed += int(counts[2])
            filtered += int(counts[3])
    # A build that failed is a failure, and so is a name of a test that is no more.
    if process.wait() != 0 or filtered != len(skipped):
        failed = max(failed, 1)
    return passed, failed


with contextlib.ExitStack() as servers:
    suite = {"memcache": memcache, "async-memcached": async_memcached}[NAME](servers)
    directory, version = source()
    copied = pathlib.Path(PLACE).resolve() / f"{NAME}-{version}"
    copy(directory, copied, suite["replace"])
    passed, failed = run(copied, suite)
print(f"{NAME}, as released: {passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
