"""The tests that clients were released with: python released.py NAME SDISTS SERVER HOST PORT

They run as they are. Some have addresses wired into them: what connects there reaches the server
named on the command line, or one more of its kind where they need several.
"""

import contextlib
import os
import pathlib
import socket
import sys
import tarfile
import tempfile
import types

import pytest

from serving import serving, serving_socket

NAME, SDISTS, SERVER, HOST, PORT = sys.argv[1:6]


def pymemcache(_directory):
    """Those that need a server; the three skipped are so in the release."""
    import pymemcache.test

    tests = pathlib.Path(pymemcache.test.__file__).parent
    arguments = ["-m", "integration", "--rootdir", tests, "--server", HOST, "--port", PORT]
    return Run([*arguments, tests / "test_integration.py"], skipped=3)


def pylibmc(directory):
    """All; the client is written in C, and its tests take the port from the environment, mostly."""
    os.environ.update(MEMCACHED_HOST=HOST, MEMCACHED_PORT=PORT)
    sys.path.insert(0, str(directory))
    import tests
    from pylibmc import autoconf

    tests.PylibmcTestCase.memcached_port = PORT
    autoconf.elasticache.__defaults__ = (f"{HOST}:{PORT}", *autoconf.elasticache.__defaults__[1:])
    return Run([directory / "tests"], wired={WIRED_PORT: (HOST, int(PORT))})


def bmemcached(directory):
    """All but those that start servers with SASL and with TLS."""
    os.environ["MEMCACHED_HOST"] = HOST
    left_out = [f"--ignore={directory}/test/test_{name}.py" for name in ("sasl_integration", "tls")]
    ipv6 = SERVERS.enter_context(serving(SERVER, host="::1"))
    # The release lacks the file in which their tests find this port and wait for its server.
    sys.modules["conftest"] = types.SimpleNamespace(IPV6_PORT=ipv6)
    wired = {
        WIRED_PORT: (HOST, int(PORT)),
        5000: (HOST, SERVERS.enter_context(serving(SERVER))),
        "/tmp/memcached.sock": SERVERS.enter_context(serving_socket(SERVER)),
    }
    return Run([*left_out, directory / "test"], wired=wired)


def python_memcached(directory):
    """All. The release lacks the module with which its tests read what the client prints."""
    tests = directory / "tests"
    (tests / "__init__.py").touch()
    (tests / "utils.py").write_text(CAPTURED_STDERR, encoding="ascii")
    return Run([tests], wired={WIRED_PORT: (HOST, int(PORT))})


class Run:
    """What pytest is to run, and a plugin of it that counts."""

    def __init__(self, arguments, *, skipped=0, wired=None):
        self.arguments = arguments
        self.skipped = {"expected": skipped, "found": 0}
        self.wired = wired or {}
        self.passed = 0
        self.failed = 0

    def run(self):
        """Runs it and ends the process with what came of it."""
        redirect(self.wired)
        own = ["-q", "--tb=short", "-p", "no:cacheprovider", "-c", os.devnull, "-W", "ignore"]
        code = pytest.main([*own, *map(str, self.arguments)], plugins=[self])
        if self.skipped["found"] != self.skipped["expected"]:
            print(f"{NAME}: skipped tests: {self.skipped}")
            self.failed += 1
        print(f"{NAME}: {self.passed} passed, {self.failed} failed")
        sys.exit(1 if code or self.failed or not self.passed else 0)

    def pytest_runtest_logreport(self, report):
        """Counts a test once, whichever of its phases failed."""
        if report.skipped:
            self.skipped["found"] += 1
        elif report.failed:
            self.failed += 1
        elif report.when == "call" and type(report) is pytest.TestReport:  # not part of a test
            self.passed += 1

    def pytest_collectreport(self, report):
        """A file that cannot be read is a failure."""
        self.failed += report.failed

    @pytest.fixture
    def memcached_ipv6(self):
        """What bmemcached's tests wait for: the server runs already."""


def redirect(wired):
    """Sends connections to wired-in ports and paths to where they are to go."""
    connect = socket.socket.connect

    def redirected(self, address):
        place = address if isinstance(address, str) else address[1]
        return connect(self, wired.get(place, address))

    socket.socket.connect = redirected


def unpack(pattern, directory):
    """Unpacks the source distribution of that name and gives its top directory."""
    with tarfile.open(next(pathlib.Path(SDISTS).glob(pattern))) as archive:
        archive.extractall(directory, filter="data")
    return next(pathlib.Path(directory).iterdir())


WIRED_PORT = 11211
SERVERS = contextlib.ExitStack()
SUITES = {
    "pymemcache": (pymemcache, None),
    "pylibmc": (pylibmc, "pylibmc-*.tar.gz"),
    "bmemcached": (bmemcached, "python_binary_memcached-*.tar.gz"),
    "python-memcached": (python_memcached, "python-memcached-*.tar.gz"),
}
CAPTURED_STDERR = """\
import contextlib
import io


@contextlib.contextmanager
def captured_stderr():
    with contextlib.redirect_stderr(io.StringIO()) as output:
        yield output
"""

if __name__ == "__main__":
    prepare, pattern = SUITES[NAME]
    with SERVERS, tempfile.TemporaryDirectory() as directory:
        prepare(unpack(pattern, directory) if pattern else None).run()
