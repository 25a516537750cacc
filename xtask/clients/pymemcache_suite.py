"""pymemcache: python pymemcache_suite.py HOST PORT"""

import sys

from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheIllegalInputError,
    MemcacheServerError,
    MemcacheUnknownCommandError,
)

from checks import LARGE, TOO_LARGE, Checks, equal, raises, until

ADDRESS = (sys.argv[1], int(sys.argv[2]))
client = Client(ADDRESS, default_noreply=False, connect_timeout=5, timeout=10)


def sets_and_gets():
    client.flush_all()
    equal(client.get("k"), None)
    equal(client.set("k", b"value", flags=7), True)
    equal(client.get("k"), b"value")
    equal(client.set("k", b""), True)
    equal(client.get("k", default="absent"), b"")


def multi_gets_and_multi_sets():
    pairs = {f"m{index}": b"v%d" % index for index in range(100)}
    equal(client.set_many(pairs), [])
    equal(client.get_many([*pairs, "none"]), pairs)
    found = client.gets_many(["m1", "m2", "none"])
    equal({key: value for key, (value, _) in found.items()}, {"m1": b"v1", "m2": b"v2"})
    equal(client.delete_many(list(pairs)), True)
    equal(client.get_many(list(pairs)), {})


def adds_and_replaces():
    client.delete("k")
    equal(client.replace("k", b"a"), False)
    equal(client.add("k", b"b"), True)
    equal(client.add("k", b"c"), False)
    equal(client.get("k"), b"b")
    equal(client.replace("k", b"d"), True)
    equal(client.get("k"), b"d")


def appends_and_prepends():
    client.delete("k")
    equal(client.append("k", b"x"), False)
    equal(client.prepend("k", b"x"), False)
    client.set("k", b"b")
    equal(client.append("k", b"c"), True)
    equal(client.prepend("k", b"a"), True)
    equal(client.get("k"), b"abc")


def compares_and_swaps():
    client.delete("k")
    equal(client.cas("k", b"x", b"1"), None)
    client.set("k", b"a")
    value, cas = client.gets("k")
    equal(value, b"a")
    equal(client.cas("k", b"b", cas), True)
    equal(client.cas("k", b"c", cas), False)
    equal(client.get("k"), b"b")


def counts():
    client.delete("n")
    equal(client.incr("n", 1), None)
    equal(client.decr("n", 1), None)
    client.set("n", b"10")
    equal(client.incr("n", 5), 15)
    equal(client.decr("n", 20), 0)
    client.set("n", b"18446744073709551615")
    equal(client.incr("n", 2), 1)
    client.set("n", b"word")
    raises(MemcacheClientError, lambda: client.incr("n", 1))
    raises(MemcacheClientError, lambda: client.incr("n", -1))


def touches_and_expires():
    client.delete("k")
    equal(client.touch("k", 10), False)
    client.set("k", b"a", expire=1)
    equal(client.touch("k", 100), True)
    client.set("probe", b"a", expire=1)
    until(lambda: client.get("probe") is None)
    equal(client.get("k"), b"a")
    equal(client.touch("k", 1), True)
    until(lambda: client.get("k") is None)
    client.set("k", b"a", expire=-1)
    equal(client.get("k"), None)


def gets_and_touches():
    # pymemcache 4.0.0 has no method for these two commands.
    client.set("k", b"a")
    equal(client.raw_command("gat 100 k", end_tokens=b"END\r\n"), b"VALUE k 0 1\r\na\r\n")
    reply = client.raw_command("gats 1 k", end_tokens=b"END\r\n")
    equal(reply.startswith(b"VALUE k 0 1 "), True)
    until(lambda: client.get("k") is None)


def deletes():
    client.set("k", b"a")
    equal(client.delete("k"), True)
    equal(client.delete("k"), False)
    equal(client.get("k"), None)


def is_quiet_with_noreply():
    equal(client.set("q", b"5", noreply=True), True)
    client.incr("q", 2, noreply=True)
    client.append("q", b"0", noreply=True)
    client.touch("q", 100, noreply=True)
    equal(client.get("q"), b"70")
    client.delete("q", noreply=True)
    equal(client.get("q"), None)


def moves_900_kb():
    equal(client.set("large", LARGE), True)
    equal(client.get("large"), LARGE)
    equal(client.get_many(["large", "k", "large"])["large"], LARGE)


def refuses_more_than_1_mb():
    client.set("large", b"old")
    raises(MemcacheServerError, lambda: client.set("large", TOO_LARGE))
    equal(client.get("large"), None)
    equal(client.set("large", b"new"), True)
    equal(client.get("large"), b"new")


def keeps_keys_to_their_length():
    longest = "k" * 250
    equal(client.set(longest, b"a"), True)
    equal(client.get(longest), b"a")
    raises(MemcacheIllegalInputError, lambda: client.set("k" * 251, b"a"))


def asks_for_version_and_stats():
    equal([part.isdigit() for part in client.version().decode().split(".")], [True] * 3)
    stats = client.stats()
    equal(stats[b"curr_connections"] >= 1, True)
    equal(b"get_hits" in stats and b"limit_maxbytes" in stats, True)
    equal(b"maxbytes" in client.stats("settings"), True)
    raises(MemcacheUnknownCommandError, lambda: client.stats("nothing"))


def works_in_a_pool_and_a_hash_ring():
    for other in (PooledClient(ADDRESS, max_pool_size=4), HashClient([ADDRESS], use_pooling=True)):
        equal(other.set("pooled", b"a", noreply=False), True)
        equal(other.get_many(["pooled", "none"]), {"pooled": b"a"})
        other.close()


def flushes():
    client.set("k", b"a")
    equal(client.flush_all(), True)
    equal(client.get("k"), None)
    equal(client.set("k", b"b"), True)
    equal(client.get("k"), b"b")


def quits():
    client.quit()
    equal(client.get("k"), b"b")
    client.close()


Checks("pymemcache").run([
    sets_and_gets, multi_gets_and_multi_sets, adds_and_replaces, appends_and_prepends,
    compares_and_swaps, counts, touches_and_expires, gets_and_touches, deletes,
    is_quiet_with_noreply, moves_900_kb, refuses_more_than_1_mb, keeps_keys_to_their_length,
    asks_for_version_and_stats, works_in_a_pool_and_a_hash_ring, flushes, quits,
])  # fmt: skip
