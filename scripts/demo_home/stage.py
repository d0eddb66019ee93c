"""The simulated Joulo and Home Assistant, running, and how they are introduced to each other."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
import sys

from aiohttp import ClientSession

from tests.simulator import DEMO_TOKEN

from . import household, prices
from .home import Home, Json
from .service import DemoError, Service, first_to_end, running

LOG = "output.log"  # of Home Assistant
_DOMAIN = "joulo"
_DASHBOARD = "dashboard-joulo"  # as the dialog proposes
_JOULO, _DER_CONNECT = "Joulo simulator on ", "DER Connect simulator on "
"""What the simulator says when it answers; DER Connect comes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """The integration's entry, its vehicles' names by id, and the account's books just before it was set up."""

    entry_id: str
    vehicles: dict[str, str]
    first_books: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Both programs, and what is known about them."""

    session: ClientSession
    simulator: Service
    simulator_url: str
    der_connect_url: str
    home_assistant: Service
    home: Home
    language: str

    @property
    def dashboard_url(self) -> str:
        """The address of the Joulo dashboard, once the introduction has made it."""
        return f"{self.home.url}/{_DASHBOARD}"

    async def introduce(self) -> Introduction:
        """Set the integration up with the vehicles and the price of the household, and make its dashboard."""
        books, _ = await self.books()
        async with self.home.connection() as connection:
            await prices.record(connection)
        answers = {"token": DEMO_TOKEN, "advanced": {"url": self.simulator_url}}
        entry_id = await self.home.add_integration(_DOMAIN, answers)
        await household.move_in(self.home, entry_id, self.der_connect_url)
        await self.home.add_dashboard(_DASHBOARD, "Joulo", {"type": f"custom:{_DOMAIN}"})
        async with self.home.connection() as connection:
            subentries = await connection.ask("config_entries/subentries/list", entry_id=entry_id)
        vehicles = {
            each["subentry_id"]: each["title"]
            for each in subentries
            if each["subentry_type"] == "vehicle"
        }
        return Introduction(entry_id=entry_id, vehicles=vehicles, first_books=books)

    async def books(self) -> tuple[Json, Json]:
        """Return the simulator's account of the totals, and of the requests it got."""
        url = f"{self.simulator_url}/_simulator/books"
        async with self.session.get(url, raise_for_status=True) as response:
            books = await response.json()
        return books["accounts"][0], books["requests"]

    async def last(self) -> None:
        """Stay until one of the programs ends, which is an error."""
        ended = await first_to_end(self.simulator, self.home_assistant)
        raise DemoError(f"{ended.name} ended by itself.\n{ended.last_lines()}")


@asynccontextmanager
async def performance(
    folder: Path, port: int, language: str, *simulator_options: str
) -> AsyncGenerator[Stage]:
    """Run both programs for as long as the context lasts; they are still to be introduced to each other.

    `folder` holds Home Assistant's configuration; the logs are written there too.
    """
    python = sys.executable
    simulate = (python, "-m", "tests.simulator", "--port=0", f"--token={DEMO_TOKEN}")
    assist = (python, "-m", f"{__package__}.hass", "--config", folder, "--skip-pip")
    async with (
        ClientSession() as session,
        running(
            "The simulator", *simulate, *simulator_options, log=folder / "simulator.log"
        ) as simulator,
        running("Home Assistant", *assist, log=folder / LOG) as home_assistant,
    ):
        url = await simulator.answer(
            "The simulator's address", lambda: _announced(simulator, _JOULO)
        )
        home = Home(session, f"http://127.0.0.1:{port}", Path(folder).name)
        await home_assistant.answer("Home Assistant's first answer", home.is_up)
        await home.onboard(language)
        await home_assistant.answer("The end of Home Assistant's start", home.is_running)
        await _settle_in(home, language)
        yield Stage(
            session=session,
            simulator=simulator,
            simulator_url=url,
            der_connect_url=_address(simulator, _DER_CONNECT) or "",
            home_assistant=home_assistant,
            home=home,
            language=language,
        )


def _address(simulator: Service, announcement: str) -> str | None:
    lines = simulator.log.read_text("utf-8").splitlines()
    return next(
        (line.removeprefix(announcement) for line in lines if line.startswith(announcement)),
        None,
    )


async def _announced(simulator: Service, announcement: str) -> str | None:
    return _address(simulator, announcement)


async def _settle_in(home: Home, language: str) -> None:
    """Do what a user would do once: keep the address, which has a trial of 5 minutes, and so on."""
    user_language = {"language": language, "number_format": "language"}
    async with home.connection() as connection:
        await connection.ask("frontend/set_user_data", key="language", value=user_language)
        with suppress(DemoError):  # an older release has no trial
            await connection.ask("http/config/promote")
            await connection.ask(
                "repairs/ignore_issue", domain="http", issue_id="deprecated_yaml", ignore=True
            )
