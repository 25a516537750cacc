"""meta-memcache, which speaks the meta commands only: python meta_memcache_suite.py HOST PORT"""

import logging
import os
import sys
import time

from meta_memcache import (
    CacheClient,
    Key,
    LeasePolicy,
    MemcacheServerError,
    MixedSerializer,
    RecachePolicy,
    RequestFlags,
    ServerAddress,
    SetMode,
    StalePolicy,
    Value,
    connection_pool_factory_builder,
)

from checks import LARGE, TOO_LARGE, Checks, equal, raises, until


class Plain(MixedSerializer):
    """Compresses nothing, so that what is large stays so."""

    COMPRESSION_THRESHOLD = 1 << 30


def connect(serializer):
    """A client with connections of its own; it reads large values slowly through a small buffer."""
    factory = connection_pool_factory_builder(
        connection_timeout=5, recv_timeout=10, read_buffer_size=1 << 21
    )
    server = ServerAddress(sys.argv[1], int(sys.argv[2]))
    return CacheClient.cache_client_from_servers([server], factory, serializer=serializer)


# It logs every refusal that a check provokes.
logging.disable()
client = connect(Plain())
other = connect(Plain())


def fresh(name):
    """A key that holds nothing."""
    client.invalidate(name)
    return name


def asked(key, **flags):
    """The raw answer to a get with these flags."""
    return client.meta_get(Key(key), RequestFlags(**flags))


def sets_and_gets():
    key = fresh("k")
    equal(client.get(key), None)
    for value in (b"bytes", "text", 42, -1, 2**70, [1, {"a": None}], True, "ünï"):
        equal(client.set(key, value, ttl=100), True)
        equal(client.get(key), value)
    equal(client.get_typed(key, str), "ünï")
    equal(client.get_typed(key, int), None)


def keeps_empty_values():
    equal(client.set("empty", b"", ttl=100), True)
    found = asked("empty", return_value=True, return_size=True, return_client_flag=True)
    equal((found.size, found.flags.size, found.flags.client_flag), (0, 0, MixedSerializer.BINARY))


def gets_many():
    pairs = {f"m{index}": b"v%d" % index for index in range(100)}
    for key, value in pairs.items():
        equal(client.set(key, value, ttl=100), True)
    found = client.multi_get([*pairs, fresh("none")])
    equal({key.key: value for key, value in found.items()}, {**pairs, "none": None})
    found = client.multi_get_cas(["m1", "none"])
    (value, token), nothing = found.values()
    equal((value, token is None, nothing), (b"v1", False, (None, None)))


def adds_and_replaces():
    key = fresh("k")
    equal(client.set(key, b"a", ttl=100, set_mode=SetMode.REPLACE), False)
    equal(client.set(key, b"b", ttl=100, set_mode=SetMode.ADD), True)
    equal(client.set(key, b"c", ttl=100, set_mode=SetMode.ADD), False)
    equal(client.refill(key, b"c", ttl=100), False)
    equal(client.get(key), b"b")
    equal(client.set(key, b"d", ttl=100, set_mode=SetMode.REPLACE), True)
    equal(client.get(key), b"d")


def appends_and_prepends():
    key = fresh("k")
    equal(client.set(key, b"x", ttl=100, set_mode=SetMode.APPEND), False)
    equal(client.set(key, b"b", ttl=100), True)
    equal(client.set(key, b"c", ttl=100, set_mode=SetMode.APPEND), True)
    equal(client.set(key, b"a", ttl=100, set_mode=SetMode.PREPEND), True)
    equal(client.get(key), b"abc")


def compares_and_swaps():
    key = fresh("k")
    equal(client.get_cas(key), (None, None))
    token = client.set_cas(key, b"a", ttl=100)
    equal(client.get_cas(key), (b"a", token))
    newer = client.set_cas(key, b"b", ttl=100, cas_token=token)
    equal(newer > token, True)
    equal(client.set(key, b"c", ttl=100, cas_token=token), False)
    equal(client.delete(key, cas_token=token), False)
    equal(client.get(key), b"b")
    equal(client.delete(key, cas_token=newer), True)
    equal(client.set(key, b"c", ttl=100, cas_token=newer), False)


def deletes_and_invalidates():
    client.set("k", b"a", ttl=100)
    equal(client.delete("k"), True)
    equal(client.delete("k"), False)
    equal(client.invalidate("k"), True)


def counts():
    key = fresh("n")
    equal(client.delta(key, 1), False)
    equal(client.delta_and_get(key, 1), None)
    equal(client.delta_initialize_and_get(key, 5, initial_value=10, initial_ttl=100), 10)
    equal(client.delta_initialize_and_get(key, 5, initial_value=10, initial_ttl=100), 15)
    equal(client.delta_and_get(key, -6), 9)
    equal(client.delta_and_get(key, -100), 0)
    equal(client.delta(key, 2**64 - 1), True)
    equal(client.delta_and_get(key, 3), 2)
    # A number that gets shorter keeps its length; no reply shows it, but the value does.
    equal(client.get(key).rstrip(" "), "2")
    client.set(key, "word", ttl=100)
    raises(MemcacheServerError, lambda: client.delta(key, 1))
    equal(client.get(key), "word")


def counts_with_conditions():
    key = fresh("n")
    token = client.set_cas(key, 5, ttl=100)
    equal(client.delta(key, 1, cas_token=token + 1000), False)
    equal(client.delta_and_get(key, 1, cas_token=token), 6)
    equal(client.delta(key, 1, refresh_ttl=1000), True)
    equal(asked(key, return_ttl=True).flags.ttl > 100, True)


def expires():
    key = fresh("k")
    equal(client.touch(key, ttl=10), False)
    client.set(key, b"a", ttl=1)
    equal(client.touch(key, ttl=100), True)
    client.set("probe", b"a", ttl=1)
    until(lambda: client.get("probe") is None)
    equal(client.get(key), b"a")
    equal(client.get(key, touch_ttl=1), b"a")
    until(lambda: client.get(key) is None)
    client.set(key, b"a", ttl=int(time.time()) + 100)
    equal(90 < asked(key, return_ttl=True).flags.ttl < 110, True)
    client.set(key, b"a", ttl=0)
    equal(asked(key, return_ttl=True).flags.ttl, -1)


def tells_about_items():
    client.set("k", b"abc", ttl=100)
    flags = {"return_fetched": True, "return_size": True, "return_last_access": True}
    found = asked("k", no_update_lru=True, **flags).flags
    equal((found.fetched, found.size, found.last_access <= 1), (False, 3, True))
    client.get("k")
    found = asked("k", **flags, opaque=b"o123", return_key=True).flags
    equal((found.fetched, found.opaque), (True, b"o123"))


def leases_to_one():
    key = fresh("lease")
    policy = LeasePolicy(ttl=10, miss_retries=2)
    waits = []
    equal(client.get_or_lease(key, policy), None)
    # The other one waits in vain, then finds what the first one wrote.
    equal(other.get_or_lease(key, policy, lease_wait_fn=waits.append), None)
    equal(len(waits), 1)

    def refill(_seconds):
        client.set(key, b"made", ttl=100)

    equal(other.get_or_lease(key, policy, lease_wait_fn=refill), b"made")


def leases_with_tokens():
    key = fresh("lease")
    policy = LeasePolicy(ttl=10, miss_retries=1)
    value, token = client.get_or_lease_cas(key, policy)
    equal(value, None)
    # What was deleted meanwhile is not filled with what was read before.
    client.invalidate(key)
    equal(client.set(key, b"old", ttl=100, cas_token=token), False)
    equal(client.get(key), None)


def leases_end():
    key = fresh("lease")
    policy = LeasePolicy(ttl=1, miss_retries=1)

    def won():
        return asked(key, vivify_on_miss_ttl=1, return_value=True).flags.win

    equal(won(), True)
    equal(won(), False)
    until(won)
    equal(client.get_or_lease(key, policy), None)


def serves_stale_values_to_all_but_one():
    key = fresh("stale")
    client.set(key, b"old", ttl=100)
    equal(client.delete(key, stale_policy=StalePolicy(mark_stale_on_deletion_ttl=30)), True)
    equal(client.get(key), None)
    equal(other.get(key), b"old")
    found = asked(key, return_value=True, return_ttl=True)
    equal((found.flags.stale, found.flags.win, found.flags.ttl <= 30), (True, False, True))
    equal(client.set(key, b"new", ttl=100), True)
    equal(other.get(key), b"new")
    equal(asked(key, return_value=True).flags.stale, False)


def stores_late_values_as_stale():
    key = fresh("stale")
    token = client.set_cas(key, b"old", ttl=100)
    client.delete(key, stale_policy=StalePolicy(mark_stale_on_deletion_ttl=30))
    policy = StalePolicy(mark_stale_on_cas_mismatch=True)
    equal(client.set(key, b"late", ttl=100, cas_token=token, stale_policy=policy), True)
    found = asked(key, return_value=True)
    equal((found.value, found.flags.stale, found.flags.win), ("late", True, True))
    newest = asked(key, return_cas_token=True).flags.cas_token
    equal(client.set(key, b"x", ttl=100, cas_token=newest + 5, stale_policy=policy), False)


def recaches_by_one():
    client.set("recache", b"old", ttl=20)
    policy = RecachePolicy(ttl=30)
    equal(client.get("recache", recache_policy=policy), None)
    equal(other.get("recache", recache_policy=policy), b"old")
    client.set("recache", b"new", ttl=100)
    equal(client.get("recache", recache_policy=policy), b"new")


def is_quiet_with_no_reply():
    for index in range(100):
        equal(client.set(f"q{index}", b"a", ttl=100, no_reply=True), True)
    equal(client.get("q99"), b"a")
    client.delete("q99", no_reply=True)
    client.invalidate("none", no_reply=True)
    client.touch("q98", ttl=1000, no_reply=True)
    client.delta("q97", 1, no_reply=True)
    equal(client.get("q99"), None)
    equal(asked("q98", return_ttl=True).flags.ttl > 100, True)


def encodes_keys_in_base64():
    for name in ("with blank", "ключ", "line\nend", "tab\t", "\x00"):
        equal(client.set(name, name, ttl=100), True)
        equal(client.get(name), name)
    found = client.multi_get(["with blank", "none", "ключ"])
    equal([value for value in found.values()], ["with blank", None, "ключ"])
    equal(client.delete("with blank"), True)
    equal(client.get("with blank"), None)
    equal(client.delta_initialize_and_get("a b", 1, initial_value=7, initial_ttl=9), 7)


def keeps_keys_to_their_length():
    equal(client.set("k" * 250, b"a", ttl=100), True)
    equal(client.get("k" * 250), b"a")
    # Longer ones are hashed by the client, and sent in base64.
    equal(client.set("k" * 251, b"b", ttl=100), True)
    equal((client.get("k" * 250), client.get("k" * 251)), (b"a", b"b"))


def moves_900_kb():
    equal(client.set("large", LARGE, ttl=100), True)
    equal(client.get("large"), LARGE)
    noise = os.urandom(900_001)
    equal(client.set("noise", noise, ttl=100), True)
    found = client.multi_get(["noise", "large"])
    equal([value for value in found.values()], [noise, LARGE])


def refuses_more_than_1_mb():
    equal(client.set("large", b"old", ttl=100), True)
    raises(MemcacheServerError, lambda: client.set("large", TOO_LARGE, ttl=100))
    equal(client.get("large"), None)
    equal(client.set("large", b"new", ttl=100), True)
    equal(client.get("large"), b"new")


def keeps_flags_of_32_bits():
    class Flags(Plain):
        """Stores with whatever flags, and shows them."""

        def serialize(self, key, value):
            return super().serialize(key, value[0])._replace(encoding_id=value[1])

        def unserialize(self, data, encoding_id):
            return bytes(data), encoding_id

    flagged = connect(Flags())
    for flags in (0, 1, 65535, 2**32 - 1):
        equal(flagged.set("flags", (b"a", flags), ttl=100), True)
        equal(flagged.get("flags"), (b"a", flags))


def answers_what_no_value_is_asked_of():
    client.set("k", b"abc", ttl=100)
    found = asked("k", return_size=True, return_client_flag=True)
    equal(isinstance(found, Value), False)
    equal((found.flags.size, found.flags.client_flag), (3, MixedSerializer.BINARY))


Checks("meta-memcache").run([
    sets_and_gets, keeps_empty_values, gets_many, adds_and_replaces, appends_and_prepends,
    compares_and_swaps, deletes_and_invalidates, counts, counts_with_conditions, expires,
    tells_about_items, leases_to_one, leases_with_tokens, leases_end,
    serves_stale_values_to_all_but_one, stores_late_values_as_stale, recaches_by_one,
    is_quiet_with_no_reply, encodes_keys_in_base64, keeps_keys_to_their_length, moves_900_kb,
    refuses_more_than_1_mb, keeps_flags_of_32_bits, answers_what_no_value_is_asked_of,
])  # fmt: skip
