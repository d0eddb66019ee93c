"""A recorder, a history whose sessions it is to hold, and the importer between them."""

from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
import logging
from typing import Any
from unittest.mock import patch

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import (
    async_add_external_statistics,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from pymysql import converters  # type: ignore[import-untyped]
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.patch_time import HAFakeDatetime
import sqlalchemy_utils  # type: ignore[import-untyped]

from custom_components.joulo.api import RateLimiter
from custom_components.joulo.const import DOMAIN
from custom_components.joulo.history import SessionHistory
from custom_components.joulo.statistics import importer as importer_module
from custom_components.joulo.statistics.importer import StatisticsImporter
from tests.conftest import NOW
from tests.statistics import Recorded, Row, add_device, finish_reading


@pytest.fixture
def recorder_db_url(request: pytest.FixtureRequest, recorder_db_url: str) -> Generator[str]:
    """Give a test a database of its own on MariaDB too: the plugin makes none for its driver in Python."""
    is_ours = recorder_db_url.startswith("mysql+pymysql:")
    if is_ours:
        request.getfixturevalue("socket_enabled")
        # The plugin tells other drivers how to write the moments of a clock that stands still.
        converters.conversions[HAFakeDatetime] = converters.escape_datetime
        sqlalchemy_utils.create_database(recorder_db_url, encoding="utf8mb4")
    yield recorder_db_url
    if is_ours:
        sqlalchemy_utils.drop_database(recorder_db_url)


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the database from writing every statement to the log."""
    caplog.set_level(logging.WARNING, "sqlalchemy.engine")
    caplog.set_level(logging.WARNING, "homeassistant.components.recorder")


@pytest.fixture
def recorder(_now: None, quiet: None, recorder_mock: Recorder) -> Recorder:
    """Return a recorder that has begun at the moment at which the test does."""
    return recorder_mock


@pytest.fixture
def history(hass: HomeAssistant) -> SessionHistory:
    """Return an empty history of which nothing is left to be read."""
    history = SessionHistory(hass, "entry", RateLimiter())
    finish_reading(history)
    return history


@pytest.fixture
def owner(hass: HomeAssistant) -> MockConfigEntry:
    """Return the entry that the history belongs to, whose account lists the charger."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id="entry")
    entry.add_to_hass(hass)
    add_device(hass, entry)
    return entry


@pytest.fixture
async def importer(
    hass: HomeAssistant, owner: MockConfigEntry, history: SessionHistory
) -> AsyncGenerator[StatisticsImporter]:
    """Return an importer that has been started."""
    importer = StatisticsImporter(hass, owner, history)
    finish_reading(history, NOW + timedelta(seconds=1))
    importer.async_start()
    yield importer
    await owner._async_process_on_unload(hass)


@pytest.fixture
def handed_over() -> Generator[list[str]]:
    """Return the statistic id of every row that the recorder has been given, as it grows."""
    ids: list[str] = []

    def count(hass: HomeAssistant, metadata: Any, rows: Any) -> None:
        ids.extend([metadata["statistic_id"]] * len(rows))
        async_add_external_statistics(hass, metadata, rows)

    with patch.object(importer_module, "async_add_external_statistics", count):
        yield ids


@pytest.fixture
def recorded(hass: HomeAssistant, recorder: Recorder) -> Recorded:
    """Return a function that tells what the recorder holds of a statistic."""

    async def recorded(statistic_id: str) -> list[Row]:
        await async_wait_recording_done(hass)
        found = await recorder.async_add_executor_job(
            statistics_during_period,
            hass,
            datetime(2000, 1, 1, tzinfo=UTC),
            None,
            {statistic_id},
            "hour",
            None,
            {"state", "sum"},
        )
        return [
            Row(datetime.fromtimestamp(row["start"], UTC), row["state"], row["sum"])
            for row in found.get(statistic_id, ())
        ]

    return recorded


@pytest.fixture
async def other_importer(
    hass: HomeAssistant, owner: MockConfigEntry, importer: StatisticsImporter
) -> AsyncGenerator[StatisticsImporter]:
    """Return the importer of a second account, of which nothing is left to be read either."""
    entry = MockConfigEntry(domain=DOMAIN, entry_id="other")
    entry.add_to_hass(hass)
    other = StatisticsImporter(hass, entry, SessionHistory(hass, "other", RateLimiter()))
    finish_reading(other.history)
    other.async_start()
    yield other
    await entry._async_process_on_unload(hass)
