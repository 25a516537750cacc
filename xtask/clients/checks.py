"""What the Python suites share: named checks, counted, and conditions with a deadline."""

import asyncio
import sys
import time
import traceback

LARGE = bytes(range(256)) * 3600  # 900 KB of every byte
TOO_LARGE = b"x" * (1024 * 1024 + 1)


class Checks:
    """Runs checks, prints a line for each, and counts."""

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = 0

    def run(self, functions):
        """Runs each function, and ends the process with what came of it."""
        self.finish((function.__name__, function) for function in functions)

    def run_async(self, client, functions):
        """As `run`, for clients in an event loop: functions take what awaiting `client` gives."""
        with asyncio.Runner() as runner:
            made = runner.run(client())
            self.finish(
                (function.__name__, lambda function=function: runner.run(function(made)))
                for function in functions
            )

    def finish(self, checks):
        """As `run`, for pairs of a name and a function."""
        for name, function in checks:
            try:
                function()
            except Exception:  # a client may raise anything, and the other checks still count
                self.failed += 1
                print(f"{self.name}: {name}: FAILED")
                traceback.print_exc(file=sys.stdout)
            else:
                self.passed += 1
                print(f"{self.name}: {name}: ok")
        print(f"{self.name}: {self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def equal(found, expected):
    """Fails unless both are the same."""
    if found != expected:
        raise AssertionError(f"expected {short(expected)}, found {short(found)}")


def raises(error, action):
    """Fails unless `action` raises `error`."""
    try:
        found = action()
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, found {short(found)}")


async def raises_async(error, action):
    """As `raises`, for something to await."""
    try:
        found = await action
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, found {short(found)}")


def until(condition, seconds=10):
    """Fails unless `condition` comes true within a time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true in time")
        time.sleep(0.05)


async def until_async(condition, seconds=10):
    """As `until`, for a condition that makes something to await."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true in time")
        await asyncio.sleep(0.05)


def short(value):
    """A value for a person to read."""
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}... ({len(text)})"
