"""Programs that the demo starts, waits for and always stops."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
import fcntl
from pathlib import Path
import socket
import tempfile

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


@contextmanager
def reserved_port(wanted: int) -> Generator[int]:
    """Keep a free port for as long as the context lasts, the wanted one if possible: another demo takes another one."""
    port = _free_port(wanted)
    with (Path(tempfile.gettempdir()) / f"joulo-demo-{port}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_ours = False
        else:
            is_ours = True
            yield port
    if not is_ours:
        with reserved_port(0) as other:
            yield other


def _free_port(wanted: int) -> int:
    try:
        with socket.create_server(("127.0.0.1", wanted)) as server:
            port: int = server.getsockname()[1]
            return port
    except OSError:
        return _free_port(0)


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
