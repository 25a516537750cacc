"""Flask-Caching's memcached back-ends: python flask_caching_suite.py HOST PORT

Those named after SASL speak binary, and authenticate only where they are given a name.
"""

import os
import sys
from functools import partial

from flask import Flask
from flask_caching import Cache

from checks import LARGE, Checks, equal, until

SERVER = f"{sys.argv[1]}:{sys.argv[2]}"
BACKENDS = {
    "text": "MemcachedCache",
    "binary": "SASLMemcachedCache",
    "spread": "SpreadSASLMemcachedCache",
}


def sets_and_gets(cache):
    equal(cache.get("k"), None)
    for value in (b"bytes", "ünï", 42, True, [1, {"a": None}], ""):
        equal(cache.set("k", value) in (True, None), True)
        equal(cache.get("k"), value)


def gets_many(cache):
    pairs = {f"m{index}": index for index in range(50)}
    for key, value in pairs.items():
        cache.set(key, value)
    equal([cache.get(key) for key in (*pairs, "none")], [*pairs.values(), None])


def deletes(cache):
    cache.set("k", 1)
    cache.delete("k")
    equal(cache.get("k"), None)
    cache.delete("k")


def expires(cache):
    cache.set("k", 1, timeout=1)
    cache.set("long", 1, timeout=60 * 86400)
    cache.set("forever", 1, timeout=0)
    until(lambda: cache.get("k") is None)
    equal([cache.get("long"), cache.get("forever")], [1, 1])


def moves_900_kb(cache):
    cache.set("large", LARGE)
    equal(cache.get("large"), LARGE)


def memoizes(cache):
    calls = []

    @cache.memoize(60)
    def add(left, right):
        calls.append((left, right))
        return left + right

    equal([add(1, 2), add(1, 2), add(2, 2)], [3, 3, 4])
    cache.delete_memoized(add, 1, 2)
    equal([add(1, 2), add(2, 2)], [3, 4])
    cache.delete_memoized(add)
    equal((add(1, 2), calls), (3, [(1, 2), (2, 2), (1, 2), (1, 2)]))


def caches_views(cache):
    made = []
    app = cache.app

    @cache.cached(timeout=60, query_string=True)
    def view():
        made.append(1)
        return f"page {len(made)}"

    pages = []
    for path in ("/v?a=1", "/v?a=1", "/v?a=2", "/v?a=1"):
        with app.test_request_context(path):
            pages.append(view())
    equal(pages, ["page 1", "page 1", "page 2", "page 1"])


def clears(cache):
    cache.set("k", 1)
    cache.clear()
    equal(cache.get("k"), None)
    cache.set("k", 2)
    equal(cache.get("k"), 2)


def counts(cache):
    """What the applications reach through the back-end."""
    backend = cache.cache
    equal(backend.set("n", 5), True)
    equal((backend.inc("n"), backend.inc("n", 3), backend.dec("n", 2)), (6, 9, 7))
    equal(backend.get("n"), 7)


def adds_and_has(cache):
    backend = cache.cache
    backend.delete("a")
    equal((backend.has("a"), backend.add("a", 1), backend.add("a", 2)), (False, True, False))
    equal((backend.has("a"), backend.get("a")), (True, 1))


def sets_gets_and_deletes_many(cache):
    backend = cache.cache
    equal(sorted(backend.set_many({"a": 1, "b": 2})), ["a", "b"])
    equal(backend.get_many("a", "b", "none"), [1, 2, None])
    equal(backend.get_dict("a", "none"), {"a": 1, "none": None})
    backend.delete_many("a", "b")
    equal(backend.get_many("a", "b"), [None, None])


def spreads_values_over_keys(cache):
    noise = os.urandom(3_500_000)
    cache.set("wide", noise)
    equal(cache.get("wide"), noise)
    cache.delete("wide")
    equal(cache.get("wide"), None)


def connect(name):
    """A cache with that back-end."""
    app = Flask("of_tests")
    cache = Cache(config={
        "CACHE_TYPE": BACKENDS[name],
        "CACHE_MEMCACHED_SERVERS": [SERVER],
        "CACHE_MEMCACHED_USERNAME": None,
        "CACHE_MEMCACHED_PASSWORD": None,
        "CACHE_KEY_PREFIX": f"{name}_",
    })  # fmt: skip
    cache.init_app(app)
    app.app_context().push()
    return cache


COMMON = [
    sets_and_gets, gets_many, deletes, expires, moves_900_kb, memoizes, caches_views, clears,
]  # fmt: skip
# The one that spreads stores under other keys than it is asked for.
DIRECT = [counts, adds_and_has, sets_gets_and_deletes_many]
CHECKS = {
    "text": COMMON + DIRECT,
    "binary": COMMON + DIRECT,
    "spread": [*COMMON, spreads_values_over_keys],
}

Checks("flask-caching").finish(
    (f"{name} {check.__name__}", partial(check, cache))
    for name in BACKENDS
    for cache in [connect(name)]
    for check in CHECKS[name]
)
