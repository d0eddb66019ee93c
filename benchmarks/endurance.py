"""Runs the tests that draw by chance at their full length, and tells how long the event loop was kept.

    .venv/bin/python -m benchmarks.endurance              (or with what pytest should select: -k quarter)

20 quarters, each from another seed, with outages, power cuts, corrections, removals, returns, cards that move, prices
that change, wrong clocks and a change to or from summer time, in three time zones; 100,000 documents with nonsense for the client; 5,000 for a
running integration, twice. A failure names the seed, with which the test fails again.

For each test the longest block of the event loop is listed, in ms of CPU time without Python's garbage collection,
which here visits all that a test has gathered, and with what ran in it. The simulated
Joulo answers in the same loop; what is the simulator's is named `RequestHandler`.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
import gc
import os
import sys
import time
from typing import Any, override
from unittest.mock import patch

import pytest

LENGTHS = {
    "QUARTER_SEEDS": "20",
    "QUARTER_DAYS": "91",
    "NONSENSE_TRIALS": "100000",
    "NONSENSE_DOCUMENTS": "5000",
}
TESTS = ("tests/test_quarter.py", "tests/test_nonsense.py", "tests/api/test_nonsense.py")
_BLOCK = "longest block"


@dataclass(slots=True)
class Block:
    """The longest stretch for which a callback has kept the event loop so far."""

    seconds: float = 0.0
    callback: str = ""
    _collected: float = 0.0
    _begun: float = 0.0

    @contextmanager
    def watched(self) -> Generator[None]:
        """Time every callback of every event loop of this process."""
        run = asyncio.Handle._run  # noqa: SLF001 (there is no public hook)

        def timed(handle: Any) -> None:
            begun, collected = time.thread_time(), self._collected
            run(handle)
            seconds = time.thread_time() - begun - (self._collected - collected)
            if seconds > self.seconds:
                task = getattr(handle._callback, "__self__", None)  # noqa: SLF001
                self.seconds, self.callback = seconds, repr(task or handle)

        gc.callbacks.append(self._note_collection)
        with patch.object(asyncio.Handle, "_run", timed):
            yield
        gc.callbacks.remove(self._note_collection)

    def _note_collection(self, phase: str, _info: dict[str, int]) -> None:
        """Add up the time of garbage collections, which visit all that a test of a quarter has gathered."""
        now = time.thread_time()
        if phase == "start":
            self._begun = now
        else:
            self._collected += now - self._begun

    @override
    def __str__(self) -> str:
        return f"{self.seconds * 1e3:6.1f} ms  {self.callback:.160}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Watch the event loop during a test."""
    block = Block()
    with block.watched():
        yield
    item.user_properties.append((_BLOCK, str(block)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the longest block of each test that has passed."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, block in report.user_properties:
            if name == _BLOCK and report.when == "call":
                terminalreporter.write_line(f"{block}  {report.nodeid}")


def main() -> None:
    """Run the tests on all cores, without a limit of time."""
    os.environ |= LENGTHS
    options = ["-p", "benchmarks.endurance", "--numprocesses=auto", "--timeout=0", "--durations=0"]
    sys.exit(pytest.main([*options, *TESTS, *sys.argv[1:]]))


if __name__ == "__main__":
    main()
