"""Someone who looks at Home Assistant through a browser, and takes note of what it complains about."""

from dataclasses import dataclass, field
import json
import re
from typing import Self

from playwright.async_api import ConsoleMessage, Error, Locator, Page, TimeoutError as TooLate

from scripts.demo_home.home import Json
from scripts.demo_home.stage import Stage

IS_DARK = "document.querySelector('home-assistant')?.hass?.themes?.darkMode"
"""Whether Home Assistant has chosen its dark colours; undefined before."""
_ICONS_OF_OTHERS = "/api/brands/"
"""Home Assistant loads them from the internet."""
_NOT_OURS = ("disconnected", "Cannot read properties of null (reading 'darkMode')")
"""What Home Assistant says when a page is left while it loads, and when its themes come before its page is ready."""


@dataclass
class Visitor:
    """A page of the demo."""

    stage: Stage
    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen to the browser's console."""
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._hear_error)

    async def log_in(self, of: Json | None = None) -> Self:
        """Be known to Home Assistant from the first page on, by the tokens of the owner or others, and wait for it."""
        tokens = json.dumps(json.dumps(of or self.stage.home.tokens))
        await self.page.context.add_init_script(f"localStorage.hassTokens = {tokens}")
        await self.open("")
        await self.page.wait_for_function("document.querySelector('home-assistant')?.hass?.user")
        return self

    async def open(self, path: str) -> None:
        """Open a page of Home Assistant by its path, in the colours that the browser asks for.

        Home Assistant fails to choose them where its themes come before its page is ready: then again.
        """
        await self.page.goto(f"{self.stage.home.url}/{path}")
        for attempts_left in reversed(range(5)):
            try:
                await self.page.wait_for_function(f"{IS_DARK} !== undefined", timeout=10_000)
            except TooLate:
                if not attempts_left:
                    raise
                await self.page.reload()
            else:
                return

    def section(self, title: str) -> Locator:
        """Return the part of a dashboard below a heading."""
        heading = self.page.locator("hui-heading-card", has_text=_just(title))
        return self.page.locator("hui-grid-section").filter(has=heading)

    async def figure(self, title: str, tile: str, nth: int = 0) -> str:
        """Return what a tile in a section shows below its name; of several of that name the nth."""
        name = self.page.locator("[slot=primary]", has_text=_just(tile))
        found = self.section(title).locator("hui-tile-card:visible").filter(has=name).nth(nth)
        return await found.locator("[slot=secondary]").inner_text()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and _ICONS_OF_OTHERS not in message.location["url"]:
            self.complaints.append(message.text)

    def _hear_error(self, error: Error) -> None:
        if error.message not in _NOT_OURS:
            self.complaints.append(error.message)


async def submit(dialog: Locator) -> None:
    """Press the button that leads on, whatever it is called."""
    await dialog.locator("ha-button:visible").first.click()


def number(text: str, language: str = "en") -> float:
    """Return the number in a text such as `1,234.56 kWh`, in Dutch `1.234,56 kWh`."""
    digits = re.sub(r"[^\d.,-]", "", text)
    if language == "nl":
        digits = digits.translate(str.maketrans(".,", ",."))
    return float(digits.replace(",", ""))


def _just(text: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{re.escape(text)}\s*$")
