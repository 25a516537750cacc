"""aiomcache: python aiomcache_suite.py HOST PORT"""

import asyncio
import sys
import time

import aiomcache

from checks import LARGE, TOO_LARGE, Checks, equal, raises_async, until_async

ADDRESS = (sys.argv[1], int(sys.argv[2]))


async def connect():
    """A client; it gives nothing but bytes."""
    return aiomcache.Client(*ADDRESS, pool_size=4)


async def sets_and_gets(client):
    await client.flush_all()
    equal(await client.get(b"k"), None)
    for value in (b"value", b"", b"\r\nEND\r\n", bytes(range(256))):
        equal(await client.set(b"k", value), True)
        equal(await client.get(b"k", default=b"absent"), value)


async def gets_many(client):
    keys = [b"m%d" % index for index in range(100)]
    for key in keys:
        equal(await client.set(key, key), True)
    equal(await client.multi_get(*keys, b"none"), (*keys, None))


async def adds_and_replaces(client):
    await client.delete(b"k")
    equal(await client.replace(b"k", b"a"), False)
    equal(await client.add(b"k", b"b"), True)
    equal(await client.add(b"k", b"c"), False)
    equal(await client.replace(b"k", b"d"), True)
    equal(await client.get(b"k"), b"d")


async def appends_and_prepends(client):
    await client.delete(b"k")
    equal(await client.append(b"k", b"x"), False)
    equal(await client.prepend(b"k", b"x"), False)
    await client.set(b"k", b"b")
    equal(await client.append(b"k", b"c"), True)
    equal(await client.prepend(b"k", b"a"), True)
    equal(await client.get(b"k"), b"abc")


async def compares_and_swaps(client):
    await client.delete(b"k")
    equal(await client.gets(b"k"), (None, None))
    equal(await client.cas(b"k", b"x", 1), False)
    await client.set(b"k", b"a")
    value, cas = await client.gets(b"k")
    equal(value, b"a")
    equal(await client.cas(b"k", b"b", cas), True)
    equal(await client.cas(b"k", b"c", cas), False)
    equal(await client.get(b"k"), b"b")


async def counts(client):
    await client.delete(b"n")
    await raises_async(aiomcache.ClientException, client.incr(b"n"))
    await client.set(b"n", b"10")
    equal(await client.incr(b"n", 5), 15)
    equal(await client.decr(b"n", 6), 9)
    equal(await client.decr(b"n", 100), 0)
    await client.set(b"n", b"18446744073709551615")
    equal(await client.incr(b"n", 2), 1)
    await client.set(b"n", b"word")
    await raises_async(aiomcache.ClientException, client.incr(b"n"))
    await raises_async(aiomcache.ClientException, client.decr(b"n"))


async def touches_and_expires(client):
    await client.delete(b"k")
    equal(await client.touch(b"k", 10), False)
    await client.set(b"k", b"a", exptime=1)
    equal(await client.touch(b"k", 100), True)
    await client.set(b"probe", b"a", exptime=1)
    await until_async(lambda: is_gone(client, b"probe"))
    equal(await client.get(b"k"), b"a")
    equal(await client.touch(b"k", -1), True)
    equal(await client.get(b"k"), None)


async def expires_at_a_time(client):
    await client.set(b"k", b"a", exptime=int(time.time()) + 100)
    equal(await client.get(b"k"), b"a")
    await client.set(b"k", b"a", exptime=int(time.time()) - 100)
    equal(await client.get(b"k"), None)


async def deletes(client):
    await client.set(b"k", b"a")
    equal(await client.delete(b"k"), True)
    equal(await client.delete(b"k"), False)


async def moves_900_kb(client):
    equal(await client.set(b"large", LARGE), True)
    equal(await client.get(b"large"), LARGE)
    equal(await client.multi_get(b"large", b"none"), (LARGE, None))


async def refuses_more_than_1_mb(client):
    await client.set(b"large", b"old")
    await raises_async(aiomcache.ClientException, client.set(b"large", TOO_LARGE))
    equal(await client.get(b"large"), None)
    equal(await client.set(b"large", b"new"), True)
    equal(await client.get(b"large"), b"new")


async def keeps_keys_to_their_length(client):
    equal(await client.set(b"k" * 250, b"a"), True)
    equal(await client.get(b"k" * 250), b"a")
    await raises_async(aiomcache.ValidationException, client.get(b"k" * 251))


async def keeps_flags(_client):
    async def take(value, flags):
        return value.decode(), flags

    async def give(value):
        return value[0].encode(), value[1]

    flagged = aiomcache.FlagClient(*ADDRESS, get_flag_handler=take, set_flag_handler=give)
    for flags in (1, 65535, 2**32 - 1):
        equal(await flagged.set(b"flags", ("a", flags)), True)
        equal(await flagged.get(b"flags"), ("a", flags))
    await flagged.close()


async def asks_for_version_and_stats(client):
    equal([part.isdigit() for part in (await client.version()).split(b".")], [True] * 3)
    # It sends `stats ` with a blank at its end.
    stats = await client.stats()
    equal(int(stats[b"curr_connections"]) >= 1 and int(stats[b"cmd_get"]) > 0, True)
    equal(b"maxbytes" in await client.stats(b"settings"), True)
    equal(b"active_slabs" in await client.stats(b"slabs"), True)
    await raises_async(aiomcache.ClientException, client.stats(b"nothing"))


async def works_concurrently(client):
    async def round_trip(index):
        key = b"c%d" % index
        await client.set(key, key)
        return await client.get(key) == key

    equal(await asyncio.gather(*(round_trip(index) for index in range(200))), [True] * 200)


async def flushes(client):
    await client.set(b"k", b"a")
    await client.flush_all()
    equal(await client.get(b"k"), None)
    equal(await client.set(b"k", b"b"), True)
    equal(await client.get(b"k"), b"b")
    await client.close()


async def is_gone(client, key):
    """Whether there is nothing under a key."""
    return await client.get(key) is None


Checks("aiomcache").run_async(connect, [
    sets_and_gets, gets_many, adds_and_replaces, appends_and_prepends, compares_and_swaps, counts,
    touches_and_expires, expires_at_a_time, deletes, moves_900_kb, refuses_more_than_1_mb,
    keeps_keys_to_their_length, keeps_flags, asks_for_version_and_stats, works_concurrently,
    flushes,
])  # fmt: skip
