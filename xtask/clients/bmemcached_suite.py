"""python-binary-memcached, which speaks binary only: python bmemcached_suite.py HOST PORT"""

import os
import re
import sys
import time

import bmemcached
from bmemcached.exceptions import MemcachedException

from checks import LARGE, TOO_LARGE, Checks, equal, raises, until
from conversation import Conversation

SERVER = f"{sys.argv[1]}:{sys.argv[2]}"


def connect(*arguments, **options):
    """A client with a connection of its own."""
    return bmemcached.Client(SERVER, *arguments, socket_timeout=10, **options)


client = connect()
raw = connect(raw_data=True)


def sets_and_gets():
    equal(client.flush_all(), True)
    equal(client.get("k"), None)
    equal(client.get("k", default="absent"), "absent")
    for value in (b"bytes", "text", "ünï", 42, 2**70, True, [1, {"a": None}], b"", b"\x80\r\n"):
        equal(client.set("k", value), True)
        equal(client.get("k"), value)


def sets_and_gets_many_with_quiet_commands():
    pairs = {f"m{index}": b"v%d" % index for index in range(1000)}
    equal(client.set_multi(pairs), [])
    equal(client.get_multi([*pairs, "none"]), pairs)
    # Nothing is said of keys that are missing, to the last.
    equal(client.get_multi(["none1", "none2"]), {})
    equal(client.delete_multi(list(pairs)), True)
    equal(client.get_multi(list(pairs)), {})


def tells_which_of_many_were_refused():
    equal(raw.set_multi({"m1": b"a", "m2": TOO_LARGE, "m3": b"c"}), ["m2"])
    equal(raw.get_multi(["m1", "m2", "m3"]), {"m1": b"a", "m3": b"c"})
    _, cas = raw.gets("m1")
    # The second of each pair is the CAS of the refusal, which is 0.
    refused = raw.set_multi({("m1", cas + 1000): b"b", ("m3", 0): b"d"})
    equal(sorted(refused), [("m1", 0), ("m3", 0)])
    equal(raw.get_multi(["m1", "m3"]), {"m1": b"a", "m3": b"c"})


def adds_and_replaces():
    client.delete("k")
    equal(client.replace("k", b"a"), False)
    equal(client.add("k", b"b"), True)
    equal(client.add("k", b"c"), False)
    equal(client.replace("k", b"d"), True)
    equal(client.get("k"), b"d")


def compares_and_swaps():
    client.delete("k")
    equal(client.gets("k"), (None, None))
    equal(client.cas("k", b"x", 1), False)
    client.set("k", b"a")
    value, cas = client.gets("k")
    equal(value, b"a")
    equal(client.cas("k", b"b", cas), True)
    equal(client.cas("k", b"c", cas), False)
    equal(client.get("k"), b"b")


def answers_every_store_with_its_cas():
    client.delete("k")
    for store in (client.add, client.replace, client.set):
        stored, cas = store("k", b"a", get_cas=True)
        equal((stored, client.gets("k")), (True, (b"a", cas)))
    stored, newer = client.cas("k", b"b", cas, get_cas=True)
    equal((stored, newer > cas), (True, True))
    equal(client.add("k", b"c", get_cas=True), (False, None))
    found = client.set_multi_cas({"k": b"d", "l": b"e"})
    pairs = {"k": (b"d", found["k"]), "l": (b"e", found["l"])}
    equal(client.get_multi(["k", "l"], get_cas=True), pairs)


def deletes():
    client.set("k", b"a")
    _, cas = client.gets("k")
    equal(client.delete("k", cas=cas + 1000), False)
    equal(client.get("k"), b"a")
    equal(client.delete("k", cas=cas), True)
    equal(client.get("k"), None)
    # What is not there is no failure to this client.
    equal(client.delete("k"), True)


def counts_from_an_initial_value():
    client.delete("n")
    equal(client.incr("n", 5, default=10), 10)
    equal(client.incr("n", 5, default=10), 15)
    equal(client.decr("n", 6), 9)
    equal(client.decr("n", 100), 0)
    equal(int(client.get("n")), 0)
    client.delete("n")
    equal(client.decr("n", 5, default=2**64 - 1), 2**64 - 1)
    equal(client.incr("n", 3), 2)


def counts_only_where_told_so():
    # An expiration of 32 ones says that nothing is to be made of a missing key.
    raises(MemcachedException, lambda: client.incr("none", 1, time=2**32 - 1))
    equal(client.get("none"), None)
    client.set("word", "word")
    raises(MemcachedException, lambda: client.incr("word", 1))
    equal(client.get("word"), "word")


def counts_what_was_set():
    client.set("n", 41)
    equal(client.incr("n", 1), 42)
    equal(client.get("n"), 42)


def expires():
    client.set("k", b"a", time=1)
    client.set("l", b"a", time=100)
    client.incr("n1", 1, default=1, time=1)
    until(lambda: client.get_multi(["k", "l", "n1"]) == {"l": b"a"})
    client.set("k", b"a", time=int(time.time()) + 100)
    equal(client.get("k"), b"a")
    client.set("k", b"a", time=int(time.time()) - 100)
    equal(client.get("k"), None)
    # -1 is a time in the year 2106 here, where in text it is one that has passed.
    client.set("k", b"a", time=-1)
    equal(client.get("k"), b"a")


def keeps_flags():
    client.set("k", 42)
    equal((raw.get("k"), client.get("k")), (b"42", 42))
    raw.set("k", b"42")
    equal(client.get("k"), "42")


def moves_900_kb():
    noise = os.urandom(900_001)
    equal(raw.set_multi({"large": LARGE, "noise": noise}), [])
    equal(raw.get_multi(["large", "none", "noise"]), {"large": LARGE, "noise": noise})


def compresses():
    equal(client.set("z", "a" * 2_000_000), True)
    equal(client.get("z"), "a" * 2_000_000)
    equal(len(raw.get("z")) < 10_000, True)


def refuses_more_than_1_mb():
    raw.set("large", b"old")
    raises(MemcachedException, lambda: raw.set("large", TOO_LARGE))
    equal(raw.get("large"), None)
    raises(MemcachedException, lambda: raw.add("large", TOO_LARGE))
    equal(raw.set("large", b"new"), True)
    equal(raw.get("large"), b"new")


def tells_why_it_refused():
    client.set("word", "word")
    for action, refusal in (
        (lambda: client.incr("none", 1, time=2**32 - 1), (1, "Not found")),
        (lambda: raw.set("large", TOO_LARGE), (3, "Too large.")),
        (lambda: connect().set("k" * 251, b"a"), (4, "Invalid arguments")),
        (lambda: client.incr("word", 1), (6, "Non-numeric server-side value for incr or decr")),
    ):
        equal(refusal_of(action), refusal)


def keeps_keys_to_their_length():
    equal(client.set("k" * 250, b"a"), True)
    equal(client.get("k" * 250), b"a")


def takes_any_byte_in_keys():
    for key in ("with blank", "line\r\nend", "\x00", "ключ"):
        equal(client.set(key, key), True)
        equal(client.get_multi([key]), {key: key})


def tells_that_no_authentication_is_needed():
    # It asks for a list of mechanisms, and takes an unknown command for a server without them.
    server = bmemcached.protocol.Protocol(SERVER)
    equal(server.authenticate("user", "password"), True)
    equal(connect("user", "password").set("k", b"a"), True)


def answers_noops():
    server = bmemcached.protocol.Protocol(SERVER)
    equal([server.noop() for _ in range(3)], [0, 0, 0])


def asks_for_stats():
    stats = client.stats()[SERVER]
    equal(int(stats["curr_connections"]) >= 1, True)
    equal([part.isdigit() for part in stats["version"].split(b".")], [True] * 3)


def tells_the_names_of_text_in_stats():
    # Datadog's agent and Zabbix's ask for these in binary.
    client.set("k", b"a")
    with Conversation((sys.argv[1], int(sys.argv[2]))) as text:
        for topic in ("", "settings", "items", "slabs", "sizes"):
            lines = text.ask_all(f"stats {topic}\r\n".encode())
            names = [line.split()[1].decode() for line in lines]
            equal((list(client.stats(topic or None)[SERVER]), len(names) > 0), (names, True))


def flushes():
    client.set("k", b"a")
    equal(client.flush_all(time=100), True)
    equal(client.get("k"), b"a")
    equal(client.flush_all(), True)
    equal(client.get("k"), None)
    equal(client.set("k", b"b"), True)
    equal(client.get("k"), b"b")


def works_in_a_ring():
    ring = bmemcached.DistributedClient([SERVER])
    equal(ring.set_multi({"r1": 1, "r2": 2}), [])
    equal(ring.get_multi(["r1", "r2", "r3"]), {"r1": 1, "r2": 2})
    ring.disconnect_all()
    equal(ring.get("r2"), 2)


def refusal_of(action):
    """Status and text of the answer to an action that fails."""
    try:
        action()
    except MemcachedException as error:
        return error.code, re.search("b'(.*)'", error.message)[1]
    return None


Checks("bmemcached").run([
    sets_and_gets, sets_and_gets_many_with_quiet_commands, tells_which_of_many_were_refused,
    adds_and_replaces, compares_and_swaps, answers_every_store_with_its_cas, deletes,
    counts_from_an_initial_value, counts_only_where_told_so, counts_what_was_set, expires,
    keeps_flags, moves_900_kb, compresses, refuses_more_than_1_mb, tells_why_it_refused,
    keeps_keys_to_their_length, takes_any_byte_in_keys, tells_that_no_authentication_is_needed,
    answers_noops, asks_for_stats, tells_the_names_of_text_in_stats, flushes, works_in_a_ring,
])  # fmt: skip
