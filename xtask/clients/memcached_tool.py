"""memcached-tool, which comes with memcached: memcached_tool.py HOST PORT."""

import re
import subprocess
import sys
import time

from checks import Checks, equal, until
from conversation import Conversation

HOST, PORT = sys.argv[1], int(sys.argv[2])
TOOL = "/usr/share/memcached/scripts/memcached-tool"
# The tool counts the line `OK` that begins a dump since memcached 1.6.43.
LIMITED_TO_5 = (4, 5)
server = Conversation((HOST, PORT))

# Of several size classes, with everything that a dump could lose; keys as URLs have them are encoded there.
ITEMS = {b"item-%d" % number: (b"x" * (number * number), number, 0) for number in range(100)}
ITEMS |= {
    b"100%25/\xc3\xa4?a=b&c": (b"odd key", 4294967295, 0),
    b"lines": (b"one\r\ntwo\r\nEND\r\n", 0, 0),
    b"empty": (b"", 1, 0),
    b"expires": (b"later", 2, int(time.time()) + 5000),
}


def tool(*arguments):
    """What the tool writes; it must end well."""
    command = [TOOL, f"{HOST}:{PORT}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def fields(text):
    """The names and values of its two columns, below the head."""
    rows = [line.split() for line in text.decode().splitlines()[1:]]
    return {row[0]: " ".join(row[1:]) for row in rows}


def stores():
    equal(server.ask(b"flush_all\r\n"), b"OK\r\n")
    for key, (value, flags, exptime) in ITEMS.items():
        server.set(key, value, flags, exptime)


def displays_size_classes():
    for mode in ([], ["display"]):
        head, *rows = tool(*mode).decode().splitlines()
        equal(head.split()[:5], ["#", "Item_Size", "Max_age", "Pages", "Count"])
        if len(rows) < 10:
            raise AssertionError(f"few classes: {rows}")
        # Number, size and age of each; the counts are those of all items.
        if not all(re.fullmatch(r"\s*\d+\s+[\d.]+[BK]\s+\d+s(\s+\d+){2}\s+(yes|no)(\s+\d+){3}", row) for row in rows):
            raise AssertionError(f"not a table: {rows}")
        equal(sum(int(row.split()[4]) for row in rows), len(ITEMS))


def tells_stats():
    stats = fields(tool("stats"))
    equal(stats["curr_items"], str(len(ITEMS)))
    equal(int(stats["cmd_set"]) >= len(ITEMS), True)
    equal(bool(re.fullmatch(r"\d+\.\d+\.\d+", stats["version"])), True)
    equal(len(stats) > 80, True)


def tells_settings():
    settings = fields(tool("settings"))
    equal((settings["maxbytes"], settings["inter"]), ("67108864", HOST))
    equal(len(settings) > 40, True)


def tells_sizes():
    equal(fields(tool("sizes")), {"sizes_status": "disabled"})


def lists_keys():
    lines = tool("keys").splitlines()
    equal(len(lines), len(ITEMS))
    listed = {line.split()[0] for line in lines}
    equal(b"key=item-7" in listed and b"key=100%2525%2F%C3%A4%3Fa%3Db%26c" in listed, True)
    expiring = next(line for line in lines if line.startswith(b"key=expires "))
    # Times are told as the server's clock has them, in whole seconds.
    exptime = int(re.search(rb" exp=(\d+) ", expiring)[1])
    equal(abs(exptime - ITEMS[b"expires"][2]) <= 1, True)
    equal(len(tool("keys", "5").splitlines()) in LIMITED_TO_5, True)


def dumps_and_restores():
    dump = tool("dump")
    equal(len(re.findall(rb"^add ", dump, re.MULTILINE)), len(ITEMS))
    equal(server.ask(b"flush_all\r\n"), b"OK\r\n")
    until(lambda: server.get(b"item-1") is None)
    # What it wrote is what it says: commands that restore everything.
    with Conversation((HOST, PORT)) as other:
        answers = other.ask_all(dump + b"version\r\nget no-such-key\r\n")
        equal(answers.pop().startswith(b"VERSION "), True)
        equal(answers, [b"STORED\r\n"] * len(ITEMS))
    for key, (value, flags, _) in ITEMS.items():
        equal(server.get(key), (value, flags))


def dumps_a_few():
    equal(len(re.findall(rb"^add ", tool("dump", "5"), re.MULTILINE)) in LIMITED_TO_5, True)


Checks("memcached-tool").run(
    [
        stores,
        displays_size_classes,
        tells_stats,
        tells_settings,
        tells_sizes,
        lists_keys,
        dumps_and_restores,
        dumps_a_few,
    ]
)
