"""Home Assistant, set up and asked in the way a browser does it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
from pathlib import Path
from time import time
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse

from . import prices
from .service import DemoError

type Json = dict[str, Any]

NAME = "demo"
PASSWORD = "demo"  # noqa: S105 - opens nothing but a demo on this machine

_CONFIGURATION = """\
homeassistant:
  name: Joulo demo
  country: NL
  currency: EUR
  language: {language}
  latitude: 52.09
  longitude: 5.12
  time_zone: Europe/Amsterdam
  unit_system: metric
http:
  server_host: 127.0.0.1
  server_port: {port}
logger:
  default: warning
  logs:
    custom_components.joulo: debug
automation: !include automations.yaml
energy:
frontend:
history:
logbook:
recorder:
"""

# This one step is marked as done beforehand: its endpoint also sets up the weather, web radio
# and text to speech, each of which installs packages and calls out to the internet.
_ONBOARDING = {"version": 4, "key": "onboarding", "data": {"done": ["core_config"]}}


def write_configuration(folder: Path, custom_components: Path, port: int, language: str) -> None:
    """Lay out a new configuration folder that links to the integration, with a price sensor."""
    configuration = _CONFIGURATION.format(port=port, language=language)
    (folder / "configuration.yaml").write_text(configuration + prices.CONFIGURATION)
    (folder / "automations.yaml").write_text("[]\n")
    (folder / "custom_components").symlink_to(custom_components)
    (folder / ".storage").mkdir()
    # Home Assistant serves what lies there: so the demo knows its own from a stranger's.
    (folder / "www").mkdir()
    (folder / "www" / folder.name).touch()
    (folder / ".storage" / "onboarding").write_text(json.dumps(_ONBOARDING))


class Home:
    """A session with Home Assistant: its REST API, and its websocket API once logged in."""

    def __init__(self, session: ClientSession, url: str, name: str) -> None:
        self.url = url
        self._name = name
        self._session = session
        self.tokens: Json = {}

    async def is_up(self) -> bool | None:
        """Return True once Home Assistant answers, None before; DemoError if another one does."""
        try:
            async with self._session.get(f"{self.url}/api/onboarding") as response:
                if not response.ok:
                    return None
            async with self._session.get(f"{self.url}/local/{self._name}") as response:
                if response.ok:
                    return True
        except ClientError:
            return None
        raise DemoError(f"Another Home Assistant answers at {self.url}. Start the demo again.")

    async def is_running(self) -> bool | None:
        """Return True once every integration is set up, None before."""
        return (await self.call("GET", "/api/config"))["state"] == "RUNNING" or None

    async def call(self, method: str, path: str, body: Json | None = None) -> Any:
        """Return the answer of the REST API; DemoError if it is an error."""
        token = self.tokens.get("access_token")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.request(
            method, self.url + path, json=body, headers=headers
        ) as response:
            if not response.ok:
                raise DemoError(f"{method} {path}: {response.status} {await response.text()}")
            return await response.json()

    async def onboard(self, language: str) -> None:
        """Create the owner, log in, and finish the onboarding."""
        client = {"client_id": f"{self.url}/"}
        owner = {"name": "Demo", "username": NAME, "password": PASSWORD, "language": language}
        code = (await self.call("POST", "/api/onboarding/users", client | owner))["auth_code"]
        self.tokens = await self._exchange(code)
        await self.call("POST", "/api/onboarding/analytics")
        redirect = {"redirect_uri": f"{self.url}/?auth_callback=1"}
        await self.call("POST", "/api/onboarding/integration", client | redirect)

    async def _exchange(self, code: str) -> Json:
        """Return tokens for the code of a log-in, as the frontend keeps them in a browser."""
        form = {"client_id": f"{self.url}/", "grant_type": "authorization_code", "code": code}
        async with self._session.post(f"{self.url}/auth/token", data=form) as response:
            tokens: Json = await response.json()
        expires = int((time() + tokens["expires_in"]) * 1000)
        return tokens | {"hassUrl": self.url, "clientId": form["client_id"], "expires": expires}

    async def add_user(self, name: str, password: str) -> Json:
        """Add someone who is no administrator, and return their tokens as a browser keeps them."""
        async with self.connection() as connection:
            made = await connection.ask("config/auth/create", name=name, group_ids=["system-users"])
            await connection.ask(
                "config/auth_provider/homeassistant/create",
                user_id=made["user"]["id"],
                username=name,
                password=password,
            )
        client = {"client_id": f"{self.url}/"}
        flow = {"handler": ["homeassistant", None], "redirect_uri": f"{self.url}/"}
        form = await self.call("POST", "/auth/login_flow", client | flow)
        login = {"username": name, "password": password}
        done = await self.call("POST", f"/auth/login_flow/{form['flow_id']}", client | login)
        return await self._exchange(done["result"])

    async def add_integration(self, domain: str, answers: Json) -> str:
        """Go through the set-up form of an integration and return the id of its entry."""
        result = await self.fill_in("flow", domain, answers)
        entry_id: str = result["result"]["entry_id"]
        return entry_id

    async def fill_in(self, path: str, handler: Any, *answers: Json) -> Json:
        """Open a form of a config entry, submit it step by step, and return what it has made; DemoError if nothing."""
        flows = f"/api/config/config_entries/{path}"
        result: Json = await self.call("POST", flows, {"handler": handler})
        for answer in answers:
            result = await self.call("POST", f"{flows}/{result['flow_id']}", answer)
        if result["type"] != "create_entry":
            reason = result.get("reason") or result.get("errors")
            raise DemoError(f"The form {path} of {handler} ended in {result['type']}: {reason}")
        return result

    async def add_dashboard(self, path: str, title: str, strategy: Json) -> None:
        """Make a dashboard that a strategy draws, as the dialog for it does."""
        async with self.connection() as connection:
            await connection.ask(
                "lovelace/dashboards/create", url_path=path, title=title, icon="mdi:ev-station"
            )
            config = {"strategy": strategy}
            await connection.ask("lovelace/config/save", url_path=path, config=config)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Open the websocket API for as long as the context lasts."""
        async with self._session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0) as socket:
            yield await Connection(socket).log_in(self.tokens["access_token"])


class Connection:
    """The websocket API: one question at a time."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last_id = 0

    async def log_in(self, token: str) -> Self:
        """Authenticate."""
        await self._socket.receive_json()
        await self._socket.send_json({"type": "auth", "access_token": token})
        if (answer := await self._socket.receive_json())["type"] != "auth_ok":
            raise DemoError(f"Home Assistant refused the log-in: {answer}")
        return self

    async def ask(self, command: str, **fields: Any) -> Any:
        """Return the result of a command; DemoError if it is an error."""
        self._last_id += 1
        await self._socket.send_json({"id": self._last_id, "type": command, **fields})
        answer = await self._socket.receive_json()
        if not answer["success"]:
            raise DemoError(f"{command}: {answer['error']['message']}")
        return answer["result"]
