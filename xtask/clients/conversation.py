"""A server spoken to by its bytes, by suites that are not about a client of Python's."""

import socket


class Conversation:
    """A connection: what is sent, and what comes back up to its end."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(10)
        self.socket.connect(address)
        self.replies = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.replies.close()
        self.socket.close()

    def ask(self, request):
        """The line that answers a request."""
        self.socket.sendall(request)
        return self.replies.readline()

    def ask_all(self, request, end=b"END\r\n"):
        """The lines that answer it, up to the one that ends them; fewer when the connection ends first."""
        self.socket.sendall(request)
        lines = []
        for line in self.replies:
            if line == end:
                break
            lines.append(line)
        return lines

    def set(self, key, value, flags=0, exptime=0):
        """Stores a value, which must succeed."""
        line = self.ask(b"set %s %d %d %d\r\n%s\r\n" % (key, flags, exptime, len(value), value))
        if line != b"STORED\r\n":
            raise AssertionError(f"{key} is not stored: {line}")

    def get(self, key):
        """A value and its flags, or nothing."""
        head = self.ask(b"get %s\r\n" % key)
        if head == b"END\r\n":
            return None
        word, _, flags, length = head.split()
        if word != b"VALUE":
            raise AssertionError(f"get is answered by {head}")
        value = self.replies.read(int(length))
        if self.replies.read(7) != b"\r\nEND\r\n":
            raise AssertionError("a value does not end where it should")
        return value, int(flags)
