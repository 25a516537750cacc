"""Monitoring agents that read a server's statistics, collectd and munin: monitors.py HOST PORT."""

import csv
import os
import subprocess
import sys
import tempfile

from checks import Checks, equal, until
from conversation import Conversation

HOST, PORT = sys.argv[1], sys.argv[2]
MUNIN = "/usr/share/munin/plugins/memcached_"

# What collectd's plugin makes of the statistics of a server that has served each kind of request.
COLLECTD = {
    "connections-opened",
    "df-cache",
    "memcached_command-flush",
    "memcached_command-get",
    "memcached_command-meta",
    "memcached_command-set",
    "memcached_command-touch",
    "memcached_connections-current",
    "memcached_items-current",
    "memcached_octets",
    "memcached_ops-decr_hits",
    "memcached_ops-decr_misses",
    "memcached_ops-delete_hits",
    "memcached_ops-delete_misses",
    "memcached_ops-evictions",
    "memcached_ops-hits",
    "memcached_ops-incr_hits",
    "memcached_ops-incr_misses",
    "memcached_ops-misses",
    "percent-hitratio",
    "ps_count",
    "ps_cputime",
    "total_events-listen_disabled",
    "uptime",
}

server = Conversation((HOST, int(PORT)))


def is_served():
    """What the monitors are to find: 20 items, 20 hits, 5 misses."""
    equal(server.ask(b"flush_all\r\n"), b"OK\r\n")
    for number in range(20):
        server.set(b"k%d" % number, b"10")
        equal(server.get(b"k%d" % number), (b"10", 0))
    for _ in range(5):
        equal(server.get(b"none"), None)
    equal(server.ask(b"incr k1 1\r\n"), b"11\r\n")
    equal(server.ask(b"decr k1 1\r\n"), b"10\r\n")


class Collectd:
    """A collectd that reads this server alone, once a second."""

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        place = self.directory.name
        self.values = os.path.join(place, "values", "here", "memcached-cache")
        path = os.path.join(place, "collectd.conf")
        with open(path, "w", encoding="ascii") as config:
            config.write(CONFIG.format(place=place, host=HOST, port=PORT))
        self.process = subprocess.Popen(["collectd", "-f", "-C", path])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.directory.cleanup()

    def found(self):
        """The latest row of each series, by its name."""
        series = {}
        if not os.path.isdir(self.values):
            return series
        for name in os.listdir(self.values):
            with open(os.path.join(self.values, name), encoding="ascii", newline="") as lines:
                # Names end in a date: connections-opened-2024-05-06.
                rows = list(csv.reader(lines))
                if len(rows) > 1:
                    series[name.rsplit("-", 3)[0]] = rows[-1][1:]
        return series


def collectd_reads_every_series():
    with Collectd() as collectd:
        try:
            until(lambda: COLLECTD <= collectd.found().keys() or collectd.process.poll() is not None)
        finally:
            found = collectd.found()
            print("missing:", sorted(COLLECTD - found.keys()))
        equal(collectd.process.poll(), None)
    equal([float(number) for number in found["memcached_items-current"]], [20.0])
    # Used, and free of the 64 MB.
    used, free = (float(number) for number in found["df-cache"])
    equal((used > 0, used + free), (True, 64 * 1024 * 1024))
    equal(float(found["memcached_connections-current"][0]) >= 2, True)
    equal((found["memcached_ops-hits"], found["memcached_ops-misses"]), (["20"], ["5"]))
    equal((found["memcached_command-get"], found["memcached_command-set"]), (["25"], ["20"]))


def munin(group, *arguments):
    """What the plugin writes for a group of graphs, which is in the name it is called by."""
    with tempfile.TemporaryDirectory() as directory:
        plugin = os.path.join(directory, f"memcached_{group}")
        os.symlink(MUNIN, plugin)
        environment = {**os.environ, "host": HOST, "port": PORT}
        command = ["perl", plugin, *arguments]
        result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment)
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


def munin_reads_every_value():
    for group in munin_groups():
        values = munin(group)
        expected = {key.replace(".label", ".value") for key in munin(group, "config") if key.endswith(".label")}
        equal(values.keys(), expected)
        # An unknown value is a `U`.
        equal([key for key, value in values.items() if not value.isdigit()], [])


def munin_groups():
    output = subprocess.run(["perl", MUNIN, "suggest"], check=True, capture_output=True, text=True, timeout=60)
    return output.stdout.split()


def munin_counts_what_was_served():
    equal(munin_groups(), ["bytes", "counters", "rates"])
    before = {key: int(value) for key, value in munin("rates").items()}
    server.set(b"one-more", b"value")
    equal(server.get(b"one-more"), (b"value", 0))
    equal(server.get(b"none"), None)
    after = {key: int(value) for key, value in munin("rates").items()}
    added = {key: after[key] - before[key] for key in after}
    equal(added["memcache_cmd_set.value"], 1)
    equal(added["memcache_cmd_get.value"], 2)
    equal(added["memcache_cache_hits.value"], 1)
    equal(added["memcache_cache_misses.value"], 1)
    equal(added["memcache_total_items.value"], 1)
    equal(munin("counters")["memcache_curr_items.value"], "21")


CONFIG = """
BaseDir "{place}"
PIDFile "{place}/pid"
TypesDB "/usr/share/collectd/types.db"
FQDNLookup false
Hostname "here"
Interval 1
LoadPlugin csv
LoadPlugin memcached
<Plugin csv>
    DataDir "{place}/values"
</Plugin>
<Plugin memcached>
    <Instance "cache">
        Address "{host}"
        Port "{port}"
    </Instance>
</Plugin>
"""

Checks("monitors").run(
    [
        is_served,
        collectd_reads_every_series,
        munin_reads_every_value,
        munin_counts_what_was_served,
    ]
)
