"""What monitors read of `stats`: python stat_names.py HOST PORT

The names are the union of those that the Prometheus exporter, Datadog, Zabbix, telegraf, collectd,
netdata, metricbeat, munin and phpMemcachedAdmin read; the rules of form are those of the strictest
of their parsers.
"""

import re
import sys

from checks import Checks, equal, until
from conversation import Conversation

ADDRESS = (sys.argv[1], int(sys.argv[2]))


class Monitor(Conversation):
    """A connection of somebody who asks for statistics."""

    def line(self, request, body=b""):
        """The one line that answers a request."""
        return self.ask(request.encode() + b"\r\n" + body).decode()

    def lines(self, request):
        """Every line of an answer that ends in `END`, but for that."""
        return [line.decode() for line in self.ask_all(request.encode() + b"\r\n")]

    def stats(self, topic=""):
        """Names and values; a line has three words: metricbeat, telegraf, the exporter insist."""
        found = {}
        for line in self.lines(f"stats {topic}".strip()):
            if not re.fullmatch(r"STAT \S+ \S+\r\n", line):
                raise AssertionError(f"not three words with one blank between: {line!r}")
            _, name, value = line.split()
            equal(name in found, False)
            found[name] = value
        return found


monitor = Monitor(ADDRESS)


def stores_items_of_many_sizes():
    equal(monitor.line("flush_all"), "OK\r\n")
    for index, size in enumerate(SIZES):
        stored = monitor.line(f"set k{index} {index} 0 {size}", b"x" * size + b"\r\n")
        equal(stored, "STORED\r\n")
        equal(monitor.lines(f"get k{index}")[0], f"VALUE k{index} {index} {size}\r\n")
    equal(monitor.line("set n 0 0 1", b"1\r\n"), "STORED\r\n")
    for request in ("incr n 1", "decr n 1", "touch n 0", "incr none 1", "delete none"):
        monitor.line(request)
    equal(monitor.lines("get none"), [])


def answers_every_general_name():
    has_names(monitor.stats(), GENERAL)


def answers_every_setting():
    has_names(monitor.stats("settings"), SETTINGS)


def answers_every_name_of_slabs_for_every_class():
    classes, totals = by_class(monitor.stats("slabs"), r"(\d+):(\w+)")
    equal(sorted(totals), ["active_slabs", "total_malloced"])
    for found in classes.values():
        has_names(found, SLABS)


def answers_every_name_of_items_for_every_class():
    classes, rest = by_class(monitor.stats("items"), r"items:(\d+):(\w+)")
    equal(rest, {})
    for found in classes.values():
        has_names(found, ITEMS)


def keeps_general_statistics_in_4096_bytes():
    # collectd reads them into a buffer of that size.
    size = len("".join(monitor.lines("stats")) + "END\r\n")
    equal(size < 4096, True)


def has_no_colon_in_a_general_name():
    # The exporter takes `a:b` for statistic `b` of slab `a`, and fails the whole scrape.
    for topic in ("", "settings"):
        equal([name for name in monitor.stats(topic) if ":" in name], [])


def numbers_general_statistics():
    for name, value in monitor.stats().items():
        if name in ("version", "libevent"):
            continue
        form = r"\d+\.\d{6}" if name.startswith("rusage_") else r"\d+"
        matches(form, name, value)


def says_yes_or_no_in_settings():
    found = monitor.stats("settings")
    for name in BOOLEAN_SETTINGS:
        matches("yes|no", name, found[name])
    for name in NUMERIC_SETTINGS:
        matches(r"-?\d+", name, found[name])
    for name in FRACTIONAL_SETTINGS:
        matches(r"\d+\.\d\d", name, found[name])


def numbers_classes():
    for topic, form in (("slabs", r"(?:\d+:)?(\w+)"), ("items", r"items:\d+:(\w+)")):
        for name, value in monitor.stats(topic).items():
            matches(form, topic, name)
            matches(r"\d+", name, value)


def names_classes_in_order():
    for topic, form in (("slabs", r"(\d+):(\w+)"), ("items", r"items:(\d+):(\w+)")):
        classes, _ = by_class(monitor.stats(topic), form)
        equal(list(classes), sorted(classes))
        equal(len(classes) > 10, True)
    slabs, _ = by_class(monitor.stats("slabs"), r"(\d+):(\w+)")
    sizes = [int(found["chunk_size"]) for found in slabs.values()]
    equal(sizes, sorted(set(sizes)))


def agrees_with_itself():
    general = monitor.stats()
    slabs, totals = by_class(monitor.stats("slabs"), r"(\d+):(\w+)")
    items, _ = by_class(monitor.stats("items"), r"items:(\d+):(\w+)")
    equal(set(items) <= set(slabs), True)
    equal(int(totals["active_slabs"]), len(slabs))
    equal(sum(int(found["number"]) for found in items.values()), int(general["curr_items"]))
    equal(int(general["curr_items"]) > len(SIZES), True)
    equal(general["limit_maxbytes"], monitor.stats("settings")["maxbytes"])
    equal(sum(int(found["get_hits"]) for found in slabs.values()) <= int(general["get_hits"]), True)


def counts_cas_among_the_sets():
    # The exporter subtracts what became of `cas` from `cmd_set`.
    def counted():
        found = monitor.stats()
        return [int(found[name]) for name in ("cmd_set", "cas_hits", "cas_badval", "cas_misses")]

    before = counted()
    unique = monitor.lines("gets n")[0].split()[-1]
    for key, reply in (("n", "STORED"), ("n", "EXISTS"), ("none", "NOT_FOUND")):
        equal(monitor.line(f"cas {key} 0 0 1 {unique}", b"2\r\n"), f"{reply}\r\n")
    equal([after - start for after, start in zip(counted(), before)], [3, 1, 1, 1])


def satisfies_the_exporter():
    # It reads these as floating point numbers, and fails the whole scrape when one is none.
    general, settings = monitor.stats(), monitor.stats("settings")
    for name in EXPORTER.split():
        float(general[name])
    for name in EXPORTER_SETTINGS.split():
        value = settings[name]
        float({"yes": 1, "no": 0}.get(value, value))
    matches(r"\d+\.\d+\.\d+", "version", general["version"])


def ends_every_topic():
    # libmemcached and aiomcache send a blank at the end, metricbeat a bare newline.
    topics = [b"settings", b"items", b"slabs", b"sizes", b"conns", b"detail dump", b""]
    for request in (*(b"stats %s\r\n" % topic for topic in topics), b"stats\r\n", b"stats\n"):
        monitor.ask_all(request)
        equal(monitor.ask(b"version\r\n").startswith(b"VERSION "), True)


def lists_keys_of_a_class():
    items, _ = by_class(monitor.stats("items"), r"items:(\d+):(\w+)")

    def listed():
        answers = [monitor.lines(f"stats cachedump {number} 0") for number in items]
        return [line for answer in answers for line in answer]

    # memcached lists what its maintainer has moved to the end of its queues.
    until(listed)
    for line in listed():
        matches(r"ITEM \S+ \[\d+ b; \d+ s\]\r\n", "cachedump", line)
    equal(monitor.lines("stats cachedump 0 0"), [])
    # libmemcached goes on to 199.
    equal(monitor.line("stats cachedump 199 0"), "CLIENT_ERROR Illegal slab id\r\n")


def resets():
    items = monitor.stats()["curr_items"]
    equal(monitor.line("stats reset"), "RESET\r\n")
    found = monitor.stats()
    equal([found[name] for name in ("get_hits", "get_misses", "total_items")], ["0"] * 3)
    equal(found["curr_items"], items)


def has_names(found, names):
    """Fails with the names that are missing."""
    equal([name for name in names.split() if name not in found], [])


def matches(form, name, value):
    """Fails unless the whole value has that form."""
    if not re.fullmatch(form, value):
        raise AssertionError(f"{name}: {value!r} is not of the form {form}")


def by_class(stats, form):
    """Statistics of each class, and those that belong to none."""
    classes, rest = {}, {}
    for name, value in stats.items():
        if match := re.fullmatch(form, name):
            classes.setdefault(int(match[1]), {})[match[2]] = value
        else:
            rest[name] = value
    equal(bool(classes), True)
    return classes, rest


# Each in a class of its own: 10 bytes to 900 KB.
SIZES = [int(10 * 1.9**step) for step in range(18)] + [900_000]

GENERAL = """
    pid uptime time version pointer_size rusage_user rusage_system max_connections
    curr_connections total_connections rejected_connections connection_structures cmd_get
    cmd_set cmd_flush cmd_touch get_hits get_misses delete_hits delete_misses incr_hits
    incr_misses decr_hits decr_misses cas_hits cas_misses cas_badval touch_hits touch_misses
    auth_cmds auth_errors bytes_read bytes_written limit_maxbytes accepting_conns
    listen_disabled_num threads conn_yields hash_power_level hash_bytes hash_is_expanding
    store_too_large store_no_memory bytes curr_items total_items expired_unfetched
    evicted_unfetched evictions reclaimed crawler_reclaimed crawler_items_checked
    lru_crawler_starts direct_reclaims moves_to_cold moves_to_warm moves_within_lru cmd_meta
    get_expired get_flushed evicted_active reserved_fds time_in_listen_disabled_us slabs_moved
    lru_maintainer_juggles malloc_fails round_robin_fallback unexpected_napi_ids
    lrutail_reflocked lru_bumps_dropped
"""
SETTINGS = """
    maxbytes maxconns tcpport udpport inter verbosity oldest evictions domain_socket umask
    growth_factor chunk_size num_threads stat_key_prefix detail_enabled reqs_per_event
    cas_enabled tcp_backlog binding_protocol auth_enabled_sasl auth_enabled_ascii item_size_max
    maxconns_fast slab_reassign slab_automove lru_crawler lru_crawler_sleep lru_crawler_tocrawl
    lru_maintainer_thread hot_lru_pct warm_lru_pct hot_max_factor warm_max_factor hash_algorithm
    idle_timeout flush_enabled dump_enabled shutdown_command
"""
SLABS = """
    chunk_size chunks_per_page total_pages total_chunks used_chunks free_chunks free_chunks_end
    get_hits cmd_set delete_hits incr_hits decr_hits cas_hits cas_badval touch_hits
"""
ITEMS = """
    number number_hot number_warm number_cold age age_hot age_warm mem_requested evicted
    evicted_nonzero evicted_time outofmemory tailrepairs reclaimed expired_unfetched
    evicted_unfetched evicted_active crawler_reclaimed crawler_items_checked lrutail_reflocked
    moves_to_cold moves_to_warm moves_within_lru direct_reclaims hits_to_hot hits_to_warm
    hits_to_cold hits_to_temp
"""
BOOLEAN_SETTINGS = """
    detail_enabled cas_enabled auth_enabled_sasl auth_enabled_ascii maxconns_fast slab_reassign
    lru_crawler lru_maintainer_thread flush_enabled dump_enabled shutdown_command
""".split()
NUMERIC_SETTINGS = """
    maxbytes maxconns tcpport udpport verbosity oldest umask chunk_size num_threads
    reqs_per_event tcp_backlog item_size_max slab_automove lru_crawler_sleep lru_crawler_tocrawl
    hot_lru_pct warm_lru_pct idle_timeout
""".split()
FRACTIONAL_SETTINGS = ["growth_factor", "hot_max_factor", "warm_max_factor"]
EXPORTER = """
    uptime time rusage_user rusage_system bytes_read bytes_written curr_connections
    total_connections rejected_connections conn_yields listen_disabled_num bytes limit_maxbytes
    curr_items total_items evictions reclaimed store_too_large store_no_memory cmd_get cmd_set
    cmd_flush cmd_touch get_hits get_misses delete_hits delete_misses incr_hits incr_misses
    decr_hits decr_misses cas_hits cas_misses cas_badval touch_hits touch_misses
    lru_crawler_starts crawler_reclaimed crawler_items_checked direct_reclaims moves_to_cold
    moves_to_warm moves_within_lru accepting_conns round_robin_fallback unexpected_napi_ids
"""
EXPORTER_SETTINGS = """
    maxconns lru_crawler lru_crawler_sleep lru_crawler_tocrawl lru_maintainer_thread hot_lru_pct
    warm_lru_pct hot_max_factor warm_max_factor
"""

Checks("stat names").run([
    stores_items_of_many_sizes, answers_every_general_name, answers_every_setting,
    answers_every_name_of_slabs_for_every_class, answers_every_name_of_items_for_every_class,
    keeps_general_statistics_in_4096_bytes, has_no_colon_in_a_general_name,
    numbers_general_statistics, says_yes_or_no_in_settings, numbers_classes, names_classes_in_order,
    agrees_with_itself, counts_cas_among_the_sets, satisfies_the_exporter, ends_every_topic,
    lists_keys_of_a_class, resets,
])  # fmt: skip
