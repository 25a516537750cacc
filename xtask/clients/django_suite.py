"""Django's caches and its sessions in them: python django_suite.py HOST PORT"""

import sys
from datetime import datetime, timezone
from functools import partial

import django
from django.conf import settings

SERVER = f"{sys.argv[1]}:{sys.argv[2]}"
BACKEND = "django.core.cache.backends.memcached"
# In binary libmemcached waits after the reply to a touch, until its patience of ms ends.
BINARY = {"binary": True, "behaviors": {"_poll_timeout": 1000}}
CACHES = {
    "default": {"BACKEND": f"{BACKEND}.PyMemcacheCache"},
    "pylibmc-text": {"BACKEND": f"{BACKEND}.PyLibMCCache"},
    "pylibmc-binary": {"BACKEND": f"{BACKEND}.PyLibMCCache", "OPTIONS": BINARY},
}
settings.configure(
    SECRET_KEY="of tests",
    ALLOWED_HOSTS=["testserver"],
    CACHES={
        name: {**cache, "LOCATION": SERVER, "KEY_PREFIX": name} for name, cache in CACHES.items()
    },
    SESSION_SERIALIZER="django.contrib.sessions.serializers.JSONSerializer",
)
django.setup()

from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import InvalidCacheKey, caches
from django.core.cache.utils import make_template_fragment_key
from django.http import HttpResponse
from django.test import RequestFactory
from django.views.decorators.cache import cache_page

from checks import LARGE, TOO_LARGE, Checks, equal, raises, until


def sets_and_gets(cache):
    equal(cache.get("k"), None)
    equal(cache.get("k", "absent"), "absent")
    moment = datetime(2024, 2, 29, tzinfo=timezone.utc)
    for value in (b"bytes", "ünï", 42, -1, 2**70, 1.5, True, None, [1, {"a": (2,)}], moment, ""):
        cache.set("k", value)
        equal((cache.get("k", "absent"), "k" in cache), (value, True))


def sets_and_gets_many(cache):
    pairs = {f"m{index}": index for index in range(100)}
    equal(cache.set_many(pairs), [])
    equal(cache.get_many([*pairs, "none"]), pairs)
    cache.delete_many([*pairs, "none"])
    equal(cache.get_many(pairs), {})


def adds_and_deletes(cache):
    cache.delete("k")
    equal(cache.add("k", 1), True)
    equal(cache.add("k", 2), False)
    equal(cache.get("k"), 1)
    equal(cache.delete("k"), True)
    equal(cache.delete("k"), False)


def gets_or_sets(cache):
    cache.delete("k")
    equal(cache.get_or_set("k", lambda: "made"), "made")
    equal(cache.get_or_set("k", "other"), "made")


def counts(cache):
    cache.set("n", 10)
    equal(cache.incr("n", 5), 15)
    equal(cache.decr("n", 6), 9)
    equal(cache.incr("n", -2), 7)
    equal(cache.get("n"), 7)
    raises(ValueError, lambda: cache.incr("none"))
    raises(ValueError, lambda: cache.decr("none"))


def keeps_versions_apart(cache):
    cache.set("k", 1, version=1)
    cache.set("k", 2, version=2)
    equal((cache.get("k"), cache.get("k", version=2)), (1, 2))
    equal(cache.incr_version("k"), 2)
    equal((cache.get("k"), cache.get("k", version=2)), (None, 1))


def keeps_prefixes_apart(cache):
    for name in CACHES:
        caches[name].set("whose", name)
    equal(cache.get("whose"), cache.key_prefix)


def expires(cache):
    cache.set("k", 1, timeout=1)
    cache.set("touched", 1, timeout=1)
    equal(cache.touch("touched", timeout=100), True)
    equal(cache.touch("none", timeout=100), False)
    cache.set("forever", 1, timeout=None)
    # More than 30 days are sent as a time of the calendar.
    cache.set("60_days", 1, timeout=60 * 86400)
    equal(cache.set_many({"m": 1}, timeout=1), [])
    until(lambda: cache.get_many(["k", "m"]) == {})
    equal(len(cache.get_many(["touched", "forever", "60_days"])), 3)


def expires_at_once(cache):
    cache.set("k", 1)
    cache.set("k", 2, timeout=0)
    # Django sends -1, which in binary is a time in the year 2106.
    equal(cache.get("k"), 2 if cache.key_prefix == "pylibmc-binary" else None)


def takes_keys_as_memcached_does(cache):
    for key in ("with blank", "k" * 251, "line\n"):
        raises(InvalidCacheKey, lambda key=key: cache.set(key, 1))
    longest = "k" * (250 - len(cache.make_key("")))
    cache.set(longest, 1)
    equal(cache.get(longest), 1)


def moves_900_kb(cache):
    cache.set("large", LARGE)
    equal(cache.get("large"), LARGE)
    equal(cache.get_many(["large", "none"]), {"large": LARGE})


def forgets_what_became_too_large(cache):
    cache.set("large", "old")
    raises(Exception, lambda: cache.set("large", TOO_LARGE))
    equal(cache.get("large"), None)
    cache.set("large", "new")
    equal(cache.get("large"), "new")


def keeps_sessions(cache):
    class Store(SessionStore):
        """Sessions in the cache of these checks."""

        def __init__(self, session_key=None):
            super().__init__(session_key)
            self._cache = cache

    session = Store()
    session["user"] = {"name": "ünï"}
    session.create()
    found = Store(session.session_key)
    equal((found["user"], Store().exists(session.session_key)), ({"name": "ünï"}, True))
    found["visits"] = 2
    found.save()
    equal(dict(Store(session.session_key).items()), {"user": {"name": "ünï"}, "visits": 2})
    old = session.session_key
    found.cycle_key()
    equal((Store().exists(old), Store(found.session_key)["visits"]), (False, 2))
    found.set_expiry(1)
    found.save()
    until(lambda: not Store().exists(found.session_key))


def caches_pages(cache):
    made = []

    @cache_page(60, cache=cache.key_prefix)
    def view(_request):
        made.append(1)
        return HttpResponse(f"page {len(made)}")

    requests = RequestFactory()
    pages = [view(requests.get(path)).content for path in ("/a", "/a", "/b", "/a")]
    equal(pages, [b"page 1", b"page 1", b"page 2", b"page 1"])
    fragment = make_template_fragment_key("fragment", ["user", 1])
    cache.set(fragment, "made")
    equal(cache.get(fragment), "made")


def clears(cache):
    cache.set("k", 1)
    cache.clear()
    equal(cache.get("k"), None)
    cache.set("k", 2)
    equal(cache.get("k"), 2)
    cache.close()
    equal(cache.get("k"), 2)


CHECKS = [
    sets_and_gets, sets_and_gets_many, adds_and_deletes, gets_or_sets, counts,
    keeps_versions_apart, keeps_prefixes_apart, expires, expires_at_once,
    takes_keys_as_memcached_does, moves_900_kb, forgets_what_became_too_large, keeps_sessions,
    caches_pages, clears,
]  # fmt: skip

Checks("django").finish(
    (f"{name} {check.__name__}", partial(check, caches[name]))
    for name in CACHES
    for check in CHECKS
)
