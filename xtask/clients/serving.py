"""More servers for the suites that need them: a Unix socket, IPv6, a second node of a ring."""

import contextlib
import os
import subprocess
import tempfile

from checks import until


@contextlib.contextmanager
def serving(program, *, host="127.0.0.1", udp=False):
    """Runs a server on a free port of TCP, or of UDP instead, and gives that port."""
    ports = ["-p", "0", "-U", "-1"] if udp else ["-p", "-1"]
    with started(program, [*ports, "-l", host]) as (directory, _):
        with open(os.path.join(directory, "port"), encoding="ascii") as lines:
            # `TCP INET: 40123`, `TCP INET6: 40123` or `UDP INET: 40123`.
            yield int(lines.readline().rsplit(None, 1)[1])


@contextlib.contextmanager
def serving_socket(program):
    """Runs a server on a Unix socket, and gives its path."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o777)
        path = os.path.join(directory, "socket")
        with started(program, ["-s", path, "-a", "777"], path):
            yield path


@contextlib.contextmanager
def started(program, switches, appears=None):
    """Runs a server until the block ends, and begins that when the file `appears`, or its ports."""
    with tempfile.TemporaryDirectory() as directory:
        # The server writes there after it has dropped root's rights.
        os.chmod(directory, 0o777)
        ports = os.path.join(directory, "port")
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [program, "-U", "0", *switches, *user],
            env={**os.environ, "MEMCACHED_PORT_FILENAME": ports},
        )
        try:
            until(lambda: os.path.exists(appears or ports) or process.poll() is not None)
            if process.poll() is not None:
                raise AssertionError(f"{program} ended at its start with {process.returncode}")
            yield directory, process
        finally:
            process.kill()
            process.wait()
