"""emcache: python emcache_suite.py HOST PORT"""

import asyncio
import contextlib
import sys
import time

import emcache

from checks import LARGE, TOO_LARGE, Checks, equal, raises_async, until_async

ADDRESS = emcache.MemcachedHostAddress(sys.argv[1], int(sys.argv[2]))


async def connect():
    """A client with at most four connections."""
    return await emcache.create_client([ADDRESS], timeout=10, max_connections=4)


async def value(client, key):
    """What is under a key, or none."""
    item = await client.get(key)
    return None if item is None else item.value


async def sets_and_gets(client):
    await client.flush_all(ADDRESS)
    equal(await client.get(b"k"), None)
    for stored in (b"value", b"", b"\r\nEND\r\n", bytes(range(256))):
        await client.set(b"k", stored)
        equal(await value(client, b"k"), stored)


async def gets_many(client):
    keys = [b"m%d" % index for index in range(100)]
    for key in keys:
        await client.set(key, key)
    found = await client.get_many([*keys, b"none"])
    equal({key: item.value for key, item in found.items()}, {key: key for key in keys})
    found = await client.gets_many(keys[:2])
    equal(all(item.cas > 0 for item in found.values()), True)


async def keeps_flags(client):
    for flags in (0, 1, 65535):
        await client.set(b"flags", b"a", flags=flags)
        equal((await client.get(b"flags", return_flags=True)).flags, flags)
    equal((await client.get_many([b"flags"], return_flags=True))[b"flags"].flags, 65535)


async def adds_and_replaces(client):
    await gone(client, b"k")
    await raises_async(emcache.NotStoredStorageCommandError, client.replace(b"k", b"a"))
    await client.add(b"k", b"b")
    await raises_async(emcache.NotStoredStorageCommandError, client.add(b"k", b"c"))
    await client.replace(b"k", b"d", flags=3)
    equal(await value(client, b"k"), b"d")


async def appends_and_prepends(client):
    await gone(client, b"k")
    await raises_async(emcache.NotStoredStorageCommandError, client.append(b"k", b"x"))
    await raises_async(emcache.NotStoredStorageCommandError, client.prepend(b"k", b"x"))
    await client.set(b"k", b"b", flags=7)
    await client.append(b"k", b"c")
    await client.prepend(b"k", b"a")
    item = await client.get(b"k", return_flags=True)
    equal((item.value, item.flags), (b"abc", 7))


async def compares_and_swaps(client):
    await gone(client, b"k")
    await raises_async(emcache.StorageCommandError, client.cas(b"k", b"x", 1))
    await client.set(b"k", b"a")
    cas = (await client.gets(b"k")).cas
    await client.cas(b"k", b"b", cas)
    await raises_async(emcache.StorageCommandError, client.cas(b"k", b"c", cas))
    equal(await value(client, b"k"), b"b")


async def counts(client):
    await gone(client, b"n")
    await raises_async(emcache.NotFoundCommandError, client.increment(b"n", 1))
    await client.set(b"n", b"10")
    equal(await client.increment(b"n", 5), 15)
    equal(await client.decrement(b"n", 6), 9)
    equal(await client.decrement(b"n", 100), 0)
    await client.set(b"n", b"18446744073709551615")
    equal(await client.increment(b"n", 2), 1)
    await client.set(b"n", b"word")
    # It takes the text of the error for the number.
    await raises_async(ValueError, client.increment(b"n", 1))
    equal(await value(client, b"n"), b"word")


async def touches_and_expires(client):
    await gone(client, b"k")
    await raises_async(emcache.NotFoundCommandError, client.touch(b"k", 10))
    await client.set(b"k", b"a", exptime=1)
    await client.touch(b"k", 100)
    await client.set(b"probe", b"a", exptime=1)
    await until_async(lambda: is_gone(client, b"probe"))
    equal(await value(client, b"k"), b"a")
    await client.touch(b"k", -1)
    equal(await client.get(b"k"), None)


async def expires_at_a_time(client):
    await client.set(b"k", b"a", exptime=int(time.time()) + 100)
    equal(await value(client, b"k"), b"a")
    await client.set(b"k", b"a", exptime=int(time.time()) - 100)
    equal(await client.get(b"k"), None)
    await client.set(b"k", b"a", exptime=-1)
    equal(await client.get(b"k"), None)


async def gets_and_touches(client):
    equal(await client.gat(100, b"none"), None)
    await client.set(b"k", b"a", flags=5)
    await client.set(b"l", b"b")
    item = await client.gat(100, b"k", return_flags=True)
    equal((item.value, item.flags), (b"a", 5))
    equal((await client.gats(100, b"k")).cas, (await client.gets(b"k")).cas)
    found = await client.gat_many(100, [b"k", b"none", b"l"])
    equal({key: item.value for key, item in found.items()}, {b"k": b"a", b"l": b"b"})
    equal(len(await client.gats_many(-1, [b"k", b"l"])), 2)
    equal(await client.get_many([b"k", b"l"]), {})


async def deletes(client):
    await client.set(b"k", b"a")
    await client.delete(b"k")
    await raises_async(emcache.NotFoundCommandError, client.delete(b"k"))


async def is_quiet_with_noreply(client):
    # One connection, so that the commands stay in order.
    single = await emcache.create_client([ADDRESS], timeout=10, max_connections=1)
    await single.set(b"q", b"5", noreply=True)
    await single.increment(b"q", 2, noreply=True)
    await single.append(b"q", b"0", noreply=True)
    await single.touch(b"q", 100, noreply=True)
    await single.delete(b"none", noreply=True)
    equal(await value(single, b"q"), b"70")
    await single.flush_all(ADDRESS, noreply=True)
    equal(await single.get(b"q"), None)
    await single.close()


async def moves_900_kb(client):
    await client.set(b"large", LARGE)
    equal(await value(client, b"large"), LARGE)


async def refuses_more_than_1_mb(client):
    await client.set(b"large", b"old")
    await raises_async(emcache.StorageCommandError, client.set(b"large", TOO_LARGE))
    equal(await client.get(b"large"), None)
    await client.set(b"large", b"new")
    equal(await value(client, b"large"), b"new")


async def keeps_keys_to_their_length(client):
    await client.set(b"k" * 250, b"a")
    equal(await value(client, b"k" * 250), b"a")
    await raises_async(ValueError, client.get(b"k" * 251))


async def batches_what_is_asked_at_once(_client):
    batching = await emcache.create_client([ADDRESS], timeout=10, autobatching=True)
    await asyncio.gather(*(batching.set(b"b%d" % index, b"a") for index in range(50)))
    found = await asyncio.gather(*(batching.get(b"b%d" % index) for index in range(60)))
    equal([item is not None for item in found], [True] * 50 + [False] * 10)
    await batching.close()


async def asks_for_version_and_stats(client):
    equal([part.isdigit() for part in (await client.version(ADDRESS)).split(".")], [True] * 3)
    equal("curr_items" in await client.stats(ADDRESS), True)
    equal("maxbytes" in await client.stats(ADDRESS, "settings"), True)
    equal("active_slabs" in await client.stats(ADDRESS, "slabs"), True)
    await raises_async(emcache.CommandError, client.stats(ADDRESS, "nothing"))


async def changes_limits_and_verbosity(client):
    for megabytes in (128, 64):
        await client.cache_memlimit(ADDRESS, megabytes)
        settings = await client.stats(ADDRESS, "settings")
        equal(settings["maxbytes"], str(megabytes << 20))
    await client.verbosity(ADDRESS, 0)


async def flushes(client):
    await client.set(b"k", b"a")
    await client.flush_all(ADDRESS)
    equal(await client.get(b"k"), None)
    await client.set(b"k", b"b")
    await client.flush_all(ADDRESS, delay=100)
    equal(await value(client, b"k"), b"b")
    await client.close()


async def gone(client, key):
    """Sees to it that there is nothing under a key."""
    with contextlib.suppress(emcache.NotFoundCommandError):
        await client.delete(key)


async def is_gone(client, key):
    """Whether there is nothing under a key."""
    return await client.get(key) is None


Checks("emcache").run_async(connect, [
    sets_and_gets, gets_many, keeps_flags, adds_and_replaces, appends_and_prepends,
    compares_and_swaps, counts, touches_and_expires, expires_at_a_time, gets_and_touches, deletes,
    is_quiet_with_noreply, moves_900_kb, refuses_more_than_1_mb, keeps_keys_to_their_length,
    batches_what_is_asked_at_once, asks_for_version_and_stats, changes_limits_and_verbosity,
    flushes,
])  # fmt: skip
