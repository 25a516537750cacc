"""Proxies in front of a server, nginx and twemproxy: proxies.py PROGRAM HOST PORT.

More servers of the same program stand beside the one at HOST PORT where a ring is asked for.
"""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile

from checks import LARGE, Checks, equal, until
from conversation import Conversation
from serving import serving

PROGRAM, HOST, PORT = sys.argv[1:]
server = Conversation((HOST, int(PORT)))


@contextlib.contextmanager
def proxying(command, config):
    """Runs a proxy with the text of its configuration; gives the path of its socket, which it must make."""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "config")
        listening = os.path.join(place, "socket")
        with open(path, "w", encoding="ascii") as file:
            file.write(config.format(place=place, socket=listening, host=HOST, port=PORT))
        process = subprocess.Popen([part.format(place=place, config=path) for part in command])
        try:
            until(lambda: os.path.exists(listening) or process.poll() is not None)
            equal(process.poll(), None)
            yield listening
        finally:
            process.terminate()
            process.wait(timeout=30)


class Http(http.client.HTTPConnection):
    """A connection to nginx's socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, url, body=None):
        """The status and the body of the answer."""
        self.request(method, url, body)
        response = self.getresponse()
        return response.status, response.read()


def nginx():
    """nginx, with both modules that speak to memcached."""
    return proxying(["nginx", "-p", "{place}", "-e", "{place}/errors", "-c", "{config}"], NGINX)


def nginx_serves_what_is_stored():
    equal(server.ask(b"flush_all\r\n"), b"OK\r\n")
    server.set(b"/page", b"<html>cached</html>")
    server.set(b"/large", LARGE)
    server.set(b"/empty", b"")
    with nginx() as path:
        client = Http(path)
        equal(client.ask("GET", "/page"), (200, b"<html>cached</html>"))
        equal(client.ask("GET", "/empty"), (200, b""))
        status, body = client.ask("GET", "/large")
        equal((status, body == LARGE), (200, True))
        equal(client.ask("GET", "/none"), (404, b"made\n"))
        # Keys are escaped on their way: a blank would end them.
        server.set(b"/with%20a%20blank", b"found")
        equal(client.ask("GET", "/with%20a%20blank"), (200, b"found"))
        for _ in range(200):
            equal(client.ask("GET", "/page"), (200, b"<html>cached</html>"))
        client.close()


def nginx_stores_by_methods():
    equal(server.ask(b"flush_all\r\n"), b"OK\r\n")
    with nginx() as path:
        client = Http(path)
        equal(client.ask("PUT", "/memc?k", b"a value")[0], 201)
        equal(server.get(b"k"), (b"a value", 0))
        equal(client.ask("GET", "/memc?k"), (200, b"a value"))
        equal(client.ask("POST", "/memc?k", b"not added")[0], 200)
        equal(client.ask("POST", "/memc?new", b"added")[0], 201)
        equal((server.get(b"k"), server.get(b"new")), ((b"a value", 0), (b"added", 0)))
        equal(client.ask("DELETE", "/memc?k")[0], 200)
        equal(client.ask("DELETE", "/memc?k")[0], 404)
        equal(client.ask("GET", "/memc?k")[0], 404)
        equal(client.ask("PUT", "/memc?large", LARGE)[0], 201)
        equal(server.get(b"large") == (LARGE, 0), True)
        client.close()


def nginx_sends_commands():
    with nginx() as path:
        client = Http(path)
        server.set(b"n", b"10")
        equal(client.ask("GET", "/command?cmd=incr&key=n&value=5"), (201, b"15\r\n"))
        equal(client.ask("GET", "/command?cmd=decr&key=n&value=6"), (201, b"9\r\n"))
        equal(client.ask("GET", "/command?cmd=append&key=n&value=0")[0], 201)
        status, stats = client.ask("GET", "/command?cmd=stats")
        equal((status, b"STAT curr_connections " in stats), (200, True))
        status, version = client.ask("GET", "/command?cmd=version")
        equal((status, version.count(b".")), (200, 2))
        equal(client.ask("GET", "/command?cmd=flush_all")[0], 200)
        equal(server.get(b"n"), None)
        client.close()


@contextlib.contextmanager
def twemproxy(ports):
    """A ring of servers behind one socket, from which servers that fail are taken out."""
    with socket.socket() as chosen:
        chosen.bind((HOST, 0))
        stats_port = chosen.getsockname()[1]
    servers = "".join(f"\n    - {HOST}:{port}:1 node-{number}" for number, port in enumerate(ports))
    command = ["nutcracker", "-c", "{config}", "-p", "{place}/pid", "-a", HOST, "-s", str(stats_port)]
    with proxying(command, TWEMPROXY + servers + "\n") as path, Conversation(path) as client:
        yield client


def twemproxy_forwards():
    equal(server.ask(b"flush_all\r\n"), b"OK\r\n")
    with twemproxy([PORT]) as client:
        client.set(b"k", b"a value", flags=42)
        equal((client.get(b"k"), server.get(b"k")), ((b"a value", 42), (b"a value", 42)))
        equal(client.ask(b"add k 0 0 1\r\na\r\n"), b"NOT_STORED\r\n")
        equal(client.ask(b"replace k 0 0 1\r\nb\r\n"), b"STORED\r\n")
        equal(client.ask(b"append k 0 0 1\r\nc\r\n"), b"STORED\r\n")
        equal(client.ask(b"prepend k 0 0 1\r\na\r\n"), b"STORED\r\n")
        head, value = client.ask_all(b"gets k\r\n")
        cas = head.split()[4]
        equal(value, b"abc\r\n")
        equal(client.ask(b"cas k 0 0 1 %s\r\nd\r\n" % cas), b"STORED\r\n")
        equal(client.ask(b"cas k 0 0 1 %s\r\ne\r\n" % cas), b"EXISTS\r\n")
        equal(client.ask(b"touch k 100\r\n"), b"TOUCHED\r\n")
        equal(client.ask(b"incr k 1\r\n"), b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")
        client.set(b"n", b"10")
        equal((client.ask(b"incr n 5\r\n"), client.ask(b"decr n 6\r\n")), (b"15\r\n", b"9\r\n"))
        equal((client.ask(b"delete n\r\n"), client.ask(b"delete n\r\n")), (b"DELETED\r\n", b"NOT_FOUND\r\n"))
        equal(client.ask(b"set quiet 0 0 1 noreply\r\na\r\nget none\r\n"), b"END\r\n")
        until(lambda: client.get(b"quiet") == (b"a", 0))
        client.set(b"large", LARGE)
        equal(client.get(b"large") == (LARGE, 0), True)
        equal(client.ask(b"version\r\n").startswith(b"VERSION "), True)


def twemproxy_pipelines():
    with twemproxy([PORT]) as client:
        sets = b"".join(b"set p%d 0 0 1\r\na\r\n" % number for number in range(1000))
        gets = b"".join(b"get p%d\r\n" % number for number in range(1000))
        client.socket.sendall(sets)
        equal({client.replies.readline() for _ in range(1000)}, {b"STORED\r\n"})
        client.socket.sendall(gets)
        replies = [client.replies.readline() for _ in range(3000)]
        expected = [(b"VALUE p%d 0 1\r\n" % number, b"a\r\n", b"END\r\n") for number in range(1000)]
        equal(replies, [line for reply in expected for line in reply])


def twemproxy_spreads_and_ejects():
    keys = [b"ring-%d" % number for number in range(200)]
    with contextlib.ExitStack() as others:
        second = others.enter_context(serving(PROGRAM))
        with twemproxy([PORT, second]) as client:
            for key in keys:
                client.set(key, key)
            with Conversation((HOST, second)) as there:
                on_second = sum(there.get(key) is not None for key in keys)
            equal(20 < on_second < 180, True)
            equal(sum(server.get(key) is not None for key in keys), len(keys) - on_second)
            # One request whose keys are on both.
            lines = client.ask_all(b"get %s\r\n" % b" ".join(keys))
            equal(len(lines), 2 * len(keys))
            others.close()
            failures = sum(client.ask(b"set %s 0 0 1\r\na\r\n" % key) != b"STORED\r\n" for key in keys)
            equal(failures <= 2, True)
            equal({client.get(key) for key in keys[100:]}, {(b"a", 0)})


NGINX = """
load_module /usr/lib/nginx/modules/ngx_http_memc_module.so;
daemon off;
master_process off;
pid {place}/pid;
events {{}}
http {{
    access_log off;
    client_max_body_size 2m;
    client_body_buffer_size 2m;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
        listen unix:{socket};
        location / {{
            set $memcached_key $uri;
            memcached_pass {host}:{port};
            memcached_buffer_size 1m;
            error_page 404 = @made;
        }}
        location @made {{
            return 404 "made\\n";
        }}
        location /memc {{
            set $memc_key $query_string;
            memc_pass {host}:{port};
            memc_buffer_size 1m;
        }}
        location /command {{
            set $memc_cmd $arg_cmd;
            set $memc_key $arg_key;
            set $memc_value $arg_value;
            memc_cmds_allowed incr decr append stats version flush_all;
            memc_pass {host}:{port};
        }}
    }}
}}
"""

TWEMPROXY = """
ring:
  listen: {socket} 0600
  hash: murmur
  distribution: ketama
  auto_eject_hosts: true
  server_failure_limit: 1
  server_retry_timeout: 60000
  timeout: 5000
  servers:"""

Checks("proxies").run(
    [
        nginx_serves_what_is_stored,
        nginx_stores_by_methods,
        nginx_sends_commands,
        twemproxy_forwards,
        twemproxy_pipelines,
        twemproxy_spreads_and_ejects,
    ]
)
