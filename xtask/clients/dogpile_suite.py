"""dogpile.cache over four clients, as OpenStack uses it: python dogpile_suite.py HOST PORT"""

import sys
import threading
from functools import partial

from dogpile.cache import make_region
from dogpile.cache.api import NO_VALUE

from checks import LARGE, Checks, equal, until

SERVER = f"{sys.argv[1]}:{sys.argv[2]}"
BACKENDS = {
    "memcached": {},
    "pymemcache": {},
    "pylibmc": {"binary": True},
    "bmemcached": {},
}


def sets_and_gets(region):
    equal(region.get("k"), NO_VALUE)
    for value in (b"bytes", "ünï", 42, None, [1, {"a": None}]):
        region.set("k", value)
        equal(region.get("k"), value)


def sets_and_gets_many(region):
    pairs = {f"m{index}": index for index in range(100)}
    region.set_multi(pairs)
    equal(region.get_multi([*pairs, "none"]), [*pairs.values(), NO_VALUE])
    region.delete_multi(list(pairs))
    equal(region.get_multi(["m0", "m99"]), [NO_VALUE, NO_VALUE])


def deletes(region):
    region.set("k", 1)
    region.delete("k")
    equal(region.get("k"), NO_VALUE)
    region.delete("k")


def makes_what_is_missing(region):
    made = []

    def make():
        made.append(1)
        return len(made)

    equal([region.get_or_create("created", make) for _ in range(3)], [1, 1, 1])
    region.invalidate()
    # What was stored before that moment counts as old.
    equal(region.get_or_create("created", make), 2)


def makes_many_that_are_missing(region):
    region.set("c1", 1)
    found = region.get_or_create_multi(["c1", "c2", "c3"], lambda *keys: [f"of {k}" for k in keys])
    equal(len(found) == 3 and found[0] == 1, True)
    equal(region.get("c2"), found[1])


def decorates(region):
    calls = []

    @region.cache_on_arguments(namespace="of_tests")
    def double(number):
        calls.append(number)
        return number * 2

    equal([double(2), double(2), double(3)], [4, 4, 6])
    double.invalidate(2)
    equal((double(2), calls), (4, [2, 3, 2]))


def locks_by_adding(region):
    # The lock is an item that only one client can add.
    first, second = region.backend.get_mutex("lock"), region.backend.get_mutex("lock")
    equal(first.acquire(False), True)
    equal((second.acquire(False), second.locked()), (False, True))
    first.release()
    equal((second.acquire(False), first.locked()), (True, True))
    second.release()
    equal(first.locked(), False)


def lets_one_thread_make_a_value(region):
    made = []
    start = threading.Barrier(8)

    def ask():
        start.wait()
        region.get_or_create("herd", lambda: made.append(1) or 1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(made, [1])


def moves_900_kb(region):
    region.set("large", LARGE)
    equal(region.get("large"), LARGE)


def lets_memcached_expire(region):
    region.set("short", 1)
    until(lambda: region.get("short", ignore_expiration=True) is NO_VALUE)


def connect(name, expire_time):
    """A region with that back-end, whose items the server forgets after some seconds."""
    arguments = {
        "url": [SERVER],
        "distributed_lock": True,
        "memcached_expire_time": expire_time,
        **BACKENDS[name],
    }
    region = make_region(key_mangler=lambda key: f"{name}_{key}")
    return region.configure(f"dogpile.cache.{name}", arguments=arguments)


CHECKS = [
    sets_and_gets, sets_and_gets_many, deletes, makes_what_is_missing, makes_many_that_are_missing,
    decorates, locks_by_adding, lets_one_thread_make_a_value, moves_900_kb,
]  # fmt: skip
# bmemcached's back-end has no argument for it.
EXPIRING = ["memcached", "pymemcache", "pylibmc"]

Checks("dogpile").finish(
    [
        (f"{name} {check.__name__}", partial(check, region))
        for name in BACKENDS
        for region in [connect(name, 1000)]
        for check in CHECKS
    ]
    + [
        (f"{name} lets_memcached_expire", partial(lets_memcached_expire, connect(name, 1)))
        for name in EXPIRING
    ]
)
