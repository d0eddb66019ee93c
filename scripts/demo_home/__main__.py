"""Start the simulated Joulo and Home Assistant, introduce them to each other, and watch."""

import argparse
import asyncio
from collections.abc import Coroutine
from pathlib import Path
import shutil
import signal
import sys
import tempfile
from typing import Any

from homeassistant.generated.languages import LANGUAGES

from . import check
from .home import NAME, PASSWORD, write_configuration
from .service import DemoError, reserved_port
from .stage import LOG, performance

_ROOT = Path(__file__).parents[2]
_CACHE = _ROOT / ".cache" / "demo"
_USUAL_PORT = 8123
_LONGEST_CHECK = 170  # seconds, besides stopping the programs


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="check what it shows, and end")
    parser.add_argument("--language", default="en", help="of Home Assistant: en (default), nl, …")
    options = parser.parse_args()
    if options.language not in LANGUAGES:
        parser.error(f"Home Assistant does not speak {options.language!r}. Try en or nl.")
    try:
        with reserved_port(0 if options.check else _USUAL_PORT) as port:
            return _perform(options.language, port, is_check=options.check)
    except KeyboardInterrupt:
        # Before anything has been started.
        return 130


def _perform(language: str, port: int, *, is_check: bool) -> int:
    print("Starting Home Assistant and a simulated Joulo: this takes half a minute …", flush=True)
    _CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=_CACHE))
    write_configuration(folder, _ROOT / "custom_components", port, language)
    run = _check if is_check else _show
    try:
        problems = asyncio.run(_until_stopped(run(folder, port, language)))
    except DemoError as error:
        problems = [str(error)]
    except asyncio.CancelledError:
        problems = ["Stopped before the check was done."] if is_check else []
    if problems or is_check:
        # Only now, so that the log holds the end too.
        problems += check.log_problems((folder / LOG).read_text("utf-8"))
    if problems:
        print(*problems, f"The logs are in {folder}.", sep="\n", file=sys.stderr)
        return 1
    if is_check:
        print("Everything is there.")
    shutil.rmtree(folder)
    return 0


async def _show(folder: Path, port: int, language: str) -> list[str]:
    async with performance(folder, port, language) as stage:
        await stage.introduce()
        print(f"Open this first: {stage.dashboard_url}   user: {NAME}   password: {PASSWORD}")
        print(f"Home Assistant: {stage.home.url}")
        print(f"Simulated Joulo: {stage.simulator_url}")
        print(f"Logs: {folder}")
        print("Ctrl-C stops both.", flush=True)
        await stage.last()
    return []


async def _check(folder: Path, port: int, language: str) -> list[str]:
    try:
        async with asyncio.timeout(_LONGEST_CHECK), performance(folder, port, language) as stage:
            return await check.problems(stage, await stage.introduce())
    except TimeoutError:
        return [f"The check was not done after {_LONGEST_CHECK} s."]


async def _until_stopped(run: Coroutine[Any, Any, list[str]]) -> list[str]:
    """Cancel the run on the first signal, and let no second one spoil its cleaning up."""
    task = asyncio.ensure_future(run)

    def stop() -> None:
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return await task


if __name__ == "__main__":
    sys.exit(main())
