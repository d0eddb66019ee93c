"""Programs that the demo starts, waits for and always stops."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import socket

_PAUSE = 0.25  # seconds between two questions
_LAST_LINES = 15
_TIME_TO_STOP = 30  # seconds


class DemoError(Exception):
    """The demo cannot go on; the message says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running program, and the file that holds what it printed."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    async def answer[T](
        self, awaited: str, ask: Callable[[], Awaitable[T | None]], seconds: float = 60
    ) -> T:
        """Return the first answer there is, while the program runs and until time is up."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while (answer := await ask()) is None:
            if self.process.returncode is not None:
                raise DemoError(f"{self.name} ended by itself.\n{self.last_lines()}")
            if clock() > deadline:
                raise DemoError(f"{awaited}: not within {seconds:.0f} s.\n{self.last_lines()}")
            await asyncio.sleep(_PAUSE)
        return answer

    def last_lines(self) -> str:
        """Return the end of what the program printed."""
        return "\n".join(self.log.read_text("utf-8").splitlines()[-_LAST_LINES:])


async def first_to_end(*services: Service) -> Service:
    """Return the first of the programs that ends."""
    ends = {asyncio.ensure_future(service.process.wait()): service for service in services}
    done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    return ends[done.pop()]


def free_port(wanted: int) -> int:
    """Return a port that is free on this machine: the wanted one if possible."""
    try:
        with socket.create_server(("127.0.0.1", wanted)) as server:
            port: int = server.getsockname()[1]
            return port
    except OSError:
        return free_port(0)


@asynccontextmanager
async def running(name: str, *command: str | Path, log: Path) -> AsyncGenerator[Service]:
    """Run a program for as long as the context lasts."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its programs
        )
    try:
        yield Service(name, process, log)
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_TIME_TO_STOP):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
