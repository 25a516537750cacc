"""libmemcached's programs over UDP: libmemcached_udp.py PROGRAM.

It starts a server of the program itself: the others have no UDP. `memcaslap` reads its replies, puts
them together and compares values; the other programs only send, and a loss is no failure of theirs.
"""

import os
import re
import subprocess
import sys
import tempfile

from checks import Checks, equal, until
from conversation import Conversation
from serving import started

PROGRAM = sys.argv[1]


def run(*command):
    """What a program prints, which must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout} {done.stderr}")
    return done.stdout


def with_server(check):
    """A check with a server of its own, of which it is told the UDP address and a connection."""

    def checked():
        with started(PROGRAM, ["-l", "127.0.0.1", "-p", "-1", "-U", "-1"]) as (directory, _):
            with open(os.path.join(directory, "port"), encoding="ascii") as lines:
                ports = dict(re.findall(r"^(TCP|UDP) INET: (\d+)$", lines.read(), re.MULTILINE))
            with Conversation(("127.0.0.1", int(ports["TCP"]))) as server:
                check(f"127.0.0.1:{ports['UDP']}", server)

    checked.__name__ = check.__name__
    return checked


@with_server
def memcaslap_finds_what_it_stored(address, _):
    """Sets and gets of 1 KB values, each in a datagram, a fifth of them compared."""
    found = run(
        "memcaslap", "-s", address, "--udp", "-x", "20000", "-T", "1", "-c", "16", "-v", "0.2"
    )
    counts = dict(re.findall(r"^(\w+): (\d+)$", found, re.MULTILINE))
    equal((counts["cmd_get"], counts["cmd_set"]), ("18000", "2000"))
    wrong = ["get_misses", "verify_misses", "verify_failed", "packet_disorder", "packet_drop", "udp_timeout"]
    equal({name: counts[name] for name in wrong}, dict.fromkeys(wrong, "0"))


@with_server
def memccp_stores_files(address, server):
    """It sends and does not wait."""
    with tempfile.TemporaryDirectory() as directory:
        files = {b"one": b"a value\n", b"two": b"x" * 1000}
        for name, content in files.items():
            with open(os.path.join(directory, name.decode()), "wb") as file:
                file.write(content)
            run("memccp", "--udp", f"--servers={address}", file.name)
    for name, content in files.items():
        until(lambda name=name: server.get(name) is not None)
        equal(server.get(name)[0], content)


@with_server
def memcslap_sets_in_both_protocols(address, server):
    """More than the system keeps for a socket: some of it arrives, and the server goes on."""
    for protocol in [[], ["--binary"]]:
        run("memcslap", "--udp", *protocol, f"--servers={address}", "--test=set", "-e", "500", "-c", "2")
        until(lambda: count(server, b"curr_items") > 0)
        # Datagrams may wait in the system's queue still.
        until(lambda: server.ask(b"flush_all\r\n") == b"OK\r\n" and count(server, b"curr_items") == 0)


def count(server, name):
    """A number of plain `stats`."""
    lines = server.ask_all(b"stats\r\n")
    return int(next(line.split()[2] for line in lines if line.split()[1] == name))


Checks("libmemcached-udp").run(
    [memcaslap_finds_what_it_stored, memccp_stores_files, memcslap_sets_in_both_protocols]
)
