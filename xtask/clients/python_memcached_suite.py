"""python-memcached: python python_memcached_suite.py HOST PORT"""

import sys
import time

import memcache

from checks import LARGE, TOO_LARGE, Checks, equal, raises, until

SERVER = f"{sys.argv[1]}:{sys.argv[2]}"


def connect(**options):
    """A client with a connection of its own, that does not give up its server for an error."""
    return memcache.Client([SERVER], dead_retry=0, socket_timeout=10, **options)


client = connect(cache_cas=True)


def sets_and_gets():
    client.flush_all()
    equal(client.get("k"), None)
    for value in (b"bytes", "text", "ünï", 42, 2**70, True, [1, {"a": None}], b"", ""):
        equal(client.set("k", value), True)
        equal(client.get("k"), value)


def sets_and_gets_many():
    pairs = {f"m{index}": f"v{index}" for index in range(100)}
    equal(client.set_multi(pairs), [])
    equal(client.get_multi([*pairs, "none"]), pairs)
    equal(client.set_multi({"a": 1, "b": [2]}, key_prefix="p_"), [])
    equal(client.get_multi(["a", "b", "c"], key_prefix="p_"), {"a": 1, "b": [2]})
    equal(client.get("p_a"), 1)
    equal(client.delete_multi(list(pairs)), 1)
    equal(client.get_multi(list(pairs)), {})


def adds_and_replaces():
    client.delete("k")
    equal(client.replace("k", "a"), False)
    equal(client.add("k", "b"), True)
    equal(client.add("k", "c"), False)
    equal(client.replace("k", "d"), True)
    equal(client.get("k"), "d")


def appends_and_prepends():
    client.delete("k")
    equal(client.append("k", "x"), False)
    equal(client.prepend("k", "x"), False)
    client.set("k", "b")
    equal(client.append("k", "c"), True)
    equal(client.prepend("k", "a"), True)
    equal(client.get("k"), "abc")


def compares_and_swaps():
    client.set("k", "a")
    equal(client.gets("k"), "a")
    equal(client.cas("k", "b"), True)
    client.gets("k")
    equal(connect().set("k", "c"), True)
    equal(client.cas("k", "d"), False)
    equal(client.get("k"), "c")
    client.reset_cas()


def counts():
    client.delete("n")
    equal(client.incr("n"), None)
    equal(client.decr("n"), None)
    client.set("n", 10)
    equal(client.incr("n", 5), 15)
    equal(client.decr("n", 6), 9)
    equal(client.decr("n", 100), 0)
    client.set("n", "18446744073709551615")
    equal(client.incr("n", 2), 1)


def touches_and_expires():
    client.delete("k")
    equal(client.touch("k", 10), 0)
    client.set("k", "a", time=1)
    equal(client.touch("k", 100), 1)
    client.set("probe", "a", time=1)
    until(lambda: client.get("probe") is None)
    equal(client.get("k"), "a")
    client.set("k", "a", time=-1)
    equal(client.get("k"), None)


def expires_at_a_time():
    client.set("k", "a", time=int(time.time()) + 100)
    equal(client.get("k"), "a")
    client.set("k", "a", time=int(time.time()) - 100)
    equal(client.get("k"), None)


def deletes():
    client.set("k", "a")
    equal(client.delete("k"), 1)
    equal(client.delete("k"), 0)
    equal(client.get("k"), None)


def is_quiet_with_noreply():
    client.set("q", 5, noreply=True)
    client.incr("q", 2, noreply=True)
    client.touch("q", 100, noreply=True)
    equal(client.get("q"), 7)
    equal(client.set_multi({"q1": 1, "q2": 2}, noreply=True), [])
    client.delete_multi(["q1", "none"], noreply=True)
    client.delete("q", noreply=True)
    equal(client.get_multi(["q", "q1", "q2"]), {"q2": 2})


def moves_900_kb():
    equal(client.set("large", LARGE), True)
    equal(client.get("large"), LARGE)


def compresses():
    equal(client.set("z", "a" * 100_000, min_compress_len=1000), True)
    equal(client.get("z"), "a" * 100_000)


def refuses_more_than_1_mb():
    unlimited = connect(server_max_value_length=1 << 30)
    unlimited.set("large", "old")
    equal(unlimited.set("large", TOO_LARGE), False)
    equal(unlimited.get("large"), None)
    equal(unlimited.set("large", "new"), True)
    equal(unlimited.get("large"), "new")


def keeps_keys_to_their_length():
    equal(client.set("k" * 250, "a"), True)
    equal(client.get("k" * 250), "a")
    raises(client.MemcachedKeyLengthError, lambda: client.set("k" * 251, "a"))


def asks_for_stats():
    [(server, stats)] = client.get_stats()
    equal(server.startswith(SERVER), True)
    # It takes the third word of every line.
    equal([name for name, value in stats.items() if not value], [])
    equal(int(stats["curr_connections"]) >= 1, True)
    [(_, settings)] = client.get_stats("settings")
    equal(settings["evictions"], "on")
    # Of what has no class it expects the names of two totals, and no others.
    [(_, slabs)] = client.get_slab_stats()
    equal(int(slabs["active_slabs"]) >= 1 and "total_malloced" in slabs, True)


def flushes():
    client.set("k", "a")
    client.flush_all()
    equal(client.get("k"), None)
    equal(client.set("k", "b"), True)
    equal(client.get("k"), "b")
    client.disconnect_all()


Checks("python-memcached").run([
    sets_and_gets, sets_and_gets_many, adds_and_replaces, appends_and_prepends, compares_and_swaps,
    counts, touches_and_expires, expires_at_a_time, deletes, is_quiet_with_noreply, moves_900_kb,
    compresses, refuses_more_than_1_mb, keeps_keys_to_their_length, asks_for_stats, flushes,
])  # fmt: skip
