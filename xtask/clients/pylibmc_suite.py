"""pylibmc (libmemcached): python pylibmc_suite.py HOST PORT text|binary"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pylibmc

from checks import LARGE, TOO_LARGE, Checks, equal, raises, until

SERVER = f"{sys.argv[1]}:{sys.argv[2]}"
PROTOCOL = sys.argv[3]


def connect(**behaviors):
    """A client with connections of its own."""
    return pylibmc.Client([SERVER], binary=PROTOCOL == "binary", behaviors=behaviors)


client = connect(cas=True, tcp_nodelay=True)


def sets_and_gets():
    equal(client.flush_all(), True)
    equal(client.get("k"), None)
    for value in (b"bytes", "text", 42, 2**70, True, [1, {"a": None}], b""):
        equal(client.set("k", value), True)
        equal(client.get("k"), value)


def is_refused(store):
    """Whether nothing was stored: of binary replies the client tells that there was no key."""
    try:
        return not store()
    except pylibmc.NotFound:
        return PROTOCOL == "binary"


def multi_gets_and_multi_sets():
    pairs = {f"m{index}": b"v%d" % index for index in range(100)}
    equal(client.set_multi(pairs), [])
    equal(client.get_multi([*pairs, "none"]), pairs)
    equal(client.delete_multi(list(pairs)), True)
    equal(client.get_multi(list(pairs)), {})
    equal(client.add_multi({"a1": b"1", "a2": b"2"}), [])
    equal(client.get_multi(["a1", "a2"]), {"a1": b"1", "a2": b"2"})


def adds_and_replaces():
    client.delete("k")
    equal(is_refused(lambda: client.replace("k", b"a")), True)
    equal(client.add("k", b"b"), True)
    equal(client.add("k", b"c"), False)
    equal(client.replace("k", b"d"), True)
    equal(client.get("k"), b"d")


def appends_and_prepends():
    client.delete("k")
    equal(is_refused(lambda: client.append("k", b"x")), True)
    client.set("k", b"b")
    equal(client.append("k", b"c"), True)
    equal(client.prepend("k", b"a"), True)
    equal(client.get("k"), b"abc")


def compares_and_swaps():
    client.set("k", b"a")
    value, cas = client.gets("k")
    equal(value, b"a")
    equal(client.cas("k", b"b", cas), True)
    equal(client.cas("k", b"c", cas), False)
    equal(client.get("k"), b"b")
    client.delete("k")
    raises(pylibmc.NotFound, lambda: client.cas("k", b"c", cas))


def counts():
    client.delete("n")
    raises(pylibmc.NotFound, lambda: client.incr("n"))
    client.set("n", 10)
    equal(client.incr("n", 5), 15)
    equal(client.decr("n", 6), 9)
    equal(client.decr("n", 100), 0)
    equal(client.incr_multi(["n"], delta=3), None)
    equal(int(client.get("n")), 3)


def counts_in_64_bits_and_only_numbers():
    client.set("n", 2**32 - 1)
    equal(client.incr("n"), 2**32)
    client.set("n", 2**64 - 1)
    equal(client.incr("n", 3), 2)
    client.set("word", "word")
    # After that reply in binary libmemcached does not use its connection again.
    raises(pylibmc.Error, lambda: connect().incr("word"))
    equal(client.get("word"), "word")


def touches_and_expires():
    # In binary libmemcached waits after the reply to a touch, until its patience of ms ends.
    touching = connect(_poll_timeout=1000)
    client.delete("k")
    equal(touching.touch("k", 10), False)
    client.set("k", b"a", time=1)
    equal(touching.touch("k", 100), True)
    client.set("probe", b"a", time=1)
    until(lambda: client.get("probe") is None)
    equal(client.get("k"), b"a")
    equal(touching.touch("k", 1), True)
    until(lambda: client.get("k") is None)


def expires_at_a_time():
    client.set("k", b"a", time=int(time.time()) + 100)
    equal(client.get("k"), b"a")
    client.set("k", b"a", time=int(time.time()) - 100)
    equal(client.get("k"), None)
    equal(client.set_multi({"e1": b"a", "e2": b"b"}, time=1), [])
    until(lambda: client.get_multi(["e1", "e2"]) == {})


def deletes():
    client.set("k", b"a")
    equal(client.delete("k"), True)
    equal(client.delete("k"), False)


def moves_900_kb():
    equal(client.set("large", LARGE), True)
    equal(client.get("large"), LARGE)
    equal(client.get_multi(["large", "none"]), {"large": LARGE})


def refuses_more_than_1_mb():
    client.set("large", b"old")
    raises(pylibmc.TooBig, lambda: client.set("large", TOO_LARGE))
    equal(client.get("large"), None)
    equal(client.set("large", b"new"), True)
    equal(client.get("large"), b"new")


def keeps_keys_to_their_length():
    equal(client.set("k" * 250, b"a"), True)
    equal(client.get("k" * 250), b"a")


def reads_many_large_values_at_once():
    pairs = {f"large{index}": bytes([index]) * 50_000 for index in range(40)}
    equal(client.set_multi(pairs), [])
    equal(client.get_multi(list(pairs)), pairs)


def works_from_threads_and_with_prefixes():
    pool = pylibmc.ClientPool(connect(), 4)
    with ThreadPoolExecutor(4) as threads:

        def round_trip(index):
            with pool.reserve() as reserved:
                pair = {f"{index}": index}
                return reserved.set_multi(pair, key_prefix="t") == [] and (
                    reserved.get_multi(list(pair), key_prefix="t") == pair
                )

        equal(all(threads.map(round_trip, range(200))), True)
    equal(client.get("t199"), 199)


def is_quiet_with_noreply():
    quiet = connect(_noreply=True)
    for index in range(100):
        quiet.set(f"quiet{index}", b"a")
    equal(len(quiet.get_multi([f"quiet{index}" for index in range(100)])), 100)


def compresses():
    equal(client.set("z", b"a" * 100_000, min_compress_len=1000), True)
    equal(client.get("z"), b"a" * 100_000)


def asks_for_stats():
    [(server, stats)] = client.get_stats()
    equal(server.decode().startswith(SERVER), True)
    equal(stats["version"].count(b"."), 2)
    equal(int(stats["curr_connections"]) >= 1, True)


def flushes():
    client.set("k", b"a")
    equal(client.flush_all(), True)
    equal(client.get("k"), None)
    client.disconnect_all()


Checks(f"pylibmc-{PROTOCOL}").run([
    sets_and_gets, multi_gets_and_multi_sets, adds_and_replaces, appends_and_prepends,
    compares_and_swaps, counts, counts_in_64_bits_and_only_numbers, touches_and_expires,
    expires_at_a_time, deletes, moves_900_kb, refuses_more_than_1_mb, keeps_keys_to_their_length,
    reads_many_large_values_at_once, works_from_threads_and_with_prefixes, is_quiet_with_noreply,
    compresses, asks_for_stats, flushes,
])  # fmt: skip
