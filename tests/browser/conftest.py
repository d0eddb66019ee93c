"""What the tests in a browser begin with: a demo that runs, and someone who visits it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
import os
from pathlib import Path
from typing import Literal, Protocol

from playwright.async_api import Browser, async_playwright, expect
import pytest

from scripts.demo_home import check, history
from scripts.demo_home.home import Connection, Json, write_configuration
from scripts.demo_home.service import reserved_port
from scripts.demo_home.stage import LOG, Introduction, Stage, performance

from .visitor import IS_DARK, Visitor

_ROOT = Path(__file__).parents[2]
_IMAGES = _ROOT / "docs" / "images"
_QUIET = (
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

_OF_EVERY_PLATFORM = "Failed to load integration for translation: Invalid domain"
"""Home Assistant warns of each, of whatever integration, when its language changes."""

_PATIENCE = 30_000
"""Milliseconds; a machine that does other work too may need many of them for a page."""

expect.set_options(timeout=_PATIENCE)

type Width = Literal[390, 1280]
type Scheme = Literal["light", "dark"]


class Visit(Protocol):
    """A function that sends someone to the demo."""

    async def __call__(self, width: Width, scheme: Scheme, of: Json | None = None) -> Visitor:
        """Return the owner of the demo with a browser, or whoever has other tokens."""
        ...


type Picture = Callable[[Visitor, str, str], Awaitable[None]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that takes the pictures of the documentation."""
    parser.addoption("--screenshots", action="store_true", help=f"take the pictures in {_IMAGES}")


@pytest.fixture(scope="session")
async def chromium() -> AsyncGenerator[Browser]:
    """Return a browser without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM"], args=_QUIET
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def demo(folder: Path) -> AsyncGenerator[Stage]:
    """Run the demo before its introduction; nothing of ours may warn in its log."""
    with reserved_port(0) as port:
        write_configuration(folder, _ROOT / "custom_components", port, "en")
        async with performance(folder, port, "en", "--running=60") as stage:
            yield stage
    warnings = check.log_problems((folder / LOG).read_text("utf-8"))
    assert [warning for warning in warnings if _OF_EVERY_PLATFORM not in warning] == []


@pytest.fixture
async def empty_stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """Return a demo in which the integration is still to be set up."""
    async with demo(tmp_path) as stage:
        yield stage


@pytest.fixture(scope="session")
async def introduced(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncGenerator[tuple[Stage, Introduction]]:
    """Return a demo that has read its whole history, and given it to the Energy dashboard."""
    async with demo(tmp_path_factory.mktemp("demo")) as stage:
        introduction = await stage.introduce()
        async with stage.home.connection() as connection:
            assert await history.problems(stage, introduction, connection) == []
        yield stage, introduction


@pytest.fixture
def stage(introduced: tuple[Stage, Introduction]) -> Stage:
    """Return the demo that has been introduced."""
    return introduced[0]


@pytest.fixture(params=["en", "nl"])
async def language(
    request: pytest.FixtureRequest, introduced: tuple[Stage, Introduction]
) -> AsyncGenerator[str]:
    """Return a language, which Home Assistant speaks for as long as the test lasts."""
    wanted: str = request.param
    if wanted != "en":
        await _speak(wanted, *introduced)
    yield wanted
    if wanted != "en":
        await _speak("en", *introduced)


async def _speak(language: str, stage: Stage, introduction: Introduction) -> None:
    async with stage.home.connection() as connection:
        await connection.ask("config/core/update", language=language)
        await set_language(connection, language)
    # Names of entities are those of the language at their set-up; it sends no request so soon.
    entry = f"/api/config/config_entries/entry/{introduction.entry_id}"
    await stage.home.call("POST", f"{entry}/reload")


async def set_language(connection: Connection, language: str) -> None:
    """Have Home Assistant talk to the user in a language."""
    value = {"language": language, "number_format": "language"}
    await connection.ask("frontend/set_user_data", key="language", value=value)


@pytest.fixture
async def visit(chromium: Browser, stage: Stage) -> AsyncGenerator[Visit]:
    """Return a function that sends someone to the demo; whatever the console complains about is a failure."""
    visitors: list[Visitor] = []

    async def visit(width: Width, scheme: Scheme, of: Json | None = None) -> Visitor:
        visitor = await visitor_of(chromium, stage, width, scheme)
        visitors.append(visitor)
        await visitor.log_in(of)
        assert await visitor.page.evaluate(IS_DARK) is (scheme == "dark")
        return visitor

    yield visit
    for visitor in visitors:
        await visitor.page.context.close()
        assert visitor.complaints == []


async def visitor_of(chromium: Browser, stage: Stage, width: Width, scheme: Scheme) -> Visitor:
    """Return someone with a browser of their own, who has not logged in yet."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, service_workers="block"
    )
    context.set_default_timeout(_PATIENCE)
    return Visitor(stage, await context.new_page())


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Picture:
    """Return a function that takes a picture for the documentation, if they are wanted."""

    async def picture(visitor: Visitor, name: str, language: str) -> None:
        full_name = name if language == "en" else f"{name}-{language}"
        if request.config.getoption("--screenshots"):
            _IMAGES.mkdir(exist_ok=True)
            # What moves has come to rest then.
            await visitor.page.wait_for_timeout(1500)
            await visitor.page.screenshot(path=_IMAGES / f"{full_name}.png", scale="css")

    return picture
